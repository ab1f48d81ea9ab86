"""History: one row, which leads to its canonical run where there is one, and the lists."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from legacy_runs.filters import HistoryFilters
from legacy_runs.models import TABLES, HistoryEntry, LegacyRun, TimelineEntry
from legacy_runs.paging import page_of_entries
from operations.models import OperationRun
from operations.paging import BadCursor, Page
from operations.sanitize import sanitize_json, sanitize_text
from operations.views.timeout import TookTooLong, statement_timeout
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Tenant, Workspace

LIST_SECONDS = 5.0
#: What the page of a row shows elsewhere, or not at all.
_ELSEWHERE = {"id", "workspace", "tenant", "operation_run", "was_operation_run_id", "status"}
_BAD_CURSOR = "This page link is damaged. The newest rows are one click away."


@page
def legacy_run(request: Request, legacy_id: int, kind: str) -> HttpResponse:
    """To the canonical run of the row; where it has none, the row itself, marked as history."""
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
    return _list(request, workspace, rows, context)


@page
def tenant_history(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Runs and history of a tenant in one list, so that nobody has to know which table it is."""
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    rows = TimelineEntry.objects.visible_to(request.user).filter(
        workspace=tenant.workspace, tenant=tenant
    )
    context = {
        "title": "Runs and history",
        "tenant": tenant,
        "empty": "Nothing has run on this tenant yet.",
    }
    return _list(request, tenant.workspace, rows, context)


def _list(
    request: Request, workspace: Workspace, rows: Any, context: dict[str, Any]
) -> HttpResponse:
    filters = HistoryFilters.of(request.GET, workspace, is_timeline="tenant" in context)
    frame = {"workspace": workspace, "section": "history", "filters": filters, "page": Page()}
    context = frame | context
    if filters.errors:
        return _answer(request, context | {"errors": filters.errors}, 400)
    found = filters.apply(rows).with_scope()
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        with statement_timeout(LIST_SECONDS):
            context["page"] = page_of_entries(found, newer=newer, older=older)
    except BadCursor:
        return _answer(request, context | {"errors": [_BAD_CURSOR]}, 400)
    except TookTooLong:
        return _answer(
            request, context | {"errors": ["That took too long: narrow the filter."]}, 503
        )
    return _answer(request, context)


def _answer(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, "legacy_runs/history_list.html", context, status=status)


def _facts(row: LegacyRun) -> list[tuple[str, Any]]:
    """Every other column that says something, redacted once more on its way out."""
    shown = []
    for field in row._meta.concrete_fields:  # noqa: SLF001 - Django's own API
        value = getattr(row, field.attname)
        if field.name in _ELSEWHERE or value in (None, "", {}, []):
            continue
        shown.append((str(field.verbose_name).capitalize(), _shown(value)))
    return shown


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize_text(value, max_length=2000)
    return sanitize_json(value) if isinstance(value, dict | list) else value
