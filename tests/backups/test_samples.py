"""Real policies are backed up completely, are unchanged the second time, and are exported."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backups import services
from backups.models import BackupSchedule, BackupSet, PolicyExport
from dev.graph_sandbox.control import SandboxControl
from inventory.models import Policy
from inventory.selection import Selection
from inventory.services import start_sync
from operations.models import OperationRun
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from providers.graph.kinds import KINDS
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.support import samples
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sandbox import SIZES

pytestmark = [pytest.mark.django_db, samples.NEEDED]


@pytest.fixture
def sample_counts(
    tenant: Tenant, graph: SandboxControl, add_to_graph: Callable[..., ProviderConnection]
) -> dict[str, int]:
    """Put only the real policies into a tenant; return the number of its objects by kind.

    It also has the objects of which each tenant has exactly one.
    """
    add_to_graph(tenant, sizes=dict.fromkeys((*SIZES, *KINDS), 0))
    single = {key: 1 for key, kind in KINDS.items() if kind.is_singleton}
    return single | samples.put_all(graph, tenant.external_id)


def test_every_real_policy_is_backed_up_and_stays_unchanged(
    tenant: Tenant, sample_counts: dict[str, int], back_up: Callable[[BackupSchedule], OperationRun]
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, kinds=list(KINDS))
    expected = sum(count for kind, count in sample_counts.items() if kind in KINDS)

    first, second = back_up(schedule), back_up(schedule)

    assert not first.failures + second.failures
    assert (first.counts.created, second.counts.unchanged) == (expected, expected)
    assert BackupSet.objects.complete().count() == 2


def test_every_real_policy_is_exported(
    tenant: Tenant, sample_counts: dict[str, int], operator: User
) -> None:
    run_now(start_sync(OperationRunType.INVENTORY_SYNC, tenant, by=operator).run)
    policies = list(Policy.objects.with_scope())

    (result,) = services.export_policies(Selection({tenant: policies}), by=operator)
    run = run_now(result.run)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert PolicyExport.objects.get().item_count == len(policies) > 20
