"""The overview of a workspace: panels that apps register in their `overview.py`.

    @overview_panel(order=10, facts=freshness_facts)
    def freshness(request: Request, workspace: Workspace) -> Panel | None:
        return "backups/_freshness.html", {"tenants": …}

`facts` are parts of the statement that decides whether the panel has changed (`tenancy.versions`).
They need not include the configuration, of which every change has an entry in the audit log, nor a
run that was created or has ended, nor what depends on the time. A panel that returns None is omitted. One that returns `FirstSteps` replaces all but the incidents and
runs. The template gets `workspace`, `user` and its own context.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, Subquery, TextField, Value
from django.db.models.functions import Cast

from audit.models import AuditEntry
from operations.models import Incident, OperationRun, OperationRunQuerySet
from operations.presentation.charts import build_day_chart
from operations.presentation.expected_duration import longest_running, slow_runs
from operations.presentation.hours import hour_of, runs_by_hour
from operations.presentation.row_versions import shown_values
from operations.types import OperationRunType
from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import User, Workspace
from tenancy.prepared import ANY_USER, ANY_WORKSPACE, PreparedQuery
from tenancy.querysets import CappedCount
from tenancy.times import display_zone
from tenancy.versions import Digest, Statement, build_statement, column_names, read_statement
from web.keyset import COUNT_CAP, count_text
from web.registry import OrderedRegistry

Panel = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class FirstSteps:
    """A panel that replaces those of a new workspace, in which they would show nothing."""

    panel: Panel


PanelBuilder = Callable[[Request, Workspace], Panel | FirstSteps | None]
#: Returns what changes with a panel, for the id of a workspace.
Facts = Callable[[int], list[Subquery]]
B = TypeVar("B", bound=PanelBuilder)
R = TypeVar("R", OperationRun, Incident)
PANEL_ROWS = 8
#: Fewer active runs are read at once; of more, only the longest-running ones are compared.
ACTIVE_READ = 100

_PANELS: OrderedRegistry[PanelBuilder] = OrderedRegistry()
_FACTS: list[Facts] = []


def overview_panel(*, order: int, facts: Facts) -> Callable[[B], B]:
    """Register a panel; the panel with the lowest order comes first."""

    def register(build_panel: B) -> B:
        _PANELS.add(build_panel, order=order)
        _FACTS.append(facts)
        return build_panel

    return register


def no_facts(_: int) -> list[Subquery]:
    """The facts of a panel that depends only on what every overview takes into account."""
    return []


class _LastEnded(Func):
    """The runs of a workspace that ended last, one of each of these types: an index has them."""

    template = """(
        SELECT string_agg(last.id::text, ',')
        FROM (SELECT %(expressions)s) AS scope(workspace_id, types)
        CROSS JOIN unnest(scope.types) AS kind(type)
        CROSS JOIN LATERAL (
            SELECT run.id FROM operation_runs run
            WHERE run.workspace_id = scope.workspace_id AND run.type = kind.type
              AND run.completed_at IS NOT NULL
            ORDER BY run.completed_at DESC, run.id DESC LIMIT 1) AS last)"""
    output_field = TextField()


def read_facts(workspace: Workspace) -> tuple[object, ...]:
    """Return what changes whenever a panel does, with one statement."""
    return read_statement(_statement(workspace.pk))


@lru_cache(maxsize=500)
def _statement(workspace_id: int) -> Statement:
    """The statement of a workspace; building it takes longer than its execution."""
    runs = OperationRun.objects.filter(workspace=workspace_id).newest_first()
    entries = AuditEntry.objects.filter(workspace=workspace_id).newest_first()
    newest = [Digest(rows.values("pk")[:1]) for rows in (runs, entries)]
    types = Cast(Value([each.value for each in OperationRunType]), ArrayField(TextField()))
    ended = _LastEnded(Value(workspace_id), types)
    parts = [part for facts in _FACTS for part in facts(workspace_id)]
    return build_statement(Workspace.objects.filter(pk=workspace_id), *newest, ended, *parts)


def panels_for(request: Request, workspace: Workspace) -> tuple[Panel | None, list[Panel]]:
    """Return the first steps of a new workspace or None, and the other panels, in order."""
    panels = []
    for build_panel in _PANELS:
        panel = build_panel(request, workspace)
        if isinstance(panel, FirstSteps):
            incidents = open_incidents(request, workspace)
            of_runs = active_runs(request, workspace), needs_attention(request, workspace)
            with_runs = [each for each in of_runs if each[1]["runs"]]
            return panel.panel, [incidents, *with_runs] if incidents else with_runs
        if panel:
            panels.append(panel)
    return None, panels


# --- panels of runs ------------------------------------------------------------------------


def _incident_facts(workspace_id: int) -> list[Subquery]:
    fields = column_names(Incident, without=("counted_at",))
    incidents = Incident.objects.filter(workspace=workspace_id).open()
    return [Digest(incidents.order_by("-last_run_at", "-pk").values_list(*fields)[:PANEL_ROWS])]


@overview_panel(order=10, facts=_incident_facts)
def open_incidents(request: Request, workspace: Workspace) -> Panel | None:
    """The open incidents, if there are any."""
    latest = _load(_incidents(is_staff=request.user.is_staff), request, workspace)
    if not latest:
        return None
    return "operations/_panel_incidents.html", {"incidents": latest}


@cache
def _incidents(*, is_staff: bool) -> PreparedQuery[Incident]:
    visible = Incident.objects.visible_to(User(pk=ANY_USER, is_staff=is_staff))
    latest = visible.filter(workspace=ANY_WORKSPACE).open().order_by("-last_run_at", "-pk")
    return PreparedQuery(latest[:PANEL_ROWS], [ANY_USER, ANY_WORKSPACE], has_one_plan=False)


def _active_facts(workspace_id: int) -> list[Subquery]:
    return _run_facts(OperationRun.objects.filter(workspace=workspace_id).active(), ACTIVE_READ)


@overview_panel(order=20, facts=_active_facts)
def active_runs(request: Request, workspace: Workspace) -> Panel:
    """The active runs, and those that take unusually long."""
    newest = _load(_active(is_staff=request.user.is_staff), request, workspace)
    running = [run for run in newest if run.is_running]
    if len(newest) == ACTIVE_READ:
        visible = OperationRun.objects.visible_to(request.user)
        running = longest_running(visible.filter(workspace=workspace).with_scope())
    return "operations/_panel_active.html", {
        "runs": newest[:PANEL_ROWS],
        "count": _count_of(newest),
        "slow": slow_runs(running)[:PANEL_ROWS],
    }


def _attention_facts(workspace_id: int) -> list[Subquery]:
    runs = OperationRun.objects.filter(workspace=workspace_id).needs_attention()
    return _run_facts(runs, PANEL_ROWS)


@overview_panel(order=30, facts=_attention_facts)
def needs_attention(request: Request, workspace: Workspace) -> Panel:
    """The runs that need attention."""
    newest = _load(_attention(is_staff=request.user.is_staff), request, workspace)
    context = {"runs": newest, "count": _count_of(newest)}
    return "operations/_panel_attention.html", context


@overview_panel(order=40, facts=no_facts)
def last_day(request: Request, workspace: Workspace) -> Panel:
    """The outcomes of the runs of the last 24 hours."""
    counts = [(row.hour, row.outcome, row.recent) for row in runs_by_hour(request, workspace)]
    last = hour_of(request_now(), workspace)
    zone = display_zone(request.user, workspace)
    return "operations/_panel_day.html", {"chart": build_day_chart(counts, last, zone)}


@cache
def _active(*, is_staff: bool) -> PreparedQuery[OperationRun]:
    return _newest(_visible_runs(is_staff=is_staff).active(), ACTIVE_READ)


@cache
def _attention(*, is_staff: bool) -> PreparedQuery[OperationRun]:
    return _newest(_visible_runs(is_staff=is_staff).needs_attention(), PANEL_ROWS)


def _visible_runs(*, is_staff: bool) -> OperationRunQuerySet:
    visible = OperationRun.objects.visible_to(User(pk=ANY_USER, is_staff=is_staff))
    return visible.filter(workspace=ANY_WORKSPACE)


def _newest(runs: OperationRunQuerySet, limit: int) -> PreparedQuery[OperationRun]:
    """The newest of these runs, each with the number of all of them, up to a cap."""
    total = CappedCount(runs.order_by().values("pk")[: COUNT_CAP + 1])
    newest = runs.annotate(total=total).select_related("tenant").newest_first()[:limit]
    return PreparedQuery(newest, [ANY_USER, ANY_WORKSPACE], has_one_plan=False)


def _load(query: PreparedQuery[R], request: Request, workspace: Workspace) -> list[R]:
    """Return what the query finds in a workspace for the user, with the workspace."""
    loaded = query.load(request.user.pk, workspace.pk)
    for row in loaded:
        row.workspace = workspace
    return loaded


def _count_of(newest: Sequence[Any]) -> str:
    """The number of runs as text, of which these are the newest."""
    return count_text(newest[0].total) if newest else "0"


def _run_facts(runs: OperationRunQuerySet, limit: int) -> list[Subquery]:
    """What the newest of these runs show, and how many there are."""
    count = CappedCount(runs.order_by().values("pk")[: COUNT_CAP + 1])
    return [Digest(shown_values(runs.newest_first()[:limit])), count]
