"""History: one row, which leads to its canonical run where there is one, and the lists."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render

from legacy_runs.columns import IDENTIFIERS, identifier
from legacy_runs.filters import HistoryFilter, TimelineFilter
from legacy_runs.models import TABLES, HistoryEntry, LegacyRun, TimelineEntry
from legacy_runs.paging import in_full, page_of_entries
from operations.models import OperationRun
from redaction.json import sanitize_json
from redaction.text import sanitize_text
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Tenant, Workspace
from web.keyset import BadCursor, Page, capped_count
from web.statement_timeout import TookTooLong, statement_timeout

LIST_SECONDS = 5.0
#: What the page of a row shows elsewhere, or not at all.
_ELSEWHERE = {"id", "workspace", "tenant", "operation_run", "was_operation_run_id", "status"}
_BAD_CURSOR = "This page link is damaged. The newest rows are one click away."


@page
def legacy_run(request: Request, legacy_id: int, kind: str, **_elsewhere: Any) -> HttpResponse:
    """To the canonical run of the row; where it has none, the row itself, marked as history.

    What else an older address says, of a workspace or a tenant, decides nothing.
    """
    rows: Any = TABLES[kind].objects  # type: ignore[attr-defined]
    row = get_object_or_404(rows.visible_to(request.user).with_scope(), pk=legacy_id)
    mapped = OperationRun.objects.visible_to(request.user).filter(pk=row.operation_run_id)
    if run := mapped.first():
        return redirect(run)
    context = {
        "workspace": row.workspace,
        "section": "history",
        "row": row,
        "facts": _facts(row),
    }
    return render(request, "legacy_runs/legacy_run.html", context)


@page
def history_list(request: Request, slug: str) -> HttpResponse:
    """Every row of the three tables in a workspace, newest first."""
    workspace = workspace_or_404(request, slug)
    rows = HistoryEntry.objects.visible_to(request.user).filter(workspace=workspace)
    context = {"title": "History", "empty": "Nothing was imported from an older installation."}
    return _list(request, workspace, _filter(request, HistoryFilter, rows, workspace), context)


@page
def tenant_history(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Runs and history of a tenant in one list, so that nobody has to know which table it is."""
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    workspace = tenant.workspace
    rows = TimelineEntry.objects.visible_to(request.user).filter(workspace=workspace, tenant=tenant)
    context = {
        "title": "Runs and history",
        "tenant": tenant,
        "empty": "Nothing has run on this tenant yet.",
    }
    found = _filter(request, TimelineFilter, rows.without_a_run(), workspace)
    return _list(request, workspace, found, context)


def _filter(
    request: Request, kind: type[HistoryFilter], rows: Any, workspace: Workspace
) -> HistoryFilter:
    return kind(
        request.GET,
        queryset=rows,
        user=request.user,
        tenants=Tenant.objects.visible_to(request.user).filter(workspace=workspace),
        zone=zoneinfo.ZoneInfo(workspace.timezone),
    )


def _list(
    request: Request, workspace: Workspace, found: HistoryFilter, more: dict[str, Any]
) -> HttpResponse:
    context = _frame(request, workspace, found) | more
    if not found.is_valid():
        return _answer(request, context | {"is_wrong": True}, 400)
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        with statement_timeout(LIST_SECONDS):
            shown = page_of_entries(found.qs, newer=newer, older=older)
            context |= {"page": shown, "rows": in_full(shown.rows), "count": capped_count(found.qs)}
    except BadCursor:
        return _answer(request, context | {"errors": [_BAD_CURSOR], "is_wrong": True}, 400)
    except TookTooLong:
        return _answer(request, context | {"too_slow": True}, 503)
    return _answer(request, context)


def _frame(request: Request, workspace: Workspace, found: HistoryFilter) -> dict[str, Any]:
    """What stands around the rows, and the empty page of an answer that has none."""
    return {
        "workspace": workspace,
        "section": "history",
        "filter": found,
        "page": Page(),
        "list_url": request.path,
        "chips": _chips(request, found),
    }


def _chips(request: Request, found: HistoryFilter) -> list[dict[str, Any]]:
    """The quick views; pressing the one that is on takes it off."""
    kept = QueryDict(mutable=True)
    kept.update({name: value for name in found.filters if (value := request.GET.get(name))})
    chips = []
    for view, label in found.filters["view"].extra["choices"]:
        query = kept.copy()
        on = query.pop("view", [""]) == [view]
        if not on:
            query["view"] = view
        chips.append({"label": label, "on": on, "url": f"{request.path}?{query.urlencode()}"})
    return chips


def _answer(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, "legacy_runs/history_list.html", context, status=status)


def _facts(row: LegacyRun) -> list[tuple[str, Any, str]]:
    """Every other column that says something, redacted once more, and how it is shown."""
    shown = []
    for field in row._meta.concrete_fields:  # noqa: SLF001 - Django's own API
        value = getattr(row, field.attname)
        if field.name in _ELSEWHERE or value in (None, "", {}, []):
            continue
        name = str(field.verbose_name).capitalize()
        shown.append((name, *_shown(field.name, value)))
    return shown


def _shown(name: str, value: Any) -> tuple[Any, str]:
    if isinstance(value, dt.datetime):
        return value, "time"
    if isinstance(value, dict | list):
        return sanitize_json(value), "json"
    if name in IDENTIFIERS:
        return identifier(value), "text"
    return sanitize_text(str(value), max_length=2000), "text"
