"""Syncs for `manage.py runs start`."""

from __future__ import annotations

from functools import partial

from inventory.services import start_sync, start_workspace_sync
from operations.services import DispatchResult
from operations.starters import TENANT, WORKSPACE, register_starter
from operations.types import OperationRunType
from tenancy.models import Tenant, User, Workspace


def _sync(run_type: OperationRunType, tenant: Tenant, by: User) -> DispatchResult:
    return start_sync(run_type, tenant, by=by)


def _sync_all(workspace: Workspace, by: User) -> DispatchResult:
    return start_workspace_sync(workspace, by=by)


for _type in (
    OperationRunType.INVENTORY_SYNC,
    OperationRunType.DIRECTORY_GROUPS_SYNC,
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
):
    register_starter(_type, TENANT, partial(_sync, _type))
register_starter(OperationRunType.WORKSPACE_INVENTORY_SYNC, WORKSPACE, _sync_all)
