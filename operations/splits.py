"""The runs of a list, read through an index whatever its filters are.

No index has the order of a list for a condition with several values, such as the workspaces of a
user, or the names that contain a text. For each single value, one has. A split therefore reads the
first rows of each of its values and merges them, so that a page costs the same however many runs
there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import CharField, Func, Q, QuerySet

from operations.models import NOT_SUCCEEDED, OperationRun, OperationRunQuerySet
from web.keyset import (
    COUNT_CAP,
    NEWEST_FIRST,
    PAGE_SIZE,
    Order,
    Page,
    count_text,
    having_ids,
    in_order,
    page_of,
    up_to,
)

#: The columns of splits, as the type of an array of their values and the text to compare with.
_COLUMNS = {
    "id": ("bigint[]", "branch.id"),
    "workspace_id": ("bigint[]", "branch.workspace_id"),
    "tenant_id": ("bigint[]", "branch.tenant_id"),
    "type": ("text[]", "branch.type"),
    "outcome": ("text[]", "branch.outcome"),
    "initiator_name": ("text[]", "branch.initiator_name"),
    "cause": ("text[]", 'branch.cause COLLATE "C"'),
}
#: Where all values together would have more rows to read, the place up to which the first rows are
#: is determined first.
_MANY_ROWS = 1_500
#: An order without an index for the filters sorts this many of the newest runs.
SORTED_RUNS = 1_000
#: If a split has many values, this many runs are compared before it is read.
COMPARED_RUNS = 500
_MANY_VALUES = 200


@dataclass(frozen=True)
class Split:
    """The runs that have one of these combinations of values in these columns."""

    columns: tuple[str, ...]
    values: Sequence[tuple[Any, ...]]

    def where(self, is_selected: Callable[..., bool]) -> Split:
        """Return the combinations for which a function of their values is true."""
        return Split(self.columns, [each for each in self.values if is_selected(*each)])

    def combined_with(self, other: Split) -> Split:
        """Return every combination of the values of both."""
        pairs = product(self.values, other.values)
        return Split(self.columns + other.columns, [one + two for one, two in pairs])


@dataclass(frozen=True)
class Selection:
    """The runs that satisfy the conditions of `runs`, and belong to any of the splits.

    Without splits, an index has the runs in the order of the list. With `is_sorted`, no index has
    them in the order, and only the newest `SORTED_RUNS` are listed.

    `searched` and `matches` are another way to select the runs: those of `searched` that satisfy the
    condition. A page is found among the first of them if enough satisfy it.
    """

    runs: OperationRunQuerySet
    splits: tuple[Split, ...] | None = None
    is_sorted: bool = False
    searched: Selection | None = None
    matches: Q = field(default_factory=Q)

    @property
    def is_scan(self) -> bool:
        """Whether one index scan has the runs in the order of the list."""
        return self.splits is None and not self.is_sorted

    def page(
        self,
        loaded: OperationRunQuerySet,
        *,
        newer: str = "",
        older: str = "",
        order: Order,
        size: int = PAGE_SIZE,
    ) -> Page[OperationRun]:
        """Return a page; `loaded` are the `runs` with the related objects that the page needs.

        Raises:
            BadCursor: the text is not a complete cursor of this order.
        """
        return page_of(loaded, newer=newer, older=older, size=size, order=order, fetch=self.fetch)

    def newest(self, loaded: OperationRunQuerySet, count: int) -> list[OperationRun]:
        """Return at most this many runs, newest first."""
        return self.fetch(loaded, NEWEST_FIRST, count)

    def fetch(self, rows: OperationRunQuerySet, order: Order, count: int) -> list[OperationRun]:
        """Return the first of these rows, which are `runs` with further conditions."""
        if self.is_sorted and self.splits is None:
            ids = _ids_among(in_order(self.runs)[:SORTED_RUNS], rows, order, count)
        elif self.is_sorted:
            newest = having_ids(rows, self._ids(self.runs, NEWEST_FIRST, SORTED_RUNS))
            ids = list(in_order(newest, order).values_list("pk", flat=True)[:count])
        elif self.splits is None:
            return list(in_order(rows, order)[:count])
        else:
            ids = self._ids(rows, order, count)
        return in_order_of_rows(having_ids(rows.order_by(), ids), order)

    def count(self, cap: int = COUNT_CAP) -> str:
        """Return the number of runs as text, “1,000+” if there are more than the cap."""
        if self.splits is None:
            # In the order of an index: without an order, the table could be scanned.
            return count_text(in_order(self.runs)[: cap + 1].count(), cap)
        ids: set[int] = set()
        for split in self.splits:
            ids.update(_any_ids(self.runs, split, cap + 1))
            if len(ids) > cap:
                break
        return count_text(len(ids), cap)

    def _ids(self, rows: OperationRunQuerySet, order: Order, count: int) -> list[int]:
        """Return the ids of the first rows."""
        if ids := self._ids_by_comparison(rows, order, count):
            return ids
        return [pk for _, pk in self.places(rows, order, count)]

    def places(self, rows: OperationRunQuerySet, order: Order, count: int) -> list[tuple[Any, int]]:
        """Return the order value and the id of the first rows."""
        if self.splits is None:
            return list(in_order(rows, order).values_list(order.value, "pk")[:count])
        places = {place for split in self.splits for place in _places(rows, split, order, count)}
        return sorted(places, reverse=order.descending)[:count]

    def _ids_by_comparison(self, rows: OperationRunQuerySet, order: Order, count: int) -> list[int]:
        """Return the ids of the first rows if enough of the `COMPARED_RUNS` match; else none."""
        has_many_values = any(len(split.values) >= _MANY_VALUES for split in self.splits or ())
        if not self.searched or not has_many_values or count > COMPARED_RUNS:
            return []
        compared = self.searched.places(rows, order, COMPARED_RUNS)
        if len(compared) < COMPARED_RUNS:
            return []
        matching = up_to(rows.filter(self.matches), order, compared[-1][0])
        ids = list(in_order(matching, order).values_list("pk", flat=True)[:count])
        return ids if len(ids) == count else []


def in_order_of_rows(rows: Iterable[OperationRun], order: Order) -> list[OperationRun]:
    """Return loaded rows in this order."""
    return sorted(rows, key=lambda run: (order.of(run), run.pk), reverse=order.descending)


# The statements read `branch`, one row for each combination of values. The database expects a branch
# to have as many rows as the average one. If that is less than the limit, it would read all rows of the
# branch and sort them, however many they are. It does not know the value of a subquery: then it
# expects to stop early, and reads the rows in the order of the index.
_PLACES = """
SELECT page.at, page.id FROM {branches}
CROSS JOIN LATERAL ({rows} LIMIT (SELECT %s::int) OFFSET %s) AS page(at, id)
ORDER BY page.at {direction}, page.id {direction} LIMIT %s
"""
_IDS = """
SELECT page.id FROM {branches}
CROSS JOIN LATERAL ({rows} LIMIT (SELECT %s::int)) AS page(id) LIMIT %s
"""


def _places(
    rows: OperationRunQuerySet, split: Split, order: Order, count: int
) -> list[tuple[Any, int]]:
    """Return the order value and the id of the first rows of a split."""
    ordered = in_order(_of_branch(rows, split), order).values_list(order.value, "pk")
    if len(split.values) > 1 and len(split.values) * count > _MANY_ROWS:
        # If each of 50 values has 20 rows up to a place, the first 1,000 rows are up to there.
        step = -(-count // min(count, len(split.values) // 2))
        needed = -(-count // step)
        reached = _merge(ordered, split, order, needed, of_branch=slice(step - 1, step))
        if len(reached) == needed:
            ordered = up_to(ordered, order, reached[-1][0])
    return _merge(ordered, split, order, count, of_branch=slice(0, count))


def _merge(
    rows: QuerySet[Any, Any], split: Split, order: Order, count: int, *, of_branch: slice
) -> list[tuple[Any, int]]:
    """Return the first of these rows of each branch."""
    branches, values = _branches(split)
    try:
        sql, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    direction = "DESC" if order.descending else "ASC"
    statement = _PLACES.format(branches=branches, rows=sql, direction=direction)
    limits = [of_branch.stop - of_branch.start, of_branch.start, count]
    return _execute(statement, [*values, *params, *limits])


def _ids_among(
    newest: OperationRunQuerySet, rows: OperationRunQuerySet, order: Order, count: int
) -> list[int]:
    """Return the ids of the first of these rows that are among the newest runs.

    The runs stand for the table in the statement, which then reads each of them once.
    """
    try:
        newest_sql, newest_params = newest.query.sql_with_params()
        sql, params = in_order(rows, order).values_list("pk")[:count].query.sql_with_params()
    except EmptyResultSet:
        return []
    statement = f"WITH operation_runs AS MATERIALIZED ({newest_sql}) {sql}"
    return [pk for (pk,) in _execute(statement, [*newest_params, *params])]


def _any_ids(rows: OperationRunQuerySet, split: Split, count: int) -> list[int]:
    """Return the ids of rows of a split, those of one value after those of another."""
    of_branch = in_order(_of_branch(rows, split)).values_list("pk")
    branches, values = _branches(split)
    try:
        sql, params = of_branch.query.sql_with_params()
    except EmptyResultSet:
        return []
    statement = _IDS.format(branches=branches, rows=sql)
    return [pk for (pk,) in _execute(statement, [*values, *params, count, count])]


def _of_branch(rows: OperationRunQuerySet, split: Split) -> OperationRunQuerySet:
    """Return the rows that have the values of one branch."""
    conditions = Q(**{column: _value_of(column) for column in split.columns})
    # The conditions of the indexes, which the database does not derive from the values.
    if "outcome" in split.columns:
        conditions &= NOT_SUCCEEDED
    if "cause" in split.columns:
        conditions &= ~Q(cause="")
    return rows.filter(conditions)


@functools.cache
def _value_of(column: str) -> Func:
    return Func(template=_COLUMNS[column][1], output_field=CharField())


def _branches(split: Split) -> tuple[str, list[list[Any]]]:
    """Return the table of the branches, and its parameters."""
    arrays = ", ".join(f"%s::{_COLUMNS[column][0]}" for column in split.columns)
    values = [list(each) for each in zip(*split.values, strict=True)]
    table = f"unnest({arrays}) AS branch({', '.join(split.columns)})"
    return table, values or [[] for _ in split.columns]


def _execute(statement: str, params: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


# --- the values that occur in a workspace ----------------------------------------------------

# The index gives each value once; reading all its rows would take as long as the ledger is.
_OCCURRING = """
WITH RECURSIVE used AS (
    SELECT row.* FROM {branches} CROSS JOIN LATERAL (
        SELECT {columns}, run.{column} FROM operation_runs run
        WHERE {of_branch} {condition} ORDER BY {columns}, run.{column} LIMIT 1) AS row
    UNION ALL
    SELECT row.* FROM used CROSS JOIN LATERAL (
        SELECT {columns}, run.{column} FROM operation_runs run
        WHERE {of_used} AND run.{column} > used.{column} {condition}
        ORDER BY {columns}, run.{column} LIMIT 1) AS row)
