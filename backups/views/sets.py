"""The pages of backup sets: their items, what is missing, and the content of an item."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Max, Q
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from backups import downloads, reveals, services
from backups.changes import changes_of, previous_of
from backups.diff import FieldChange, shown_changes
from backups.kinds import label_of
from backups.models import (
    BackupItem,
    BackupItemQuerySet,
    BackupSet,
    PolicyChange,
    SetItem,
    SetStatus,
)
from backups.readable import Row, assignments_of, ids_in, names_in, settings_of
from backups.redactions import guessed_count, redacted_payload, revealed_payload
from inventory.names import names_of
from operations.reasons import get_reason
from providers.graph.kinds import KINDS
from providers.graph.policy_kind import PolicyKind
from redaction import exact_json
from redaction.json import sanitize_payload
from tenancy.capabilities import capabilities_of, has_capability, require_capability
from tenancy.filtering import ListFilter
from tenancy.http import (
    Request,
    action,
    page,
    render_checked,
    render_list,
    try_service,
    workspace_or_404,
)
from tenancy.roles import Capability
from web.csv_export import Columns
from web.ids import parse_id
from web.numbered import has_rows, numbered_page

ITEMS_PER_PAGE = 100
VERSIONS = 20
#: The sets that a set can be compared with from a menu; others by their address.
CHOICES = 50
log = logging.getLogger(__name__)


#: The columns of the export.
COLUMNS: Columns = {
    "id": "pk",
    "tenant": "tenant.name",
    "name": str,
    "status": "status",
    "kinds": lambda backup_set: " ".join(backup_set.kinds),
    "items": "item_count",
    "incomplete_items": "incomplete_count",
    "started_at": "started_at",
    "ended_at": "ended_at",
    "run": "operation_run_id",
}


@page
def backup_set_list(request: Request, slug: str) -> HttpResponseBase:
    """The backup sets of a workspace, newest first."""
    workspace = workspace_or_404(request, slug)
    visible = BackupSet.objects.visible_to(request.user).filter(workspace=workspace)
    filters = ListFilter(request.GET)
    sets = visible
    if tenant := filters.tenant(workspace.tenants.all()):
        sets = sets.filter(tenant=tenant)
    if status := filters.choice("status", "Status", SetStatus.choices, empty="Any status"):
        sets = sets.filter(status=status)
    if filters.errors:
        sets = visible.none()
    rows = sets.with_scope().newest_first()
    numbered = numbered_page(rows, request.GET.get("page"))
    context = {
        "workspace": workspace,
        "section": "backup_sets",
        "title": "Backup sets",
        "noun": "backup set",
        "filters": filters,
        "has_rows": has_rows(numbered, visible),
        "page": numbered,
    }
    return render_list(
        request,
        "backups/backup_set_list.html",
        context,
        rows=rows,
        columns=COLUMNS,
        errors=filters.errors,
    )


@page
def backup_set_detail(request: Request, slug: str, set_id: int) -> HttpResponse:
    """One backup set: what is missing, and its items by kind, with search and filter."""
    backup_set = _set_or_404(request, slug, set_id)
    allowed = capabilities_of(request.user, backup_set.workspace)
    filters = ListFilter(request.GET)
    search = filters.text("Name or Graph ID")
    kind = filters.hidden("kind", "Kind", backup_set.kinds)
    only_missing = filters.flag("missing", "Incomplete only")
    items = _filtered(
        backup_set.items.with_reuse(backup_set), search, kind, only_missing=only_missing
    )
    if filters.errors:
        items = items.none()
    ordered = items.order_by("kind", "name", "id")
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "kinds": _kinds(backup_set),
        "left_out": _left_out(backup_set),
        "reused_count": backup_set.items.reused_in(backup_set).count(),
        "unlicensed": [label_of(kind) for kind in backup_set.unlicensed_kinds],
        "may_restore": Capability.RESTORE in allowed,
        "may_export": Capability.EXPORT_POLICIES in allowed,
        "may_delete": Capability.DELETE_BACKUP_SETS in allowed and not backup_set.schedule_id,
        "page": numbered_page(ordered, request.GET.get("page"), size=ITEMS_PER_PAGE),
        "filters": filters,
        "kind": kind,
    }
    return render_checked(request, "backups/backup_set_detail.html", context, errors=filters.errors)


@action("backup_set_detail", "slug", "set_id")
def backup_set_delete(request: Request, slug: str, set_id: int) -> HttpResponse:
    """Delete a backup set that does not belong to a schedule."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.DELETE_BACKUP_SETS)
    is_deleted = try_service(
        request,
        lambda: services.delete_set(backup_set, by=request.user),
        success=f"{backup_set} of {backup_set.tenant.name} deleted.",
    )
    if is_deleted:
        return redirect("backup_set_list", slug)
    return redirect(backup_set)


