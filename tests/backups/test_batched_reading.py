"""A backup reads many objects at once, and still stops, reports and completes as one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backups.models import BackupSchedule
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from operations.worker.active_run import ActiveRun
from providers.graph.batch import MAX_REQUESTS
from providers.graph.many import ManyReads
from providers.models import ProviderConnection
from tenancy.models import Tenant
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sandbox import count_when_stable

BackUp = Callable[[BackupSchedule], OperationRun]
POLICIES = 150


@pytest.fixture
def large(tenant: Tenant, add_to_graph: Callable[..., ProviderConnection]) -> BackupSchedule:
    """A schedule of a tenant whose policies take several batches."""
    add_to_graph(tenant, sizes={"compliance": POLICIES})
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant, kinds=["compliance"])
    return schedule


def batches(graph: SandboxControl, schedule: BackupSchedule) -> int:
    return graph.counts(schedule.tenant.external_id)["POST", "batch"]


def test_a_lost_lease_stops_every_request(
    large: BackupSchedule,
    back_up: BackUp,
    graph: SandboxControl,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.GRAPH_PARALLEL_REQUESTS = 2
    graph.fault(large.tenant.external_id, "slow", kind="batch", ms=500)
    remaining_lease = ActiveRun.remaining_lease

    def lose_after_the_first_items(run: ActiveRun) -> float:
        return 0.0 if run.has_reported and run._reported_keys else remaining_lease(run)

    monkeypatch.setattr(ActiveRun, "remaining_lease", lose_after_the_first_items)

    run = back_up(large)

    # The sandbox logs a batch with its response.
    sent = count_when_stable(lambda: batches(graph, large))
    assert 0 < sent < POLICIES / MAX_REQUESTS
    assert {failure["code"] for failure in run.failure_summary} == {"lease_lost"}
    assert not run.backup_set.is_complete


def test_the_objects_are_counted_while_later_ones_are_read(
    large: BackupSchedule, back_up: BackUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every item is reported in its order, one by one."""
    reported: list[str] = []
    report_success = ActiveRun.report_success

    def note(run: ActiveRun, key: str, **values: Any) -> None:
        reported.append(key)
        report_success(run, key, **values)

    monkeypatch.setattr(ActiveRun, "report_success", note)

    run = back_up(large)

    items = run.backup_set.items.order_by("pk")
    assert reported == [f"{item.kind}/{item.graph_id}" for item in items]
    assert run.counts.succeeded == POLICIES


def test_the_running_runs_of_a_tenant_divide_the_requests_under_way(
    large: BackupSchedule, back_up: BackUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    OperationRunFactory(tenant=large.tenant, running=True)
    OperationRunFactory(running=True)
    allowed: list[int] = []
    most_under_way = ManyReads._most_under_way

    def note(many: ManyReads) -> int:
        allowed.append(most_under_way(many))
        return allowed[-1]

    monkeypatch.setattr(ManyReads, "_most_under_way", note)

    assert back_up(large).backup_set.is_complete
    assert set(allowed) == {2}


@pytest.mark.parametrize("fault", ["loop_next_link", "truncated_page"])
@pytest.mark.usefixtures("short_retry_waits")
def test_a_list_that_cannot_be_read_to_its_end_is_not_complete(
    tenant: Tenant,
    add_to_graph: Callable[..., ProviderConnection],
    back_up: BackUp,
    graph: SandboxControl,
    fault: str,
) -> None:
    add_to_graph(tenant, sizes={"linux_compliance": 30})
    schedule = BackupScheduleFactory(tenant=tenant, kinds=["linux_compliance"])
    graph.fault(tenant.external_id, fault)

    run = back_up(schedule)

    assert run.outcome != "succeeded"
    assert not run.backup_set.is_complete
    assert set(run.backup_set.unlisted) == {"linux_compliance"}


@pytest.mark.parametrize("fault", ["batch_missing", "batch_repeated", "batch_foreign"])
def test_a_damaged_batch_leaves_nothing_out(
    large: BackupSchedule, back_up: BackUp, graph: SandboxControl, fault: str
) -> None:
    graph.fault(large.tenant.external_id, fault, kind="batch")

    run = back_up(large)

    assert run.backup_set.is_complete
    assert run.counts.succeeded == POLICIES


def test_a_kind_that_this_version_does_not_know_is_reported(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    BackupSchedule.objects.filter(pk=schedule.pk).update(kinds=[*schedule.kinds, "later_kind"])

    run = back_up(schedule)

    assert run.outcome == "partially_succeeded"
    assert {failure["code"] for failure in run.failure_summary} == {"kind_unknown"}
    assert run.backup_set.unlisted == {"later_kind": "kind_unknown"}
    assert not run.backup_set.is_complete
    assert run.counts.succeeded == 7


def test_a_kind_that_the_earlier_set_did_not_contain_counts_as_no_change(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    kinds = schedule.kinds
    BackupSchedule.objects.filter(pk=schedule.pk).update(kinds=kinds[:1])
    first = back_up(schedule)
    BackupSchedule.objects.filter(pk=schedule.pk).update(kinds=kinds)

    second = back_up(schedule)

    assert first.backup_set.is_complete
    assert second.backup_set.is_complete
    assert not second.backup_set.changes.exists()
