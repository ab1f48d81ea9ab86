"""As whom PostgreSQL runs: its programs refuse root.

As root we put it into a user namespace of its own, where root's files are its own and the machine
needs no new user. Where namespaces are forbidden (some containers) it runs as `nobody`.
"""

import ctypes
import enum
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev.services.processes import libc

NOBODY = 65534
CLONE_NEWUSER = 0x10000000


class Account(enum.Enum):
    """How a server's process gets a user that is not root."""

    SELF = "own user"
    NAMESPACE = "user namespace"
    NOBODY = "nobody"

    @property
    def user(self) -> int | None:
        """The user to switch to, None to stay."""
        return NOBODY if self is Account.NOBODY else None

    @property
    def before_exec(self) -> Callable[[], None] | None:
        """What the forked child has to do before it becomes the server."""
        return enter_user_namespace if self is Account.NAMESPACE else None


@functools.cache
def server_account() -> Account:
    """The best way this machine allows."""
    if os.geteuid() != 0:
        return Account.SELF
    return Account.NAMESPACE if _namespaces_work() else Account.NOBODY


def _namespaces_work() -> bool:
    if sys.platform != "linux":
        return False
    try:
        subprocess.run(
            ["true"], check=True, preexec_fn=enter_user_namespace, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def enter_user_namespace() -> None:
    """Become `nobody` in a new user namespace in which that is what root is outside."""
    outside = os.geteuid(), os.getegid()  # inside, until it is mapped, everything looks foreign
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for file, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {outside[0]} 1"),
        ("gid_map", f"{NOBODY} {outside[1]} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as handle:
            handle.write(content)


def readable_by_nobody(programs: Path) -> Path:
    """A copy of PostgreSQL's programs that `nobody` can run; ours may lie under a closed home."""
    if programs.parts[:2] == ("/", "usr"):
        return programs
    package = programs.parent.parent
    copy = public_folder("programs", programs)
    target = copy / package.name / programs.relative_to(package)
    if not (copy / "complete").exists():
        for folder in (package / programs.parent.name, package.with_name(package.name + ".libs")):
            if folder.exists():
                where = copy / folder.relative_to(package.parent)
                shutil.copytree(folder, where, dirs_exist_ok=True, ignore=_not_needed)
        (copy / "complete").touch()
    return target


_not_needed = shutil.ignore_patterns("include", "*.a")


def public_folder(purpose: str, key: Path) -> Path:
    """A folder outside every home, the same one each time for the same key."""
    digest = hashlib.sha256(os.fsencode(key.resolve())).hexdigest()[:12]
    base = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108
    folder = base / f"runledger-{purpose}-{digest}"
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    return folder
