"""What the API returns: the objects of pages as JSON. Texts are those of pages, redacted as there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from backups.freshness import Freshness
from backups.models import (
    BackupItem,
    BackupSchedule,
    BackupSet,
    MisfirePolicy,
    PolicyExport,
    SetStatus,
)
from operations.catalog import CatalogEntry, Scope
from operations.causes import next_step_of
from operations.models import (
    EventLevel,
    Incident,
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
)
from operations.presentation import summary
from operations.states import ItemOutcome, RunOutcome, RunStatus
from providers.graph.kinds import KINDS
from redaction.json import sanitize_json
from restores.models import (
    AccessState,
    Action,
    Assignments,
    Decision,
    ItemState,
    RestoreItem,
    RestoreRun,
    RestoreStatus,
)
from restores.services import decision_digest_of
from tenancy.models import Tenant, TenantStatus

MAX_ID = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
#: A text that a person enters: one line without control characters.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
T = TypeVar("T")


def _one_of(choices: Iterable[str]) -> WithJsonSchema:
    """The values of a stored text, for the document; constraints of the database allow no others."""
    return WithJsonSchema({"type": "string", "enum": [str(value) for value in choices]})


Kind = Annotated[str, _one_of(KINDS)]
#: The answer of an operation that returns an archive, for the document.
ARCHIVE = {
    "responses": {
        200: {
            "description": "The archive.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


class Body(BaseModel):
    """The body of a request: no other properties, and no conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True)


