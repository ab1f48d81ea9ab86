"""A list that is read by several index scans has the runs and the order of one simple query."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.http import QueryDict
from django.test import RequestFactory

from dev.bench import reads
from dev.bench.generator import generate
from operations import splits
from operations.presentation.layout import SORTS
from operations.selection import text_matches
from operations.views.listing import build_run_filter
from tenancy.http import Request
from tenancy.models import Membership, User, Workspace
from tests.support.database import SharedRows
from web.keyset import in_order, page_of

pytestmark = pytest.mark.django_db

SIZE = 60
FILTERS = {name: query for name, query in reads.FILTERS.items() if name != "number"}


def request_of(user: User) -> Request:
    request = RequestFactory().get("/")
    request.user = user
    return cast("Request", request)


@pytest.fixture(scope="module")
def ledger(shared_rows: SharedRows) -> dict[str, Any]:
    with shared_rows():
        generate(300, tenants=30)
        return reads.load_values()


@pytest.fixture(params=["merged", "merged up to a place", "compared"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the first rows of splits in each of the ways."""
    is_merged = request.param == "merged"
    monkeypatch.setattr(splits, "_MANY_ROWS", 100_000 if is_merged else 0)
    if request.param == "compared":
        monkeypatch.setattr(splits, "_MANY_VALUES", 1)
        monkeypatch.setattr(splits, "COMPARED_RUNS", 100)


def ids_by_page(selection: splits.Selection, order: Any) -> list[int]:
    """Return the ids of all pages, from the first to the last and back."""
    forward: list[int] = []
    backward: list[int] = []
    page = page_of(selection.runs, size=SIZE, order=order, fetch=selection.fetch)
    forward += [run.pk for run in page.rows]
    while page.older:
        page = page_of(
            selection.runs, older=page.older, size=SIZE, order=order, fetch=selection.fetch
        )
        forward += [run.pk for run in page.rows]
    backward = [run.pk for run in page.rows]
    while page.newer:
        page = page_of(
            selection.runs, newer=page.newer, size=SIZE, order=order, fetch=selection.fetch
        )
        backward = [run.pk for run in page.rows] + backward
    assert forward[: len(forward) // SIZE * SIZE] == backward[: len(forward) // SIZE * SIZE]
    return forward


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("is_of_all", [False, True], ids=["one workspace", "all workspaces"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_selection_has_the_runs_of_a_simple_query(
    ledger: dict[str, Any], name: str, is_of_all: bool
) -> None:
    user = User.objects.get(username="bench-user-2")
    Membership.objects.filter(user=user, workspace__slug="bench-2").delete()
    workspace = None if is_of_all else Workspace.objects.get(slug="bench-1")
    query = QueryDict(FILTERS[name].format(**ledger).replace(" ", "+"))
    run_filter = build_run_filter(request_of(user), query, workspace)
    assert run_filter.is_valid()
    expected = run_filter.qs
    if text := query.get("q"):
        expected = expected.filter(text_matches(text, run_filter.tenants))

    has_sorts = name in reads.SORTED_FILTERS and not is_of_all
    for sort in SORTS if has_sorts else ["-requested"]:
        order, only = SORTS[sort].order, SORTS[sort].only
        selection = run_filter.select(order, only=only)
        ids = list(in_order(expected.filter(only), order).values_list("pk", flat=True))
        assert ids_by_page(selection, order) == ids
        assert selection.count(cap=10_000) == f"{len(ids):,}"
        assert selection.count(cap=0) == ("0+" if ids else "0")


def test_only_the_newest_runs_are_sorted_without_an_index(
    ledger: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "SORTED_RUNS", 20)
    user = User.objects.get(username="bench-user-2")
    workspace = Workspace.objects.get(slug="bench-1")
    run_filter = build_run_filter(request_of(user), QueryDict("q=Nightly"), workspace)
    longest = SORTS["-duration"]

    ids = ids_by_page(run_filter.select(longest.order, only=longest.only), longest.order)

    selection = run_filter.select(only=longest.only)
    newest = selection.newest(selection.runs, 20)
    assert ids == [run.pk for run in sorted(newest, key=longest.order.of, reverse=True)]
