"""The actions on a restore: decide, approve, execute, discard, retry."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect

from operations.views.start import submission_of
from restores import services
from restores.missing import Choices, OutdatedChoices, resolve_missing
from restores.models import Decision, RestoreRun
from restores.views.detail import render_restore
from restores.views.lookup import restore_or_404
from tenancy.capabilities import require_capability
from tenancy.http import Request, action, recent_sign_in_required, try_service
from tenancy.roles import Capability
from web.ids import parse_id, parse_ids

#: What the names of fields start with.
DECISION_FIELD, REPLACEMENT_FIELD = "decision-", "replacement-"


@action
def restore_decide(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Decide conflicts."""
    restore = _restore_to_change(request, slug, restore_id)
    decisions = {}
    for name, value in request.POST.items():
        item_id = parse_id(name.removeprefix(DECISION_FIELD))
        if item_id is not None and value and value in Decision.values:
            decisions[item_id] = value
    return _apply(request, restore, lambda: services.decide(restore, decisions), "Decisions saved.")


@recent_sign_in_required
@action
def restore_approve(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Approve a restore as the second person."""
    restore = _restore_to_change(request, slug, restore_id)
    decision_digest = request.POST.get("decision_digest", "")

    def approve() -> object:
        return services.approve(restore, by=request.user, decision_digest=decision_digest)

    return _apply(request, restore, approve, "Restore approved.")


@recent_sign_in_required
@action
def restore_execute(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Write exactly what was previewed."""
    restore = _restore_to_change(request, slug, restore_id)

    def execute() -> object:
        return services.execute(
            restore,
            by=request.user,
            decision_digest=request.POST.get("decision_digest", ""),
            tenant_name=request.POST.get("tenant_name", "").replace("\x00", ""),
            submission=submission_of(request),
        )

    return _apply(request, restore, execute, "Restore started.")


@action
def restore_discard(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Discard a restore that was only previewed."""
    restore = _restore_to_change(request, slug, restore_id)
    return _apply(
        request,
        restore,
        lambda: services.discard(restore),
        "Restore discarded. Nothing was changed in the tenant.",
    )


@action
def restore_missing(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Restore or replace the missing objects as chosen, and preview again."""
    restore = _restore_to_change(request, slug, restore_id)
    choices, submission = _choices(request.POST), submission_of(request)
    try:
        other, _ = resolve_missing(restore, choices, by=request.user, submission=submission)
    except OutdatedChoices as error:
        messages.error(request, error.messages[0])
        return redirect(restore)
    except ValidationError as error:
        return render_restore(request, restore, choices=choices, error=error)
    return redirect(other)


def _choices(params: QueryDict) -> Choices:
    replacements = {
        name.removeprefix(REPLACEMENT_FIELD): str(value).replace("\x00", "").strip()
        for name, value in params.items()
        if name.startswith(REPLACEMENT_FIELD)
    }
    return Choices(
        added=parse_ids(params.getlist("added")),
        replacements={key: text for key, text in replacements.items() if text},
        removed=parse_ids(params.getlist("removed")),
    )


@action
def restore_retry(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Start a new restore of the objects that this one did not restore."""
    restore = _restore_to_change(request, slug, restore_id)
    try:
        other, _ = services.retry(restore, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect(restore)
    return redirect(other)


def _restore_to_change(request: Request, slug: str, restore_id: int) -> RestoreRun:
    restore = restore_or_404(request, slug, restore_id)
    require_capability(request.user, restore.workspace, Capability.RESTORE)
    return restore


def _apply(
    request: Request, restore: RestoreRun, change: Callable[[], object], success: str
) -> HttpResponse:
    """Make a change, and return to the restore with a message about the result."""
    try_service(request, change, success=success)
    return redirect(restore)