SELECT * FROM used
"""


def occurring_types(workspaces: Sequence[int]) -> Split:
    """Return the types of the runs of these workspaces."""
    return _occurring(workspaces, "type")


def occurring_causes(workspaces: Sequence[int]) -> Split:
    """Return the causes of the problems of these workspaces."""
    return _occurring(workspaces, "cause", "AND NOT (run.cause = '')")


def occurring_initiators(workspaces: Sequence[int]) -> Split:
    """Return who or what has started runs in these workspaces."""
    return _occurring(workspaces, "initiator_name")


def with_types(initiators: Split) -> Split:
    """Return these initiators with the types of the runs that they have started."""
    return _occurring_in(initiators, "type")


def _occurring(workspaces: Sequence[int], column: str, condition: str = "") -> Split:
    scope = Split(("workspace_id",), [(workspace,) for workspace in workspaces])
    return _occurring_in(scope, column, condition)


def _occurring_in(split: Split, column: str, condition: str = "") -> Split:
    """Return the combinations of a split with the values that the column has in its runs."""
    if not split.values:
        return Split((*split.columns, column), [])
    branches, values = _branches(split)
    statement = _OCCURRING.format(
        branches=branches,
        columns=", ".join(f"run.{each}" for each in split.columns),
        of_branch=" AND ".join(f"run.{each} = branch.{each}" for each in split.columns),
        of_used=" AND ".join(f"run.{each} = used.{each}" for each in split.columns),
        column=column,
        condition=condition,
    )
    return Split((*split.columns, column), _execute(statement, values))
