"""Names that people enter, without invisible characters and secrets.

A name with an invisible character looks like another name, and one that changes the direction of
text can show “exe.gpj” as “jpg.exe”. The constraints `…_name_is_visible` refuse them too.
"""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError

from redaction.marks import MASK_START
from redaction.text import sanitize_text

#: Controls, direction marks, zero-width characters, fillers and variation selectors. The function
#: `is_visible_name` of the database has the same list.
INVISIBLE = (
    r"\u0001-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


def validate_name(name: str) -> None:
    """Accept only names without invisible characters and without a secret.

    Raises:
        ValidationError: it has one; the message names the code point of the character.
    """
    if match := _INVISIBLE.search(name):
        raise ValidationError(
            f"Remove the invisible character U+{ord(match[0]):04X} at position {match.start() + 1}.",
            code="invisible",
        )
    # An email address, which is shortened in texts, is no secret.
    shown = sanitize_text(name, 2 * len(name) + len(MASK_START), guess=False, keep_newlines=True)
    if shown.count(MASK_START) > name.count(MASK_START):
        raise ValidationError(
            "This text seems to contain a password, a key or a token. Remove it.",
            code="secret",
        )


def visible_name(name: str) -> str:
    """Return a name from another system without its invisible characters."""
    return _INVISIBLE.sub("", name).strip()
