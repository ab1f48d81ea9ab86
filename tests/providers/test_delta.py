"""Delta queries: changes that cannot be read to their end say why."""

from __future__ import annotations

from typing import Any

import pytest

from providers.graph.delta import Changes, DeltaExpired, changes_since
from providers.graph.errors import GraphError, IncompleteListing, InvalidRequest, Transient

BASE = "https://graph.example"
FIRST, NEXT = f"{BASE}/v1.0/groups/delta?a", f"{BASE}/v1.0/groups/delta?b"
DONE = {"value": [], "@odata.deltaLink": f"{BASE}/v1.0/groups/delta?c"}
Page = dict[str, Any]


class Pages:
    """A client that returns these pages by their address, or raises them."""

    base_url = BASE

    def __init__(self, pages: dict[str, Page | GraphError]) -> None:
        self._pages = pages

    def get(self, path: str) -> Page:
        page = self._pages[BASE + path]
        if isinstance(page, GraphError):
            raise page
        return page


def read(pages: dict[str, Page | GraphError]) -> Changes:
    return changes_since(Pages(pages), FIRST, "/v1.0/groups")  # type: ignore[arg-type]


def page(*ids: str, link: object = NEXT) -> Page:
    return {"value": [{"id": each} for each in ids], "@odata.nextLink": link}


def test_the_last_state_of_each_object_counts() -> None:
    removed = {"value": [{"id": "b", "@removed": {"reason": "deleted"}}, {"id": "a", "x": 1}]}

    changes = read({FIRST: page("a", "b", "c"), NEXT: DONE | removed})

    assert list(changes.changed) == ["c", "a"]
    assert changes.removed == {"b"}
    assert changes.link == DONE["@odata.deltaLink"]


@pytest.mark.parametrize(
    ("pages", "code"),
    [
        ({FIRST: {"value": None}}, "page_malformed"),
        ({FIRST: {"value": [{"name": "without an id"}]}}, "page_malformed"),
        ({FIRST: {"value": []}}, "incomplete_listing"),
        ({FIRST: page("a", link="https://elsewhere.example/delta")}, "foreign_link"),
        ({FIRST: page("a", link=7)}, "foreign_link"),
        ({FIRST: page("a", link=FIRST)}, "listing_loops"),
        ({FIRST: page("a"), NEXT: Transient()}, "listing_interrupted"),
        (
            {FIRST: page("a"), NEXT: {**DONE, "@odata.deltaLink": "http://10.0.0.1/"}},
            "foreign_link",
        ),
    ],
)
def test_an_incomplete_list_of_changes_has_its_reason(
    pages: dict[str, Page | GraphError], code: str
) -> None:
    with pytest.raises(IncompleteListing) as raised:
        read(pages)

    assert raised.value.code == code
    assert "groups" in raised.value.message


def test_an_interruption_of_the_first_page_keeps_its_reason() -> None:
    with pytest.raises(Transient):
        read({FIRST: Transient()})


def test_a_refused_link_has_expired_on_any_page() -> None:
    with pytest.raises(DeltaExpired):
        read({FIRST: page("a"), NEXT: InvalidRequest()})
