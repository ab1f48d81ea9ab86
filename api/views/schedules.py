"""Read and change schedules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status
from pydantic import Field

from api.paging import page_by_number
from api.problems import FieldError, invalid
from api.requests import ApiRequest, ListParameters
from api.schemas import Body, Id, Kind, Line, Listed, Schedule, example
from api.starts import tenant_or_404
from backups import services
from backups.forms import MAX_DAYS, MAX_GRACE_HOURS, MAX_SETS, ScheduleForm
from backups.models import MAX_HOURS, BackupSchedule
from backups.slots import MAX_LENGTH
from operations.types import OperationRunType
from providers.graph.kinds import KINDS
from redaction.text import sanitize_text
from tenancy.capabilities import require_capability
from tenancy.roles import Capability

router = Router(tags=["Schedules"])

_Name = Annotated[Line, Field(min_length=1, max_length=200)]
_Cron = Annotated[
    Line,
    Field(min_length=1, max_length=MAX_LENGTH, description="Such as 30 2 * * * for 02:30 daily."),
]
_Zone = Annotated[Line, Field(max_length=64, description="An IANA time zone.")]
_Kinds = Annotated[list[Kind], Field(min_length=1, max_length=len(KINDS))]
_Sets = Annotated[int, Field(ge=1, le=MAX_SETS)]
_Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]
_Grace = Annotated[int, Field(ge=0, le=MAX_GRACE_HOURS)]
_Objective = Annotated[int | None, Field(ge=1, le=MAX_HOURS)]
_Policy = Literal["fire_latest", "skip"]


class NewSchedule(Body):
    """A schedule of a tenant. What is left out has the value that the form suggests."""

    model_config = example(tenant=1, name="Nightly", cron="30 2 * * *")

    tenant: Id
    name: _Name
    cron: _Cron
    timezone: _Zone = Field("", description="By default that of the workspace.")
    kinds: _Kinds = Field(
        [key for key, kind in KINDS.items() if not kind.is_costly], description="What to back up."
    )
    retention_keep_sets: _Sets = 30
    retention_keep_days: _Days = 90
    misfire_policy: _Policy = "fire_latest"
    grace_hours: _Grace = 12
    objective_hours: _Objective = None


class ScheduleChange(Body):
    """The values to change; the others stay."""

    model_config = example(cron="0 4 * * *")

    name: _Name | None = None
    cron: _Cron | None = None
    timezone: _Zone | None = None
    kinds: _Kinds | None = None
    retention_keep_sets: _Sets | None = None
    retention_keep_days: _Days | None = None
    misfire_policy: _Policy | None = None
    grace_hours: _Grace | None = None
    objective_hours: _Objective = None


class ScheduleParameters(ListParameters):
    tenant: Id | None = Field(None, description="Only schedules of the tenant with this id.")


class Pause(Body):
    model_config = example(reason="Migration")

    reason: Annotated[Line, Field(max_length=300)] = ""


@router.get("schedules", response=Listed[Schedule])
def schedule_list(request: ApiRequest, parameters: Query[ScheduleParameters]) -> Listed[Schedule]:
    """List schedules by id, without deleted ones and those of archived tenants."""
    schedules = BackupSchedule.objects.visible_to(request.user).listed().with_scope()
    schedules = schedules.filter(workspace=request.workspace)
    if parameters.tenant:
        schedules = schedules.filter(tenant=parameters.tenant)
    return page_by_number(schedules, parameters, Schedule.of)


@router.post("schedules", response={201: Schedule})
def schedule_create(request: ApiRequest, body: NewSchedule) -> Status[Schedule]:
    """Add a schedule to a tenant."""
    require_capability(request.user, request.workspace, Capability.MANAGE_SCHEDULES)
    _require_scheduling(request)
    tenant = tenant_or_404(request, body.tenant)
    schedule = BackupSchedule(workspace=request.workspace, tenant=tenant)
    values = body.model_dump(exclude={"tenant"})
    values["timezone"] = values["timezone"] or request.workspace.timezone
    return Status(201, _save(request, schedule, values))


@router.get("schedules/{int:schedule_id}", response=Schedule)
def schedule_detail(request: ApiRequest, schedule_id: int) -> Schedule:
    """Get a schedule."""
    return Schedule.of(_schedule_or_404(request, schedule_id))


@router.patch("schedules/{int:schedule_id}", response=Schedule)
def schedule_edit(request: ApiRequest, schedule_id: int, body: ScheduleChange) -> Schedule:
    """Change a schedule. New times start with the first slot from now."""
    schedule = _managed_or_404(request, schedule_id)
    _require_scheduling(request)
    with transaction.atomic():
        # The values that the body leaves out are those of now, also if another request changes them.
        schedule = (
            BackupSchedule.objects.with_scope().select_for_update(of=("self",)).get(pk=schedule.pk)
        )
        current = Schedule.of(schedule).model_dump(include=set(ScheduleChange.model_fields))
        return _save(request, schedule, current | body.model_dump(exclude_unset=True))


@router.post("schedules/{int:schedule_id}/pause", response=Schedule)
def schedule_pause(request: ApiRequest, schedule_id: int, body: Pause | None = None) -> Schedule:
    """Pause a schedule. Pausing twice has no further effect."""
    schedule = _managed_or_404(request, schedule_id)
    reason = sanitize_text(body.reason if body else "", max_length=300)
    services.pause(schedule, by=request.user, reason=reason)
    return Schedule.of(_schedule_or_404(request, schedule_id))


@router.post("schedules/{int:schedule_id}/resume", response=Schedule)
def schedule_resume(request: ApiRequest, schedule_id: int) -> Schedule:
    """Resume a schedule from its next slot. Missed slots are not caught up."""
    schedule = _managed_or_404(request, schedule_id)
    _require_scheduling(request)
    services.resume(schedule, by=request.user)
    return Schedule.of(_schedule_or_404(request, schedule_id))


def _save(request: ApiRequest, schedule: BackupSchedule, values: dict[str, Any]) -> Schedule:
    """Validate the values with the form of the page, and save the schedule."""
    form = ScheduleForm(values, instance=schedule)
    if not form.is_valid():
        raise invalid(
            [
                FieldError(location="body", name=name, message=str(message))
                for name, messages in form.errors.items()
                for message in messages
            ]
        )
    return Schedule.of(services.save(form.instance, by=request.user))


def _schedule_or_404(request: ApiRequest, schedule_id: int) -> BackupSchedule:
    schedules = BackupSchedule.objects.visible_to(request.user).with_scope()
    schedule: BackupSchedule = get_object_or_404(
        schedules, workspace=request.workspace, pk=schedule_id
    )
    return schedule


def _managed_or_404(request: ApiRequest, schedule_id: int) -> BackupSchedule:
    schedule = _schedule_or_404(request, schedule_id)
    require_capability(request.user, request.workspace, Capability.MANAGE_SCHEDULES)
    return schedule


def _require_scheduling(request: ApiRequest) -> None:
    """Check that the token may start what a schedule starts later.

    Raises:
        PermissionDenied: the token is limited to other operations.
    """
    limit = request.user.limit
    if limit and not limit.allows_type(OperationRunType.BACKUP_SCHEDULE_SCHEDULED):
        raise PermissionDenied("This access token may not schedule backups.")
