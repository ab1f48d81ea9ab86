"""The pages of legacy runs: the lists, and a row, which redirects to its run if it has one."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify

from legacy_runs.columns import IDENTIFIERS, identifier
from legacy_runs.filters import LegacyRunFilter, TenantRunFilter
from legacy_runs.models import TABLES, LegacyRun, LegacyRunEntry, RunEntry
from legacy_runs.paging import batches_of_entries, load_rows, page_of_entries
from operations.models import OperationRun
from operations.presentation.layout import read_layout
from operations.views.listing import quick_filters
from redaction.json import sanitize_json
from redaction.text import sanitize_text
from tenancy.http import Request, asks_for_csv, page, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.times import display_zone
from web.csv_export import moment_cell, stream
from web.keyset import BadCursor, Page, capped_count
from web.statement_timeout import TookTooLong, statement_timeout

LIST_SECONDS = 5.0
#: Columns that the page of a row shows elsewhere or omits.
_OTHER_COLUMNS = {"id", "workspace", "tenant", "operation_run", "was_operation_run_id", "status"}
_BAD_CURSOR = "The link to this page is not valid. Show the newest runs instead."


@page
def legacy_run_detail(
    request: Request, legacy_id: int, kind: str, **_other_ids: Any
) -> HttpResponse:
    """Redirect to the run of the row; if it has none, show the row.

    Other ids of a legacy address, of a workspace or a tenant, have no effect.
    """
    rows: Any = TABLES[kind].objects  # type: ignore[attr-defined]
    row = get_object_or_404(rows.visible_to(request.user).with_scope(), pk=legacy_id)
    runs = OperationRun.objects.visible_to(request.user).filter(pk=row.operation_run_id)
    if run := runs.first():
        return redirect(run)
    context = {
        "workspace": row.workspace,
        "section": "legacy_runs",
        "row": row,
        "facts": _facts(row),
    }
    return render(request, "legacy_runs/legacy_run_detail.html", context)


@page
def legacy_run_list(request: Request, slug: str) -> HttpResponseBase:
    """List the legacy runs of a workspace, newest first."""
    workspace = workspace_or_404(request, slug)
    rows = LegacyRunEntry.objects.visible_to(request.user).filter(workspace=workspace)
    context = {"title": "Legacy runs"}
    return _list(request, workspace, _filter(request, LegacyRunFilter, rows, workspace), context)


@page
def tenant_run_list(request: Request, slug: str, tenant_id: int) -> HttpResponseBase:
    """List the runs and legacy runs of a tenant together, newest first."""
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    workspace = tenant.workspace
    rows = RunEntry.objects.visible_to(request.user).filter(workspace=workspace, tenant=tenant)
    run_filter = _filter(request, TenantRunFilter, rows.without_a_run(), workspace)
    context = {"title": "Runs and legacy runs", "tenant": tenant}
    return _list(request, workspace, run_filter, context)


def _filter(
    request: Request, filter_class: type[LegacyRunFilter], rows: Any, workspace: Workspace
) -> LegacyRunFilter:
    return filter_class(
        request.GET,
        queryset=rows,
        user=request.user,
        tenants=Tenant.objects.visible_to(request.user).filter(workspace=workspace),
        zone=display_zone(request.user, workspace),
    )


def _list(
    request: Request, workspace: Workspace, run_filter: LegacyRunFilter, context: dict[str, Any]
) -> HttpResponseBase:
    context = _frame(request, workspace, run_filter) | context
    if not run_filter.is_valid():
        return _list_page(request, context | {"errors": run_filter.error_messages}, status=400)
    if asks_for_csv(request):
        batches = batches_of_entries(run_filter.qs.select_related("tenant"))
        file_name = f"{slugify(context['title'])}.csv"
        return stream(batches, file_name=file_name, headings=HEADINGS, cells=_cells)
    newer, older = request.GET.get("newer", ""), request.GET.get("older", "")
    try:
        with statement_timeout(LIST_SECONDS):
            entries = page_of_entries(run_filter.qs, newer=newer, older=older)
            rows, count = load_rows(entries.rows), capped_count(run_filter.qs)
    except BadCursor:
        return _list_page(request, context | {"errors": [_BAD_CURSOR]}, status=400)
    except TookTooLong:
        return _list_page(request, context | {"too_slow": True}, status=503)
    return _list_page(request, context | {"page": entries, "rows": rows, "count": count})


HEADINGS = (
    "kind", "id", "tenant", "type", "status", "outcome", "run", "created_at", "started_at",
    "finished_at",
)  # fmt: skip


def _cells(entry: Any) -> list[object]:
    return [
        entry.kind, entry.own_id, entry.tenant.name if entry.tenant else "", entry.type,
        entry.status, entry.outcome, entry.operation_run_id or "",
        *(moment_cell(at) for at in (entry.created_at, entry.started_at, entry.finished_at)),
    ]  # fmt: skip


def _frame(request: Request, workspace: Workspace, run_filter: LegacyRunFilter) -> dict[str, Any]:
    """Return the context of the page around the rows, with an empty page of rows."""
    query = QueryDict(mutable=True)
    query.update({name: value for name in run_filter.filters if (value := request.GET.get(name))})
    views = run_filter.filters["view"].extra["choices"]
    return {
        "workspace": workspace,
        "section": "legacy_runs",
        "filter": run_filter,
        "page": Page(),
        "layout": read_layout({}, None),
        "list_url": request.path,
        "chips": quick_filters(request.path, query, views),
    }


def _list_page(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, "legacy_runs/legacy_run_list.html", context, status=status)


def _facts(row: LegacyRun) -> list[tuple[str, Any, str]]:
    """Return name, redacted value and format of each remaining column that has a value."""
    facts = []
    for field in row._meta.concrete_fields:  # noqa: SLF001 - Django's own API
        value = getattr(row, field.attname)
        if field.name in _OTHER_COLUMNS or value in (None, "", {}, []):
            continue
        name = str(field.verbose_name).capitalize()
        facts.append((name, *_formatted(field.name, value)))
    return facts


def _formatted(name: str, value: Any) -> tuple[Any, str]:
    if isinstance(value, dt.datetime):
        return value, "time"
    if isinstance(value, dict | list):
        return sanitize_json(value), "json"
    if name in IDENTIFIERS:
        return identifier(value), "text"
    return sanitize_text(str(value), max_length=2000), "text"
