"""The one terminal that several programs share."""

import contextlib
import os
import sys
import threading
import time

COLOURS = {"web": 36, "worker": 33, "beat": 35, "graph": 32, "migrate": 34, "demo": 34}
GREY = 90
NAME_WIDTH = 8


class Console:
    """Prints whole lines, each with the time and the name of who said it."""

    def __init__(self, *, color: bool | None = None) -> None:
        wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.color = wanted if color is None else color
        self._one_at_a_time = threading.Lock()

    def say(self, name: str, line: str) -> None:
        """Print one line of `name`."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{NAME_WIDTH}} | "
        if self.color:
            prefix = f"\033[{COLOURS.get(name, GREY)}m{prefix}\033[0m"
        self.write(prefix + line)

    def write(self, line: str) -> None:
        """Print a line as it is."""
        # The terminal, or the program that reads us, may be gone; the servers still must be stopped.
        with self._one_at_a_time, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
