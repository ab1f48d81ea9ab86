"""Preview, decide and execute restores. Only a person approves one, on its page."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status
from pydantic import Field

from api.idempotency import Key, start_once
from api.paging import BY_CREATION, page_by_time
from api.problems import conflict, invalid_body
from api.requests import ApiRequest, ListParameters, one_of
from api.schemas import Body, Id, Line, Listed, Restore, RestoreDetail, Run, example
from api.starts import require_start
from api.views.backup_sets import set_or_404
from api.views.runs import started
from operations.services import DispatchResult
from operations.types import OperationRunType
from restores import services
from restores.bodies import Options
from restores.models import Action, RestoreQuerySet, RestoreRun, RestoreStatus
from restores.services import MAX_ITEMS
from tenancy.capabilities import require_capability
from tenancy.roles import Capability

router = Router(tags=["Restores"])


class RestoreParameters(ListParameters):
    status: one_of(RestoreStatus.choices) = Field(None, description="Only restores in this state.")  # type: ignore[valid-type]


class NewRestore(Body):
    """Which items of a backup set to restore, and how."""

    model_config = example(backup_set=1, items=[1, 2])

    backup_set: Id
    items: Annotated[list[Id], Field(min_length=1, max_length=MAX_ITEMS)] = Field(
        description="The ids of the items."
    )
    assignments: Literal["keep", "backup", "none"] = "keep"
    access_state: Literal["report_only", "as_backed_up"] = "report_only"


class ItemDecision(Body):
    """The answer to one conflict."""

    item: Id
    decision: Literal["keep", "take", "create"]


class Decisions(Body):
    model_config = example(decisions=[{"item": 1, "decision": "take"}])

    decisions: Annotated[list[ItemDecision], Field(min_length=1, max_length=MAX_ITEMS)]


class Execution(Body):
    """What confirms an execution: the digest of what was reviewed, and the name of the tenant."""

    model_config = example(decision_digest="…", tenant_name="Fabrikam")

    decision_digest: Annotated[Line, Field(min_length=1, max_length=64)]
    tenant_name: Annotated[Line, Field(min_length=1, max_length=200)]


@router.get("restores", response=Listed[Restore])
def restore_list(request: ApiRequest, parameters: Query[RestoreParameters]) -> Listed[Restore]:
    """List restores, newest first."""
    restores = RestoreRun.objects.visible_to(request.user).filter(workspace=request.workspace)
    if parameters.status:
        restores = restores.filter(status=parameters.status)
    restores = restores.select_related("tenant", "workspace", "approved_by")
    return page_by_time(restores, parameters, BY_CREATION, Restore.of)


@router.post("restores", response={200: RestoreDetail, 201: RestoreDetail})
def restore_create(
    request: ApiRequest, body: NewRestore, idempotency_key: Key = None
) -> Status[RestoreDetail]:
    """Preview a restore, which changes nothing. Wait for its run, then decide and execute."""
    backup_set = set_or_404(request, body.backup_set)
    require_start(request, OperationRunType.RESTORE_PREVIEW)
    ids = set(body.items)
    items = list(backup_set.items.filter(pk__in=ids, version__isnull=False).order_by("pk"))
    if len(items) < len(ids):
        message = "Some of these items are not in the backup set, or have no content."
        raise invalid_body(message, name="items")
    options = Options(body.assignments, body.access_state)

    def start(submission: uuid.UUID | None) -> DispatchResult:
        _, result = services.start_preview(
            backup_set, items, options, by=request.user, submission=submission
        )
        return result

    result = start_once(request, idempotency_key, start)
    restore = get_object_or_404(_restores(request), preview_run=result.run)
    return Status(201 if result.created else 200, RestoreDetail.of(restore))


@router.get("restores/{int:restore_id}", response=RestoreDetail)
def restore_detail(request: ApiRequest, restore_id: int) -> RestoreDetail:
    """Get a restore with its objects."""
    return RestoreDetail.of(_restore_or_404(request, restore_id))


@router.post("restores/{int:restore_id}/decide", response=RestoreDetail)
def restore_decide(request: ApiRequest, restore_id: int, body: Decisions) -> RestoreDetail:
    """Decide conflicts: keep the current state, take that of the backup, or create a new object."""
    restore = _changeable_or_404(request, restore_id)
    decisions = {each.item: each.decision for each in body.decisions}
    if len(decisions) < len(body.decisions):
        message = "An item has two decisions. Send one for each item."
        raise invalid_body(message, name="decisions")
    conflicts = restore.items.filter(pk__in=decisions, action=Action.CONFLICT)
    if conflicts.count() < len(decisions):
        message = "Some of these items are no conflicts of this restore."
        raise invalid_body(message, name="decisions")
    services.decide(restore, dict(decisions))
    return RestoreDetail.of(_restore_or_404(request, restore_id))


@router.post("restores/{int:restore_id}/execute", response={200: Run, 201: Run})
def restore_execute(
    request: ApiRequest, restore_id: int, body: Execution, idempotency_key: Key = None
) -> Status[Run]:
    """Write exactly what was previewed and decided.

    Where the workspace requires an approval, a second person has to approve the restore on its page
    first.
    """
    restore = _changeable_or_404(request, restore_id)

    def start(submission: uuid.UUID | None) -> DispatchResult:
        return services.execute(
            restore,
            by=request.user,
            decision_digest=body.decision_digest,
            tenant_name=body.tenant_name,
            submission=submission,
        )

    try:
        return started(start_once(request, idempotency_key, start))
    except services.OutdatedReview:
        raise conflict(
            "The restore has another decision_digest now. Get the restore, review what has changed,"
            " and send its new decision_digest.",
            "outdated_review",
        ) from None


@router.post("restores/{int:restore_id}/discard", response=RestoreDetail)
def restore_discard(request: ApiRequest, restore_id: int) -> RestoreDetail:
    """Discard a restore that was only previewed."""
    restore = _changeable_or_404(request, restore_id)
    services.discard(restore)
    restore = _restore_or_404(request, restore_id)
    if restore.executed_at or restore.status != RestoreStatus.ENDED:
        raise conflict("Only a previewed restore can be discarded.", "not_previewed")
    return RestoreDetail.of(restore)


def _restores(request: ApiRequest) -> RestoreQuerySet:
    restores = RestoreRun.objects.visible_to(request.user).with_scope()
    restores = restores.select_related("requested_by", "approved_by")
    return restores.filter(workspace=request.workspace)


def _restore_or_404(request: ApiRequest, restore_id: int) -> RestoreRun:
    restore: RestoreRun = get_object_or_404(_restores(request), pk=restore_id)
    return restore


def _changeable_or_404(request: ApiRequest, restore_id: int) -> RestoreRun:
    restore = _restore_or_404(request, restore_id)
    require_capability(request.user, request.workspace, Capability.RESTORE)
    return restore
