"""A Graph sandbox for the backups, and tenants in it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection as database

from backups import services
from backups.models import BackupSchedule
from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.process import SandboxProcess
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.worker import execution
from providers.clouds import Cloud
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.backups.factories import BackupScheduleFactory

if TYPE_CHECKING:
    from pytest_django import Settings

SECRET = "Pq8~sandbox.secret"
SIZES = {
    "settings_catalog": 3,
    "device_configuration": 2,
    "compliance": 2,
    "conditional_access": 2,
    "named_location": 1,
    "groups": 5,
}


@pytest.fixture(scope="session")
def graph_sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture(autouse=True)
def _executed_in_the_transaction_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat has a connection of its own, which could not see the run."""
    monkeypatch.setattr(execution, "Heartbeat", lambda *_, **__: nullcontext())


@pytest.fixture
def graph(graph_sandbox: SandboxProcess, settings: Settings) -> Iterator[SandboxControl]:
    """The control of the Graph sandbox."""
    settings.GRAPH_SANDBOX_URL = graph_sandbox.url
    settings.GRAPH_CA_BUNDLE = str(graph_sandbox.ca)
    settings.GRAPH_INTERVALS = {}
    yield graph_sandbox.control
    graph_sandbox.control.clear()


@pytest.fixture
def add_to_graph(graph: SandboxControl) -> Callable[..., ProviderConnection]:
    """Put a tenant into the Graph sandbox, with a connection to it."""

    def add(tenant: Tenant, **options: Any) -> ProviderConnection:
        client_id = uuid.uuid4()
        sizes = SIZES | options.pop("sizes", {})
        options = {"name": tenant.name, "seed": "always the same", "sizes": sizes} | options
        graph.add_tenant(tenant.external_id, client_id, SECRET, **options)
        connection = ProviderConnection.objects.create(
            workspace=tenant.workspace,
            tenant=tenant,
            name="Graph sandbox",
            cloud=Cloud.SANDBOX,
            client_id=client_id,
            is_default=True,
        )
        connection.set_credential(SECRET)
        return connection

    return add


@pytest.fixture
def schedule(tenant: Tenant, add_to_graph: Callable[..., ProviderConnection]) -> BackupSchedule:
    """A schedule of three kinds of a tenant that is in the Graph sandbox: 3 + 2 + 2 objects."""
    add_to_graph(tenant)
    made: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, kinds=["settings_catalog", "compliance", "conditional_access"]
    )
    return made


@pytest.fixture
def back_up(operator: User) -> Callable[[BackupSchedule], OperationRun]:
    """Back a schedule up here and now; the run as it ended."""

    def run(schedule: BackupSchedule) -> OperationRun:
        scoped = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
        return executed(services.run_now(scoped, operator).run)

    return run


@pytest.fixture
def retry(operator: User) -> Callable[[OperationRun], OperationRun]:
    """Retry a run here and now; the new run as it ended."""

    def run(earlier: OperationRun) -> OperationRun:
        return executed(OperationRunService().retry(earlier, by=operator).run)

    return run


def executed(run: OperationRun) -> OperationRun:
    assert execution.execute(run.pk)
    return OperationRun.objects.get(pk=run.pk)


@pytest.fixture
def fill_the_disk(transactional_db: None) -> Iterator[Callable[..., None]]:
    """Let Postgres refuse more than some rows of a table, as it does when its disk is full."""

    def fill(table: str, *, rows: int) -> None:
        with database.cursor() as cursor:
            cursor.execute(
                f"CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF (SELECT count(*) FROM {table}) >= {rows} THEN"
                f" RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END IF;"
                f" RETURN NEW; END $$;"
                f"CREATE TRIGGER no_space BEFORE INSERT ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION no_space()"
            )

    yield fill
    with database.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS no_space CASCADE")
