"""The chain of hashes over the entries: each link seals an entry and everything before it.

The newest link seals the whole log. Who notes its position and hash elsewhere can prove later that
nothing before it was changed, not even by an administrator of the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Max

from audit.context import current_context
from audit.models import AuditEntry, AuditLink

BATCH = 1000
#: How far behind the newest sealed id an entry can be that was committed later.
RECENT_IDS = 10_000
#: How many links the hourly check reads.
RECENT_LINKS = 10_000

_LINKS = """
SELECT link.position, link.entry_id, link.previous_hash, link.hash, entry.id IS NULL,
       audit_hash(link.previous_hash, entry)
FROM audit_links link LEFT JOIN audit_entries entry ON entry.id = link.entry_id
WHERE link.position > %s ORDER BY link.position LIMIT %s
"""


@dataclass(frozen=True)
class Link:
    """A link, and the hash that it should have."""

    position: int
    entry_id: int
    previous_hash: bytes
    hash: bytes
    is_missing: bool
    expected_hash: bytes

    @property
    def seal(self) -> str:
        """The position and the hash as text, to be noted elsewhere."""
        return f"{self.position}:{self.hash.hex()}"


@dataclass(frozen=True)
class Problem:
    """An entry of which the log does not contain what was recorded."""

    entry_id: int
    text: str


def seal_entries(*, recent_ids: int = RECENT_IDS) -> int:
    """Seal the entries that are not sealed yet; return how many. Another session may do it."""
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_seal(%s, %s)", [BATCH, recent_ids])
            sealed: int = cursor.fetchone()[0]
        total += sealed
        if sealed < BATCH:
            return total


def read_links(*, after: int = 0) -> Iterator[Link]:
    """Yield the links after a position from the oldest to the newest, page by page."""
    position = after
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_LINKS, [position, BATCH])
            page = [
                Link(number, entry_id, bytes(previous), bytes(own), is_missing, bytes(expected))
                for number, entry_id, previous, own, is_missing, expected in cursor.fetchall()
            ]
        yield from page
        if len(page) < BATCH:
            return
        position = page[-1].position


def find_recent_problems() -> list[Problem]:
    """Return what is wrong with the newest entries."""
    newest = AuditLink.objects.aggregate(newest=Max("position"))["newest"] or 0
    links = read_links(after=max(newest - RECENT_LINKS, 0))
    return list(find_problems(links, previous=next(links, None)))


def find_problems(links: Iterable[Link], previous: Link | None = None) -> Iterator[Problem]:
    """Yield what is wrong with the chain: entries that were changed or removed.

    `previous` is the link before the first one, unless that is the oldest of all.
    """
    for link in links:
        if link.is_missing:
            yield Problem(link.entry_id, "was removed")
        elif link.hash != link.expected_hash:
            yield Problem(link.entry_id, "was changed")
        if previous is None and link.position > 1 and not _was_retention(link):
            yield Problem(
                link.entry_id, "is the first one, but retention did not remove the others"
            )
        elif previous and link.position != previous.position + 1:
            yield Problem(link.entry_id, "follows entries that were removed with their seals")
        elif previous and link.previous_hash != previous.hash:
            yield Problem(link.entry_id, "does not continue the seal before it")
        previous = link


def _was_retention(first: Link) -> bool:
    """Whether an entry says that retention removed everything before this link."""
    return AuditEntry.objects.filter(
        action="retention",
        details__last_position=first.position - 1,
        details__last_hash=first.previous_hash.hex(),
    ).exists()


def remove_old_entries() -> int:
    """Remove the entries that the settings no longer keep; return how many."""
    total = 0
    context = json.dumps(current_context())
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT audit_remove_old(%s, %s, %s)", [settings.AUDIT_KEEP_DAYS, BATCH, context]
            )
            removed: int = cursor.fetchone()[0]
        total += removed
        if removed < BATCH:
            return total
