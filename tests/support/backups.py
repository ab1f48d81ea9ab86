"""Fixtures for schedules of a tenant in the Graph sandbox, and for their backups."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backups import services
from backups.models import BackupSchedule
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.testing import run_now
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory


@pytest.fixture
def schedule(tenant: Tenant, add_to_graph: Callable[..., ProviderConnection]) -> BackupSchedule:
    """A schedule with three kinds of a tenant in the Graph sandbox: 3 + 2 + 2 objects."""
    add_to_graph(tenant)
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, kinds=["settings_catalog", "compliance", "conditional_access"]
    )
    return schedule


@pytest.fixture
def back_up(operator: User) -> Callable[[BackupSchedule], OperationRun]:
    """Back up a schedule in this process; returns the completed run."""

    def run(schedule: BackupSchedule) -> OperationRun:
        scoped = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
        return run_now(services.run_now(scoped, operator).run)

    return run


@pytest.fixture
def retry(operator: User) -> Callable[[OperationRun], OperationRun]:
    """Retry a run in this process; returns the completed new run."""

    def run(earlier: OperationRun) -> OperationRun:
        return run_now(OperationRunService().retry(earlier, by=operator).run)

    return run
