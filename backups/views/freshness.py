"""The page of backup freshness: every tenant, its objective, its last attempts and its next slot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from backups.forms import ObjectiveForm
from backups.freshness import Freshness, freshness_of_tenants, stalest_first
from backups.history import last_attempts, past_slots
from backups.objectives import objective_of, set_objective
from backups.sparkline import SLOTS, Sparkline, build_sparkline
from operations.models import OperationRun
from operations.presentation.summary import state_of
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.filtering import ListFilter
from tenancy.http import Request, form_page, page, render_checked, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.roles import Capability
from tenancy.times import display_zone
from web.csv_export import stream
from web.letter_case import ignore_case
from web.numbered import numbered_page

#: The states of the filter: label, and whether a tenant is in it.
STATES: dict[str, tuple[str, Callable[[Freshness], bool]]] = {
    "late": ("Late", lambda row: row.is_overdue),
    "never": ("Never", lambda row: row.is_never),
    "unscheduled": ("Unscheduled", lambda row: row.is_unscheduled),
    "incomplete": ("Incomplete", lambda row: row.is_incomplete),
}
_LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)
_EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
#: The orders of the list besides the default, the stalest first.
SORTS: dict[str, tuple[str, Callable[[Freshness], Any]]] = {
    "name": ("Tenant", lambda row: row.tenant.name.casefold()),
    "newest": (
        "Newest backup first",
        lambda row: -(row.last_complete_at or _EARLIEST).timestamp(),
    ),
    "next": ("Next slot first", lambda row: row.next_run_at or _LATEST),
}
#: Tenants whose attempts are read at once for the export.
EXPORT_BATCH = 500


@dataclass(frozen=True)
class Row:
    """A tenant with its last attempt and its last slots."""

    freshness: Freshness
    attempt: OperationRun | None
    slots: Sparkline

    @cached_property
    def cause(self) -> str:
        """The main cause of an attempt that did not succeed."""
        failures = self.attempt.failures if self.attempt else []
        return str(failures[0]["label"]) if failures else ""


@page
def freshness_list(request: Request, slug: str) -> HttpResponse:
    """Every active tenant, the stalest backup first."""
    workspace = workspace_or_404(request, slug)
    everything, filters, listed = _listed(request, workspace)
    rows = numbered_page(listed, request.GET.get("page"))
    context = {
        "workspace": workspace,
        "section": "freshness",
        "title": "Tenants",
        "noun": "tenant",
        "filters": filters,
        "has_rows": bool(everything),
        "page": rows,
        "rows": _rows(list(rows), display_zone(request.user, workspace)),
        "segments": _segments(request, everything),
        "export_url": f"{reverse('freshness_export', args=[slug])}?{_query(request)}",
        "objective_hours": objective_of(workspace, None),
        "may_manage": Capability.MANAGE_SCHEDULES in capabilities_of(request.user, workspace),
    }
    return render_checked(request, "backups/freshness_list.html", context, errors=filters.errors)


@page
def freshness_export(request: Request, slug: str) -> HttpResponseBase:
    """The tenants of the list as CSV."""
    workspace = workspace_or_404(request, slug)
    _, filters, listed = _listed(request, workspace)
    if filters.errors:
        return freshness_list(request, slug)
    return stream(_batches(listed), file_name="freshness.csv", headings=_HEADINGS, cells=_cells)


@form_page
def workspace_objective(request: Request, slug: str) -> HttpResponse:
    """Set the objective of the workspace."""
    workspace = workspace_or_404(request, slug)
    return _objective(request, workspace, None)


@form_page
def tenant_objective(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Set the objective of one tenant."""
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    return _objective(request, tenant.workspace, tenant)


