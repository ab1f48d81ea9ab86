"""Child processes that end with their parent, also when the parent is killed.

This needs two mechanisms. The kernel signals a direct child when its parent dies (Linux only), but
no grandchild, and a child can ignore the signal. So a guardian, the parent of a process tree,
adopts every orphan and kills those that remain.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from dev.services.accounts import Account
from dev.services.launch import die_with_parent, launch_command, libc

PR_SET_CHILD_SUBREAPER = 36

# The signals that request an end: Ctrl-C, a process manager, a closed terminal.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Below the ports of outgoing connections and above most that are registered.
PORTS = range(20_000, 32_768)


class ServiceError(SystemExit):
    """A service of `make run` or the tests is not available; the message says what to do."""


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    output: IO[bytes] | int,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    account: Account = Account.SELF,
    keep_open: Sequence[IO[str]] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a new process group, so that Ctrl-C in the terminal does not reach it.

    It gets `death_signal` when the calling thread ends: call this from the main thread only.

    It keeps the files in `keep_open` open, so that a lock lasts as long as the program. If it
    cannot be started, the process ends, and the output says why (`dev.services.launch`).
    """
    parent = ("--parent", str(os.getpid()), "--death-signal", str(int(death_signal)))
    return subprocess.Popen(
        launch_command(command, *account.options, *parent),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        process_group=0,
        pass_fds=[file.fileno() for file in keep_open],
    )


def stop(
    process: subprocess.Popen[bytes],
    stop_signal: signal.Signals = signal.SIGTERM,
    *,
    grace: float,
) -> bool:
    """Ask a process to stop, and kill it after `grace` seconds.

    Returns whether it stopped in time. The rest of its group is killed in either case.
    """
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        kill_group(process)
        process.wait()
        return False
    kill_group(process)
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the remaining processes of the group of a process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def is_listening(port: int) -> bool:
    """Return whether a process already listens on a TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at the moment.

    Until a server listens on it, no outgoing connection gets it: Linux gives them higher ports.
    """
    while is_listening(port := PORTS[secrets.randbelow(len(PORTS))]):
        pass
    return port


def run_guarded(
    main: Callable[[], int],
    *,
    patience: float = 6,
    when_abandoned: float | None = None,
    afterward: Callable[[], None] | None = None,
) -> NoReturn:
    """Run `main` in a child process, end its whole process tree, and exit with its exit code.

    However the child ends, kill -9 included, its orphans have `patience` seconds to end; then they
    are killed, in whatever group or session they are. If the guardian is killed, the child gets
    SIGTERM. `afterward` runs last.

    When the guardian's own parent dies, the guardian asks the child to stop; with `when_abandoned`
    it kills the child after that number of seconds.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guardian = os.getpid()
    # Signals are blocked until there is a child that they can be forwarded to.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    child = os.fork()
    if child == 0:
        die_with_parent(signal.SIGTERM, guardian)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        _run_and_exit(main)

    def forward(signal_number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal_number)
        if when_abandoned and os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, when_abandoned)

    signal.signal(signal.SIGALRM, lambda _number, _frame: _kill_children())
    for number in STOP_SIGNALS:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    code = _reap_until(child)
    _end_orphans(patience)
    if afterward:
        afterward()
    sys.stdout.flush()
    os._exit(code)


def _run_and_exit(main: Callable[[], int]) -> NoReturn:
    code = 1
    try:
        code = main()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            code = error.code or 0
        else:
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001 - no exception may reach the guardian's code
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _reap_until(child: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _end_orphans(patience: float) -> None:
    """Wait for every adopted process; after `patience` seconds kill them until none remains."""
    deadline = time.monotonic() + patience
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            continue
        if time.monotonic() > deadline:
            _kill_children()
        time.sleep(0.05)


def _kill_children() -> None:
    for pid in running_processes():
        if parent_of(pid) == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def running_processes() -> list[int]:
    """Return the ids of all processes of this machine; empty if there is no /proc."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def children_of(pid: int) -> list[int]:
    """Return the ids of the processes whose parent is this one."""
    return [child for child in running_processes() if parent_of(child) == pid]


def parent_of(pid: int) -> int | None:
    """Return the parent of a process, or None if the process has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[1])
