"""The check of a tenant's default connection for `manage.py runs start`."""

from __future__ import annotations

from operations.services import DispatchResult
from operations.starters import TENANT, register_starter
from operations.types import OperationRunType
from providers.connections import default_connection
from providers.services import start_check
from tenancy.models import Tenant, User


def _check(tenant: Tenant, by: User) -> DispatchResult:
    return start_check(default_connection(tenant), by=by)


register_starter(OperationRunType.PROVIDER_CONNECTION_CHECK, TENANT, _check)
