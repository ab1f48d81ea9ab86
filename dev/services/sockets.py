"""Where unix sockets go: beside the data, unless the path would be too long or too odd."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from dev.services.processes import ServiceError

# The kernel takes 107 bytes; PostgreSQL appends /.s.PGSQL.5432.lock to the folder.
LONGEST_FOLDER = 80
# Nothing that an address (a URL) would have to escape.
PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


def socket_folder(data: Path) -> Path:
    """A private folder for the sockets of the server that keeps its data in `data`."""
    folder = data / "socket"
    if len(os.fsencode(folder)) > LONGEST_FOLDER or not PLAIN.fullmatch(str(folder)):
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"runledger-{digest}"
    return folder


def make_private(folder: Path, *, user: int | None = None) -> None:
    """Create a folder for its owner only, `user` or ourselves.

    Raises:
        ServiceError: somebody else made it first (the temp folder is everybody's).
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = os.geteuid() if user is None else user
    if user is not None and os.geteuid() == 0:
        os.chown(folder, user, user)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise ServiceError(f"{folder} belongs to another user; remove it, or set TMPDIR.")
    folder.chmod(0o700)
