"""Folders for Unix sockets: beside the data, unless the path is too long or needs escaping."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from dev.services.processes import ServiceError

# The kernel allows 107 bytes; PostgreSQL appends /.s.PGSQL.5432.lock to the folder.
MAX_LENGTH = 80
# Characters that a URL need not escape.
PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


def socket_folder(data: Path) -> Path:
    """Return the folder for the sockets of the server whose data is in `data`."""
    folder = data / "socket"
    if len(os.fsencode(folder)) > MAX_LENGTH or not PLAIN.fullmatch(str(folder)):
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"runledger-{digest}"
    return folder


def make_private(folder: Path, *, user: int | None = None) -> None:
    """Create a folder that only its owner, `user` or the current user, can read.

    Raises:
        ServiceError: another user created it first (every user can write to the temp folder).
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = os.geteuid() if user is None else user
    if user is not None and os.geteuid() == 0:
        os.chown(folder, user, user)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner:
        raise ServiceError(f"{folder} belongs to another user; remove it, or set TMPDIR.")
    folder.chmod(0o700)