def example(**values: Any) -> ConfigDict:
    """Return the configuration of a body with an example, which the page of the API shows."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class Listed(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class TenantRef(BaseModel):
    id: int
    name: str

    @classmethod
    def of(cls, tenant: Tenant) -> TenantRef:
        return cls(id=tenant.pk, name=tenant.name)


# --- runs ---------------------------------------------------------------------------------------


class Counts(BaseModel):
    """The numbers of items of a run."""

    total: int
    processed: int
    succeeded: int
    failed: int
    skipped: int
    created: int
    updated: int
    deleted: int
    unchanged: int


class Failure(BaseModel):
    """One cause for which items failed."""

    code: str
    label: str
    message: str
    next_step: str
    count: int


class Run(BaseModel):
    """A run."""

    id: int
    type: str
    label: str
    tenant: TenantRef | None
    status: Annotated[str, _one_of(RunStatus.values)]
    outcome: Annotated[str, _one_of(RunOutcome.values)]
    summary: str = Field(description="What happened, in one sentence.")
    cause: str = Field(description="The main cause of a problem; empty without one.")
    initiator: str
    counts: Counts
    phase: str = Field(description="What the run is doing now; empty if it has not reported it.")
    failures: list[Failure]
    created_at: dt.datetime
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    cancel_requested_at: dt.datetime | None
    acknowledged_at: dt.datetime | None
    retry_of: int | None
    recovered_by: int | None = Field(description="The later run that succeeded.")
    superseded_by: int | None = Field(description="The later problem that stands for this one.")
    incident: int | None
    parent_run: int | None
    needs_attention: bool
    inputs: dict[str, Any] = Field(description="What the run works on.")

    @classmethod
    def of(cls, run: OperationRun) -> Run:
        counts = run.counts
        inputs = sanitize_json(run.context)
        return cls(
            id=run.pk,
            type=run.type,
            label=run.label,
            tenant=TenantRef.of(run.tenant) if run.tenant else None,
            status=run.status,
            outcome=run.outcome,
            summary=_sentence(summary.summarize(run)),
            cause=run.cause_text,
            initiator=run.initiator_name,
            counts=Counts(**{name: getattr(counts, name) for name in Counts.model_fields}),
            phase=run.phase,
            failures=[
                Failure(
                    code=failure["code"],
                    label=failure["label"],
                    message=failure["message"],
                    next_step=failure.get("next_step") or "",
                    count=failure["count"],
                )
                for failure in run.failures
            ],
            created_at=run.created_at,
            started_at=run.started_at,
            completed_at=run.completed_at,
            cancel_requested_at=run.cancel_requested_at,
            acknowledged_at=run.acknowledged_at,
            retry_of=run.retry_of_id,
            recovered_by=run.recovered_by_id,
            superseded_by=run.superseded_by_id,
            incident=run.incident_id,
            parent_run=run.parent_run_id,
            needs_attention=run.needs_attention,
            inputs=inputs if isinstance(inputs, dict) else {},
        )


def _sentence(text: summary.Summary) -> str:
    return f"{text.headline} {text.detail}".strip()


class Event(BaseModel):
    """One line of the log of a run."""

    sequence: int
    at: dt.datetime
    kind: str
    level: Annotated[str, _one_of(EventLevel.values)]
    message: str
    actor: str

    @classmethod
    def of(cls, event: OperationRunEvent) -> Event:
        return cls(
            sequence=event.sequence,
            at=event.at,
            kind=event.kind,
            level=event.level,
            message=event.message,
            actor=event.actor,
        )


class Item(BaseModel):
    """One object that a run processed."""

    key: str
    label: str
    outcome: Annotated[str, _one_of(ItemOutcome.values)]
    reason: str = Field(description="The code of the reason; empty without one.")
    message: str
    request_id: str = Field(description="The request ID of Microsoft Graph; empty without one.")
    at: dt.datetime

    @classmethod
    def of(cls, item: OperationRunItem) -> Item:
        return cls(
            key=item.key,
            label=item.label,
            outcome=item.outcome,
            reason=item.reason_code,
            message=item.message,
            request_id=item.request_id,
            at=item.at,
        )


class Operation(BaseModel):
    """An operation, and whether the token may start it."""

    type: str
    label: str
    description: str
    scope: Annotated[str, _one_of(Scope)]
    capability: str
    inputs: list[str] = Field(description="What the body of a start has besides the type.")
    is_permitted: bool

    @classmethod
    def of(
        cls, run_type: str, entry: CatalogEntry, *, inputs: Iterable[str], is_permitted: bool
    ) -> Operation:
        return cls(
            type=run_type,
            label=entry.label,
            description=entry.description,
            scope=entry.scope.value,
            capability=entry.required_capability.value,
            inputs=list(inputs),
            is_permitted=is_permitted,
        )


class IncidentOut(BaseModel):
    """The problems of a workspace that have one cause."""

    id: int
    cause: str
    label: str
    next_step: str = Field(description="What to do; empty if that depends on the tenant.")
    number: int = Field(description="How often the cause has hit several tenants.")
    is_open: bool
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    close_reason: str
    first_run_at: dt.datetime
    last_run_at: dt.datetime
    runs: int
    tenants: int
    recovered_runs: int
    recovered_tenants: int

    @classmethod
    def of(cls, incident: Incident) -> IncidentOut:
        return cls(
            id=incident.pk,
            cause=incident.cause,
            label=incident.cause_text,
            next_step=next_step_of(incident.cause),
            number=incident.number,
            is_open=incident.is_open,
            opened_at=incident.created_at,
            closed_at=incident.closed_at,
            close_reason=incident.close_reason,
            first_run_at=incident.first_run_at,
            last_run_at=incident.last_run_at,
            runs=incident.runs,
            tenants=incident.tenants,
            recovered_runs=incident.recovered_runs,
            recovered_tenants=incident.recovered_tenants,
        )


# --- tenants and backups ------------------------------------------------------------------------


class TenantOut(BaseModel):
    """A tenant."""

    id: int
    name: str
    external_id: str = Field(description="The tenant ID of Microsoft Entra.")
    status: Annotated[str, _one_of(TenantStatus.values)]
    status_reason: str
    created_at: dt.datetime

    @classmethod
    def of(cls, tenant: Tenant) -> TenantOut:
        return cls(
            id=tenant.pk,
            name=tenant.name,
            external_id=str(tenant.external_id),
            status=tenant.status,
            status_reason=tenant.status_reason,
            created_at=tenant.created_at,
        )


class FreshnessOut(BaseModel):
    """How old the last complete backup of a tenant is."""

    tenant: TenantRef
    is_late: bool
    is_never: bool = Field(description="Whether there has never been a complete backup.")
    is_unscheduled: bool
    is_incomplete: bool = Field(description="Whether the last backup set is not complete.")
    last_complete_at: dt.datetime | None
    late_at: dt.datetime | None
    objective_hours: int
    objective_source: Annotated[str, _one_of(("tenant", "schedule", "workspace"))]
    next_slot: dt.datetime | None

    @classmethod
    def of(cls, row: Freshness) -> FreshnessOut:
        return cls(
            tenant=TenantRef.of(row.tenant),
            is_late=row.is_late,
            is_never=row.is_never,
            is_unscheduled=row.is_unscheduled,
            is_incomplete=row.is_incomplete,
            last_complete_at=row.last_complete_at,
            late_at=row.late_at,
            objective_hours=row.objective // dt.timedelta(hours=1),
            objective_source=row.objective_source,
            next_slot=row.next_run_at,
        )


class Schedule(BaseModel):
    """When and what to back up."""

    id: int
    tenant: TenantRef
    name: str
    cron: str
    timezone: str
    kinds: list[str]
    retention_keep_sets: int
    retention_keep_days: int
    misfire_policy: Annotated[str, _one_of(MisfirePolicy.values)]
    grace_hours: int
    objective_hours: int | None
    next_slot: dt.datetime | None
    paused_at: dt.datetime | None
    pause_reason: str
    deleted_at: dt.datetime | None

    @classmethod
    def of(cls, schedule: BackupSchedule) -> Schedule:
        return cls(
            id=schedule.pk,
            tenant=TenantRef.of(schedule.tenant),
            name=schedule.name,
            cron=schedule.cron,
            timezone=schedule.timezone,
            kinds=schedule.kinds,
            retention_keep_sets=schedule.retention_keep_sets,
            retention_keep_days=schedule.retention_keep_days,
            misfire_policy=schedule.misfire_policy,
            grace_hours=schedule.misfire_grace // dt.timedelta(hours=1),
            objective_hours=schedule.objective_hours,
            next_slot=schedule.next_run_at,
            paused_at=schedule.paused_at,
            pause_reason=schedule.pause_reason,
            deleted_at=schedule.deleted_at,
        )


class BackupSetOut(BaseModel):
    """What one backup captured."""

    id: int
    tenant: TenantRef
    name: str = Field(description="The name of a selection; empty for a backup of a schedule.")
    schedule: int | None
    run: int | None
    status: Annotated[str, _one_of(SetStatus.values)]
    kinds: list[str]
    missing_kinds: list[str]
    item_count: int
    incomplete_count: int
    started_at: dt.datetime
    ended_at: dt.datetime | None

    @classmethod
    def of(cls, backup_set: BackupSet) -> BackupSetOut:
        return cls(
            id=backup_set.pk,
            tenant=TenantRef.of(backup_set.tenant),
            name=backup_set.name,
            schedule=backup_set.schedule_id,
            run=backup_set.operation_run_id,
            status=backup_set.status,
            kinds=backup_set.kinds,
            missing_kinds=backup_set.missing_kinds,
            item_count=backup_set.item_count,
            incomplete_count=backup_set.incomplete_count,
            started_at=backup_set.started_at,
            ended_at=backup_set.ended_at,
        )


class Export(BaseModel):
    """An archive of policies that can be downloaded until it expires."""

    id: int
    tenant: TenantRef
    run: int | None
    file_name: str
    size: int = Field(description="The number of bytes of the archive.")
    sha256: str = Field(description="The hash of the archive in hexadecimal digits.")
    item_count: int
    incomplete_count: int
    is_expired: bool
    created_at: dt.datetime
    expires_at: dt.datetime

    @classmethod
    def of(cls, export: PolicyExport) -> Export:
        return cls(
            id=export.pk,
            tenant=TenantRef.of(export.tenant),
            run=export.operation_run_id,
            file_name=export.file_name,
            size=export.size,
            sha256=export.sha256,
            item_count=export.item_count,
            incomplete_count=export.incomplete_count,
            is_expired=export.is_expired,
            created_at=export.created_at,
            expires_at=export.expires_at,
        )


class BackupItemOut(BaseModel):
    """One policy in a backup set."""

    id: int
    kind: str
    graph_id: str
    name: str
    is_complete: bool

    @classmethod
    def of(cls, item: BackupItem) -> BackupItemOut:
        return cls(
            id=item.pk,
            kind=item.kind,
            graph_id=item.graph_id,
            name=item.name,
            is_complete=item.complete,
        )


# --- restores -----------------------------------------------------------------------------------


class RestoreItemOut(BaseModel):
    """One object of a restore: its plan and its result."""

    id: int
    kind: str
    graph_id: str
    name: str
    action: Annotated[str, _one_of(Action.values)]
    reason: str
    message: str
    next_step: str
    warning: str
    decision: Annotated[str, _one_of(Decision.values)]
    state: Annotated[str, _one_of(ItemState.values)]
    outcome: str = Field(
        description="The code of the reason of the result; empty without one. With "
        "`restore_verified_without`, parts that backups do not contain were not compared."
    )
    outcome_message: str

    @classmethod
    def of(cls, item: RestoreItem) -> RestoreItemOut:
        return cls(
            id=item.pk,
            kind=item.kind,
            graph_id=item.graph_id,
            name=item.name,
            action=item.action,
            reason=item.reason_code,
            message=item.message,
            next_step=item.next_step,
            warning=item.warning,
            decision=item.decision,
            state=item.state,
            outcome=item.outcome_code,
            outcome_message=item.outcome_message,
        )


class Restore(BaseModel):
    """A restore."""

    id: int
    tenant: TenantRef
    backup_set: int | None
    status: Annotated[str, _one_of(RestoreStatus.values)]
    assignments: Annotated[str, _one_of(Assignments.values)]
    access_state: Annotated[str, _one_of(AccessState.values)]
    requested_by: str
    requires_approval: bool
    approved_at: dt.datetime | None
    approved_by: str
    preview_run: int | None
    execute_run: int | None
    before_set: int | None
    created_at: dt.datetime
    preview_expires_at: dt.datetime | None
    approval_expires_at: dt.datetime | None
    executed_at: dt.datetime | None
    ended_at: dt.datetime | None

    @classmethod
    def of(cls, restore: RestoreRun) -> Restore:
        return cls(**_restore_values(restore))


class RestoreDetail(Restore):
    """A restore with its objects."""

    decision_digest: str = Field(
        description="What an execution confirms: the preview with every decision. Empty before it."
    )
    items: list[RestoreItemOut]

    @classmethod
    def of(cls, restore: RestoreRun) -> RestoreDetail:
        return cls(
            **_restore_values(restore),
            decision_digest=decision_digest_of(restore) if restore.preview_digest else "",
            items=[RestoreItemOut.of(item) for item in restore.items.order_by("pk")],
        )


def _restore_values(restore: RestoreRun) -> dict[str, Any]:
    return {
        "id": restore.pk,
        "tenant": TenantRef.of(restore.tenant),
        "backup_set": restore.backup_set_id,
        "status": restore.status,
        "assignments": restore.assignments,
        "access_state": restore.access_state,
        "requested_by": restore.requested_by_name,
        "requires_approval": restore.requires_approval,
        "approved_at": restore.approved_at,
        "approved_by": restore.approved_by.get_username() if restore.approved_by else "",
        "preview_run": restore.preview_run_id,
        "execute_run": restore.execute_run_id,
        "before_set": restore.before_set_id,
        "created_at": restore.created_at,
        "preview_expires_at": restore.preview_expires_at,
        "approval_expires_at": restore.approval_expires_at,
        "executed_at": restore.executed_at,
        "ended_at": restore.ended_at,
    }
