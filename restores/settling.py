"""Closing restores whose run is over, whatever became of it: nothing is left open, nothing guessed."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from operations.models import OperationRun
from operations.reasons import SafeError
from operations.states import RunStatus
from restores.models import ItemState, RestoreRun, RestoreStatus


@transaction.atomic
def settle(restore_id: int) -> None:
    """Close an executing restore: what was intended and never confirmed is unknown, the rest was
    not reached. Closing twice changes nothing."""
    restore = RestoreRun.objects.select_for_update().filter(pk=restore_id).first()
    if restore is None or restore.status != RestoreStatus.EXECUTING:
        return
    now = timezone.now()
    for before, state, code in (
        (ItemState.INTENT, ItemState.UNKNOWN, "restore_cut_off"),
        (ItemState.APPLIED, ItemState.UNKNOWN, "restore_not_read_back"),
        (ItemState.PLANNED, ItemState.SKIPPED, "restore_not_reached"),
    ):
        error = SafeError(code)
        restore.items.filter(state=before).update(
            state=state,
            settled_at=now,
            outcome_code=error.code,
            outcome_message=error.message,
            outcome_next_step=error.next_step,
        )
    RestoreRun.objects.filter(pk=restore_id).update(status=RestoreStatus.ENDED, ended_at=now)


def settle_abandoned() -> int:
    """Close the restores whose run ended without closing them, such as with a lost worker."""
    ended = OperationRun.objects.filter(status=RunStatus.COMPLETED)
    closed = 0
    executing = RestoreRun.objects.filter(
        status=RestoreStatus.EXECUTING, execute_run__in=ended
    ) | RestoreRun.objects.filter(status=RestoreStatus.EXECUTING, execute_run__isnull=True)
    for restore_id in executing.values_list("pk", flat=True)[:100]:
        settle(restore_id)
        closed += 1
    previewing = RestoreRun.objects.filter(status=RestoreStatus.PREVIEWING, preview_run__in=ended)
    closed += previewing.update(status=RestoreStatus.ENDED, ended_at=timezone.now())
    return closed
