"""The pages of a restore: choose, look at what would change, confirm, see what became of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from backups.kinds import label_of
from backups.models import BackupItem, BackupSet
from operations.sanitize import sanitize_json
from operations.views.live import asks_for, live_answer, live_section
from operations.views.start import submission_of
from restores import services
from restores.bodies import Options
from restores.forms import OptionsForm
from restores.models import Action, Choice, ItemState, RestoreRun, RestoreStatus
from restores.services import MAX_ITEMS, UNDONE
from tenancy.capabilities import Capability, has_capability, require_capability
from tenancy.filtering import Asked
from tenancy.http import Request, action, form_page, page, workspace_or_404
from tenancy.paging import numbered_page

POLL_SECONDS = 2
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
#: The order in which the preview shows what it found: what needs somebody comes first.
GROUPS = (Action.CONFLICT, Action.BLOCKED, Action.CREATE, Action.UPDATE, Action.UNCHANGED)


@page
def restore_list(request: Request, slug: str) -> HttpResponse:
    """The restores of a workspace, the newest first."""
    workspace = workspace_or_404(request, slug)
    mine = RestoreRun.objects.visible_to(request.user).filter(workspace=workspace)
    asked = Asked(request.GET)
    status = asked.one_of("status", "Status", RestoreStatus.values)
    mine = mine.filter(status=status) if status else mine
    mine = mine.none() if asked.errors else mine
    context = {
        "workspace": workspace,
        "section": "restores",
        "errors": asked.errors,
        "page": numbered_page(mine.with_scope().newest_first(), request.GET.get("page")),
        "statuses": RestoreStatus.choices,
        "status": status,
    }
    code = 400 if asked.errors else 200
    return render(request, "restores/restore_list.html", context, status=code)


@form_page
def restore_create(request: Request, slug: str, set_id: int) -> HttpResponse:
    """Choose what of a backup set to put back, and how; posting it starts the preview."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.RESTORE)
    form = OptionsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        options = Options(form.cleaned_data["assignments"], form.cleaned_data["access_state"])
        try:
            restore, _ = services.start_preview(
                backup_set,
                _ticked(request, backup_set),
                options,
                by=request.user,
                submission=submission_of(request),
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect(restore)
    context: dict[str, Any] = {
        "workspace": backup_set.workspace,
        "section": "restores",
        "backup_set": backup_set,
        "form": form,
        "most": MAX_ITEMS,
        **_choosable(request, backup_set),
    }
    status = 400 if form.errors or context["errors"] else 200
    return render(request, "restores/restore_create.html", context, status=status)


@page
def restore_detail(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """One restore: its preview while it is to be decided, its results when it was executed."""
    restore = _restore_or_404(request, slug, restore_id)
    context = _detail(request, restore)
    seconds = POLL_SECONDS if restore.is_active else 0
    section = live_section(request, "restore", "restores/_restore.html", context, seconds=seconds)
    if asks_for(request, "restore"):
        return live_answer(request, section)
    return render(request, "restores/restore_detail.html", context | {"live": section})


@action
def restore_choose(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Say who wins the conflicts."""
    restore = _mine_to_change(request, slug, restore_id)
    chosen = {
        int(name.removeprefix("choice-")): value
        for name, value in request.POST.items()
        if _ID.fullmatch(name.removeprefix("choice-")) and value in (Choice.KEEP, Choice.TAKE)
    }
    return _done(request, restore, lambda: services.choose(restore, chosen), "Decided.")


@action
def restore_approve(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Agree to a restore as the second person."""
    restore = _mine_to_change(request, slug, restore_id)
    return _done(request, restore, lambda: services.approve(restore, by=request.user), "Approved.")


@action
def restore_execute(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Write exactly what was previewed."""
    restore = _mine_to_change(request, slug, restore_id)

    def execute() -> object:
        return services.execute(
            restore,
            by=request.user,
            digest=request.POST.get("digest", ""),
            tenant_name=request.POST.get("tenant_name", "").replace("\x00", ""),
            submission=submission_of(request),
        )

    return _done(request, restore, execute, "The restore was started.")


@action
def restore_abandon(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Let go of a restore that was only previewed."""
    restore = _mine_to_change(request, slug, restore_id)
    return _done(request, restore, lambda: services.abandon(restore), "Nothing was changed.")


@action
def restore_retry(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Preview anew what this restore did not get done."""
    restore = _mine_to_change(request, slug, restore_id)
    try:
        repeated, _ = services.retry(restore, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect(restore)
    return redirect(repeated)


def _done(request: Request, restore: RestoreRun, do: Any, said: str) -> HttpResponse:
    """Do it and go back to the restore, with what there is to say."""
    try:
        do()
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, said)
    return redirect(restore)


def _mine_to_change(request: Request, slug: str, restore_id: int) -> RestoreRun:
    restore = _restore_or_404(request, slug, restore_id)
    require_capability(request.user, restore.workspace, Capability.RESTORE)
    return restore


def _restore_or_404(request: Request, slug: str, restore_id: int) -> RestoreRun:
    mine = RestoreRun.objects.visible_to(request.user).with_scope()
    mine = mine.select_related("requested_by", "approved_by", "before_set", "retry_of")
    return get_object_or_404(mine, workspace__slug=slug, pk=restore_id)


def _set_or_404(request: Request, slug: str, set_id: int) -> BackupSet:
    sets = BackupSet.objects.visible_to(request.user).with_scope()
    return get_object_or_404(sets, workspace__slug=slug, pk=set_id)


def _choosable(request: Request, backup_set: BackupSet) -> dict[str, Any]:
    """The items of a set to choose from, searched and filtered; what was ticked stays ticked."""
    asked = Asked(request.GET)
    search, kind = asked.text(), asked.one_of("kind", "Kind", backup_set.kinds)
    items = backup_set.items.filter(version__isnull=False)
    if search:
        items = items.filter(Q(name__icontains=search) | Q(graph_id=search))
    items = items.filter(kind=kind) if kind else items
    items = items.none() if asked.errors else items
    ticked = set(_ids(request.POST.getlist("item")) or _ids(request.GET.getlist("item")))
    return {
        "errors": asked.errors,
        "items": list(items.order_by("kind", "name", "id")[:MAX_ITEMS]),
        "kinds": [(key, label_of(key)) for key in backup_set.kinds],
        "kind": kind,
        "search": search,
        "ticked": ticked,
    }


def _ticked(request: Request, backup_set: BackupSet) -> list[BackupItem]:
    """The ticked items, and all of the kinds that were ticked as a whole."""
    ids = _ids(request.POST.getlist("item"))[: MAX_ITEMS + 1]
    whole = [kind for kind in request.POST.getlist("all_of") if kind in backup_set.kinds]
    wanted = backup_set.items.filter(version__isnull=False)
    wanted = wanted.filter(Q(pk__in=ids) | Q(kind__in=whole))
    return list(wanted.order_by("pk")[: MAX_ITEMS + 1])


def _ids(given: list[str]) -> list[int]:
    return [int(text) for text in given if _ID.fullmatch(text)]


def _detail(request: Request, restore: RestoreRun) -> dict[str, Any]:
    items = list(restore.items.order_by("kind", "name", "pk"))
    counted = Counter(item.action for item in items)
    may = has_capability(request.user, restore.workspace, Capability.RESTORE)
    is_own = restore.requested_by_id == request.user.pk
    for item in items:
        item.changes = sanitize_json(item.changes, max_bytes=1024 * 1024)
    return {
        "workspace": restore.workspace,
        "section": "restores",
        "restore": restore,
        "run": restore.run,
        "groups": [
            (group.label, group.value, [item for item in items if item.action == group])
            for group in GROUPS
            if counted[group]
        ],
        "items": items,
        "open_conflicts": sum(
            1 for item in items if item.action == Action.CONFLICT and not item.choice
        ),
        "to_write": sum(1 for item in items if item.will_be_written),
        # A plain dict: a template would ask a Counter for its key “items”.
        "states": dict(Counter(ItemState(item.state).label for item in items)),
        "undone": sum(
            1
            for item in items
            if item.state in UNDONE or item.outcome_code == "restore_not_reached"
        ),
        "may_restore": may,
        "read_only": services.read_only_reason(restore) if restore.is_previewed else "",
        "may_approve": may and not is_own,
        "was_executed": restore.executed_at is not None,
    }
