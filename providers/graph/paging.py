"""Following a list from page to page, on its own host and to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from providers.graph.errors import Gone, IncompleteListing, InvalidRequest, Transient

#: A tenant with more pages than this is not one we know how to read (999 groups a page).
MAX_PAGES = 5_000

Fetch = Callable[[str], dict[str, Any]]


def same_origin(url: str, base: str) -> bool:
    """Whether a link leads to the same scheme, host and port, without a name and password.

    Parsed with the library that will send the request, so that the two cannot disagree.
    """
    try:
        link, home = httpx2.URL(url), httpx2.URL(base)
    except (httpx2.InvalidURL, TypeError, ValueError):
        return False
    return _origin(link) == _origin(home) and not link.userinfo


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)


def pages(
    fetch: Fetch, first: str, *, base: str, what: str, max_pages: int = MAX_PAGES
) -> Iterator[Any]:
    """The objects of every page; `fetch` gets the first address, then each `nextLink` verbatim.

    Raises:
        IncompleteListing: it broke off, loops, never ends or leads to another host.
        GraphError: the first page failed, or something that blocks the rest of the run too.
    """
    seen, address, count = {first}, first, 0
    while True:
        page = _fetch_page(fetch, address, count if len(seen) > 1 else None, what)
        for entry in _entries(page, count, what):
            count += 1
            yield entry
        link = page.get("@odata.nextLink")
        if not link:
            return
        address = _checked(link, seen, base=base, what=what, max_pages=max_pages, count=count)
        seen.add(address)


def _fetch_page(fetch: Fetch, address: str, count: int | None, what: str) -> dict[str, Any]:
    """A page; `count` objects came before it, None for the first page."""
    try:
        return fetch(address)
    except (Transient, Gone, InvalidRequest) as error:
        unreadable = error.code == "answer_unreadable"
        if count is None and not unreadable:
            raise
        raise IncompleteListing(request_id=error.request_id, kind=what, count=count or 0) from error


def _entries(page: dict[str, Any], count: int, what: str) -> list[Any]:
    entries = page.get("value")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise IncompleteListing(kind=what, count=count)
    return entries


def _checked(
    link: object, seen: set[str], *, base: str, what: str, max_pages: int, count: int
) -> str:
    if not isinstance(link, str) or not same_origin(link, base):
        raise IncompleteListing("foreign_link", kind=what, count=count)
    if link in seen:
        raise IncompleteListing("listing_loops", kind=what, count=count)
    if len(seen) >= max_pages:
        raise IncompleteListing("listing_too_long", kind=what, pages=max_pages, count=count)
    return link
