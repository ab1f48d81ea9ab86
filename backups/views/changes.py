"""The changes of policies in a workspace, and their CSV export."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse

from backups.change_filter import ChangeFilter
from backups.models import PolicyChange
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Workspace
from web.csv_export import csv_response, moment_cell
from web.keyset import BadCursor, Page
from web.statement_timeout import TookTooLong, statement_timeout

LIST_SECONDS = 5.0
HEADINGS = (
    "id", "found_at", "tenant", "change", "kind", "graph_id", "name", "fields", "field_count",
    "author", "changed_at", "author_not_known", "backup_set", "previous_set",
)  # fmt: skip
_BAD_CURSOR = "The link to this page is not valid. Show the newest changes instead."


@page
def change_list(request: Request, slug: str) -> HttpResponse:
    """What changed in the tenants of a workspace, newest first."""
    workspace = workspace_or_404(request, slug)
    filters = ChangeFilter(request.GET, workspace)
    context = _frame(request, workspace, filters)
    if filters.errors:
        return _list_page(request, context | {"errors": filters.errors}, status=400)
    listed = filters.listed
    try:
        with statement_timeout(LIST_SECONDS):
            changes = listed.page(
                filters.scope.with_scope(),
                newer=request.GET.get("newer", ""),
                older=request.GET.get("older", ""),
            )
            count = listed.count()
    except BadCursor:
        return _list_page(request, context | {"errors": [_BAD_CURSOR]}, status=400)
    except TookTooLong:
        return _list_page(request, context | {"too_slow": True}, status=503)
    return _list_page(request, context | {"page": changes, "count": count})


@page
def change_export(request: Request, slug: str) -> HttpResponseBase:
    """The changes of the list as CSV."""
    workspace = workspace_or_404(request, slug)
    filters = ChangeFilter(request.GET, workspace)
    if filters.errors:
        context = _frame(request, workspace, filters) | {"errors": filters.errors}
        return _list_page(request, context, status=400)
    return csv_response(
        filters.scope.with_scope(),
        file_name="changes.csv",
        headings=HEADINGS,
        cells=_cells,
        fetch=filters.listed.fetch,
    )


def _frame(request: Request, workspace: Workspace, filters: ChangeFilter) -> dict[str, Any]:
    """The context of the page around the changes."""
    query = QueryDict(mutable=True)
    query.update(
        {field.name: value for field in filters.fields if (value := request.GET.get(field.name))}
    )
    list_url = reverse("change_list", args=[workspace.slug])
    export_url = reverse("change_export", args=[workspace.slug])
    return {
        "workspace": workspace,
        "section": "changes",
        "filters": filters,
        "tenant": filters.tenant_choice,
        "page": Page(),
        "list_url": list_url,
        "export_url": f"{export_url}?{query.urlencode()}",
    }


def _list_page(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, "backups/change_list.html", context, status=status)


def _cells(change: PolicyChange) -> list[object]:
    return [
        change.pk, moment_cell(change.created_at), change.tenant.name, change.change, change.kind,
        change.graph_id, change.name, " ".join(change.fields), change.field_count, change.author,
        moment_cell(change.changed_at), change.gap_text, change.backup_set_id or "",
        change.previous_set_id or "",
    ]  # fmt: skip
