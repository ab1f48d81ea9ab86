"""Named places at which a process can be told to die, so that what follows a death can be tested.

`RUNLEDGER_FAILPOINTS=0.002` lets every place end the process with that chance each time it is passed;
`RUNLEDGER_FAILPOINTS=claim.after:1;0.1` names one and leaves the others a chance. Unset, as always but in tests, a place costs one look
at an empty table. Production refuses to start with it (`operations/maintenance/preflight.py`).
"""

from __future__ import annotations

import os
import random
import time

VARIABLE = "RUNLEDGER_FAILPOINTS"
#: Until when, in seconds since the epoch; for ever if it is not given.
UNTIL_VARIABLE = "RUNLEDGER_FAILPOINTS_UNTIL"
EXIT = 137
EVERY = ""


def parse(text: str) -> dict[str, float]:
    """The chance of each place by its name; `EVERY` stands for those that are not named.

    Raises:
        ValueError: a chance is not a number from 0 to 1.
    """
    chances = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, chance = part.rpartition(":")
        chances[name] = float(chance)
        if not 0 <= chances[name] <= 1:
            raise ValueError(f"{part}: a chance is from 0 to 1")
    return chances


_chances = parse(os.environ.get(VARIABLE, ""))
_until = float(os.environ.get(UNTIL_VARIABLE, "inf"))


def failpoint(place: str) -> None:
    """Pass a place; end the process here if it was told to."""
    if not _chances or time.time() > _until:
        return
    if random.random() < _chances.get(place, _chances.get(EVERY, 0)):  # noqa: S311
        os.write(2, f"failpoint: {place}\n".encode())
        os._exit(EXIT)
