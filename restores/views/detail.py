"""The pages of one restore and of one of its objects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Func, IntegerField
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.access_tokens.models import is_same_person
from operations.models import OperationRun
from redaction.json import sanitize_json
from restores import planning, services
from restores.missing import Choices, list_missing, room_in
from restores.models import Action, Replacement, RestoreItem, RestoreRun
from restores.views.lookup import restore_or_404
from tenancy.capabilities import has_capability, may_approve
from tenancy.clock import request_now
from tenancy.http import Request, page, render_checked
from tenancy.roles import Capability
from web.live_section import asks_for, live_answer, live_section

POLL_SECONDS = 2
#: The number of differences shown on the page of a restore; further objects have their own page.
DIFFERENCES_ON_PAGE = 200
#: Of missing objects on the page. Each is two fields of a form, of which Django accepts 1000.
MAX_MISSING = 200
#: The order of the preview: what needs a person comes first.
GROUPS = (Action.CONFLICT, Action.BLOCKED, Action.CREATE, Action.UPDATE, Action.UNCHANGED)
_PLACES = {action.value: place for place, action in enumerate(GROUPS)}


@page
def restore_detail(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """One restore: its preview until it is executed, its results afterwards."""
    return render_restore(request, restore_or_404(request, slug, restore_id))


def render_restore(
    request: Request,
    restore: RestoreRun,
    *,
    choices: Choices | None = None,
    error: ValidationError | None = None,
    tenant_name: tuple[str, str] = ("", ""),
) -> HttpResponse:
    """Render the page of a restore; with what was refused, if anything was.

    Args:
        choices: those for missing objects. The `error` about them has messages by the keys of the
            objects, or one about all of them.
        tenant_name: the name that was entered to confirm, and the error about it.
    """
    context = _context(request, restore, choices, error)
    context["tenant_name"], context["tenant_name_error"] = tenant_name
    seconds = POLL_SECONDS if restore.is_active else 0
    section = live_section(request, "restore", "restores/_restore.html", context, seconds=seconds)
    if asks_for(request, "restore"):
        return live_answer(request, section)
    context["live"] = section
    errors = error or context["tenant_name_error"]
    return render_checked(request, "restores/restore_detail.html", context, errors=errors)


@page
def restore_item(
    request: Request, slug: str, restore_id: int, restore_item_id: int
) -> HttpResponse:
    """All differences of one object of a restore."""
    restore = restore_or_404(request, slug, restore_id)
    item: Any = get_object_or_404(restore.items, pk=restore_item_id)
    item.difference_count = len(item.changes)
    item.differences = _load_differences([item.pk])[item.pk]
    context = {
        "workspace": restore.workspace,
        "section": "restores",
        "restore": restore,
        "item": item,
    }
    return render(request, "restores/restore_item.html", context)


def _context(
    request: Request,
    restore: RestoreRun,
    choices: Choices | None,
    error: ValidationError | None,
) -> dict[str, Any]:
    items = _load_items(restore)
    _load_request_ids(restore.execute_run, items)
    items_by_action = defaultdict(list)
    for item in items:
        items_by_action[item.action].append(item)
    groups = [
        (group.label, group.value, items_by_action[group], _shared_warnings(items_by_action[group]))
        for group in GROUPS
        if group in items_by_action
    ]
    may_restore = has_capability(request.user, restore.workspace, Capability.RESTORE)
    now = request_now()
    return {
        "workspace": restore.workspace,
        "section": "restores",
        "restore": restore,
        "run": restore.run,
        "groups": groups,
        "results": sorted(items, key=_result_order),
        "decision_digest": planning.decision_digest(restore.preview_digest, items),
        **_missing(restore, items, choices, error),
        "blocked_count": len(items_by_action[Action.BLOCKED]),
        "decided_count": sum(bool(item.decision) for item in items),
        "undecided_count": sum(item.is_undecided for item in items),
        "write_count": sum(item.will_be_written for item in items),
        # A plain dict: a template would ask a Counter for its key “items”.
        "states": dict(Counter(item.result_label for item in items)),
        "verified_in_part": _verified_in_part(items),
        "verified_in_part_count": sum(item.is_verified_in_part for item in items),
        "remaining_count": sum(item.is_remaining for item in items),
        "may_restore": may_restore,
        "may_approve": restore.needs_approval
        and restore.requested_by is not None
        and not is_same_person(request.user, restore.requested_by)
        and may_approve(request.user, restore.workspace, Capability.RESTORE),
        "is_expired": restore.is_expired(restore.ended_at or now),
        "approval_error": services.approval_error(restore, now) if restore.is_previewed else "",
        "read_only_reason": services.read_only_reason(restore) if restore.is_previewed else "",
        "was_executed": restore.executed_at is not None,
    }


def _group_order(item: RestoreItem) -> int:
    """The place of the item's group on the page."""
    return _PLACES.get(item.action, len(_PLACES))


