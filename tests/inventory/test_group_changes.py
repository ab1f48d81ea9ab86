"""The sync of groups reads what changed since the last one; otherwise it lists all groups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from dev.graph_sandbox.control import SandboxControl
from inventory import group_changes, services
from inventory.models import DirectoryGroup
from operations.models import OperationRun
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from providers.models import ProviderConnection
from tenancy.models import Tenant, User

Sync = Callable[[], OperationRun]
GROUPS = 230


@pytest.fixture
def connected(tenant: Tenant, add_to_graph: Callable[..., ProviderConnection]) -> Tenant:
    add_to_graph(tenant, sizes={"groups": GROUPS})
    return tenant


@pytest.fixture
def sync(connected: Tenant, operator: User, graph: SandboxControl) -> Sync:
    """Sync the groups in this process; the log then contains the requests of this sync only."""

    def run() -> OperationRun:
        graph.clear_log()
        request = services.start_sync(
            OperationRunType.DIRECTORY_GROUPS_SYNC, connected, by=operator
        )
        return run_now(request.run)

    return run


def numbers(run: OperationRun) -> tuple[int, int, int, int]:
    counts = run.counts
    return counts.created, counts.updated, counts.deleted, counts.unchanged


def lists_all(graph: SandboxControl) -> bool:
    return any(each["path"] == "/v1.0/groups" for each in graph.log())


def change(graph: SandboxControl, tenant: Tenant, place: int, **values: Any) -> str:
    entry = graph.objects(tenant.external_id, "groups")[place]
    return graph.put_object(tenant.external_id, "groups", {**entry, **values})


def test_an_unchanged_directory_takes_one_request(sync: Sync, graph: SandboxControl) -> None:
    first = sync()
    assert lists_all(graph)

    second = sync()

    assert numbers(first) == (GROUPS, 0, 0, 0)
    assert numbers(second) == (0, 0, 0, GROUPS)
    assert second.counts.total == second.counts.processed == GROUPS
    assert graph.counts()["GET", "groups"] == 1


def test_changed_new_and_removed_groups_are_mirrored(
    connected: Tenant, sync: Sync, graph: SandboxControl
) -> None:
    sync()
    changed = change(graph, connected, 1, displayName="Renamed", description="New text")
    removed = graph.objects(connected.external_id, "groups")[2]["id"]
    graph.delete_object(connected.external_id, "groups", removed)
    new = {"displayName": "New team", "groupTypes": [], "securityEnabled": True}
    graph.put_object(connected.external_id, "groups", {**new, "id": "new"})

    run = sync()

    assert run.outcome == RunOutcome.SUCCEEDED
    assert not lists_all(graph)
    assert numbers(run) == (1, 1, 1, GROUPS - 2)
    assert run.counts.total == run.counts.processed == GROUPS + 1
    stored = DirectoryGroup.objects.get(graph_id=changed)
    assert (stored.name, stored.description) == ("Renamed", "New text")
    assert DirectoryGroup.objects.missing().get().graph_id == removed
    assert DirectoryGroup.objects.present().get(graph_id="new").name == "New team"
    assert numbers(sync()) == (0, 0, 0, GROUPS)


def test_an_expired_link_lets_all_groups_be_listed(
    connected: Tenant, sync: Sync, graph: SandboxControl
) -> None:
    sync()
    graph.fault(connected.external_id, "delta_expired", times=1)
    removed = graph.objects(connected.external_id, "groups")[2]["id"]
    graph.delete_object(connected.external_id, "groups", removed)

    # The link from now on needs the second request for changes.
    run = sync()

    assert run.outcome == RunOutcome.SUCCEEDED
    assert lists_all(graph)
    assert numbers(run) == (0, 0, 1, GROUPS - 1)
    sync()
    assert not lists_all(graph)


@pytest.mark.parametrize("age", [dt.timedelta(days=6, hours=13), dt.timedelta(hours=-1)])
def test_all_groups_are_listed_every_week_and_after_a_wrong_clock(
    sync: Sync, graph: SandboxControl, age: dt.timedelta
) -> None:
    sync()
    connection = ProviderConnection.objects.get()
    state = connection.delta_links["groups"]
    state["listed_at"] = (dt.datetime.fromisoformat(state["listed_at"]) - age).isoformat()
    connection.save()

    sync()

    assert lists_all(graph)


@pytest.mark.parametrize(
    "fault", ["foreign_next_link", "loop_next_link", "truncated_page", "server_error", "forbid"]
)
@pytest.mark.usefixtures("short_retry_waits")
def test_changes_that_cannot_be_read_mark_no_group_as_missing(
    connected: Tenant, sync: Sync, graph: SandboxControl, fault: str
) -> None:
    sync()
    graph.fault(connected.external_id, fault, kind="groups")

    run = sync()

    assert run.outcome != RunOutcome.SUCCEEDED
    assert not DirectoryGroup.objects.missing().exists()
    graph.clear()
    assert numbers(sync()) == (0, 0, 0, GROUPS)


def test_many_changes_are_listed(
    connected: Tenant, sync: Sync, graph: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync()
    monkeypatch.setattr(group_changes, "MAX_CHANGED", 1)
    for place in range(2):
        change(graph, connected, place, displayName=f"Renamed {place}")

    run = sync()

    assert lists_all(graph)
    assert numbers(run) == (0, 2, 0, GROUPS - 2)


def test_an_incomplete_list_stores_no_link(
    connected: Tenant, sync: Sync, graph: SandboxControl
) -> None:
    graph.fault(connected.external_id, "forbid", kind="groups", every=2)

    run = sync()

    assert run.outcome != RunOutcome.SUCCEEDED
    assert ProviderConnection.objects.get().delta_links == {}
