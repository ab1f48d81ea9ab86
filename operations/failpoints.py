"""Failpoints: named places where a test can make a process exit, to test the recovery.

`RUNLEDGER_FAILPOINTS=0.002` ends the process at every failpoint with this probability.
`RUNLEDGER_FAILPOINTS=claim.after:1;0.1` sets the probability of one failpoint and of all others.
The variable is set in tests only; without it, a failpoint costs one lookup in an empty dict.
Production does not start with it (`operations/maintenance/preflight.py`).
"""

from __future__ import annotations

import os
import random
import time

VARIABLE = "RUNLEDGER_FAILPOINTS"
#: The end of the failpoints in seconds since the epoch; without it they never end.
UNTIL_VARIABLE = "RUNLEDGER_FAILPOINTS_UNTIL"
EXIT = 137
EVERY = ""


def parse(text: str) -> dict[str, float]:
    """Return the probability by failpoint; `EVERY` is the key for all others.

    Raises:
        ValueError: a probability is not a number from 0 to 1.
    """
    probabilities = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, probability = part.rpartition(":")
        probabilities[name] = float(probability)
        if not 0 <= probabilities[name] <= 1:
            raise ValueError(f"{part}: a probability must be from 0 to 1")
    return probabilities


_probabilities = parse(os.environ.get(VARIABLE, ""))
_until = float(os.environ.get(UNTIL_VARIABLE, "inf"))


def failpoint(name: str) -> None:
    """End the process here if the failpoint is set to do so."""
    if not _probabilities or time.time() > _until:
        return
    if random.random() < _probabilities.get(name, _probabilities.get(EVERY, 0)):  # noqa: S311  # nosec B311
        os.write(2, f"failpoint: {name}\n".encode())
        os._exit(EXIT)
