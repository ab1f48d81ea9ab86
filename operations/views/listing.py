"""The list of runs with filters and live rows, and its CSV export."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import Any, cast
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from operations.bulk import BULK_ACTIONS
from operations.filters import VIEWS, RunFilter
from operations.models import ListSettings, OperationRun, SavedView
from operations.presentation.layout import (
    COLUMNS,
    DEFAULT_SORT,
    PARAMETERS,
    Layout,
    read_layout,
)
from operations.splits import SORTED_RUNS, Selection
from operations.views.export import csv_response
from operations.views.list_version import (
    LIST_SECONDS,
    ListFacts,
    ListKey,
    RowsKey,
    fetch_rows,
    read_facts,
    remembered_facts,
)
from tenancy.capabilities import capabilities_of
from tenancy.http import Request, page, workspace_or_404
from tenancy.models import Tenant, TenantQuerySet, User, Workspace
from tenancy.prepared import ANY_USER, ANY_WORKSPACE, PreparedQuery
from tenancy.times import display_zone
from tenancy.versions import build_version
from web.ids import parse_id
from web.keyset import BadCursor, Page, count_text, page_of
from web.live_section import asks_for, has_seen, live_answer, live_section, unchanged
from web.statement_timeout import TookTooLong, statement_timeout

MAX_BULK = 500
#: The section with the rows, which refreshes.
PART = "run-rows"


@page
def run_list(request: Request, slug: str) -> HttpResponse:
    """The runs of a workspace."""
    return _list(request, workspace_or_404(request, slug))


@page
def run_list_all(request: Request) -> HttpResponse:
    """The runs of every workspace of the user."""
    return _list(request, None)


@page
def run_export(request: Request, slug: str) -> HttpResponseBase:
    """The runs of the list as CSV."""
    return _export(request, workspace_or_404(request, slug))


@page
def run_export_all(request: Request) -> HttpResponseBase:
    """The runs of all workspaces as CSV."""
    return _export(request, None)


def _list(request: Request, workspace: Workspace | None) -> HttpResponse:
    key = ListKey.of(request, workspace, _listed_workspaces(request, workspace))
    if asks_for(request, PART) and _is_current(request, workspace, key):
        return unchanged()
    saved = _saved_view(request, workspace)
    if saved and request.GET.keys() == {"saved"}:
        return redirect(f"{request.path}?{urlencode({**saved.parameters, 'saved': saved.pk})}")
    run_filter, layout = read_list(request, request.GET, workspace)
    context = _frame(request, workspace, run_filter, layout) | {"saved": saved}
    if errors := [*run_filter.error_messages, *layout.errors]:
        return _list_page(request, context | {"errors": errors}, status=400)
    if address := _address_with_keys(request, run_filter):
        return redirect(address)
    try:
        with statement_timeout(LIST_SECONDS):
            selection = run_filter.select(layout.sort.order, only=layout.sort.only)
            # Before the rows: a change in between makes another version.
            is_scan = selection.is_scan
            facts = read_facts(key, request, selection.runs, layout.sort) if is_scan else None
            page_of_runs = _load_page(request, workspace, key, layout, selection)
            count = _count(page_of_runs, selection, facts)
    except BadCursor:
        return _list_page(request, context | {"errors": [_BAD_CURSOR]}, status=400)
    except TookTooLong:
        return _list_page(request, context | {"too_slow": True}, status=503)
    context |= {"page": page_of_runs, "count": count, "count_is_large": _is_large(count)}
    is_limited = selection.is_sorted and count.endswith("+")
    context["sorted_runs"] = SORTED_RUNS if is_limited else 0
    rows = live_section(
        request,
        PART,
        "operations/_run_rows.html",
        context,
        seconds=_poll_seconds(page_of_runs),
        version=build_version(request, workspace, facts) if facts else "",
    )
    if asks_for(request, PART):
        return live_answer(request, rows)
    return _list_page(request, context | {"rows": rows})


def _is_current(request: Request, workspace: Workspace | None, key: ListKey) -> bool:
    """Whether the browser has the current rows, as far as an earlier request of the list can say."""
    with suppress(TookTooLong):
        if facts := remembered_facts(key):
            return has_seen(request, PART, build_version(request, workspace, facts))
    return False


def _address_with_keys(request: Request, run_filter: RunFilter) -> str:
    """The address with the keys of what its texts name, because names change; empty if it has them."""
    if all(request.GET[name] == key for name, key in run_filter.keys.items()):
        return ""
    query = request.GET.copy()
    for name, key in run_filter.keys.items():
        query[name] = key
    return f"{request.path}?{query.urlencode()}"


def _load_page(
    request: Request,
    workspace: Workspace | None,
    key: ListKey,
    layout: Layout,
    selection: Selection,
) -> Page[OperationRun]:
    runs = selection.runs
    rows_key = RowsKey(key, layout.columns, with_workspace=workspace is None)
    page_of_runs = page_of(
        layout.load(runs.select_related("tenant") if workspace else runs.with_scope()),
        newer=request.GET.get("newer", ""),
        older=request.GET.get("older", ""),
        order=layout.sort.order,
        fetch=partial(fetch_rows, rows_key) if selection.is_scan else selection.fetch,
    )
    if workspace:
        for run in page_of_runs.rows:
            run.workspace = workspace
    return page_of_runs


def _count(page: Page[OperationRun], selection: Selection, facts: ListFacts | None) -> str:
    """The number of selected runs as text, “1,000+” if there are more than the cap."""
    if page.is_first and not page.older:
        return f"{len(page.rows)}"
    return count_text(facts.total) if facts else selection.count()


def _is_large(count: str) -> bool:
    """Whether the displayed count exceeds the limit of a bulk action."""
    return int(count.replace(",", "").rstrip("+")) > MAX_BULK


def _export(request: Request, workspace: Workspace | None) -> HttpResponseBase:
    run_filter, layout = read_list(request, request.GET, workspace)
    if errors := [*run_filter.error_messages, *layout.errors]:
        context = _frame(request, workspace, run_filter, layout) | {"errors": errors}
        return _list_page(request, context, status=400)
    return csv_response(
        run_filter.select(layout.sort.order, only=layout.sort.only), layout.sort.order
    )


_BAD_CURSOR = "The link to this page is not valid. Show the newest runs instead."


def read_list(
    request: Request, query: QueryDict, workspace: Workspace | None
) -> tuple[RunFilter, Layout]:
    """The filter and the layout of a query; both have errors if it is not valid."""
    settings = next(iter(_settings().load(request.user.pk)), None)
    layout = read_layout(query, settings)
    run_filter = build_run_filter(request, query, workspace)
    if layout.sort_name != DEFAULT_SORT and len(run_filter.workspaces) > 1:
        layout = replace(layout, errors=(*layout.errors, "Order: sort the runs of one workspace."))
    return run_filter, layout


@cache
def _settings() -> PreparedQuery[ListSettings]:
    return PreparedQuery(ListSettings.objects.filter(pk=ANY_USER), [ANY_USER])


def build_run_filter(request: Request, query: QueryDict, workspace: Workspace | None) -> RunFilter:
    """The filter of a query over the runs of a workspace, or of all workspaces of the user."""
    runs = OperationRun.objects.visible_to(request.user)
    workspaces = _listed_workspaces(request, workspace)
    if len(workspaces) == 1:
        runs = runs.filter(workspace=workspaces[0])

    def tenants() -> TenantQuerySet:
        visible = Tenant.objects.visible_to(request.user)
        return visible.filter(workspace=workspaces[0]) if len(workspaces) == 1 else visible

    return RunFilter(
        query,
        queryset=runs,
        user=request.user,
        # Few filters look for tenants.
        tenants=cast("TenantQuerySet", SimpleLazyObject(tenants)),
        workspaces=[each.pk for each in workspaces],
        zone=display_zone(request.user, workspace),
    )


#: The workspaces of the users of current requests.
_WORKSPACES: WeakKeyDictionary[Request, list[Workspace]] = WeakKeyDictionary()


def _listed_workspaces(request: Request, workspace: Workspace | None) -> list[Workspace]:
    """The workspace of a list, or all that the user can view."""
    if workspace:
        return [workspace]
    if request not in _WORKSPACES:
        _WORKSPACES[request] = list(Workspace.objects.visible_to(request.user))
    return _WORKSPACES[request]


def _saved_views(request: Request, workspace: Workspace | None) -> list[SavedView]:
    """The saved views that the user can open here; none across workspaces."""
    if workspace is None:
        return []
    views = _usable_views(is_staff=request.user.is_staff).load(request.user.pk, workspace.pk)
    for view in views:
        view.workspace = workspace
    return views


@cache
def _usable_views(*, is_staff: bool) -> PreparedQuery[SavedView]:
    views = SavedView.objects.usable_by(User(pk=ANY_USER, is_staff=is_staff))
    return PreparedQuery(
        views.filter(workspace=ANY_WORKSPACE).own_first(), [ANY_USER, ANY_WORKSPACE]
    )


def _saved_view(request: Request, workspace: Workspace | None) -> SavedView | None:
    """The saved view that the address names.

    Raises:
        Http404: the user cannot open it here.
    """
    if "saved" not in request.GET:
        return None
    for view in _saved_views(request, workspace):
        if view.pk == parse_id(request.GET["saved"]):
            return view
    raise Http404


def _frame(
    request: Request, workspace: Workspace | None, run_filter: RunFilter, layout: Layout
) -> dict[str, Any]:
    """The context of the rows, with an empty page of rows; a live section needs no more."""
    list_url = reverse("run_list", args=[workspace.slug]) if workspace else reverse("run_list_all")
    return {
        "workspace": workspace,
        "filter": run_filter,
        "layout": layout,
        "can_sort": bool(workspace),
        "page": Page(),
        "list_url": list_url,
        "bulk": _bulk_buttons(request, workspace),
    }


def _page_frame(request: Request, workspace: Workspace | None, list_url: str) -> dict[str, Any]:
    """The context of the page around the rows."""
    args = [workspace.slug] if workspace else []
    query = list_query(request.GET)
    export_url = reverse("run_export" if workspace else "run_export_all", args=args)
    return {
        "section": "runs",
        "views": _saved_views(request, workspace),
        "densities": ListSettings.Density.choices,
        "export_url": f"{export_url}?{query.urlencode()}",
        "chips": quick_filters(list_url, query, VIEWS),
        "query": query,
        "kept": {name: query[name] for name in (*PARAMETERS, "saved") if name in query},
        "max_bulk": MAX_BULK,
    }


def list_query(params: QueryDict) -> QueryDict:
    """The filters and the layout of an address, without cursors and other parameters."""
    names = (*RunFilter.base_filters, *PARAMETERS, "saved")
    query = QueryDict(mutable=True)
    query.update({name: params[name] for name in names if params.get(name)})
    return query


def _bulk_buttons(request: Request, workspace: Workspace | None) -> list[dict[str, str]]:
    """The bulk actions that the user may run; none across workspaces."""
    if workspace is None:
        return []
    allowed = capabilities_of(request.user, workspace)
    return [
        {
            "url": reverse(bulk_action.route, args=[workspace.slug]),
            "label": f"{bulk_action.verb} runs…",
            "icon": bulk_action.icon,
        }
        for bulk_action in BULK_ACTIONS
        if bulk_action.capability in allowed
    ]


def quick_filters(
    list_url: str, query: QueryDict, views: Iterable[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The quick filters; selecting the active one clears it."""
    chips = []
    for view, label in views:
        target = query.copy()
        is_active = target.pop("view", [""]) == [view]
        if not is_active:
            target["view"] = view
        url = f"{list_url}?{target.urlencode()}"
        chips.append({"label": label, "is_active": is_active, "url": url})
    return chips


def _poll_seconds(page_of_runs: Page[OperationRun]) -> int:
    """The newest page always refreshes, an older one while it has active runs."""
    if any(run.is_active for run in page_of_runs.rows):
        return 2
    return 10 if page_of_runs.is_first else 0


def _list_page(request: Request, context: dict[str, Any], status: int = 200) -> HttpResponse:
    layout = context["layout"]
    context |= _page_frame(request, context["workspace"], context["list_url"])
    context["choices"] = [(name, label, name in layout.columns) for name, label in COLUMNS.items()]
    return render(request, "operations/run_list.html", context, status=status)
