"""The pages of a restore: choose, look at what would change, confirm, see what became of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Func, IntegerField, Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render

from backups.kinds import label_of
from backups.models import BackupItem, BackupSet
from operations.sanitize import sanitize_json
from operations.views.live import asks_for, live_answer, live_section
from operations.views.start import submission_of
from restores import planning, services
from restores.bodies import Options
from restores.forms import OptionsForm
from restores.models import Action, Choice, ItemState, RestoreItem, RestoreRun, RestoreStatus
from restores.services import MAX_ITEMS, UNDONE
from tenancy.capabilities import Capability, has_capability, require_capability
from tenancy.filtering import ListFilter
from tenancy.http import Request, action, form_page, page, workspace_or_404
from tenancy.paging import numbered_page

POLL_SECONDS = 2
#: So many differences are shown on the page of a restore; those of the other objects have their own.
DIFFERENCES_ON_PAGE = 200
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
#: The order in which the preview shows what it found: what needs somebody comes first.
GROUPS = (Action.CONFLICT, Action.BLOCKED, Action.CREATE, Action.UPDATE, Action.UNCHANGED)


@page
def restore_list(request: Request, slug: str) -> HttpResponse:
    """The restores of a workspace, the newest first."""
    workspace = workspace_or_404(request, slug)
    mine = RestoreRun.objects.visible_to(request.user).filter(workspace=workspace)
    filters = ListFilter(request.GET)
    status = filters.one_of("status", "Status", RestoreStatus.values)
    mine = mine.filter(status=status) if status else mine
    mine = mine.none() if filters.errors else mine
    context = {
        "workspace": workspace,
        "section": "restores",
        "errors": filters.errors,
        "page": numbered_page(
            mine.with_scope().with_unknown().newest_first(), request.GET.get("page")
        ),
        "statuses": RestoreStatus.choices,
        "status": status,
    }
    code = 400 if filters.errors else 200
    return render(request, "restores/restore_list.html", context, status=code)


@form_page
def restore_create(request: Request, slug: str, set_id: int) -> HttpResponse:
    """Choose what of a backup set to put back, and how; posting it starts the preview."""
    backup_set = _set_or_404(request, slug, set_id)
    require_capability(request.user, backup_set.workspace, Capability.RESTORE)
    is_filter = "filter" in request.POST
    form = OptionsForm(request.POST or None)
    if request.method == "POST" and not is_filter and form.is_valid():
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
    is_refused = context["errors"] or (form.errors and not is_filter)
    status = 400 if is_refused else 200
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


@page
def restore_item(
    request: Request, slug: str, restore_id: int, restore_item_id: int
) -> HttpResponse:
    """All differences of one object of a restore."""
    restore = _restore_or_404(request, slug, restore_id)
    item: Any = get_object_or_404(restore.items, pk=restore_item_id)
    item.differences, item.shown = len(item.changes), _shown([item.pk]).get(item.pk)
    context = {
        "workspace": restore.workspace,
        "section": "restores",
        "restore": restore,
        "item": item,
    }
    return render(request, "restores/restore_item.html", context)


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
    decided = request.POST.get("decided", "")
    return _done(
        request,
        restore,
        lambda: services.approve(restore, by=request.user, decided=decided),
        "Approved.",
    )


@action
def restore_execute(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Write exactly what was previewed."""
    restore = _mine_to_change(request, slug, restore_id)

    def execute() -> object:
        return services.execute(
            restore,
            by=request.user,
            decided=request.POST.get("decided", ""),
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
    given = request.POST if request.method == "POST" else request.GET
    filters = ListFilter({} if given.get("filter") == "all" else given)
    search, kind = filters.text(), filters.one_of("kind", "Kind", backup_set.kinds)
    readable = backup_set.items.filter(version__isnull=False)
    matching = readable.none() if filters.errors else readable
    if search:
        matching = matching.filter(Q(name__icontains=search) | Q(graph_id=search))
    matching = matching.filter(kind=kind) if kind else matching
    items = list(matching.order_by("kind", "name", "id")[:MAX_ITEMS])
    ticked = set(_ids(given.getlist("item")))
    counts = dict(readable.order_by().values_list("kind").annotate(Count("pk")))
    return {
        "errors": filters.errors,
        "items": items,
        "found": matching.count(),
        "kinds": [
            {"key": key, "label": label_of(key), "count": counts[key]}
            for key in backup_set.kinds
            if key in counts
        ],
        "kind": kind,
        "search": search,
        "ticked": ticked,
        "ticked_elsewhere": sorted(ticked - {item.pk for item in items})[:MAX_ITEMS],
        "whole": _whole(given, backup_set),
    }


def _whole(given: QueryDict, backup_set: BackupSet) -> list[str]:
    return [kind for kind in given.getlist("all_of") if kind in backup_set.kinds]


def _ticked(request: Request, backup_set: BackupSet) -> list[BackupItem]:
    """The ticked items, and all of the kinds that were ticked as a whole."""
    ids = _ids(request.POST.getlist("item"))[: MAX_ITEMS + 1]
    whole = _whole(request.POST, backup_set)
    wanted = backup_set.items.filter(version__isnull=False)
    wanted = wanted.filter(Q(pk__in=ids) | Q(kind__in=whole))
    return list(wanted.order_by("pk")[: MAX_ITEMS + 1])


def _ids(given: list[str]) -> list[int]:
    return [int(text) for text in given if _ID.fullmatch(text)]


def _detail(request: Request, restore: RestoreRun) -> dict[str, Any]:
    items = _items(restore)
    counted = Counter(item.action for item in items)
    may = has_capability(request.user, restore.workspace, Capability.RESTORE)
    is_own = restore.requested_by_id == request.user.pk
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
        "decided": planning.decided(restore.preview_digest, items),
        "blocked": counted[Action.BLOCKED],
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


def _items(restore: RestoreRun) -> list[Any]:
    """Its items, with the differences of the first ones as far as they fit on a page (`shown`).

    While it works there are none: its page asks again and again.
    """
    length = Func("changes", function="jsonb_array_length", output_field=IntegerField())
    items: list[Any] = list(
        restore.items.defer("changes").annotate(differences=length).order_by("kind", "name", "pk")
    )
    shown = {} if restore.is_active else _shown(_fitting(items))
    for item in items:
        item.shown = shown.get(item.pk)
    return items


def _fitting(items: Sequence[Any]) -> list[int]:
    """The ids of the items whose differences fit on one page, what needs somebody first."""
    left, fitting = DIFFERENCES_ON_PAGE, []
    order = {action.value: place for place, action in enumerate(GROUPS)}
    for item in sorted(items, key=lambda item: order.get(item.action, len(order))):
        if 0 < item.differences <= left:
            left -= item.differences
            fitting.append(item.pk)
    return fitting


def _shown(ids: Sequence[int]) -> dict[int, list[Any]]:
    """The differences of items, redacted once more, each for itself."""
    found = RestoreItem.objects.filter(pk__in=ids).values_list("pk", "changes")
    return {pk: [sanitize_json(change) for change in changes] for pk, changes in found}
