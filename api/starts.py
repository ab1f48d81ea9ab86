"""The operations that a request can start, each with its inputs and the service that starts it.

The other types start by themselves, or with a restore: `NOT_STARTED_HERE` says so for each.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from django.shortcuts import get_object_or_404
from pydantic import Field

from api.problems import invalid_body
from api.requests import ApiRequest
from api.schemas import Body, Id, Line, example
from backups import services as backups
from backups.models import BackupSchedule
from inventory import services as inventory
from inventory.models import Policy
from inventory.selection import MAX_SELECTED, Selection
from operations.catalog import OperationCatalog
from operations.maintenance.prune import dispatch_prune
from operations.services import DispatchResult
from operations.types import OperationRunType
from providers import services as providers
from providers.connections import default_connection
from tenancy.capabilities import require_capability
from tenancy.models import Tenant

_Policies = Annotated[list[Id], Field(min_length=1, max_length=MAX_SELECTED)]


class StartForTenant(Body):
    """Starts an operation of one tenant."""

    model_config = example(type="inventory.sync", tenant=1)

    type: Literal[
        "inventory.sync",
        "directory_groups.sync",
        "directory_role_definitions.sync",
        "provider_connection.check",
    ]
    tenant: Id


class StartForWorkspace(Body):
    """Starts an operation of the workspace."""

    model_config = example(type="workspace.inventory_sync")

    type: Literal["workspace.inventory_sync", "operations.prune"]


class StartBackup(Body):
    """Starts the backup of a schedule now."""

    model_config = example(type="backup_schedule.run_now", schedule=1)

    type: Literal["backup_schedule.run_now"]
    schedule: Id


class StartAddition(Body):
    """Adds policies of one tenant to its backup set with this name."""

    model_config = example(
        type="backup_set.add_policies", tenant=1, policies=[1, 2], name="Before the change"
    )

    type: Literal["backup_set.add_policies"]
    tenant: Id
    policies: _Policies
    name: Annotated[Line, Field(min_length=1, max_length=200)]


class StartExport(Body):
    """Exports policies of one tenant."""

    model_config = example(type="policy.export", tenant=1, policies=[1, 2])

    type: Literal["policy.export"]
    tenant: Id
    policies: _Policies


Start = Annotated[
    StartForTenant | StartForWorkspace | StartBackup | StartAddition | StartExport,
    Field(discriminator="type"),
]
Submission = uuid.UUID | None


@dataclass(frozen=True)
class Starter:
    """The body of a start, and the function that starts the run."""

    body: type[Body]
    start: Callable[[ApiRequest, Any, Submission], DispatchResult]

    @property
    def inputs(self) -> list[str]:
        return [name for name in self.body.model_fields if name != "type"]


def require_start(request: ApiRequest, run_type: OperationRunType) -> None:
    """Check that the token may start operations of this type, before anything else is said of it.

    Raises:
        PermissionDenied: its role or its types do not include it.
    """
    capability = OperationCatalog.get(run_type).required_capability
    require_capability(request.user, request.workspace, capability)
    if request.user.limit:
        request.user.limit.require_type(run_type)


def start_operation(request: ApiRequest, body: Any, submission: Submission) -> DispatchResult:
    """Start the operation of a body.

    Raises:
        Blocked: a precondition is not met.
        Http404: an object of the body does not exist in the workspace of the token.
    """
    return STARTERS[OperationRunType(body.type)].start(request, body, submission)


def tenant_or_404(request: ApiRequest, tenant_id: int) -> Tenant:
    """Return a tenant of the token's workspace, or raise 404."""
    tenants = Tenant.objects.visible_to(request.user).filter(workspace=request.workspace)
    tenant: Tenant = get_object_or_404(tenants.select_related("workspace"), pk=tenant_id)
    return tenant


def _sync(request: ApiRequest, body: StartForTenant, submission: Submission) -> DispatchResult:
    tenant = tenant_or_404(request, body.tenant)
    return inventory.start_sync(
        OperationRunType(body.type), tenant, by=request.user, submission=submission
    )


def _check(request: ApiRequest, body: StartForTenant, submission: Submission) -> DispatchResult:
    connection = default_connection(tenant_or_404(request, body.tenant))
    return providers.start_check(connection, by=request.user, submission=submission)


def _sync_all(
    request: ApiRequest, body: StartForWorkspace, submission: Submission
) -> DispatchResult:
    return inventory.start_workspace_sync(request.workspace, by=request.user, submission=submission)


def _prune(request: ApiRequest, body: StartForWorkspace, submission: Submission) -> DispatchResult:
    return dispatch_prune(request.workspace, by=request.user, submission=submission)


def _back_up(request: ApiRequest, body: StartBackup, submission: Submission) -> DispatchResult:
    schedules = BackupSchedule.objects.visible_to(request.user).with_scope()
    schedule = get_object_or_404(schedules, workspace=request.workspace, pk=body.schedule)
    return backups.run_now(schedule, by=request.user, submission=submission)


def _add(request: ApiRequest, body: StartAddition, submission: Submission) -> DispatchResult:
    selection = _selection(request, body)
    (result,) = backups.add_policies(selection, body.name, by=request.user, submission=submission)
    return result


def _export(request: ApiRequest, body: StartExport, submission: Submission) -> DispatchResult:
    selection = _selection(request, body)
    (result,) = backups.export_policies(selection, by=request.user, submission=submission)
    return result


def _selection(request: ApiRequest, body: StartAddition | StartExport) -> Selection:
    tenant = tenant_or_404(request, body.tenant)
    visible = Policy.objects.visible_to(request.user).filter(tenant=tenant)
    ids = set(body.policies)
    policies = list(
        visible.present().with_scope().filter(pk__in=ids).order_by("kind", "name", "pk")
    )
    if len(policies) < len(ids):
        message = "Some of these policies are not in the tenant."
        raise invalid_body(message, name="policies")
    return Selection({tenant: policies})


STARTERS = {
    OperationRunType.PROVIDER_CONNECTION_CHECK: Starter(StartForTenant, _check),
    OperationRunType.INVENTORY_SYNC: Starter(StartForTenant, _sync),
    OperationRunType.DIRECTORY_GROUPS_SYNC: Starter(StartForTenant, _sync),
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC: Starter(StartForTenant, _sync),
    OperationRunType.WORKSPACE_INVENTORY_SYNC: Starter(StartForWorkspace, _sync_all),
    OperationRunType.BACKUP_SCHEDULE_RUN_NOW: Starter(StartBackup, _back_up),
    OperationRunType.BACKUP_SET_ADD_POLICIES: Starter(StartAddition, _add),
    OperationRunType.POLICY_EXPORT: Starter(StartExport, _export),
    OperationRunType.OPERATIONS_PRUNE: Starter(StartForWorkspace, _prune),
}
NOT_STARTED_HERE = {
    OperationRunType.BACKUP_SCHEDULE_SCHEDULED: "The scheduler starts it.",
    OperationRunType.BACKUP_SCHEDULE_RETRY: "A retry of a backup starts it.",
    OperationRunType.RESTORE_PREVIEW: "A new restore starts it.",
    OperationRunType.RESTORE_EXECUTE: "The execution of a restore starts it.",
}
