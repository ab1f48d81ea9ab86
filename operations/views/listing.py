"""The list of runs: filters as its address, live rows, and the same as a CSV file."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse

from operations.filters import VIEWS, RunFilter
from operations.models import OperationRun, OperationRunQuerySet
from operations.views.export import csv_response
from tenancy.capabilities import capabilities_of
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.roles import Capability
from web.keyset import BadCursor, Page, capped_count, page_of
from web.live_section import asks_for, live_answer, live_section
from web.statement_timeout import TookTooLong, statement_timeout

LIST_SECONDS = 5.0
MAX_BULK = 500
#: What a button of the bulk bar does, its words, its icon, and the capability that shows it.
BULK_BUTTONS = (
    ("run_acknowledge_many", "Acknowledge", "eye-check", Capability.ACKNOWLEDGE_RUN),
    ("run_retry_many", "Retry", "refresh", Capability.RETRY_RUN),
    ("run_cancel_many", "Cancel", "player-stop", Capability.CANCEL_OWN_RUN),
)


@page
def run_list(request: Request, slug: str) -> HttpResponse:
    """The runs of a workspace."""
    return _answer(request, workspace_or_404(request, slug))


@page
def run_list_all(request: Request) -> HttpResponse:
    """The runs of every workspace of the person."""
    return _answer(request, None)


@page
def run_export(request: Request, slug: str) -> HttpResponseBase:
    """What the list shows, as CSV."""
    return _export(request, workspace_or_404(request, slug))


@page
def run_export_all(request: Request) -> HttpResponseBase:
    """What the list of all workspaces shows, as CSV."""
    return _export(request, None)


def _answer(request: Request, workspace: Workspace | None) -> HttpResponse:
    found = filtered(request, request.GET, workspace)
    context = _frame(request, workspace, found)
    if not found.is_valid():
        return _list_page(request, context | {"errors": _errors(found)}, status=400)
    try:
        with statement_timeout(LIST_SECONDS):
            shown = _page(request, found.qs)
            count = capped_count(found.qs)
            context |= {"page": shown, "count": count, "count_is_large": _is_large(count)}
    except BadCursor:
        return _list_page(request, context | {"errors": [_BAD_CURSOR]}, status=400)
    except TookTooLong:
        return _list_page(request, context | {"too_slow": True}, status=503)
    rows = live_section(
        request, "run-rows", "operations/_run_rows.html", context, seconds=_poll_seconds(shown)
    )
    if asks_for(request, "run-rows"):
        return live_answer(request, rows)
    return _list_page(request, context | {"rows": rows})


def _is_large(count: str) -> bool:
    """Whether a count as it is shown is more than one bulk action takes."""
    return int(count.replace(",", "").rstrip("+")) > MAX_BULK


def _export(request: Request, workspace: Workspace | None) -> HttpResponseBase:
    found = filtered(request, request.GET, workspace)
    if not found.is_valid():
        context = _frame(request, workspace, found) | {"errors": _errors(found)}
        return _list_page(request, context, status=400)
    return csv_response(found.qs.with_scope().newest_first())


_BAD_CURSOR = "This page link is damaged. The newest runs are one click away."


def filtered(request: Request, query: QueryDict, workspace: Workspace | None) -> RunFilter:
    """The runs of a workspace, or of all of the person's, that a query matches."""
    runs = OperationRun.objects.visible_to(request.user)
    tenants = Tenant.objects.visible_to(request.user)
    if scope := workspace or _only_workspace(request):
        runs, tenants = runs.filter(workspace=scope), tenants.filter(workspace=scope)
    zone: dt.tzinfo = zoneinfo.ZoneInfo(workspace.timezone) if workspace else dt.UTC
    return RunFilter(query, queryset=runs, user=request.user, tenants=tenants, zone=zone)


def _only_workspace(request: Request) -> Workspace | None:
    """The person's workspace if it is the only one: an equality lets the index give the order."""
    mine = list(Workspace.objects.visible_to(request.user)[:2])
    return mine[0] if len(mine) == 1 else None


def _page(request: Request, runs: OperationRunQuerySet) -> Page[OperationRun]:
    return page_of(
        runs.with_scope(), newer=request.GET.get("newer", ""), older=request.GET.get("older", "")
    )


def _frame(request: Request, workspace: Workspace | None, found: RunFilter) -> dict[str, Any]:
    """What stands around the rows, and the empty page of an answer that has none."""
    here = [workspace.slug] if workspace else []
    name = "" if workspace else "_all"
    kept = kept_query(request.GET)
    list_url = reverse(f"run_list{name}", args=here)
    return {
        "workspace": workspace,
        "section": "runs",
        "filter": found,
        "page": Page(),
        "list_url": list_url,
        "export_url": f"{reverse(f'run_export{name}', args=here)}?{kept.urlencode()}",
        "chips": _chips(list_url, kept),
        "kept_filter": kept.urlencode(),
        "max_bulk": MAX_BULK,
        "bulk": _bulk_buttons(request, workspace),
    }


def kept_query(given: QueryDict) -> QueryDict:
    """The filters of an address, without cursors and whatever else somebody wrote there."""
    kept = QueryDict(mutable=True)
    kept.update({name: given[name] for name in RunFilter.base_filters if given.get(name)})
    return kept


def _bulk_buttons(request: Request, workspace: Workspace | None) -> list[dict[str, str]]:
    """The buttons that this person gets for many runs at once; none across workspaces."""
    if workspace is None:
        return []
    mine = capabilities_of(request.user, workspace)
    return [
        {"url": reverse(name, args=[workspace.slug]), "label": label, "icon": icon}
        for name, label, icon, needs in BULK_BUTTONS
        if needs in mine
    ]


def _chips(list_url: str, kept: QueryDict) -> list[dict[str, Any]]:
    """The quick views; pressing the one that is on takes it off."""
    chips = []
    for view, label in VIEWS:
        query = kept.copy()
        on = query.get("view") == view
        query["view"] = view
        if on:
            del query["view"]
        chips.append({"label": label, "on": on, "url": f"{list_url}?{query.urlencode()}"})
    return chips


def _errors(found: RunFilter) -> list[str]:
    form = found.form
    return [
        f"{form.fields[name].label}: {error}"
        for name, told in form.errors.items()
        for error in told
    ]


def _poll_seconds(shown: Page[OperationRun]) -> int:
    """The newest page always asks for news, an older one while something on it is active."""
    if any(run.is_active for run in shown.rows):
        return 2
    return 10 if shown.is_first else 0


def _list_page(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, "operations/run_list.html", context, status=status)
