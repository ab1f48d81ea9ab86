"""What a sync writes to the inventory, and what it never concludes from incomplete lists."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models import Count

from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.seed.tenant import DEFAULT_SIZES
from inventory import mirror, services
from inventory.kinds import POLICY_KINDS
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from operations.models import EventLevel, OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from providers.graph.policy_kind import PolicyKind
from providers.models import ProviderConnection
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tests.support import samples
from tests.support.factories import TenantFactory

pytestmark = pytest.mark.django_db

POLICIES = OperationRunType.INVENTORY_SYNC
GROUPS = OperationRunType.DIRECTORY_GROUPS_SYNC
ROLES = OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC
SIZES = DEFAULT_SIZES | {
    "settings_catalog": 3,
    "device_configuration": 2,
    "compliance": 2,
    "linux_compliance": 1,
    "conditional_access": 2,
    "named_location": 1,
    "app_protection": 2,
    "assignment_filters": 2,
    "scope_tags": 2,
    "groups": 12,
    "role_definitions": 5,
}
EVERYTHING = sum(count for kind, count in SIZES.items() if kind in POLICY_KINDS)
#: Every tenant has one object of these kinds.
SINGLE = {key: 1 for key, kind in POLICY_KINDS.items() if kind.is_singleton}
AddToGraph = Callable[..., ProviderConnection]
Syncs = Callable[..., OperationRun]


@pytest.fixture
def connected(tenant: Tenant, add_to_graph: AddToGraph) -> Tenant:
    """A tenant that is in the Graph sandbox."""
    add_to_graph(tenant, sizes=SIZES)
    return tenant


@pytest.fixture
def sync(operator: User) -> Syncs:
    """Sync a tenant in this process; returns the completed run."""

    def run(tenant: Tenant, run_type: OperationRunType = POLICIES) -> OperationRun:
        return run_now(services.start_sync(run_type, tenant, by=operator).run)

    return run


def numbers(run: OperationRun) -> tuple[int, int, int, int]:
    counts = run.counts
    return counts.created, counts.updated, counts.deleted, counts.unchanged


# --- policies -------------------------------------------------------------------------------------


def test_a_first_sync_stores_the_policies_of_every_kind(connected: Tenant, sync: Syncs) -> None:
    run = sync(connected)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert numbers(run) == (EVERYTHING, 0, 0, 0)
    assert (run.counts.total, run.counts.processed) == (EVERYTHING, EVERYTHING)
    policies = Policy.objects.present().filter(tenant=connected)
    assert set(policies.values_list("kind", flat=True)) == set(POLICY_KINDS)
    assert all(policy.name and policy.workspace == connected.workspace for policy in policies)


def test_a_second_sync_writes_nothing(connected: Tenant, sync: Syncs) -> None:
    sync(connected)
    before = list(Policy.objects.order_by("pk").values())

    run = sync(connected)

    assert numbers(run) == (0, 0, 0, EVERYTHING)
    assert list(Policy.objects.order_by("pk").values()) == before
    assert run.items.count() == 0


def test_each_new_changed_or_deleted_object_is_an_item_of_the_run(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    sync(connected)
    first, second = graph.objects(connected.external_id, "conditional_access")
    graph.put_object(
        connected.external_id, "conditional_access", {**first, "displayName": "Renamed"}
    )
    graph.delete_object(connected.external_id, "conditional_access", second["id"])
    new = {**first, "id": str(uuid.uuid4()), "displayName": "Brand new"}
    graph.put_object(connected.external_id, "conditional_access", new)

    run = sync(connected)

    assert numbers(run) == (1, 1, 1, EVERYTHING - 2)
    assert sorted(run.items.values_list("label", flat=True)) == sorted(
        ["Changed: Renamed", "New: Brand new", f"Deleted: {second['displayName']}"]
    )
    deleted = Policy.objects.get(graph_id=second["id"])
    assert deleted.is_missing
    assert run.items.get(label__startswith="Deleted").link == deleted.get_absolute_url()


def test_a_missing_object_is_present_again_when_it_is_listed_again(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    policy = graph.objects(connected.external_id, "compliance")[0]
    sync(connected)
    graph.delete_object(connected.external_id, "compliance", policy["id"])
    sync(connected)
    graph.put_object(connected.external_id, "compliance", policy)

    run = sync(connected)

    stored = Policy.objects.get(graph_id=policy["id"])
    assert not stored.is_missing
    assert numbers(run) == (0, 1, 0, EVERYTHING - 1)


@pytest.mark.parametrize(
    "fault",
    [
        ("forbid", {"permission": "Policy.Read.All"}),
        ("truncated_page", {}),
        ("foreign_next_link", {}),
        ("loop_next_link", {}),
    ],
    ids=lambda fault: fault[0],
)
@pytest.mark.usefixtures("short_retry_waits")
def test_an_incomplete_list_marks_no_object_as_missing_and_the_other_kinds_continue(
    connected: Tenant, sync: Syncs, graph: SandboxControl, fault: tuple[str, dict[str, Any]]
) -> None:
    sync(connected)
    one = graph.objects(connected.external_id, "conditional_access")[0]
    other = graph.objects(connected.external_id, "compliance")[0]
    for kind, entry in (("conditional_access", one), ("compliance", other)):
        graph.delete_object(connected.external_id, kind, entry["id"])
    graph.fault(connected.external_id, fault[0], kind="conditional_access", **fault[1])

    run = sync(connected)

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert not Policy.objects.get(graph_id=one["id"]).is_missing
    assert Policy.objects.get(graph_id=other["id"]).is_missing
    assert run.items.get(outcome="failed").key == "kind:conditional_access"
    assert run.failures[0]["next_step"]


def test_a_kind_without_a_license_is_skipped_and_marks_no_object_as_missing(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    sync(connected)
    graph.fault(connected.external_id, "license", kind="conditional_access")

    run = sync(connected)

    skipped_kind = run.items.get(key="kind:conditional_access")
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (skipped_kind.outcome, skipped_kind.reason_code) == ("skipped", "license_missing")
    assert not run.needs_attention
    assert not Policy.objects.missing().exists()


def test_an_empty_list_is_accepted_with_a_warning(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    sync(connected)
    for entry in graph.objects(connected.external_id, "compliance"):
        graph.delete_object(connected.external_id, "compliance", entry["id"])

    run = sync(connected)

    assert Policy.objects.missing().count() == SIZES["compliance"]
    warning = run.events.get(level=EventLevel.WARNING)
    assert "the list is empty" in warning.message


@pytest.mark.parametrize("fault", ["expire_credential", "remove_consent"])
def test_a_tenant_that_rejects_the_connection_blocks_the_run_and_marks_no_object_as_missing(
    connected: Tenant, sync: Syncs, graph: SandboxControl, fault: str
) -> None:
    sync(connected)
    graph.fault(connected.external_id, fault)

    run = sync(connected)

    assert run.outcome == RunOutcome.BLOCKED
    assert not Policy.objects.missing().exists()


def test_a_throttled_sync_waits_and_succeeds(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    graph.fault(connected.external_id, "throttle", times=2, retry_after=0)

    assert sync(connected).outcome == RunOutcome.SUCCEEDED


def test_a_cancelled_sync_marks_no_object_as_missing(
    connected: Tenant, sync: Syncs, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(connected)
    run = services.start_sync(POLICIES, connected, by=operator).run
    write = mirror.upsert

    def cancel_then_write(*args: Any) -> Any:
        OperationRunService().request_cancel(run, by=operator)
        return write(*args)

    monkeypatch.setattr("inventory.syncing.upsert", cancel_then_write)
    monkeypatch.setattr("operations.worker.active_run.FLUSH_SECONDS", 0)

    ended = run_now(run)

    assert ended.outcome == RunOutcome.CANCELLED
    assert 0 < ended.counts.processed < EVERYTHING
    assert not Policy.objects.missing().exists()


def test_a_sync_does_not_change_the_policies_of_another_tenant(
    connected: Tenant, workspace: Workspace, add_to_graph: AddToGraph, sync: Syncs
) -> None:
    other = TenantFactory(workspace=workspace)
    add_to_graph(other, sizes=dict.fromkeys(SIZES, 0))
    sync(connected)

    run = sync(other)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert run.counts.total == len(SINGLE)
    assert Policy.objects.present().count() == EVERYTHING + len(SINGLE)


def test_hostile_names_are_stored_as_harmless_text(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    wild = {
        **graph.objects(connected.external_id, "conditional_access")[0],
        "id": "wild",
        "displayName": "A\x00B " + "x" * 5000,
        "description": {"not": "a text"},
        "state": ["neither"],
    }
    graph.put_object(connected.external_id, "conditional_access", wild)

    run = sync(connected)

    stored = Policy.objects.get(graph_id="wild")
    assert run.outcome == RunOutcome.SUCCEEDED
    assert stored.name.startswith("A")
    assert "\x00" not in stored.name
    assert len(stored.name) <= 300
    assert (stored.description, stored.state) == ("", "")


def test_an_object_without_a_usable_id_makes_the_list_incomplete(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    sync(connected)
    entry = graph.objects(connected.external_id, "named_location")[0]
    graph.put_object(connected.external_id, "named_location", {**entry, "id": "x" * 201})

    run = sync(connected)

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert not Policy.objects.filter(kind="named_location").missing().exists()


# --- groups and roles -----------------------------------------------------------------------------


def test_thousands_of_groups_are_read_page_by_page(
    tenant: Tenant, add_to_graph: AddToGraph, sync: Syncs, graph: SandboxControl
) -> None:
    add_to_graph(tenant, sizes={"groups": 3200})
    graph.clear_log()

    run = sync(tenant, GROUPS)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert DirectoryGroup.objects.present().count() == 3200
    assert run.counts.created == 3200
    assert graph.counts(tenant.external_id)["GET", "groups"] == 5


def test_the_properties_of_a_group_are_stored(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    graph.put_object(
        connected.external_id,
        "groups",
        {
            "id": "team",
            "displayName": "Sales team",
            "groupTypes": ["Unified", "DynamicMembership"],
            "mailEnabled": True,
            "securityEnabled": False,
            "membershipRule": 'user.department -eq "Sales"',
            "onPremisesSyncEnabled": None,
            "isAssignableToRole": True,
        },
    )

    sync(connected, GROUPS)

    team = DirectoryGroup.objects.get(graph_id="team")
    assert (team.group_type, team.is_dynamic) == ("microsoft_365", True)
    assert team.membership_rule == 'user.department -eq "Sales"'
    assert (team.is_synced, team.is_assignable_to_role) == (False, True)


def test_built_in_and_custom_roles_are_distinguished(connected: Tenant, sync: Syncs) -> None:
    run = sync(connected, ROLES)

    assert run.outcome == RunOutcome.SUCCEEDED
    roles = RoleDefinition.objects.filter(tenant=connected)
    assert roles.count() == SIZES["role_definitions"]
    assert roles.filter(is_built_in=True).exists()
    assert all(role.actions for role in roles)


@pytest.mark.usefixtures("short_retry_waits")
def test_a_broken_page_of_groups_marks_no_group_as_missing(
    connected: Tenant, sync: Syncs, graph: SandboxControl
) -> None:
    sync(connected, GROUPS)
    victim = graph.objects(connected.external_id, "groups")[0]
    graph.delete_object(connected.external_id, "groups", victim["id"])
    graph.fault(connected.external_id, "truncated_page", kind="groups")

    run = sync(connected, GROUPS)

    assert run.outcome == RunOutcome.FAILED
    assert not DirectoryGroup.objects.missing().exists()


def test_a_list_that_contains_a_group_twice_marks_no_group_as_missing(
    connected: Tenant, sync: Syncs, graph: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(connected, GROUPS)
    ProviderConnection.objects.update(delta_links={})
    victim = graph.objects(connected.external_id, "groups")[0]
    graph.delete_object(connected.external_id, "groups", victim["id"])
    list_objects = PolicyKind.list_objects

    def twice(self: PolicyKind, client: Any, *left_out: Any) -> Iterator[Any]:
        entries = list(list_objects(self, client, *left_out))
        return iter([*entries, entries[0]])

    monkeypatch.setattr(PolicyKind, "list_objects", twice)

    run = sync(connected, GROUPS)

    assert {failure["code"] for failure in run.failure_summary} == {"listing_repeats"}
    assert not DirectoryGroup.objects.missing().exists()


# --- starting -------------------------------------------------------------------------------------


def test_starting_twice_returns_the_same_run(connected: Tenant, operator: User) -> None:
    first = services.start_sync(POLICIES, connected, by=operator)
    second = services.start_sync(POLICIES, connected, by=operator)

    assert second.run == first.run
    assert not second.created


def test_the_three_syncs_of_a_tenant_do_not_exclude_each_other(
    connected: Tenant, operator: User
) -> None:
    runs = {
        services.start_sync(run_type, connected, by=operator).run
        for run_type in (POLICIES, GROUPS, ROLES)
    }

    assert len(runs) == 3


def test_a_tenant_suspended_after_the_request_blocks_the_run(
    connected: Tenant, operator: User
) -> None:
    run = services.start_sync(POLICIES, connected, by=operator).run
    Tenant.objects.filter(pk=connected.pk).update(status=TenantStatus.SUSPENDED)

    ended = run_now(run)

    assert ended.outcome == RunOutcome.BLOCKED
    assert ended.failures[0]["code"] == "tenant_suspended"


# --- real shapes ----------------------------------------------------------------------------------


@samples.NEEDED
def test_all_real_policies_are_stored(
    tenant: Tenant, add_to_graph: AddToGraph, sync: Syncs, graph: SandboxControl
) -> None:
    add_to_graph(tenant, sizes=dict.fromkeys(SIZES, 0))
    sample_counts = samples.put_all(graph, tenant.external_id)

    policies, groups = sync(tenant), sync(tenant, GROUPS)

    assert not policies.failures + groups.failures
    counts = Policy.objects.present().order_by().values_list("kind").annotate(Count("pk"))
    assert dict(counts) == SINGLE | {
        kind: count for kind, count in sample_counts.items() if kind != "groups"
    }
    assert DirectoryGroup.objects.present().count() == sample_counts["groups"]


# --- every tenant of a workspace ------------------------------------------------------------------


@pytest.fixture
def sync_all(workspace: Workspace, operator: User) -> Callable[[], OperationRun]:
    def run() -> OperationRun:
        return run_now(services.start_workspace_sync(workspace, by=operator).run)

    return run


def test_a_single_worker_process_syncs_all_tenants(
    connected: Tenant, workspace: Workspace, add_to_graph: AddToGraph, sync_all: Any
) -> None:
    other = TenantFactory(workspace=workspace, name="Northwind")
    add_to_graph(other, sizes=SIZES)
    TenantFactory(workspace=workspace, name="Suspended", status=TenantStatus.SUSPENDED)

    run = sync_all()

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert run.counts.succeeded == run.counts.total == 2 * EVERYTHING
    children = run.child_runs()
    assert {child.tenant for child in children} == {connected, other}
    assert sorted(run.items.values_list("label", flat=True)) == ["Fabrikam", "Northwind"]
    assert {item.link for item in run.items.all()} == {
        child.get_absolute_url() for child in children
    }


def test_a_tenant_that_cannot_be_synced_makes_the_parent_run_partial(
    connected: Tenant, workspace: Workspace, sync_all: Any
) -> None:
    TenantFactory(workspace=workspace, name="Without a connection")

    run = sync_all()

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert run.counts.failed == 1
    failed = run.items.get(outcome="failed")
    assert failed.label == "Without a connection"
    assert "No connection" in failed.message


def test_only_partial_successes_are_a_partial_success(
    connected: Tenant, graph: SandboxControl, sync_all: Any
) -> None:
    graph.fault(connected.external_id, "forbid", kind="compliance", permission="X.Read.All")

    assert sync_all().outcome == RunOutcome.PARTIALLY_SUCCEEDED


def test_only_failures_are_a_failure(workspace: Workspace, tenant: Tenant, sync_all: Any) -> None:
    assert sync_all().outcome == RunOutcome.FAILED


def test_a_sync_of_a_workspace_without_tenants_is_not_started(
    workspace: Workspace, operator: User
) -> None:
    with pytest.raises(Exception, match="no active tenant"):
        services.start_workspace_sync(workspace, by=operator)


def test_a_sync_that_is_already_active_is_used_but_is_no_child_run(
    connected: Tenant, workspace: Workspace, operator: User, manager: User
) -> None:
    active = services.start_sync(POLICIES, connected, by=operator).run
    parent = services.start_workspace_sync(workspace, by=operator).run

    ended = run_now(parent)

    active.refresh_from_db()
    assert active.outcome == RunOutcome.SUCCEEDED
    assert ended.outcome == RunOutcome.SUCCEEDED
    assert not ended.child_runs().exists()
    assert ended.items.get().link == active.get_absolute_url()


def test_cancelling_the_parent_run_cancels_its_child_runs(
    connected: Tenant, workspace: Workspace, operator: User
) -> None:
    parent = services.start_workspace_sync(workspace, by=operator).run
    OperationRunService().claim(parent.pk, "worker-1")
    request = services.sync_request(POLICIES, connected, by=operator, parent_run_id=parent.pk)
    child = OperationRunService().ensure_run(request).run

    OperationRunService().request_cancel(parent, by=operator)

    child.refresh_from_db()
    assert child.outcome == RunOutcome.CANCELLED
    assert child.context["parent_run_id"] == parent.pk


def test_the_parent_run_waits_for_a_sync_on_another_worker(
    connected: Tenant, workspace: Workspace, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_run = services.start_sync(POLICIES, connected, by=operator).run
    OperationRunService().claim(other_run.pk, "worker-2")
    waits: list[float] = []

    def complete_on_second_wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            OperationRunService().increment_summary_counts(
                other_run.pk, total=1, processed=1, failed=1
            )
            OperationRunService().complete(other_run.pk)

    monkeypatch.setattr("inventory.fan_out.time.sleep", complete_on_second_wait)

    parent = run_now(services.start_workspace_sync(workspace, by=operator).run)

    assert len(waits) == 2
    assert parent.outcome == RunOutcome.FAILED
    assert (parent.counts.total, parent.counts.failed) == (1, 1)