@page
def backup_set_download(request: Request, slug: str, set_id: int) -> StreamingHttpResponse:
    """The contents of a set as an archive."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.EXPORT_POLICIES)
    log.info("backup set %s downloaded by %s", backup_set.pk, request.user.username)
    return downloads.set_response(backup_set)


@page
def backup_item_download(request: Request, slug: str, set_id: int, item_id: int) -> HttpResponse:
    """The content of an object as a JSON file."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.EXPORT_POLICIES)
    items = backup_set.items.select_related("version__redaction").filter(version__isnull=False)
    item = get_object_or_404(items, pk=item_id)
    log.info("backup item %s downloaded by %s", item.pk, request.user.username)
    return HttpResponse(
        downloads.item_file(item),
        content_type="application/json",
        headers=downloads.attachment(downloads.item_file_name(item, backup_set)),
    )


@page
def backup_item_detail(request: Request, slug: str, set_id: int, item_id: int) -> HttpResponse:
    """One object as it was read, and its stored versions."""
    backup_set = _set_or_404(request, slug, set_id)
    items = backup_set.items.select_related("version__redaction", "backup_set")
    item = get_object_or_404(items, pk=item_id)
    allowed = capabilities_of(request.user, backup_set.workspace)
    may_reveal = Capability.REVEAL_VALUES in allowed
    is_revealed = may_reveal and reveals.is_revealed(request.session, item)
    content = None
    if item.version:
        read_content = revealed_payload if is_revealed else redacted_payload
        content = read_content(item.version)
    kind = KINDS.get(item.kind)
    settings: list[Row] = []
    assignments: list[Row] = []
    if kind and isinstance(content, dict):
        names = names_of(backup_set.tenant_id, ids_in(content))
        settings = settings_of(kind, content, names)
        assignments = assignments_of(content, names)
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "item": item,
        "payload": exact_json.dumps(content, indent=2, ensure_ascii=False) if item.version else "",
        "settings": settings,
        "assignments": assignments,
        "guessed": guessed_count(item.version) if item.version and may_reveal else 0,
        "is_revealed": is_revealed,
        "may_restore": Capability.RESTORE in allowed,
        "may_export": Capability.EXPORT_POLICIES in allowed,
        "without": _without(kind, item),
        "unread": kind.unread(item.version.payload) if kind and item.version else [],
        "versions": _with_sets(
            _distinct_versions(
                _same_object(request, item)
                .select_related("version")
                .order_by("-id")[: VERSIONS * 5]
            )
        ),
    }
    return render(request, "backups/backup_item_detail.html", context)


def _without(kind: PolicyKind | None, item: BackupItem) -> list[str]:
    """What the backup of the object cannot contain."""
    if kind is None or kind.lacking is None or item.version is None:
        return []
    return kind.lacking(item.version.payload)


