"""The terminal that all programs share."""

import contextlib
import os
import sys
import threading
import time

COLORS = {"web": 36, "worker": 33, "beat": 35, "graph": 32, "migrate": 34, "demo": 34}
GRAY = 90
NAME_WIDTH = 8


class Console:
    """Prints whole lines, each with the time and the name of its program."""

    def __init__(self) -> None:
        self.color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()

    def log(self, name: str, line: str) -> None:
        """Print a line of the program `name`."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{NAME_WIDTH}} | "
        if self.color:
            prefix = f"\033[{COLORS.get(name, GRAY)}m{prefix}\033[0m"
        self.write(prefix + line)

    def write(self, line: str) -> None:
        """Print a line without a prefix."""
        # The terminal may be closed already; the servers must still be stopped.
        with self._lock, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
