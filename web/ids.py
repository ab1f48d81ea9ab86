"""Row ids in addresses and forms."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Every number of 18 digits fits into a `bigint`.
_ID = re.compile(r"[0-9]{1,18}")


def parse_id(text: str) -> int | None:
    """Return the id in the text, or None for anything but 1 to 18 ASCII digits."""
    return int(text) if _ID.fullmatch(text) else None


def parse_ids(texts: Iterable[str]) -> list[int]:
    """Return the ids among the texts in their order; other texts are ignored."""
    return [int(text) for text in texts if _ID.fullmatch(text)]