@action("backup_item_detail", "slug", "set_id", "item_id")
def backup_item_reveal(request: Request, slug: str, set_id: int, item_id: int) -> HttpResponse:
    """Show the values of an object that are hidden only because they look random, for a while."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.REVEAL_VALUES)
    items = backup_set.items.select_related("version__redaction").filter(version__isnull=False)
    item = get_object_or_404(items, pk=item_id)
    reveals.reveal(request, item, backup_set)
    return redirect(item.url_in(backup_set))


@page
def backup_set_changes(request: Request, slug: str, set_id: int) -> HttpResponse:
    """The changes since the set in `with`, or since the last complete set of the same schedule."""
    backup_set = _set_or_404(request, slug, set_id)
    others = BackupSet.objects.visible_to(request.user).filter(tenant=backup_set.tenant_id)
    others = others.exclude(pk=backup_set.pk).exclude(status=SetStatus.BUILDING).with_scope()
    previous: BackupSet | None
    if text := request.GET.get("with"):
        previous = get_object_or_404(others, pk=parse_id(text))
    else:
        previous = previous_of(backup_set)
    choices = list(others.newest_first()[:CHOICES])
    if previous and previous not in choices:
        choices.append(previous)
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "changes": changes_of(backup_set, previous) if previous else None,
        "choices": choices,
        "selected": previous.pk if previous else None,
    }
    return render(request, "backups/backup_set_changes.html", context)


@page
def backup_item_changes(request: Request, slug: str, set_id: int, item_id: int) -> HttpResponse:
    """The changes of one object since the version in `with`, or since the previous one."""
    backup_set = _set_or_404(request, slug, set_id)
    item = get_object_or_404(backup_set.items.select_related("version"), pk=item_id)
    kind = KINDS.get(item.kind)
    others = _same_object(request, item).filter(complete=True).exclude(pk=item.pk)
    others = others.select_related("version").order_by("-id")
    earlier: BackupItem | None
    if text := request.GET.get("with"):
        earlier = get_object_or_404(others, pk=parse_id(text))
    else:
        earlier = others.filter(pk__lt=item.pk).first()
    changes: list[FieldChange] = []
    if kind and earlier and earlier.version and item.version:
        changes = shown_changes(
            kind, earlier.version.payload, item.version.payload, sanitize_payload
        )
    texts = [text for each in changes for text in (each.path, each.before, each.after)]
    names = names_of(backup_set.tenant_id, ids_in([{"x": text} for text in texts]))
    choices = _distinct_versions(others.defer("version__payload")[: VERSIONS * 5])
    if earlier and earlier not in choices:
        choices.append(earlier)
    choices = _with_sets(choices)
    earlier = next((each for each in choices if each == earlier), None)
    recorded = PolicyChange.objects.filter(
        backup_set=backup_set, kind=item.kind, graph_id=item.graph_id
    )
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "item": item,
        "earlier": earlier,
        "changes": [
            (each, names_in(f"{each.path} {each.before} {each.after}", names)) for each in changes
        ],
        "choices": choices,
        "selected": earlier.pk if earlier else None,
        "recorded": recorded.first(),
        "may_restore": has_capability(request.user, backup_set.workspace, Capability.RESTORE),
    }
    return render(request, "backups/backup_item_changes.html", context)


def _same_object(request: Request, item: BackupItem) -> BackupItemQuerySet:
    """The items of the same object in any set that the user can see."""
    items = BackupItem.objects.visible_to(request.user)
    return items.filter(
        tenant=item.tenant_id, kind=item.kind, graph_id=item.graph_id, version__isnull=False
    )


def _set_or_404(request: Request, slug: str, set_id: int) -> BackupSet:
    sets = BackupSet.objects.visible_to(request.user).with_scope()
    sets = sets.select_related("operation_run", "parent")
    return get_object_or_404(sets, workspace__slug=slug, pk=set_id)


def _filtered(
    items: BackupItemQuerySet, search: str, kind: str, *, only_missing: bool
) -> BackupItemQuerySet:
    if search:
        items = items.filter(Q(name__icontains=search) | Q(graph_id=search))
    if kind:
        items = items.filter(kind=kind)
    if only_missing:
        items = items.filter(complete=False)
    return items


def _kinds(backup_set: BackupSet) -> list[dict[str, Any]]:
    """Per kind: number of items, number of incomplete items, and whether it was listed."""
    items = backup_set.items.order_by().values("kind")
    rows = items.annotate(count=Count("id"), missing=Count("id", filter=Q(complete=False)))
    counts = {row["kind"]: {"count": row["count"], "missing": row["missing"]} for row in rows}
    reasons = {kind: get_reason(code) for kind, code in backup_set.unlisted.items()}
    return [
        {
            "key": kind,
            "label": label_of(kind),
            **counts.get(kind, {"count": 0, "missing": 0}),
            "listed": kind in backup_set.listed_kinds,
            "reason": reasons.get(kind),
        }
        for kind in backup_set.kinds
    ]


def _left_out(backup_set: BackupSet) -> list[str]:
    """The types that the lists contained and the set does not, each with its number of objects."""
    return [
        f"{count:,} {name}"
        for types in backup_set.left_out.values()
        for name, count in sorted(types.items())
    ]


def _with_sets(items: list[BackupItem]) -> list[BackupItem]:
    """Set `shown_set_id` of items of one object; return those that a set still contains.

    It is the set that the item was read for, or, if that was deleted, the newest that shares it.
    """
    without_set = [item for item in items if item.backup_set_id is None]
    newest = SetItem.objects.of(without_set).order_by().values_list("item_id")
    set_ids = dict(newest.annotate(Max("backup_set_id")))
    for item in items:
        item.shown_set_id = item.backup_set_id or set_ids.get(item.pk)
    return [item for item in items if item.shown_set_id]


def _distinct_versions(items: Iterable[BackupItem]) -> list[BackupItem]:
    """The first item of each version, given the items of one object, newest first."""
    distinct: list[BackupItem] = []
    for item in items:
        content = item.version and item.version.normalized_hash
        if distinct and distinct[-1].version and distinct[-1].version.normalized_hash == content:
            distinct[-1] = item
        else:
            distinct.append(item)
    return distinct[:VERSIONS]
