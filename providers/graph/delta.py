"""Reads what changed in a collection since an earlier time, by the delta queries of Graph.

Source: Microsoft's documentation of delta queries; not tested against the live service. A link is
valid for seven days for objects of the directory. Graph can return an object more than once; the
last time counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.graph import paging
from providers.graph.client import GraphClient
from providers.graph.errors import IncompleteListing, InvalidRequest, ObjectNotFound, Transient
from providers.graph.permissions import permission_for

MAX_PAGES = 1_000


class DeltaExpired(Exception):
    """Graph no longer accepts the link: everything has to be listed again."""


@dataclass
class Changes:
    """The changed objects and the ids of the removed ones, and the link to what changes later."""

    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    link: str = ""

    @property
    def count(self) -> int:
        """How many objects have changed or were removed."""
        return len(self.changed) + len(self.removed)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add an entry of a page; it replaces an earlier one of the same object."""
        object_id = str(entry["id"])
        self.changed.pop(object_id, None)
        self.removed.discard(object_id)
        if "@removed" in entry:
            self.removed.add(object_id)
        else:
            self.changed[object_id] = dict(entry)


def latest_link(client: GraphClient, collection: str, params: Mapping[str, str]) -> str:
    """Return a link to what changes from now on.

    Raises:
        GraphError: there is none.
    """
    page = client.get(f"{collection}/delta", {**params, "$deltatoken": "latest"})
    return _link(client, page, "@odata.deltaLink", permission_for(collection).noun)


def changes_since(client: GraphClient, link: str, collection: str) -> Changes:
    """Return the changes since a link was given.

    Raises:
        DeltaExpired: the link is no longer valid.
        GraphError: the changes could not be read to their end; nothing may be concluded.
    """
    changes, visited, noun = Changes(), {link}, permission_for(collection).noun
    while True:
        page = _fetch(client, link, changes, noun, is_first=len(visited) == 1)
        entries = page.get("value")
        if not isinstance(entries, list) or not all(map(_is_entry, entries)):
            raise IncompleteListing("page_malformed", kind=noun, count=changes.count)
        for entry in entries:
            changes.add(entry)
        if "@odata.nextLink" not in page:
            changes.link = _link(client, page, "@odata.deltaLink", noun, changes.count)
            return changes
        link = paging.check_link(
            _link(client, page, "@odata.nextLink", noun, changes.count),
            visited,
            base=client.base_url,
            noun=noun,
            max_pages=MAX_PAGES,
            count=changes.count,
        )
        visited.add(link)


def _fetch(
    client: GraphClient, link: str, changes: Changes, noun: str, *, is_first: bool
) -> dict[str, Any]:
    """Fetch a page. Graph refuses a link that has expired as if it did not exist."""
    try:
        return client.get(link.removeprefix(client.base_url))
    except (ObjectNotFound, InvalidRequest) as error:
        raise DeltaExpired from error
    except Transient as error:
        if is_first:
            raise
        raise IncompleteListing(
            "listing_interrupted",
            request_id=error.request_id,
            kind=noun,
            count=changes.count,
            error=error.message.rstrip("."),
        ) from error


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str) and bool(entry["id"])


def _link(
    client: GraphClient, page: Mapping[str, Any], name: str, noun: str, count: int = 0
) -> str:
    link = page.get(name)
    if link is None:
        raise IncompleteListing(kind=noun, count=count)
    is_own = isinstance(link, str) and paging.same_origin(link, client.base_url)
    if not is_own or not link.startswith(client.base_url):
        raise IncompleteListing("foreign_link", kind=noun, count=count)
    return str(link)