def _result_order(item: RestoreItem) -> tuple[bool, int]:
    """What has to be restored or verified comes first, then the items by their groups."""
    return not item.is_remaining, _group_order(item)


def _shared_warnings(items: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """The warnings that several items have, each with these items; the others stay beside theirs.

    An item gets its `own_warnings`.
    """
    sharing = defaultdict(list)
    for item in items:
        for warning in item.warning.splitlines():
            sharing[warning].append(item)
    for item in items:
        item.own_warnings = [each for each in item.warning.splitlines() if len(sharing[each]) == 1]
    return [(warning, sharers) for warning, sharers in sharing.items() if len(sharers) > 1]


def _missing(
    restore: RestoreRun,
    items: Sequence[RestoreItem],
    choices: Choices | None,
    error: ValidationError | None,
) -> dict[str, Any]:
    """The objects that a preview lacks, with what was chosen for them, and the replacements.

    Without choices, the objects of the set are selected, as many as the restore can contain.
    """
    if not restore.is_previewed:
        return {}
    missing = list_missing(restore, items)
    shown = missing[:MAX_MISSING]
    if choices is None:
        added = [each.item.pk for each in shown if each.item]
        choices = Choices(added=added[: room_in(items)])
    errors = error.message_dict if error and hasattr(error, "error_dict") else {}
    return {
        "missing_objects": [
            (each, choices.replacements.get(each.key, ""), errors.get(each.key)) for each in shown
        ],
        "missing_count": len(missing),
        "missing_error": error,
        "choices": choices,
        "replacements": list(Replacement.objects.filter(tenant=restore.tenant_id)),
    }


def _verified_in_part(items: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """What was not compared, each with the items; the page says it once."""
    parts = defaultdict(list)
    for item in items:
        if item.is_verified_in_part:
            parts[f"{item.outcome_message} {item.outcome_next_step}"].append(item)
    return list(parts.items())


def _load_request_ids(run: OperationRun | None, items: Sequence[Any]) -> None:
    """Give each item the id of the request that Graph refused or did not answer."""
    keys = [item.key for item in items if item.is_remaining]
    if run is None or not keys:
        return
    refused = run.items.filter(key__in=keys).exclude(request_id="")
    request_ids = dict(refused.values_list("key", "request_id"))
    for item in items:
        item.request_id = request_ids.get(item.key, "")


def _load_items(restore: RestoreRun) -> list[Any]:
    """The items of a restore, each with its `difference_count`.

    Items of one name are marked. The first ones also have their `differences`, as many as fit on
    the page. An active restore shows none, because its page is requested again every few seconds.
    """
    length = Func("changes", function="jsonb_array_length", output_field=IntegerField())
    rows = restore.items.defer("changes").annotate(difference_count=length)
    items: list[Any] = list(rows.order_by("kind", "name", "pk"))
    differences = {} if restore.is_active else _load_differences(_fitting_ids(items))
    mark_same_names(items)
    for item in items:
        item.differences = differences.get(item.pk)
    return items


def mark_same_names(items: Sequence[Any]) -> None:
    """Give each item `shares_name`: whether another item has its kind and name."""
    counts = Counter((item.kind, item.name) for item in items)
    for item in items:
        item.shares_name = counts[item.kind, item.name] > 1


def _fitting_ids(items: Sequence[Any]) -> list[int]:
    """The ids of the items whose differences fit on one page, by the order of their groups."""
    remaining, ids = DIFFERENCES_ON_PAGE, []
    for item in sorted(items, key=_group_order):
        if 0 < item.difference_count <= remaining:
            remaining -= item.difference_count
            ids.append(item.pk)
    return ids


def _load_differences(ids: Sequence[int]) -> dict[int, list[Any]]:
    """The differences of items, each redacted once more."""
    rows = RestoreItem.objects.filter(pk__in=ids).values_list("pk", "changes")
    return {pk: list(map(sanitize_json, changes)) for pk, changes in rows}
