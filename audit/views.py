"""The audit log of a workspace, and its CSV export; owners only."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse

from audit.filters import AuditFilter
from audit.models import AuditEntry
from audit.presentation import actor_of, describe, kind_label
from tenancy.capabilities import require_capability
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability
from tenancy.times import display_zone
from web.csv_export import csv_response, moment_cell
from web.keyset import BadCursor, Page
from web.statement_timeout import TookTooLong, statement_timeout

LIST_SECONDS = 5.0
HEADINGS = (
    "id", "created_at", "action", "kind", "object_id", "object", "part", "user_id", "user",
    "actor", "origin", "address", "reference", "database_role", "changes", "details",
)  # fmt: skip
_BAD_CURSOR = "The link to this page is not valid. Show the newest entries instead."


@page
def audit_log(request: Request, slug: str) -> HttpResponse:
    """List the entries of a workspace, newest first."""
    workspace = _audited_workspace(request, slug)
    filters = AuditFilter(request.GET, workspace, request.user)
    context = _frame(request, workspace, filters)
    if filters.errors:
        return _list_page(request, context | {"errors": filters.errors}, status=400)
    try:
        with statement_timeout(LIST_SECONDS):
            entries = filters.listed.page(
                filters.listed.scope,
                newer=request.GET.get("newer", ""),
                older=request.GET.get("older", ""),
            )
            count = filters.listed.count()
    except BadCursor:
        return _list_page(request, context | {"errors": [_BAD_CURSOR]}, status=400)
    except TookTooLong:
        return _list_page(request, context | {"too_slow": True}, status=503)
    lines = describe(entries.rows, display_zone(request.user, workspace))
    return _list_page(request, context | {"page": entries, "lines": lines, "count": count})


@page
def audit_export(request: Request, slug: str) -> HttpResponseBase:
    """The entries of the list as CSV."""
    workspace = _audited_workspace(request, slug)
    filters = AuditFilter(request.GET, workspace, request.user)
    if filters.errors:
        context = _frame(request, workspace, filters) | {"errors": filters.errors}
        return _list_page(request, context, status=400)
    return csv_response(
        filters.listed.scope,
        file_name="audit-log.csv",
        headings=HEADINGS,
        cells=_cells,
        fetch=filters.listed.fetch,
    )


def _audited_workspace(request: Request, slug: str) -> Workspace:
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.VIEW_AUDIT_LOG)
    return workspace


def _frame(request: Request, workspace: Workspace, filters: AuditFilter) -> dict[str, Any]:
    """Return the context of the page around the entries."""
    query = QueryDict(mutable=True)
    query.update(
        {field.name: value for field in filters.fields if (value := request.GET.get(field.name))}
    )
    list_url = reverse("audit_log", args=[workspace.slug])
    export_url = reverse("audit_export", args=[workspace.slug])
    return {
        "workspace": workspace,
        "filters": filters,
        "page": Page(),
        "list_url": list_url,
        "export_url": f"{export_url}?{query.urlencode()}",
    }


def _list_page(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, "audit/audit_log.html", context, status=status)


def _cells(entry: AuditEntry) -> list[object]:
    return [
        entry.pk, moment_cell(entry.created_at), entry.action,
        entry.object_type and kind_label(entry.object_type), entry.object_id, entry.object_name,
        entry.part, entry.user_id or "", entry.user_name, actor_of(entry), entry.origin,
        entry.address or "", entry.reference, entry.database_role,
        json.dumps(entry.changes, ensure_ascii=False, sort_keys=True),
        json.dumps(entry.details, ensure_ascii=False, sort_keys=True),
    ]  # fmt: skip
