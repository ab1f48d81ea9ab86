"""Closing restores whose run has ended or whose preview has expired.

None stays open, and no outcome is guessed.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from operations.models import OperationRun
from operations.reasons import SafeError
from operations.states import RunStatus
from restores.models import ItemState, RestoreRun, RestoreStatus

MAX_CLOSED_AT_ONCE = 100


@transaction.atomic
def close_restore(restore_id: int) -> None:
    """Close an executing restore; closing it again changes nothing.

    An item that was intended or written and never verified becomes unknown. An item that was still
    planned becomes skipped.
    """
    restore = RestoreRun.objects.select_for_update().filter(pk=restore_id).first()
    if restore is None or restore.status != RestoreStatus.EXECUTING:
        return
    for before, state, code in (
        (ItemState.INTENT, ItemState.UNKNOWN, "restore_cut_off"),
        (ItemState.APPLIED, ItemState.UNKNOWN, "restore_not_read_back"),
        (ItemState.PLANNED, ItemState.SKIPPED, "restore_not_reached"),
    ):
        error = SafeError(code)
        restore.items.filter(state=before).update(
            state=state,
            ended_at=Now(),
            outcome_code=error.code,
            outcome_message=error.message,
            outcome_next_step=error.next_step,
        )
    RestoreRun.objects.filter(pk=restore_id).update(status=RestoreStatus.ENDED, ended_at=Now())


def close_orphaned_restores() -> int:
    """Close the restores whose run ended without closing them, such as after a lost worker.

    Returns the number of restores that were closed.
    """
    ended_runs = OperationRun.objects.filter(status=RunStatus.COMPLETED)
    has_no_run = Q(execute_run__in=ended_runs) | Q(execute_run__isnull=True)
    executing = RestoreRun.objects.filter(has_no_run, status=RestoreStatus.EXECUTING)
    restore_ids = list(executing.values_list("pk", flat=True)[:MAX_CLOSED_AT_ONCE])
    for restore_id in restore_ids:
        close_restore(restore_id)
    previewing = RestoreRun.objects.filter(
        status=RestoreStatus.PREVIEWING, preview_run__in=ended_runs
    )
    return len(restore_ids) + previewing.update(status=RestoreStatus.ENDED, ended_at=Now())


def end_expired_previews() -> int:
    """End the restores whose preview has expired; return their number."""
    expired = RestoreRun.objects.filter(
        status=RestoreStatus.PREVIEWED, preview_expires_at__lte=Now()
    )
    return expired.update(status=RestoreStatus.ENDED, ended_at=Now())
