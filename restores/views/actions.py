"""The actions on a restore: decide, approve, execute, discard, retry."""

from __future__ import annotations

from functools import partial

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
from tenancy.http import Request, action, recent_sign_in_required, show_unchanged, try_service
from tenancy.roles import Capability
from web.ids import parse_id, parse_ids

#: What the names of fields start with.
DECISION_FIELD, REPLACEMENT_FIELD = "decision-", "replacement-"


@action("restore_detail", "slug", "restore_id")
def restore_decide(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Decide conflicts."""
    restore = _restore_to_change(request, slug, restore_id)
    decisions = {}
    for name, value in request.POST.items():
        item_id = parse_id(name.removeprefix(DECISION_FIELD))
        if item_id is not None and value and value in Decision.values:
            decisions[item_id] = value
    decide = partial(services.decide, restore, decisions)
    try_service(request, decide, success="Decisions saved.")
    return redirect(restore)


@recent_sign_in_required
@action("restore_detail", "slug", "restore_id")
def restore_approve(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Approve a restore as the second person."""
    restore = _restore_to_change(request, slug, restore_id)
    decision_digest = request.POST.get("decision_digest", "")

    def say_unchanged() -> None:
        restore.refresh_from_db()
        by, at = restore.approved_by, restore.approved_at
        show_unchanged(request, "The restore was already approved", restore.workspace, by=by, at=at)

    try_service(
        request,
        lambda: services.approve(restore, by=request.user, decision_digest=decision_digest),
        success="Restore approved.",
        say_unchanged=say_unchanged,
    )
    return redirect(restore)


@recent_sign_in_required
@action("restore_detail", "slug", "restore_id")
def restore_execute(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Write exactly what was previewed."""
    restore = _restore_to_change(request, slug, restore_id)
    tenant_name = request.POST.get("tenant_name", "").replace("\x00", "")
    try:
        services.execute(
            restore,
            by=request.user,
            decision_digest=request.POST.get("decision_digest", ""),
            tenant_name=tenant_name,
            submission=submission_of(request),
        )
    except ValidationError as error:
        if hasattr(error, "error_dict"):
            (refusal,) = error.messages
            return render_restore(request, restore, tenant_name=(tenant_name, refusal))
        messages.error(request, error.messages[0])
    else:
        messages.success(request, "Restore started.")
    return redirect(restore)


@action("restore_detail", "slug", "restore_id")
def restore_discard(request: Request, slug: str, restore_id: int) -> HttpResponse:
    """Discard a restore that was only previewed."""
    restore = _restore_to_change(request, slug, restore_id)
    if services.discard(restore):
        messages.success(request, "Restore discarded. Nothing was changed in the tenant.")
        return redirect(restore)
    restore.refresh_from_db()
    if restore.ended_at:
        text, at = "The restore had already ended", restore.ended_at
        show_unchanged(request, text, restore.workspace, by=None, at=at)
    else:
        messages.error(request, "Only a restore in preview can be discarded.")
    return redirect(restore)


@action("restore_detail", "slug", "restore_id")
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


@action("restore_detail", "slug", "restore_id")
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
