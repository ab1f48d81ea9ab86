"""Runs a command and ends all its processes: `python -m dev.services.keeper COMMAND…`.

`make run` starts each program through a keeper. When `make run` is killed, the keeper asks the
program to stop and then kills it with all its children. Otherwise a Celery worker would wait
forever for its broker.
"""

import os
import sys
from typing import NoReturn

from dev.services.processes import run_guarded

# How long the children of a program may continue after the program has ended.
ORPHAN_SECONDS = 1
ABANDONED_SECONDS = 4


def main() -> NoReturn:
    command = sys.argv[1:]
    run_guarded(
        lambda: os.execvp(command[0], command),  # noqa: S606
        patience=ORPHAN_SECONDS,
        when_abandoned=ABANDONED_SECONDS,
    )


if __name__ == "__main__":
    main()
