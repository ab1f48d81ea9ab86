"""Reads a list page by page, to its end and from one host only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from providers.graph.errors import IncompleteListing, InvalidRequest, ObjectNotFound, Transient
from redaction import exact_json

#: The maximum number of pages; a page has up to 999 objects.
MAX_PAGES = 5_000
#: How often a list is started: Graph ends some lists with an expired link to the next page.
MAX_STARTS = 4

Fetch = Callable[[str], dict[str, Any]]


class _LinkExpired(Exception):
    """Graph no longer accepts the link to the next page."""


def same_origin(url: str, base: str) -> bool:
    """Return whether a link has the same scheme, host and port, and no user name and password.

    The library that sends the request also parses the link, so the two cannot disagree.
    """
    try:
        link, home = httpx2.URL(url), httpx2.URL(base)
    except (httpx2.InvalidURL, TypeError, ValueError):
        return False
    return _origin(link) == _origin(home) and not link.userinfo


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)


def pages(
    fetch: Fetch,
    first: str,
    *,
    base: str,
    noun: str,
    max_pages: int = MAX_PAGES,
    before_restart: Callable[[], None] = lambda: None,
    read_ahead: Callable[[str], None] = lambda url: None,
) -> Iterator[Any]:
    """Yield the objects of every page. `fetch` gets the first URL, then each `nextLink` unchanged.

    `read_ahead` gets the link to the next page before the objects of a page are yielded. If Graph
    no longer accepts a link, the list is read again from its first page, and only the objects that
    were not yielded before are yielded. `noun` names the objects in errors.

    Raises:
        IncompleteListing: the list ended early, loops, is too long or leads to another host.
        GraphError: the first page failed, or an error that affects the whole run.
    """
    yielded: set[str] = set()
    for start in range(1, MAX_STARTS + 1):
        earlier = frozenset(yielded)
        try:
            for entry in _read(
                fetch, first, base=base, noun=noun, max_pages=max_pages, read_ahead=read_ahead
            ):
                key = _key(entry)
                if key not in earlier:
                    yielded.add(key)
                    yield entry
        except _LinkExpired as error:
            if start == MAX_STARTS:
                raise IncompleteListing("listing_expired", kind=noun, times=start) from error
            before_restart()
        else:
            return


def _key(entry: dict[str, Any]) -> str:
    """Return what identifies an object within a list; an object without an id is its content."""
    return str(entry.get("id") or exact_json.dumps(entry, sort_keys=True))


def _read(
    fetch: Fetch,
    first: str,
    *,
    base: str,
    noun: str,
    max_pages: int,
    read_ahead: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    visited, url, count = {first}, first, 0
    while True:
        page = fetch_page(fetch, url, count if len(visited) > 1 else None, noun)
        entries = page.get("value")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise IncompleteListing("page_malformed", kind=noun, count=count)
        count += len(entries)
        link, wrong_link = page.get("@odata.nextLink"), None
        if link:
            try:
                url = check_link(
                    link, visited, base=base, noun=noun, max_pages=max_pages, count=count
                )
            except IncompleteListing as error:
                wrong_link = error
            else:
                visited.add(url)
                read_ahead(url)
        yield from entries
        if wrong_link:
            raise wrong_link
        if not link:
            return


def fetch_page(fetch: Fetch, url: str, count: int | None, noun: str) -> dict[str, Any]:
    """Fetch a page; `count` is the number of objects before it, None for the first page.

    Raises:
        IncompleteListing: a later page could not be read.
        GraphError: the first page could not be read.
    """
    try:
        return fetch(url)
    except (Transient, ObjectNotFound, InvalidRequest) as error:
        is_unreadable = error.code == "answer_unreadable"
        if count is None and not is_unreadable:
            raise
        if error.code == "resync_required":
            raise _LinkExpired from error
        raise IncompleteListing(
            "listing_interrupted",
            request_id=error.request_id,
            kind=noun,
            count=count or 0,
            error=error.message.rstrip("."),
        ) from error


def check_link(
    link: object, visited: set[str], *, base: str, noun: str, max_pages: int, count: int
) -> str:
    """Return the link to the next page.

    Raises:
        IncompleteListing: it leads to another host or to a page that was read, or is one too many.
    """
    if not isinstance(link, str) or not same_origin(link, base):
        raise IncompleteListing("foreign_link", kind=noun, count=count)
    if link in visited:
        raise IncompleteListing("listing_loops", kind=noun, count=count)
    if len(visited) >= max_pages:
        raise IncompleteListing("listing_too_long", kind=noun, pages=max_pages, count=count)
    return link
