"""The user that runs PostgreSQL, whose programs refuse root.

As root, PostgreSQL runs in a separate user namespace, in which it owns root's files; the machine
needs no new user. Where namespaces are forbidden (some containers), it runs as user 65534.
"""

import contextlib
import enum
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dev.services.launch import UNPRIVILEGED_ID, launch_command


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
    def options(self) -> list[str]:
        """The options of `dev.services.launch` that start a program as this user."""
        if self is Account.SELF:
            return []
        return ["--user", "namespace" if self is Account.NAMESPACE else str(UNPRIVILEGED_ID)]


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
    command = launch_command(["true"], *Account.NAMESPACE.options)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def unprivileged_copy(programs: Path) -> Path:
    """Return a copy of PostgreSQL's programs that user 65534 can run.

    The originals may be in a home folder that it cannot read.
    """
    if programs.parts[:2] == ("/", "usr"):
        return programs
    package = programs.parent.parent
    copy = public_folder("programs", programs) / "copy"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
        unfinished.chmod(0o755)
        for folder in (package / programs.parent.name, package.with_name(package.name + ".libs")):
            if folder.exists():
                destination = unfinished / folder.relative_to(package.parent)
                ignore = shutil.ignore_patterns("include", "*.a")
                shutil.copytree(folder, destination, ignore=ignore)
        with contextlib.suppress(OSError):  # another process was faster
            unfinished.rename(copy)
        shutil.rmtree(unfinished, ignore_errors=True)
    return copy / package.name / programs.relative_to(package)


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
