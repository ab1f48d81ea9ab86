"""Everything a person can do with a restore. The views only call these functions."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from accounts.access_tokens.models import is_same_person
from backups.models import BackupItem, BackupSet
from operations.dispatch import RunRequest
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from operations.types import OperationRunType
from providers.connections import writable_connection
from restores import planning
from restores.bodies import Options
from restores.closing import close_orphaned_restores
from restores.models import Action, Decision, RestoreItem, RestoreRun, RestoreStatus
from tenancy.capabilities import has_capability, may_approve
from tenancy.db import database_now
from tenancy.models import User
from tenancy.roles import Capability

MAX_ITEMS = 500
PREVIEW_AGAIN = "Discard this restore and preview it again."
PREVIEW_EXPIRED = f"The preview has expired. {PREVIEW_AGAIN}"
#: What the database refuses although the checks before have passed a moment earlier.
EXECUTION_REFUSALS = {
    "restores_one_active_per_tenant": (
        "Another restore of this tenant is running. Try again when it has finished."
    ),
    "preview has expired": PREVIEW_EXPIRED,
    "approval has expired": f"The approval has expired. {PREVIEW_AGAIN}",
}


class OutdatedReview(ValidationError):
    """The preview or a decision has changed since the person or program read the restore."""


@transaction.atomic
def start_preview(
    backup_set: BackupSet,
    items: Sequence[BackupItem],
    options: Options,
    *,
    by: User,
    retry_of: RestoreRun | None = None,
    submission: uuid.UUID | None = None,
) -> tuple[RestoreRun, DispatchResult]:
    """Start a restore of these items of a set with its preview, which changes nothing.

    A form that is submitted twice leads to the restore that it started first.

    Raises:
        ValidationError: no item, too many items, or items of another set.
    """
    if submission and (started := started_by(backup_set.tenant_id, submission)):
        return started
    if not items:
        raise ValidationError("Select at least one object.")
    if len(items) > MAX_ITEMS:
        raise ValidationError(f"A restore can contain at most {MAX_ITEMS} objects. Select fewer.")
    ids = {item.pk for item in items}
    if backup_set.items.filter(pk__in=ids).count() < len(ids):
        raise ValidationError("The selected objects don't belong to this backup set.")
    restore = RestoreRun.objects.create(
        workspace=backup_set.workspace,
        tenant=backup_set.tenant,
        backup_set=backup_set,
        retry_of=retry_of,
        assignments=options.assignments,
        access_state=options.access_state,
        requested_by=by,
        requested_by_name=by.get_full_name() or by.username,
    )
    RestoreItem.objects.bulk_create(
        RestoreItem(
            restore=restore,
            backup_item=item,
            version_id=item.version_id,
            kind=item.kind,
            graph_id=item.graph_id,
            name=item.name,
        )
        for item in items
    )
    # Previews of one tenant may run at the same time, so their requests have different identities.
    inputs = {"restore_run_id": restore.pk}
    result = _dispatch(OperationRunType.RESTORE_PREVIEW, restore, by, submission, inputs)
    RestoreRun.objects.filter(pk=restore.pk).update(preview_run=result.run)
    return restore, result


def started_by(tenant_id: int, submission: uuid.UUID) -> tuple[RestoreRun, DispatchResult] | None:
    """The restore that this submission of a form has already started."""
    restores = RestoreRun.objects.with_scope().filter(tenant=tenant_id)
    restore = restores.filter(preview_run__submission_id=submission).first()
    if restore is None or restore.preview_run is None:
        return None
    return restore, DispatchResult(restore.preview_run, created=False)


@transaction.atomic
def decide(restore: RestoreRun, decisions: dict[int, str]) -> None:
    """Decide conflicts: item ids to `keep`, `take` or `create`. Items without a conflict are ignored.

    Raises:
        ValidationError: the restore is no longer in preview, or is approved.
    """
    locked = lock(restore)
    if not locked.is_previewed:
        raise ValidationError("This restore is no longer in preview. Decisions can't be changed.")
    if locked.approved_at:
        raise ValidationError(
            "Decisions are locked after approval. To change them, discard this restore and preview "
            "again."
        )
    for item in locked.items.filter(action=Action.CONFLICT, pk__in=decisions):
        item.decision = Decision(decisions[item.pk])
        item.save(update_fields=["decision"])


@transaction.atomic
def approve(restore: RestoreRun, *, by: User, decision_digest: str) -> bool:
    """Approve a restore as the second person; from then on, nothing about it can be changed.

    `decision_digest` identifies what the person has reviewed (`decision_digest_of`).

    Returns:
        Whether this call approved it; False if it was approved before.

    Raises:
        OutdatedReview: the person has reviewed another state of the restore.
        ValidationError: the restore is not in preview, it is the person's own, the person may not
            approve it, or a conflict is undecided.
    """
    locked, now = lock(restore), database_now()
    if reason := _approval_refusal(locked, by, decision_digest, now):
        raise ValidationError(reason)
    if locked.approved_at is not None:
        return False
    locked.approved_by, locked.approved_at = by, now
    locked.approval_expires_at = now + dt.timedelta(hours=settings.RESTORE_APPROVAL_HOURS)
    locked.save(update_fields=["approved_by", "approved_at", "approval_expires_at"])
    return True


def _approval_refusal(restore: RestoreRun, by: User, decision_digest: str, now: dt.datetime) -> str:
    """The reason why the person may not approve the restore; empty if they may.

    Raises:
        ValidationError: what the person has reviewed cannot be confirmed.
    """
    if not restore.is_previewed:
        return "Only a previewed restore can be approved."
    if restore.is_expired(now):
        return PREVIEW_EXPIRED
    if restore.requested_by_id is None:
        return "The account that requested this restore was deleted. Preview it again."
    if restore.requested_by_id == by.pk:
        return "You can't approve your own restore. Ask another person to approve it."
    if by.limit is not None:
        return "An access token can't approve a restore. Approve it on its page."
    if restore.requested_by and is_same_person(by, restore.requested_by):
        return "You created the token that requested this restore. Another person must approve it."
    if not _lock_approver(restore, by.pk):
        if has_capability(by, restore.workspace, Capability.RESTORE):
            return "You have had your role for less than 24 hours. Another person must approve it."
        return "Your role doesn't allow you to approve restores."
    _require_reviewed(restore, list(restore.items.all()), decision_digest)
    return ""


def execute(
    restore: RestoreRun,
    *,
    by: User,
    decision_digest: str,
    tenant_name: str,
    submission: uuid.UUID | None = None,
) -> DispatchResult:
    """Write what was previewed.

    `decision_digest` identifies what the person has reviewed (`decision_digest_of`).

    Raises:
        OutdatedReview: the person has reviewed another state of the restore.
        ValidationError: the name is not the tenant's (an error of `tenant_name`), the preview has
            expired, a conflict is undecided, an approval is missing or no longer holds, or another
            restore of the tenant runs.
    """
    close_orphaned_restores()
    try:
        with transaction.atomic():
            return _execute(restore, by, decision_digest, tenant_name, submission)
    except IntegrityError as error:
        for constraint, message in EXECUTION_REFUSALS.items():
            if constraint in str(error):
                raise ValidationError(message) from None
        raise


def _execute(
    restore: RestoreRun,
    by: User,
    decision_digest: str,
    tenant_name: str,
    submission: uuid.UUID | None,
) -> DispatchResult:
    locked = lock(restore)
    if submission and locked.execute_run and locked.execute_run.submission_id == submission:
        return DispatchResult(locked.execute_run, created=False)
    if reason := _execution_error(locked, by, decision_digest):
        raise ValidationError(reason)
    if tenant_name.strip() != locked.tenant.name.strip():
        text = "This is not the name of the tenant. Enter it exactly."
        raise ValidationError({"tenant_name": text})
    locked.status, locked.is_dry_run = RestoreStatus.EXECUTING, False
    locked.executed_at = database_now()
    locked.save(update_fields=["status", "is_dry_run", "executed_at"])
    # No inputs: executions of one tenant have the same identity, so a second one is not created.
    result = _dispatch(OperationRunType.RESTORE_EXECUTE, locked, by, submission, {})
    if not result.created:
        raise ValidationError(
            "The previous restore of this tenant is still finishing. Try again in a moment."
        )
    RestoreRun.objects.filter(pk=locked.pk).update(execute_run=result.run)
    return result


def decision_digest_of(restore: RestoreRun) -> str:
    """One value for what a restore would write: its preview and every decision."""
    return planning.decision_digest(restore.preview_digest, restore.items.all())


def _require_reviewed(
    restore: RestoreRun, items: Sequence[RestoreItem], decision_digest: str
) -> None:
    """Check that what was reviewed can be confirmed.

    Raises:
        OutdatedReview: it has changed since.
        ValidationError: a conflict is undecided.
    """
    if any(item.is_undecided for item in items):
        raise ValidationError("Decide every conflict first.")
    if decision_digest != planning.decision_digest(restore.preview_digest, items):
        raise OutdatedReview(
            "The preview has changed since you opened this page. Reload and review it again."
        )


def _execution_error(restore: RestoreRun, by: User, decision_digest: str) -> str:
    """The reason why the restore may not be executed; empty if it may.

    Raises:
        ValidationError: what the person has reviewed cannot be confirmed.
    """
    items, now = list(restore.items.all()), database_now()
    if not restore.is_previewed:
        return "This restore is no longer in preview. It can't be started again."
    if restore.is_expired(now):
        return PREVIEW_EXPIRED
    _require_reviewed(restore, items, decision_digest)
    if not any(item.will_be_written for item in items):
        return "This restore has nothing to write."
    if reason := read_only_reason(restore):
        return reason
    if restore.approved_at:
        _lock_approver(restore, restore.approved_by_id)
    if reason := approval_error(restore, now):
        return reason
    if restore.approved_by and is_same_person(restore.approved_by, by):
        return "You approved this restore, so another person must execute it."
    return ""


def approval_error(restore: RestoreRun, now: dt.datetime) -> str:
    """The reason why an approval is missing or no longer holds; empty if none is needed or it does."""
    if not restore.requires_approval:
        return ""
    if restore.approved_at is None:
        return "A second person must approve this restore first."
    if restore.approval_expires_at and restore.approval_expires_at <= now:
        return f"The approval has expired. {PREVIEW_AGAIN}"
    if restore.requested_by_id is None:
        return f"The account that requested this restore was deleted. {PREVIEW_AGAIN}"
    approver = restore.approved_by
    if (
        approver is None
        or approver.pk == restore.requested_by_id
        or not may_approve(approver, restore.workspace, Capability.RESTORE)
    ):
        return (
            "The person who approved this restore can no longer approve restores in this "
            f"workspace. {PREVIEW_AGAIN}"
        )
    return ""


def _lock_approver(restore: RestoreRun, user_id: int | None) -> bool:
    """Whether the user may approve the restore; role and account stay so until the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT restores_may_approve(%s, %s)", [user_id, restore.workspace_id])
        may_approve: bool = cursor.fetchone()[0]
    return may_approve


