"""What a backup asks the ledger for.

Every backup of one schedule has the same inputs, so only one of them is active at a time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from backups.models import BackupSchedule
from operations.context import slot_text
from operations.dispatch import RunRequest
from operations.types import OperationRunType
from tenancy.models import User


def scheduled_request(schedule: BackupSchedule, slot: dt.datetime, **context: Any) -> RunRequest:
    """The run of one slot; `context` holds more to show."""
    return RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_SCHEDULED,
        initiator_name=f"Schedule: {schedule.name}",
        **_common(schedule, scheduled_for=slot_text(slot), **context),
    )


def run_now_request(
    schedule: BackupSchedule, by: User, submission: uuid.UUID | None = None
) -> RunRequest:
    """A backup that a person starts by hand."""
    return RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
        by=by,
        submission=submission,
        **_common(schedule),
    )


def _common(schedule: BackupSchedule, **context: Any) -> dict[str, Any]:
    if schedule.default_connection_id:
        context["provider_connection_id"] = schedule.default_connection_id
    return {
        "workspace": schedule.workspace,
        "tenant": schedule.tenant,
        "inputs": {"backup_schedule_id": schedule.pk},
        "context": {
            "backup_schedule_id": schedule.pk,
            "target_scope": {
                "tenant_name": schedule.tenant.name,
                "tenant_external_id": str(schedule.tenant.external_id),
                "kinds": list(schedule.kinds),
            },
            **context,
        },
    }
