"""The pages of backup sets: what was read, what is missing, and one item's content."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from backups import services
from backups.changes import changes_of
from backups.diff import FieldChange, shown_changes
from backups.kinds import label_of
from backups.models import BackupItem, BackupSet, BackupSetQuerySet, SetStatus
from operations.reasons import get_reason
from providers.graph.kinds import KINDS
from redaction.json import sanitize_json
from tenancy.capabilities import capabilities_of, has_capability, require_capability
from tenancy.filtering import Asked, tenant_menu
from tenancy.http import Request, action, page, workspace_or_404
from tenancy.models import Tenant
from tenancy.roles import Capability
from web.ids import parse_id
from web.numbered import numbered_page

ITEMS_PER_PAGE = 100
VERSIONS = 20
MAX_SHOWN = 1024 * 1024


@page
def backup_set_list(request: Request, slug: str) -> HttpResponse:
    """The backup sets of a workspace, the newest first."""
    workspace = workspace_or_404(request, slug)
    asked = Asked(request.GET)
    tenant = asked.tenant(workspace.tenants.all())
    status = asked.one_of("status", "Status", SetStatus.values)
    visible = BackupSet.objects.visible_to(request.user).filter(workspace=workspace)
    found = visible.none() if asked.errors else _asked_for(visible, tenant, status)
    context = {
        "workspace": workspace,
        "section": "backup_sets",
        "page": numbered_page(found.with_scope().newest_first(), request.GET.get("page")),
        "errors": asked.errors,
        "statuses": SetStatus.choices,
        "status": status,
        "tenants": tenant_menu(workspace.tenants.all(), tenant),
        "tenant": tenant,
    }
    return _answer(request, "backups/backup_set_list.html", context)


@page
def backup_set_detail(request: Request, slug: str, set_id: int) -> HttpResponse:
    """One set: whether anything is missing, and its items by kind, searched and filtered."""
    backup_set = _set_or_404(request, slug, set_id)
    allowed = capabilities_of(request.user, backup_set.workspace)
    asked = Asked(request.GET)
    search, kind = asked.text(), asked.one_of("kind", "Kind", backup_set.kinds)
    only_missing = bool(asked.one_of("missing", "Only incomplete", ["1"]))
    items = _filtered(backup_set.items.all(), search, kind, only_missing=only_missing)
    found = items.none() if asked.errors else items.order_by("kind", "name", "id")
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "kinds": _kinds(backup_set),
        "unlicensed": [label_of(kind) for kind in backup_set.unlicensed_kinds],
        "may_restore": Capability.RESTORE in allowed,
        "may_delete": Capability.DELETE_BACKUP_SETS in allowed and not backup_set.schedule_id,
        "page": numbered_page(found, request.GET.get("page"), size=ITEMS_PER_PAGE),
        "errors": asked.errors,
        "search": search,
        "kind": kind,
        "only_missing": only_missing,
    }
    return _answer(request, "backups/backup_set_detail.html", context)


@action
def backup_set_delete(request: Request, slug: str, set_id: int) -> HttpResponse:
    """Delete a set that no schedule looks after."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.DELETE_BACKUP_SETS)
    name = str(backup_set)
    try:
        services.delete_set(backup_set, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect(backup_set)
    messages.success(request, f"{name} of {backup_set.tenant.name} is deleted.")
    return redirect("backup_set_list", slug)


@page
def backup_item_detail(request: Request, slug: str, set_id: int, item_id: int) -> HttpResponse:
    """One object as it was read, and the other versions of it that are kept."""
    backup_set = _set_or_404(request, slug, set_id)
    item = get_object_or_404(backup_set.items.select_related("version"), pk=item_id)
    same = BackupItem.objects.visible_to(request.user).filter(
        tenant=item.tenant_id, kind=item.kind, graph_id=item.graph_id, version__isnull=False
    )
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "item": item,
        "payload": _shown(item),
        "may_restore": has_capability(request.user, backup_set.workspace, Capability.RESTORE),
        "history": _changes(same.select_related("version").order_by("-id")[: VERSIONS * 5]),
    }
    return render(request, "backups/backup_item_detail.html", context)


@page
def backup_set_changes(request: Request, slug: str, set_id: int) -> HttpResponse:
    """What changed since the last complete set of the same schedule."""
    backup_set = _set_or_404(request, slug, set_id)
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "changes": changes_of(backup_set),
    }
    return render(request, "backups/backup_set_changes.html", context)