def _objective(request: Request, workspace: Workspace, tenant: Tenant | None) -> HttpResponse:
    require_capability(request.user, workspace, Capability.MANAGE_SCHEDULES)
    initial = {"hours": objective_of(workspace, tenant)}
    form = ObjectiveForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        set_objective(workspace, tenant, form.cleaned_data["hours"])
        messages.success(request, "Objective saved.")
        return redirect(tenant or reverse("freshness_list", args=[workspace.slug]))
    context = {"workspace": workspace, "section": "freshness", "tenant": tenant, "form": form}
    return render_checked(request, "backups/objective_form.html", context, errors=form.is_bound)


def _listed(
    request: Request, workspace: Workspace
) -> tuple[list[Freshness], ListFilter, list[Freshness]]:
    """Every tenant, the filter, and the tenants that it selects, in its order."""
    tenants = Tenant.objects.visible_to(request.user).active().filter(workspace=workspace)
    everything = freshness_of_tenants(tenants.select_related("workspace"))
    filters = ListFilter(request.GET)
    search = ignore_case(filters.text("Tenant"))
    state = filters.hidden("state", "State", STATES)
    sorts = [(name, label) for name, (label, _) in SORTS.items()]
    order = filters.choice("sort", "Order", sorts, empty="Stalest backup first")
    if filters.errors:
        return everything, filters, []
    is_in_state = STATES[state][1] if state else lambda _: True
    selected = [
        row for row in everything if is_in_state(row) and search in ignore_case(row.tenant.name)
    ]
    selected.sort(key=stalest_first)
    if order:
        selected.sort(key=SORTS[order][1])
    return everything, filters, selected


def _segments(request: Request, everything: Sequence[Freshness]) -> list[dict[str, Any]]:
    """The links that select a state, each with its number of tenants."""
    segments = [("", "All", len(everything))]
    segments += [
        (state, label, sum(map(is_in_state, everything)))
        for state, (label, is_in_state) in STATES.items()
    ]
    current = request.GET.get("state", "")
    return [
        {"state": state, "label": label, "count": count, "is_current": state == current}
        for state, label, count in segments
    ]


def _query(request: Request) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()


def _rows(listed: Sequence[Freshness], zone: dt.tzinfo) -> list[Row]:
    ids = [row.tenant.pk for row in listed]
    attempts, slots = last_attempts(ids), past_slots(ids, SLOTS)
    return [
        Row(row, attempts.get(row.tenant.pk), build_sparkline(slots.get(row.tenant.pk, []), zone))
        for row in listed
    ]


# --- export -----------------------------------------------------------------------------------

_HEADINGS = (
    "tenant_id", "tenant", "state", "last_complete_at", "age_hours", "objective_hours",
    "objective_set_for", "late_at", "last_attempt_id", "last_attempt_at", "last_attempt_outcome",
    "last_attempt_cause", "next_slot", "schedules",
)  # fmt: skip


def _batches(listed: Sequence[Freshness]) -> Iterator[list[Row]]:
    for first in range(0, len(listed), EXPORT_BATCH):
        batch = listed[first : first + EXPORT_BATCH]
        attempts = last_attempts([row.tenant.pk for row in batch])
        yield [Row(row, attempts.get(row.tenant.pk), _NONE) for row in batch]


_NONE = build_sparkline([], dt.UTC)


def _cells(row: Row) -> list[object]:
    freshness, attempt = row.freshness, row.attempt
    states = [state for state, (_, is_in_state) in STATES.items() if is_in_state(freshness)]
    age = freshness.age
    return [
        freshness.tenant.pk, freshness.tenant.name, " ".join(states) or "fresh",
        _moment(freshness.last_complete_at), f"{age / _HOUR:.1f}" if age is not None else "",
        f"{freshness.objective / _HOUR:.0f}", freshness.objective_source,
        _moment(freshness.late_at), attempt.pk if attempt else "",
        _moment(attempt.created_at if attempt else None), state_of(attempt).word if attempt else "",
        row.cause, _moment(freshness.next_run_at), len(freshness.schedules),
    ]  # fmt: skip


_HOUR = dt.timedelta(hours=1)


def _moment(at: dt.datetime | None) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds") if at else ""
