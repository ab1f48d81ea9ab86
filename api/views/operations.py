"""What the token is for, and which operations it may start."""

from __future__ import annotations

from ninja import Router
from pydantic import BaseModel, Field

from api.requests import ApiRequest
from api.schemas import Operation
from api.starts import STARTERS
from operations.catalog import OperationCatalog
from tenancy.capabilities import capabilities_of

router = Router(tags=["Workspace"])


class WorkspaceOut(BaseModel):
    """The workspace of the token, and what the token may do in it."""

    name: str
    slug: str
    timezone: str
    user: str = Field(description="The user whose name the actions of the token have.")
    capabilities: list[str]


class Operations(BaseModel):
    items: list[Operation]


@router.get("workspace", response=WorkspaceOut)
def workspace_detail(request: ApiRequest) -> WorkspaceOut:
    """Get the workspace of the token, and what the token may do."""
    workspace = request.workspace
    return WorkspaceOut(
        name=workspace.name,
        slug=workspace.slug,
        timezone=workspace.timezone,
        user=request.user.get_username(),
        capabilities=sorted(capabilities_of(request.user, workspace)),
    )


@router.get("operations", response=Operations)
def operation_list(request: ApiRequest) -> Operations:
    """List the operations that a request can start, and what each needs."""
    allowed, limit = capabilities_of(request.user, request.workspace), request.user.limit
    return Operations(
        items=[
            Operation.of(
                run_type,
                entry,
                inputs=STARTERS[run_type].inputs,
                is_permitted=entry.required_capability in allowed
                and (limit is None or limit.allows_type(run_type)),
            )
            for run_type, entry in OperationCatalog.all().items()
            if run_type in STARTERS
        ]
    )
