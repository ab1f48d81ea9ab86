"""The actions on a restore: decide, approve, execute, discard, retry."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect

from operations.views.start import submission_of
from restores import services
from restores.models import Decision, RestoreRun
from restores.replacing import replace_missing
from restores.views.lookup import restore_or_404
from tenancy.capabilities import require_capability
from tenancy.http import Request, action, recent_sign_in_required, try_service
from tenancy.roles import Capability
from web.ids import parse_id

DECISION_FIELD = "decision-"


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
def restore_add(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Preview a restore again, with the objects that its objects refer to and the tenant lacks."""
    restore = _restore_to_change(request, slug, restore_id)
    return _start(request, restore, lambda: services.add_missing(restore, by=request.user))


@action
def restore_replace(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Choose what restores refer to in place of a missing object, and preview again."""
    restore = _restore_to_change(request, slug, restore_id)
    kind, missing_id, replacement = (
        request.POST.get(name, "").replace("\x00", "").strip()
        for name in ("kind", "missing_id", "replacement")
    )
    return _start(
        request,
        restore,
        lambda: replace_missing(
            restore, kind=kind, missing_id=missing_id, replacement=replacement, by=request.user
        ),
    )


@action
def restore_retry(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Start a new restore of the objects that this one did not restore."""
    restore = _restore_to_change(request, slug, restore_id)
    return _start(request, restore, lambda: services.retry(restore, by=request.user))


def _restore_to_change(request: Request, slug: str, restore_id: int) -> RestoreRun:
    restore = restore_or_404(request, slug, restore_id)
    require_capability(request.user, restore.workspace, Capability.RESTORE)
    return restore


def _start(
    request: Request, restore: RestoreRun, start: Callable[[], tuple[RestoreRun, object]]
) -> HttpResponse:
    """Start another restore and show it; show why that is refused on the page of this one."""
    try:
        other, _ = start()
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect(restore)
    return redirect(other)


def _apply(
    request: Request, restore: RestoreRun, change: Callable[[], object], success: str
) -> HttpResponse:
    """Make a change, and return to the restore with a message about the result."""
    try_service(request, change, success=success)
    return redirect(restore)
