"""What a person does with a restore. Pages are thin doors to these."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from backups.models import BackupItem, BackupSet
from operations.dispatch import RunRequest
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from operations.types import OperationRunType
from providers.connections import writable_connection
from restores import planning
from restores.bodies import Options
from restores.models import (
    Action,
    Choice,
    ItemState,
    RestoreItem,
    RestoreRun,
    RestoreStatus,
)
from restores.settling import settle_abandoned
from tenancy.models import User

MAX_ITEMS = 500
#: What a retry takes up: everything that is not, for sure, as the backup has it.
UNDONE = (ItemState.FAILED, ItemState.UNKNOWN, ItemState.DIFFERS)


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
    """Begin a restore of these items of a set with its preview, which changes nothing.

    A form that is posted twice leads to the restore that it began.

    Raises:
        ValidationError: no item, too many, or items of another set.
    """
    if begun := _begun(backup_set, submission):
        return begun
    _check(backup_set, items)
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
    RestoreItem.objects.bulk_create([_item(restore, item) for item in items])
    result = _dispatch(OperationRunType.RESTORE_PREVIEW, restore, by, submission)
    RestoreRun.objects.filter(pk=restore.pk).update(preview_run=result.run)
    return restore, result


def _begun(
    backup_set: BackupSet, submission: uuid.UUID | None
) -> tuple[RestoreRun, DispatchResult] | None:
    """What this very form has begun already."""
    if submission is None:
        return None
    found = RestoreRun.objects.with_scope().filter(
        tenant=backup_set.tenant_id, preview_run__submission_id=submission
    )
    restore = found.first()
    if restore is None or restore.preview_run is None:
        return None
    return restore, DispatchResult(restore.preview_run, created=False)


def _check(backup_set: BackupSet, items: Sequence[BackupItem]) -> None:
    if not items:
        raise ValidationError("Tick at least one object.")
    if len(items) > MAX_ITEMS:
        raise ValidationError(f"A restore takes at most {MAX_ITEMS} objects; tick fewer.")
    if any(item.backup_set_id != backup_set.pk for item in items):
        raise ValidationError("These objects are not of this backup set.")


def _item(restore: RestoreRun, item: BackupItem) -> RestoreItem:
    return RestoreItem(
        restore=restore,
        backup_item=item,
        version_id=item.version_id,
        kind=item.kind,
        graph_id=item.graph_id,
        name=item.name,
    )


@transaction.atomic
def choose(restore: RestoreRun, choices: dict[int, str]) -> None:
    """Say who wins which conflicts: item ids to `keep` or `take`. Nothing else can be chosen.

    Raises:
        ValidationError: the restore is not at its preview any more, or was approved as it is.
    """
    locked = _locked(restore)
    if not locked.is_previewed:
        raise ValidationError("The restore has gone on; nothing can be chosen any more.")
    if locked.approved_at:
        raise ValidationError(
            "It was approved as it is. To decide otherwise, let go of it and preview again."
        )
    for item in locked.items.filter(action=Action.CONFLICT, pk__in=choices):
        item.choice = Choice(choices[item.pk])
        item.save(update_fields=["choice"])


@transaction.atomic
def approve(restore: RestoreRun, *, by: User, decided: str) -> RestoreRun:
    """Agree to a restore as the second person; from then on nothing about it can be changed.

    `decided` says what the person has seen (`decided_of`). Agreeing twice changes nothing.

    Raises:
        ValidationError: it is not at its preview, it is one's own, something is open, or it is not
            what the person has seen.
    """
    locked = _locked(restore)
    if not locked.is_previewed:
        raise ValidationError("Only a restore that was previewed can be approved.")
    if locked.requested_by_id == by.pk:
        raise ValidationError("Somebody else has to approve it: it is your own.")
    if reason := _undecided(locked, list(locked.items.all()), decided):
        raise ValidationError(reason)
    if locked.approved_at is None:
        locked.approved_by, locked.approved_at = by, timezone.now()
        locked.save(update_fields=["approved_by", "approved_at"])
    return locked


def execute(
    restore: RestoreRun,
    *,
    by: User,
    decided: str,
    tenant_name: str,
    submission: uuid.UUID | None = None,
) -> DispatchResult:
    """Write what was previewed: `decided` says what the person has seen (`decided_of`).

    Raises:
        ValidationError: the name is not the tenant's, the preview or a decision is another one, a
            conflict is open, an approval is missing, or another restore of the tenant is executing.
    """
    settle_abandoned()
    try:
        with transaction.atomic():
            return _execute(restore, by, decided, tenant_name, submission)
    except IntegrityError as error:
        if "restores_one_active_per_tenant" not in str(error):
            raise
        raise ValidationError("Another restore of this tenant is being executed.") from None


def _execute(
    restore: RestoreRun, by: User, decided: str, tenant_name: str, submission: uuid.UUID | None
) -> DispatchResult:
    locked = _locked(restore)
    if submission and locked.execute_run and locked.execute_run.submission_id == submission:
        return DispatchResult(locked.execute_run, created=False)
    if reason := why_not(locked, by, decided, tenant_name):
        raise ValidationError(reason)
    locked.status, locked.is_dry_run = RestoreStatus.EXECUTING, False
    locked.executed_at = timezone.now()
    locked.save(update_fields=["status", "is_dry_run", "executed_at"])
    result = _dispatch(OperationRunType.RESTORE_EXECUTE, locked, by, submission)
    if not result.created:
        raise ValidationError("The last restore of this tenant is just ending: try again.")
    RestoreRun.objects.filter(pk=locked.pk).update(execute_run=result.run)
    return result


def decided_of(restore: RestoreRun) -> str:
    """What a restore would do, in one value: its preview, and every decision about it."""
    return planning.decision_digest(restore.preview_digest, restore.items.all())


def _undecided(restore: RestoreRun, items: Sequence[RestoreItem], decided: str) -> str:
    """Why nobody can agree to it yet; empty if one can."""
    if any(item.action == Action.CONFLICT and not item.choice for item in items):
        return "Say for every conflict who wins."
    if not secrets.compare_digest(decided, planning.decision_digest(restore.preview_digest, items)):
        return "What you have seen is not what would be executed any more: look again."
    return ""


def why_not(restore: RestoreRun, by: User, decided: str, tenant_name: str) -> str:
    """Why the restore may not be executed; empty if it may."""
    items = list(restore.items.all())
    if not restore.is_previewed:
        return "The restore is not at its preview any more."
    if reason := _undecided(restore, items, decided):
        return reason
    if not any(item.will_be_written for item in items):
        return "There is nothing to write."
    if reason := read_only_reason(restore):
        return reason
    if restore.needs_approval:
        return "A second person has to approve it first."
    if restore.approved_by_id == by.pk:
        return "You have approved it; somebody else has to execute it."
    if tenant_name.strip() != restore.tenant.name.strip():
        return "Type the tenant's name exactly as it stands above."
    return ""


def read_only_reason(restore: RestoreRun) -> str:
    """Why nothing can be written to the tenant, as far as is known here; empty if nothing is."""
    try:
        writable_connection(restore.tenant)
    except Blocked as blocked:
        return f"{blocked.message} {blocked.next_step}"
    return ""


def abandon(restore: RestoreRun) -> None:
    """Let go of a restore that was not executed; doing it twice changes nothing."""
    RestoreRun.objects.filter(pk=restore.pk, status=RestoreStatus.PREVIEWED).update(
        status=RestoreStatus.ENDED, ended_at=timezone.now()
    )


def retry(restore: RestoreRun, *, by: User) -> tuple[RestoreRun, DispatchResult]:
    """A new restore of what this one did not get done, beginning with a new preview.

    Raises:
        ValidationError: it has not ended, nothing is left, or the backup set is gone.
    """
    if restore.status != RestoreStatus.ENDED or restore.backup_set is None:
        raise ValidationError("Only a restore that has ended, of a set that is kept, is repeated.")
    undone = restore.items.filter(state__in=UNDONE) | restore.items.filter(
        outcome_code="restore_not_reached"
    )
    ids = undone.values_list("backup_item_id", flat=True)
    items = list(BackupItem.objects.filter(pk__in=[each for each in ids if each]))
    options = Options(restore.assignments, restore.access_state)
    return start_preview(restore.backup_set, items, options, by=by, retry_of=restore)


def _locked(restore: RestoreRun) -> RestoreRun:
    rows = RestoreRun.objects.select_related("workspace", "tenant", "execute_run")
    return rows.select_for_update(of=("self",)).get(pk=restore.pk)


def _dispatch(
    run_type: OperationRunType, restore: RestoreRun, by: User, submission: uuid.UUID | None
) -> DispatchResult:
    is_preview = run_type == OperationRunType.RESTORE_PREVIEW
    request = RunRequest(
        type=run_type,
        workspace=restore.workspace,
        tenant=restore.tenant,
        by=by,
        submission=submission,
        # Two restores of one tenant are never executed at a time; previews do not mind each other.
        inputs={"restore_run_id": restore.pk} if is_preview else {},
        context={
            "restore_run_id": restore.pk,
            **({"backup_set_id": restore.backup_set_id} if restore.backup_set_id else {}),
            "target_scope": {
                "tenant_name": restore.tenant.name,
                "tenant_external_id": str(restore.tenant.external_id),
            },
        },
    )
    return OperationRunService().dispatch_many([request])[0]
