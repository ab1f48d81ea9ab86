"""Prepares its own process and becomes another program: `launch.py [OPTION VALUE]… -- PROGRAM…`.

--parent PID       with the next option
--death-signal N   get signal N when the parent dies; end if it has died already
--user N           switch to this user and group, without other groups
--user namespace   become user 65534 in a new user namespace, mapped to the current user outside

A function that Python calls between fork and exec (`preexec_fn`) could do the same, but it can hang
in a process with several threads, and it cannot say why it failed. This program writes the reason
to its standard error and exits with 126, or with 127 if the program cannot be started.

It runs without Runledger and its packages (`python -I -S`), so it starts in milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

TYPE_CHECKING = False  # the module `typing` would take half of the time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import NoReturn

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
UNPRIVILEGED_ID = 65534

libc = ctypes.CDLL(None, use_errno=True)


def launch_command(program: Sequence[str | Path], *options: str) -> list[str]:
    """Return the command line that prepares a process by these options for a program."""
    return [sys.executable, "-I", "-S", __file__, *options, "--", *map(str, program)]


def enter_user_namespace() -> None:
    """Become user 65534 in a new user namespace, mapped to the current user outside.

    Raises:
        OSError: user namespaces are not allowed here.
    """
    outside = os.geteuid(), os.getegid()  # before the mapping, every id inside reads as 65534
    attempts = 5  # a busy machine has refused one, and allowed it a moment later
    while libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        attempts -= 1
        if not attempts:
            raise OSError(number, f"user namespaces are not allowed here: {os.strerror(number)}")
        time.sleep(0.2)
    for file, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{UNPRIVILEGED_ID} {outside[0]} 1"),
        ("gid_map", f"{UNPRIVILEGED_ID} {outside[1]} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as handle:
            handle.write(content)


def switch_user(user: int) -> None:
    """Become this user, with the group of the same number."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def die_with_parent(death_signal: int, parent: int) -> None:
    """Be signaled when the parent dies (Linux only); end if it died before."""
    if sys.platform != "linux":
        return
    libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def prepare(options: list[str]) -> None:
    """Do what the options say; the signal is last, because a change of user would undo it."""
    values = dict(zip(options[::2], options[1::2], strict=True))
    user = values.get("--user")
    if user == "namespace":
        enter_user_namespace()
    elif user:
        switch_user(int(user))
    if "--death-signal" in values:
        die_with_parent(int(values["--death-signal"]), int(values["--parent"]))
    # Python ignores them, and a program inherits that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def main() -> NoReturn:
    end = sys.argv.index("--")
    program = sys.argv[end + 1 :]
    status = 126
    try:
        prepare(sys.argv[1:end])
        status = 127
        os.execvp(program[0], program)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{program[0]} was not started: {error}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
