"""Child processes that end when they should, also when we are killed.

Two mechanisms, because each alone leaves a gap. The kernel signals a direct child when its parent
dies (Linux only), which reaches no grandchild and kills nothing that is deaf. A guardian, the parent
of a tree, collects every orphan of it and kills what stays.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# The signals that mean "please end": the terminal's, a process manager's, a closed terminal's.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Loaded before any fork: a forked child of a process with threads must not take the loader's lock.
libc = ctypes.CDLL(None, use_errno=True)


class ServiceError(SystemExit):
    """Something that `make run` or the tests need cannot be had; the message says what to do."""


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    output: IO[bytes] | int,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    user: int | None = None,
    before_exec: Callable[[], None] | None = None,
    held: Sequence[IO[str]] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, so that Ctrl-C in the terminal spares it.

    It gets `death_signal` when the calling thread ends: call this from the main thread only.
    The files in `held` stay open in it, so that a lock lasts as long as the program does.
    """
    die = die_with_parent(death_signal)

    def prepare() -> None:
        if before_exec:
            before_exec()
        die()  # last: a change of user or namespace would undo it

    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        process_group=0,
        preexec_fn=prepare,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        pass_fds=[file.fileno() for file in held],
    )


def die_with_parent(
    death_signal: signal.Signals, *, parent: int | None = None
) -> Callable[[], None]:
    """A function for a child, between fork and exec: be signalled when the parent dies.

    The parent is the process that calls this, unless named.
    """
    parent = os.getpid() if parent is None else parent

    def arm() -> None:
        if sys.platform != "linux":
            return
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return arm


def stop(
    process: subprocess.Popen[bytes],
    stop_signal: signal.Signals = signal.SIGTERM,
    *,
    grace: float,
) -> bool:
    """Ask a process to stop, and after `grace` seconds kill its group; true if asking was enough."""
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
    """Kill what is left of the group a process was started in."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def is_listening(port: int) -> bool:
    """Whether something on this machine already listens on a TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port() -> int:
    """A TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def run_guarded(
    main: Callable[[], int],
    *,
    patience: float = 6,
    when_abandoned: float | None = None,
    afterward: Callable[[], None] | None = None,
) -> NoReturn:
    """Run `main` in a child process and leave with its exit code and no process of its tree behind.

    Whatever ends the child, kill -9 included: its orphans, which their own death signals have
    asked to stop, get `patience` seconds; then they are killed, whatever group or session they
    moved to. If the guardian is killed, the child gets SIGTERM. `afterward` runs last.

    A guardian that is told of its own parent's death (by its death signal) asks the child to stop;
    with `when_abandoned` it kills it after so many seconds.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    arm = die_with_parent(signal.SIGTERM)
    # A signal that comes in between waits until there is somebody to forward it to.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    child = os.fork()
    if child == 0:
        arm()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        _become(main)

    def forward(caught: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, caught)
        if when_abandoned and os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, when_abandoned)

    signal.signal(signal.SIGALRM, lambda _caught, _frame: _kill_children())
    for number in STOP_SIGNALS:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    code = _reap_until(child)
    _end_orphans(patience)
    if afterward:
        afterward()
    sys.stdout.flush()
    os._exit(code)


def _become(main: Callable[[], int]) -> NoReturn:
    code = 1
    try:
        code = main()
    except SystemExit as error:
        code = _exit_code(error)
    except BaseException:  # noqa: BLE001 - nothing may escape into the guardian's code
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    sys.stderr.write(f"{error.code}\n")
    return 1


def _reap_until(child: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _end_orphans(patience: float) -> None:
    """Wait for every process that came to us; kill those that stay, and theirs, until none is left."""
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
    for pid in _children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    return [pid for pid in running_processes() if parent_of(pid) == os.getpid()]


def running_processes() -> list[int]:
    """Every process of this machine; empty where there is no /proc."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def parent_of(pid: int) -> int | None:
    """The parent of a process, None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[1])
