"""The run requests of backups and exports.

All backups of a schedule have the same inputs, so only one of them is active at a time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from backups.models import BackupSchedule, BackupSet, SetPurpose
from inventory.selection import Selection
from operations.context import format_slot
from operations.dispatch import RunRequest
from operations.types import OperationRunType
from providers.models import ProviderConnection
from tenancy.models import Tenant, User


def scheduled_request(schedule: BackupSchedule, slot: dt.datetime, **context: Any) -> RunRequest:
    """Request the run of one slot, with the times that made it and additional `context`."""
    times = {"cron": schedule.cron, "timezone": schedule.timezone}
    if schedule.current_revision:
        context["schedule_revision"] = schedule.current_revision
    return RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_SCHEDULED,
        initiator_name=f"Schedule: {schedule.name}",
        **_common(schedule, scheduled_for=format_slot(slot), **times, **context),
    )


def unbuilt_request(schedule: BackupSchedule, slot: str, **context: Any) -> RunRequest:
    """Request a run of a slot that only records why the run itself could not be requested."""
    return RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_SCHEDULED,
        initiator_name=f"Schedule: {schedule.name}",
        workspace=schedule.workspace,
        tenant=schedule.tenant,
        inputs={"backup_schedule_id": schedule.pk},
        context={"backup_schedule_id": schedule.pk, "scheduled_for": slot, **context},
    )


def run_now_request(
    schedule: BackupSchedule, by: User, submission: uuid.UUID | None = None
) -> RunRequest:
    """Request a backup that a user starts."""
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


def add_policies_request(
    selection: Selection,
    tenant: Tenant,
    name: str,
    *,
    by: User,
    submission: uuid.UUID | None,
) -> RunRequest:
    """Request to add the selected policies of a tenant to its set with this name."""
    named = BackupSet.objects.filter(tenant=tenant, purpose=SetPurpose.SELECTION, name=name)
    context = {}
    if set_id := named.values_list("pk", flat=True).first():
        context["backup_set_id"] = set_id
    return _selection_request(
        OperationRunType.BACKUP_SET_ADD_POLICIES,
        selection,
        tenant,
        inputs={"set_name": name, "selection": selection.hash_of(tenant)},
        context=context,
        by=by,
        submission=submission,
    )


def export_request(
    selection: Selection, tenant: Tenant, *, by: User, submission: uuid.UUID | None
) -> RunRequest:
    """Request an export of the selected policies of a tenant."""
    return _selection_request(
        OperationRunType.POLICY_EXPORT,
        selection,
        tenant,
        inputs={"selection": selection.hash_of(tenant)},
        context={},
        by=by,
        submission=submission,
    )


def _selection_request(
    run_type: OperationRunType,
    selection: Selection,
    tenant: Tenant,
    *,
    inputs: dict[str, Any],
    context: dict[str, Any],
    by: User,
    submission: uuid.UUID | None,
) -> RunRequest:
    connections = ProviderConnection.objects.defaults().filter(tenant=tenant)
    if connection_id := connections.values_list("pk", flat=True).first():
        context = {**context, "provider_connection_id": connection_id}
    kinds = sorted({policy.kind for policy in selection.by_tenant[tenant]})
    return RunRequest(
        type=run_type,
        workspace=tenant.workspace,
        tenant=tenant,
        by=by,
        submission=submission,
        inputs=inputs,
        context={
            **context,
            "selection": selection.context_of(tenant),
            "target_scope": {
                "tenant_name": tenant.name,
                "tenant_external_id": str(tenant.external_id),
                "kinds": kinds,
            },
        },
    )