def read_only_reason(restore: RestoreRun) -> str:
    """The reason why the connection can't write to the tenant, if one is known; else empty."""
    try:
        writable_connection(restore.tenant)
    except Blocked as blocked:
        return f"{blocked.message} {blocked.next_step}"
    return ""


def discard(restore: RestoreRun) -> bool:
    """Discard a restore in preview; return whether this call did it."""
    previewed = RestoreRun.objects.filter(pk=restore.pk, status=RestoreStatus.PREVIEWED)
    return bool(previewed.update(status=RestoreStatus.ENDED, ended_at=Now()))


def retry(restore: RestoreRun, *, by: User) -> tuple[RestoreRun, DispatchResult]:
    """Start a new restore of the remaining objects of this one, with a new preview.

    All objects remain of a restore that was not executed.

    Raises:
        ValidationError: it has not ended, nothing remains, or the backup set was deleted.
    """
    if restore.status != RestoreStatus.ENDED:
        raise ValidationError("This restore has not ended. Retry it when it has.")
    if restore.backup_set is None:
        raise ValidationError("The backup set of this restore was deleted. Choose a newer one.")
    was_executed = restore.executed_at is not None
    ids = [
        item.backup_item_id for item in restore.items.all() if item.is_remaining or not was_executed
    ]
    items = list(BackupItem.objects.filter(pk__in=[item_id for item_id in ids if item_id]))
    if not items:
        raise ValidationError("No objects remain to be restored.")
    options = Options(restore.assignments, restore.access_state)
    return start_preview(restore.backup_set, items, options, by=by, retry_of=restore)


def lock(restore: RestoreRun) -> RestoreRun:
    """Load a restore again, and lock it until the commit."""
    rows = RestoreRun.objects.select_related("workspace", "tenant", "execute_run")
    return rows.select_for_update(of=("self",)).get(pk=restore.pk)


def _dispatch(
    run_type: OperationRunType,
    restore: RestoreRun,
    by: User,
    submission: uuid.UUID | None,
    inputs: dict[str, int],
) -> DispatchResult:
    context: dict[str, object] = {
        "restore_run_id": restore.pk,
        "target_scope": {
            "tenant_name": restore.tenant.name,
            "tenant_external_id": str(restore.tenant.external_id),
        },
    }
    if restore.backup_set_id:
        context["backup_set_id"] = restore.backup_set_id
    request = RunRequest(
        type=run_type,
        workspace=restore.workspace,
        tenant=restore.tenant,
        by=by,
        submission=submission,
        inputs=inputs,
        context=context,
    )
    return OperationRunService().dispatch_many([request])[0]
