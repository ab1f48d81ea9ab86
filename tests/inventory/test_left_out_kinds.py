"""A sync leaves out the kinds whose permission no connection must have, and says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.resources import ALL_PERMISSIONS
from inventory import services
from inventory.models import Policy
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.support.sandbox import SECRET

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "case",
    [
        ("DeviceManagementScripts", "device_shell_scripts", RunOutcome.SUCCEEDED),
        ("DeviceManagementApps", "app_protection", RunOutcome.PARTIALLY_SUCCEEDED),
    ],
)
def test_only_a_required_permission_is_a_failure(
    tenant: Tenant,
    operator: User,
    graph: SandboxControl,
    add_to_graph: Callable[..., ProviderConnection],
    case: tuple[str, str, RunOutcome],
) -> None:
    permission, kind, outcome = case
    connection = add_to_graph(tenant)
    granted = [each for each in ALL_PERMISSIONS if not each.startswith(permission)]
    graph.add_tenant(tenant.external_id, connection.client_id, SECRET, permissions=granted)

    run = run_now(services.start_sync(OperationRunType.INVENTORY_SYNC, tenant, by=operator).run)

    assert run.outcome == outcome
    left_out = run.items.get(key=f"kind:{kind}")
    assert left_out.reason_code == "permission_missing"
    assert f"{permission}.Read.All" in left_out.message
    assert not Policy.objects.filter(kind=kind).exists()
    assert Policy.objects.filter(kind="settings_catalog").exists()