@page
def backup_item_changes(request: Request, slug: str, set_id: int, item_id: int) -> HttpResponse:
    """One object beside an earlier version of it: the one of `with`, or the one before."""
    backup_set = _set_or_404(request, slug, set_id)
    item = get_object_or_404(backup_set.items.select_related("version"), pk=item_id)
    earlier = _earlier_of(request, item)
    context = {
        "workspace": backup_set.workspace,
        "section": "backup_sets",
        "backup_set": backup_set,
        "item": item,
        "earlier": earlier,
        "changes": _field_changes(earlier, item),
    }
    return render(request, "backups/backup_item_changes.html", context)


def _answer(request: Request, template: str, context: dict[str, Any]) -> HttpResponse:
    """The page of a list; 400 where its filter could not be used."""
    return render(request, template, context, status=400 if context["errors"] else 200)


def _asked_for(sets: BackupSetQuerySet, tenant: Tenant | None, status: str) -> BackupSetQuerySet:
    sets = sets.filter(tenant=tenant) if tenant else sets
    return sets.filter(status=status) if status else sets


def _earlier_of(request: Request, item: BackupItem) -> BackupItem | None:
    """The item to compare with: of the same object, read completely, and visible."""
    same = BackupItem.objects.visible_to(request.user).filter(
        tenant=item.tenant_id, kind=item.kind, graph_id=item.graph_id, complete=True
    )
    same = same.select_related("version", "backup_set__workspace").exclude(pk=item.pk)
    wanted = request.GET.get("with", "")
    if wanted:
        wanted_id = parse_id(wanted)
        return None if wanted_id is None else same.filter(pk=wanted_id).first()
    return same.filter(pk__lt=item.pk).order_by("-pk").first()


def _field_changes(earlier: BackupItem | None, item: BackupItem) -> list[FieldChange]:
    kind = KINDS.get(item.kind)
    if not (kind and earlier and earlier.version and item.version):
        return []
    return shown_changes(kind, earlier.version.payload, item.version.payload, _redacted)


def _redacted(payload: dict[str, Any]) -> Any:
    return sanitize_json(payload, max_bytes=MAX_SHOWN)


def _shown(item: BackupItem) -> str:
    """The content for people, redacted once more on its way out."""
    if item.version is None:
        return ""
    safe = sanitize_json(item.version.payload, max_bytes=MAX_SHOWN)
    return json.dumps(safe, indent=2, ensure_ascii=False)


def _set_or_404(request: Request, slug: str, set_id: int) -> BackupSet:
    sets = BackupSet.objects.visible_to(request.user).with_scope()
    sets = sets.select_related("operation_run", "parent")
    return get_object_or_404(sets, workspace__slug=slug, pk=set_id)


def _filtered(
    items: QuerySet[BackupItem], search: str, kind: str, *, only_missing: bool
) -> QuerySet[BackupItem]:
    if search:
        items = items.filter(Q(name__icontains=search) | Q(graph_id=search))
    if kind:
        items = items.filter(kind=kind)
    return items.filter(complete=False) if only_missing else items


def _kinds(backup_set: BackupSet) -> list[dict[str, Any]]:
    """By kind: how many items, how many of them incomplete, and whether it was listed at all."""
    counted = backup_set.items.order_by().values("kind")
    rows = counted.annotate(count=Count("id"), missing=Count("id", filter=Q(complete=False)))
    by_kind = {row["kind"]: (row["count"], row["missing"]) for row in rows}
    return [
        {
            "key": kind,
            "label": label_of(kind),
            "count": by_kind.get(kind, (0, 0))[0],
            "missing": by_kind.get(kind, (0, 0))[1],
            "listed": kind in backup_set.listed_kinds,
            "reason": get_reason(code) if (code := backup_set.unlisted.get(kind)) else None,
        }
        for kind in backup_set.kinds
    ]


def _changes(items: Iterable[BackupItem]) -> list[BackupItem]:
    """Of items of one object, newest first: those in which its content became another."""
    changes: list[BackupItem] = []
    for item in items:
        content = item.version and item.version.normalized_hash
        if changes and changes[-1].version and changes[-1].version.normalized_hash == content:
            changes[-1] = item
        else:
            changes.append(item)
    return changes[:VERSIONS]
