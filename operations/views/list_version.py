"""The version of a list of runs: read in one statement before its filter is built and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from operations.models import ListSettings, OperationRun, OperationRunQuerySet
from operations.presentation.layout import Sort
from operations.presentation.row_versions import shown_values
from tenancy.http import Request
from tenancy.models import User, Workspace
from tenancy.prepared import PreparedQuery
from tenancy.querysets import OrderedCount
from tenancy.times import display_zone
from tenancy.versions import Digest, Statement, build_statement
from web.keyset import COUNT_CAP, Order, in_order, rows_of_page
from web.live_section import page_query
from web.statement_timeout import read_within

LIST_SECONDS = 5.0


class ListKey(NamedTuple):
    """What a list selects its runs by: the same key is the same statement."""

    user_id: int
    is_staff: bool
    scope_id: int | None
    zone: str
    query: str

    @classmethod
    def of(
        cls, request: Request, workspace: Workspace | None, listed: Sequence[Workspace]
    ) -> ListKey:
        """Return the key of an address, which lists the runs of these workspaces."""
        user = request.user
        scope_id = listed[0].pk if len(listed) == 1 else None
        zone = str(display_zone(user, workspace))
        return cls(user.pk, user.is_staff, scope_id, zone, page_query(request.GET))


class ListFacts(NamedTuple):
    """What decides whether the rows on a page have changed; `total` counts all rows."""

    rows: str
    total: int
    layout: str


def remembered_facts(key: ListKey) -> ListFacts | None:
    """Read the facts with the statement of an earlier request; None for the first one.

    Raises:
        TookTooLong: the statement exceeded the limit of lists.
    """
    return next((_read(statement) for statement in _statements(key)), None)


def read_facts(
    key: ListKey, request: Request, runs: QuerySet[OperationRun], sort: Sort
) -> ListFacts:
    """Read the facts about the page of these runs, and remember the statement.

    Raises:
        BadCursor: the address has a place that is none of this order.
        TookTooLong: the statement exceeded the limit of lists.
    """
    statements = _statements(key)
    if not statements:
        statements.append(_build(request, runs, sort))
    return _read(statements[0])


@lru_cache(maxsize=2000)
def _statements(key: ListKey) -> list[Statement]:
    """The statement of this key, as soon as a request has built it: building takes longest."""
    return []


class RowsKey(NamedTuple):
    """What the query of the rows of a list depends on."""

    selected: ListKey
    columns: tuple[str, ...]
    #: Whether the rows have their workspace along.
    with_workspace: bool


def fetch_rows(
    key: RowsKey, rows: OperationRunQuerySet, order: Order, count: int
) -> list[OperationRun]:
    """Return the first of these rows, by the query of an earlier request of the same list."""
    remembered = _queries(key)
    if not remembered:
        first = in_order(rows, order)[:count]
        try:
            remembered.append(PreparedQuery(first, [], has_one_plan=False))
        except EmptyResultSet:
            return []
    return remembered[0].load()


@lru_cache(maxsize=100)
def _queries(_: RowsKey) -> list[PreparedQuery[OperationRun]]:
    """The query of the rows with this key, as soon as a request has built it."""
    return []


def _build(request: Request, runs: QuerySet[OperationRun], sort: Sort) -> Statement:
    rows = rows_of_page(
        runs,
        newer=request.GET.get("newer", ""),
        older=request.GET.get("older", ""),
        order=sort.order,
    )
    layout = ListSettings.objects.filter(user=request.user).values_list("columns", "density")
    return build_statement(
        User.objects.filter(pk=request.user.pk),
        Digest(shown_values(rows)),
        OrderedCount(in_order(runs), limit=COUNT_CAP + 1),
        Digest(layout),
    )


def _read(statement: Statement) -> ListFacts:
    return ListFacts(*read_within(LIST_SECONDS, *statement))
