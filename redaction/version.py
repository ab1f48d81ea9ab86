"""The version of the rules, which redacted forms are stored with.

A newer version renews what an older one stored. `tests/redaction/test_version.py` fails if the rules
have changed and the version has not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

RULES_VERSION = 7
#: Of the files of this package, without this one.
RULES_DIGEST = "6a4fa08ae232dc5e"


def rules_digest() -> str:
    """Return the digest of the rules as they are."""
    folder = Path(__file__).parent
    files = sorted([*folder.rglob("*.py"), *folder.glob("data/*")])
    contents = [file.read_bytes() for file in files if file.name != "version.py"]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]
