"""The user that runs PostgreSQL, whose programs refuse root.

As root, PostgreSQL runs in a separate user namespace, in which it owns root's files; the machine
needs no new user. Where namespaces are forbidden (some containers), it runs as user 65534.
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

UNPRIVILEGED_ID = 65534
CLONE_NEWUSER = 0x10000000


class Account(enum.Enum):
    """How a server's process gets a user that is not root."""

    SELF = "own user"
    NAMESPACE = "user namespace"
    UNPRIVILEGED = "unprivileged user"

    @property
    def user(self) -> int | None:
        """The user to switch to, or None."""
        return UNPRIVILEGED_ID if self is Account.UNPRIVILEGED else None

    @property
    def before_exec(self) -> Callable[[], None] | None:
        """The function that the forked child calls before it becomes the server, or None."""
        return enter_user_namespace if self is Account.NAMESPACE else None


@functools.cache
def server_account() -> Account:
    """Return the best account that this machine allows."""
    if os.geteuid() != 0:
        return Account.SELF
    if _are_namespaces_allowed():
        return Account.NAMESPACE
    return Account.UNPRIVILEGED


def _are_namespaces_allowed() -> bool:
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
    """Become user 65534 in a new user namespace, mapped to the current user outside."""
    outside = os.geteuid(), os.getegid()  # before the mapping, every id inside reads as 65534
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for file, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{UNPRIVILEGED_ID} {outside[0]} 1"),
        ("gid_map", f"{UNPRIVILEGED_ID} {outside[1]} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as handle:
            handle.write(content)


def unprivileged_copy(programs: Path) -> Path:
    """Return a copy of PostgreSQL's programs that user 65534 can run.

    The originals may be in a home folder that it cannot read.
    """
    if programs.parts[:2] == ("/", "usr"):
        return programs
    package = programs.parent.parent
    copy = public_folder("programs", programs)
    target = copy / package.name / programs.relative_to(package)
    if not (copy / "complete").exists():
        for folder in (package / programs.parent.name, package.with_name(package.name + ".libs")):
            if folder.exists():
                destination = copy / folder.relative_to(package.parent)
                ignore = shutil.ignore_patterns("include", "*.a")
                shutil.copytree(folder, destination, dirs_exist_ok=True, ignore=ignore)
        (copy / "complete").touch()
    return target


def public_folder(purpose: str, key: Path) -> Path:
    """Create a folder outside every home and return it; the same key has the same folder."""
    digest = hashlib.sha256(os.fsencode(key.resolve())).hexdigest()[:12]
    base = Path("/var/tmp")  # noqa: S108
    if not base.is_dir():
        base = Path(tempfile.gettempdir())
    folder = base / f"runledger-{purpose}-{digest}"
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    return folder
