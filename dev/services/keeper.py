"""Runs a command and leaves nothing of it behind: `python -m dev.services.keeper COMMAND…`.

Stands between `make run` and each of its programs. When `make run` is killed by force, the program
is asked to stop, and soon killed with all it started: a Celery worker whose broker has just gone
would otherwise wait for it for ever.
"""

import os
import sys
from typing import NoReturn

from dev.services.processes import run_guarded

# A program that ended in order has no more use for what it leaves.
LEFTOVERS_SECONDS = 1
ABANDONED_SECONDS = 4


def main() -> NoReturn:
    command = sys.argv[1:]
    run_guarded(
        lambda: os.execvp(command[0], command),  # noqa: S606
        patience=LEFTOVERS_SECONDS,
        when_abandoned=ABANDONED_SECONDS,
    )


if __name__ == "__main__":
    main()
