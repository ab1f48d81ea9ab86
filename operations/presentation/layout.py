"""How a list of runs looks: its columns, its density and its order, all from its address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from django.db.models import F, Q

from operations.models import ListSettings, OperationRun, OperationRunQuerySet
from web.keyset import NEWEST_FIRST, Order

#: The columns besides the run, in their order.
COLUMNS = {
    "state": "State",
    "cause": "Cause",
    "progress": "Progress",
    "assignee": "Assigned to",
    "initiator": "Started by",
    "requested": "Requested",
    "started": "Started",
    "ended": "Ended",
    "waited": "Queue time",
    "duration": "Duration",
    "worker": "Worker",
}
DEFAULT_COLUMNS = ("state", "cause", "progress", "initiator", "requested", "duration")
#: Right-aligned, because they are compared.
NUMERIC = frozenset({"waited", "duration"})
#: A phone shows these below the run; other columns need more space.
NARROW = frozenset({"state", "requested"})


@dataclass(frozen=True)
class Sort:
    """An order that an index serves. `only`: the runs that have its value; others are not listed."""

    label: str
    order: Order
    only: Q = field(default_factory=Q)
    note: str = ""


def _by_end(label: str, name: str, *, descending: bool) -> Sort:
    order = Order(name, F("completed_at"), attrgetter("completed_at"), descending=descending)
    return Sort(
        label, order, Q(completed_at__isnull=False), "Only runs that have ended are listed."
    )


def _by_duration(label: str, name: str, *, descending: bool) -> Sort:
    value = F("completed_at") - F("started_at")
    order = Order(name, value, _duration, descending=descending, is_duration=True)
    only = Q(completed_at__isnull=False, started_at__isnull=False)
    return Sort(label, order, only, "Only runs that have started and ended are listed.")


def _duration(run: OperationRun) -> dt.timedelta:
    assert run.duration is not None
    return run.duration


DEFAULT_SORT = "-requested"
#: The values of the parameter `sort`: the name of a column, after a minus in descending order.
SORTS = {
    DEFAULT_SORT: Sort("Newest request first", NEWEST_FIRST),
    "requested": Sort(
        "Oldest request first",
        Order("requested", F("created_at"), attrgetter("created_at"), descending=False),
    ),
    "-ended": _by_end("Last ended first", "-ended", descending=True),
    "ended": _by_end("First ended first", "ended", descending=False),
    "-duration": _by_duration("Longest first", "-duration", descending=True),
    "duration": _by_duration("Shortest first", "duration", descending=False),
}
PARAMETERS = ("columns", "density", "sort")


@dataclass(frozen=True)
class Heading:
    """The heading of a column; `sort` is the order to which it changes, or empty."""

    name: str
    label: str
    sort: str
    direction: str

    @property
    def css(self) -> str:
        """The classes of the heading."""
        wide = "" if self.name in NARROW else "wide-only"
        return f"{wide} num" if self.name in NUMERIC else wide


@dataclass(frozen=True)
class Layout:
    """The columns, the density and the order of a list."""

    columns: tuple[str, ...]
    density: str
    sort_name: str
    errors: tuple[str, ...] = ()

    @property
    def sort(self) -> Sort:
        return SORTS[self.sort_name]

    @property
    def is_compact(self) -> bool:
        return self.density == ListSettings.Density.COMPACT

    @property
    def headings(self) -> list[Heading]:
        return [self._heading(name) for name in COLUMNS if name in self.columns]

    def load(self, runs: OperationRunQuerySet) -> OperationRunQuerySet:
        """Return the runs with what the columns show."""
        return runs.select_related("assigned_to") if "assignee" in self.columns else runs

    def _heading(self, name: str) -> Heading:
        direction = ""
        if self.sort_name.removeprefix("-") == name:
            direction = "descending" if self.sort_name.startswith("-") else "ascending"
        sort = name if direction == "descending" else f"-{name}"
        return Heading(name, COLUMNS[name], sort if sort in SORTS else "", direction)


def read_layout(params: Mapping[str, str], settings: ListSettings | None) -> Layout:
    """Return the layout that an address asks for, or else that of the user's settings.

    An unknown column, density or order is an error of the layout.
    """
    errors = []
    stored = settings.columns.split(",") if settings else DEFAULT_COLUMNS
    columns = tuple(name for name in stored if name in COLUMNS)
    if text := params.get("columns", ""):
        columns = tuple(text.split(","))
        errors += [
            f"Columns: “{name[:40]}” is not a column." for name in columns if name not in COLUMNS
        ]
    density = params.get("density") or (settings.density if settings else "comfortable")
    if density not in ListSettings.Density.values:
        errors.append("Density: select comfortable or compact.")
    sort = params.get("sort") or DEFAULT_SORT
    if sort not in SORTS:
        errors.append("Order: the list cannot be sorted by that.")
        sort = DEFAULT_SORT
    return Layout(columns, density, sort, tuple(errors[:5]))
