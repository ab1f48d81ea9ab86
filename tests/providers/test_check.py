"""The connection check, against the Graph sandbox."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from typing import Any

import pytest
from django.test import Client

from dev.graph_sandbox.resources import ALL_PERMISSIONS, READ_PERMISSIONS
from operations.models import OperationRun, OperationRunEvent
from operations.states import RunOutcome
from operations.worker import execution
from providers import services
from providers.graph.tokens import forget_all_tokens
from providers.models import Access, ConnectionStatus, ProviderConnection
from providers.probes import PROBES, WRITES
from tenancy.models import User
from tests.support.factories.providers import SandboxTenant
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _execute_in_the_transaction_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "Heartbeat", lambda *_, **__: nullcontext())


@pytest.fixture
def check(connection: ProviderConnection, operator: User, settings: Any) -> Any:
    """Return a function that checks the connection and returns the run and the connection."""
    settings.GRAPH_QUOTAS = {}

    def check() -> tuple[OperationRun, ProviderConnection]:
        run = services.start_check(connection, by=operator).run
        assert execution.execute(run.pk)
        reloaded = ProviderConnection.objects.get(pk=connection.pk)
        return OperationRun.objects.get(pk=run.pk), reloaded

    return check


def test_a_connection_with_every_read_permission_is_ready(check: Any) -> None:
    run, connection = check()

    assert run.outcome == RunOutcome.SUCCEEDED
    assert connection.status == ConnectionStatus.READY
    assert connection.check_results == dict.fromkeys(PROBES, "granted")
    assert connection.checked_at


def test_a_missing_permission_is_a_failed_item_that_names_it(
    check: Any, sandbox_tenant: SandboxTenant
) -> None:
    sandbox_tenant.fault("forbid", kind="groups", permission="GroupMember.Read.All")

    run, connection = check()

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert connection.status == ConnectionStatus.LIMITED
    assert connection.check_results["groups"] == "missing"
    assert "GroupMember.Read.All" in run.items.get(key="groups").message


def test_write_permissions_are_checked_only_with_write_access(
    check: Any, connection: ProviderConnection, sandbox_tenant: SandboxTenant
) -> None:
    ProviderConnection.objects.update(access=Access.READ_WRITE)
    _, complete = check()
    permissions = [*READ_PERMISSIONS, "Policy.ReadWrite.ConditionalAccess"]
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id,
        sandbox_tenant.client_id,
        sandbox_tenant.secret,
        permissions=permissions,
    )
    forget_all_tokens()

    run, limited = check()

    assert complete.status == ConnectionStatus.READY
    assert complete.check_results == dict.fromkeys([*PROBES, *WRITES], "granted")
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert limited.status == ConnectionStatus.LIMITED
    assert limited.check_results["write/named_location"] == "granted"
    assert limited.check_results["write/compliance"] == "missing"
    message = run.items.get(key="write/compliance").message
    assert "DeviceManagementConfiguration.ReadWrite.All" in message


def test_a_connection_without_an_optional_permission_is_ready_and_names_what_is_left_out(
    check: Any, sandbox_tenant: SandboxTenant, manager: User
) -> None:
    ProviderConnection.objects.update(access=Access.READ_WRITE)
    scripts = {f"DeviceManagementScripts.{access}.All" for access in ("Read", "ReadWrite")}
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id,
        sandbox_tenant.client_id,
        sandbox_tenant.secret,
        permissions=[*({*ALL_PERMISSIONS} - scripts - {"Group.ReadWrite.All"})],
    )
    forget_all_tokens()

    run, connection = check()
    page = open_session(Client(), manager).get(connection.get_absolute_url()).content.decode()

    assert run.outcome == RunOutcome.SUCCEEDED
    assert connection.status == ConnectionStatus.READY
    assert connection.check_results["device_shell_scripts"] == "left_out"
    assert connection.check_results["write/groups"] == "left_out"
    assert "DeviceManagementScripts.Read.All" in run.items.get(key="device_shell_scripts").message
    assert "Left out" in page
    assert "Grant DeviceManagementScripts.Read.All" in page


def test_a_missing_license_is_skipped_and_not_a_failure(
    check: Any, sandbox_tenant: SandboxTenant
) -> None:
    sandbox_tenant.fault("license", kind="conditional_access")

    run, connection = check()

    assert run.outcome == RunOutcome.SUCCEEDED
    assert connection.status == ConnectionStatus.READY
    assert connection.check_results["conditional_access"] == "not_licensed"


@pytest.mark.parametrize(
    ("fault", "code"),
    [("expire_credential", "credential_expired"), ("remove_consent", "app_not_in_tenant")],
)
def test_a_refused_sign_in_blocks_the_check(
    check: Any, sandbox_tenant: SandboxTenant, fault: str, code: str
) -> None:
    sandbox_tenant.fault(fault)

    run, connection = check()

    assert run.outcome == RunOutcome.BLOCKED
    assert (connection.status, connection.check_reason_code) == (ConnectionStatus.FAILING, code)


def test_another_tenant_blocks_the_check_and_only_its_id_is_reported(
    check: Any, sandbox_tenant: SandboxTenant
) -> None:
    (organization,) = sandbox_tenant.objects("organization")
    foreign = str(uuid.uuid4())
    sandbox_tenant.control.delete_object(
        sandbox_tenant.tenant_id, "organization", organization["id"]
    )
    other = organization | {"id": foreign, "displayName": "Another company"}
    sandbox_tenant.control.put_object(sandbox_tenant.tenant_id, "organization", other)

    run, connection = check()

    assert run.outcome == RunOutcome.BLOCKED
    assert connection.check_reason_code == "wrong_tenant"
    assert foreign in str(run.failure_summary)
    assert "Another company" not in str(run.failure_summary)


@pytest.mark.usefixtures("short_retry_waits")
def test_an_unreadable_response_is_unknown_and_not_missing(
    check: Any, sandbox_tenant: SandboxTenant
) -> None:
    sandbox_tenant.fault("garbage", kind="groups")

    _, connection = check()

    assert connection.check_results["groups"] == "unknown"
    assert connection.status == ConnectionStatus.FAILING


def test_a_result_for_an_older_credential_is_discarded(
    connection: ProviderConnection, sandbox_tenant: SandboxTenant
) -> None:
    before = ProviderConnection.objects.select_related("tenant").get(pk=connection.pk)
    connection.set_credential(sandbox_tenant.secret)

    is_stored = services.record_check(before, services.Finding(ConnectionStatus.READY, {}))

    connection.refresh_from_db()
    assert not is_stored
    assert connection.status == ConnectionStatus.UNCHECKED


def test_the_credential_is_in_no_row_of_the_run(check: Any, sandbox_tenant: SandboxTenant) -> None:
    sandbox_tenant.fault("expire_credential")

    run, _ = check()

    rows = [vars(run), *OperationRunEvent.objects.values(), *run.items.values()]
    assert sandbox_tenant.secret not in str(rows)
