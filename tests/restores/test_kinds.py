"""The contract that every kind of object keeps, from its backup to its restore."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backups.models import BackupItem, BackupSchedule
from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.resources import ALL_PERMISSIONS
from operations.models import OperationRun
from providers.graph.kinds import KIND, KINDS
from providers.graph.policy_kind import PolicyKind, Restore
from providers.graph.tokens import forget_all_tokens
from providers.models import Access, ProviderConnection
from restores import bodies
from restores.models import Action, ItemState
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.restores import RestoreScenario, only_item
from tests.support.sandbox import SECRET

pytestmark = pytest.mark.django_db

every_kind = pytest.mark.parametrize("key", KINDS)
RESTORED = [key for key, kind in KINDS.items() if kind.restore is Restore.FULL]
every_restored_kind = pytest.mark.parametrize("key", RESTORED)
ALL = {"assignments": "backup", "access_state": "as_backed_up"}
NO_OBJECT = "5a5a5a5a-0000-4000-8000-00000000dead"


@pytest.fixture
def open_scenario(
    tenant: Tenant,
    graph: SandboxControl,
    add_to_graph: Callable[..., ProviderConnection],
    back_up: Callable[[BackupSchedule], OperationRun],
    manager: User,
) -> Callable[[str], RestoreScenario]:
    """Return a function that backs up a tenant with a few objects of one kind."""

    def open_(key: str) -> RestoreScenario:
        sizes = dict.fromkeys(KIND, 0) | {"groups": 3, "assignment_filters": 1, "scope_tags": 2}
        sizes |= {key: max(2, len(KIND[key].samples)) if not KIND[key].is_singleton else 1}
        connection = add_to_graph(tenant, sizes=sizes)
        connection.access = Access.READ_WRITE
        connection.save()
        schedule = BackupScheduleFactory(tenant=tenant, kinds=[key])
        run = back_up(schedule)
        assert run.outcome == "succeeded", run.failures
        return RestoreScenario(tenant, graph, run.backup_set, schedule, manager, back_up)

    return open_


def writable_item(scenario: RestoreScenario) -> BackupItem:
    """The first backed-up object that can be restored."""
    for item in scenario.items():
        kind = KIND[item.kind]
        assert item.version
        is_refused = kind.refuses and kind.refuses(item.version.payload)
        is_lacking = kind.lacking and kind.lacking(item.version.payload)
        if not (
            is_refused or is_lacking or bodies.is_microsoft_managed(kind, item.version.payload)
        ):
            return item
    raise AssertionError("no object can be restored")


def changed(kind: PolicyKind, entry: dict[str, Any]) -> dict[str, Any]:
    """The object as an administrator would have changed it."""
    if "description" in entry and kind.key != "groups":
        return {**entry, "description": "changed"}
    return {**entry, kind.name_field: f"{entry[kind.name_field]} changed"}


@every_kind
def test_a_backup_is_complete_and_the_second_one_is_unchanged(
    open_scenario: Callable[[str], RestoreScenario], key: str
) -> None:
    scenario = open_scenario(key)

    second = scenario.back_up(scenario.schedule)

    items = scenario.items()
    assert items
    assert all(item.complete for item in items)
    assert second.counts.unchanged == len(items)


@every_kind
def test_a_change_is_found(open_scenario: Callable[[str], RestoreScenario], key: str) -> None:
    scenario = open_scenario(key)
    item = scenario.items()[0]
    entry = scenario.objects(key)[item.graph_id]
    scenario.graph.put_object(scenario.tenant.external_id, key, changed(KIND[key], entry))

    row = only_item(scenario.preview([item], **ALL))

    assert row.changes
    if KIND[key].restore is not Restore.FULL:
        assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_kind_refused")


@every_restored_kind
def test_a_changed_object_is_restored(
    open_scenario: Callable[[str], RestoreScenario], key: str
) -> None:
    scenario = open_scenario(key)
    item = writable_item(scenario)
    before = scenario.objects(key)[item.graph_id]
    scenario.graph.put_object(scenario.tenant.external_id, key, changed(KIND[key], before))

    restore, run = scenario.restore([item], **ALL)

    row = only_item(restore)
    assert (row.action, row.state) == (Action.CONFLICT, ItemState.VERIFIED), run.failures
    assert has_content(scenario, item, row.result_id)


@every_restored_kind
def test_a_deleted_object_is_restored_with_its_assignments(
    open_scenario: Callable[[str], RestoreScenario], key: str
) -> None:
    if KIND[key].is_singleton:
        pytest.skip("it cannot be deleted")
    scenario = open_scenario(key)
    item = writable_item(scenario)
    scenario.delete(item)

    restore, run = scenario.restore([item], **ALL)

    row = only_item(restore)
    assert (row.action, row.state) == (Action.CREATE, ItemState.VERIFIED), run.failures
    assert has_content(scenario, item, row.result_id)


def has_content(scenario: RestoreScenario, item: BackupItem, result_id: str) -> bool:
    """Whether an object in the tenant, backed up again, has the content of the item."""
    kind = KIND[item.kind]
    run = scenario.back_up(scenario.schedule)
    again = run.backup_set.items.get(kind=item.kind, graph_id=result_id)
    options = bodies.Options(**ALL)
    versions = [each.version for each in (again, item)]
    states = [
        bodies.comparable_state(kind, version.payload, options) for version in versions if version
    ]
    assert states[0] == states[1]
    return True


@every_restored_kind
def test_assignments_are_restored(
    open_scenario: Callable[[str], RestoreScenario], key: str
) -> None:
    if KIND[key].assign is None:
        pytest.skip("it has no assignments")
    scenario = open_scenario(key)
    item = writable_item(scenario)
    entry = scenario.objects(key)[item.graph_id]
    group = next(iter(scenario.objects("groups")))
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group}
    entry["assignments"] = [{"id": f"{item.graph_id}_{group}", "target": target}]
    scenario.graph.put_object(scenario.tenant.external_id, key, entry)
    item = scenario.back_up_again(item)
    everyone = {"@odata.type": "#microsoft.graph.allLicensedUsersAssignmentTarget"}
    other = copy.deepcopy(entry) | {"assignments": [{"id": "other", "target": everyone}]}
    scenario.graph.put_object(scenario.tenant.external_id, key, other)

    restore, run = scenario.restore([item], **ALL)

    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    assignments = scenario.objects(key)[item.graph_id]["assignments"]
    assert [each["target"].get("groupId") for each in assignments] == [group]


@every_kind
def test_a_missing_permission_is_named(
    open_scenario: Callable[[str], RestoreScenario],
    graph: SandboxControl,
    permissions: Callable[[RestoreScenario, list[str]], None],
    key: str,
) -> None:
    scenario = open_scenario(key)
    kind = KIND[key]
    without = {kind.read_permission, kind.write_permission, *kind.service.reads_with}
    permissions(scenario, [each for each in ALL_PERMISSIONS if each not in without])

    run = scenario.back_up(scenario.schedule)

    (failure,) = run.failures
    assert failure["code"] == "permission_missing"
    assert kind.read_permission in failure["message"] + failure["next_step"]


@every_restored_kind
def test_a_missing_write_permission_blocks_the_preview(
    open_scenario: Callable[[str], RestoreScenario],
    permissions: Callable[[RestoreScenario, list[str]], None],
    key: str,
) -> None:
    scenario = open_scenario(key)
    kind = KIND[key]
    item = writable_item(scenario)
    entry = scenario.objects(key)[item.graph_id]
    scenario.graph.put_object(scenario.tenant.external_id, key, changed(kind, entry))
    granted = [each for each in ALL_PERMISSIONS if each != kind.write_permission]
    permissions(scenario, granted)

    row = only_item(scenario.preview([item], **ALL))

    assert (row.action, row.reason_code) == (Action.BLOCKED, "write_permission_missing")
    assert kind.write_permission in row.message + row.next_step


@pytest.fixture
def permissions(graph: SandboxControl) -> Iterator[Callable[[RestoreScenario, list[str]], None]]:
    """Return a function that grants the connection of a scenario these permissions only."""

    def grant(scenario: RestoreScenario, names: list[str]) -> None:
        connection = ProviderConnection.objects.get(tenant=scenario.tenant)
        graph.add_tenant(
            scenario.tenant.external_id, connection.client_id, SECRET, permissions=names
        )
        forget_all_tokens()

    yield grant
    forget_all_tokens()


@every_kind
def test_a_missing_license_leaves_the_kind_out(
    open_scenario: Callable[[str], RestoreScenario], graph: SandboxControl, key: str
) -> None:
    scenario = open_scenario(key)
    schedule = BackupScheduleFactory(
        tenant=scenario.tenant, kinds=[key, "scope_tags" if key != "scope_tags" else "groups"]
    )
    graph.fault(scenario.tenant.external_id, "license", kind=key)

    run = scenario.back_up(schedule)

    assert run.outcome == "succeeded", run.failures
    assert key not in run.backup_set.kinds
    assert run.backup_set.unlisted[key] == "license_missing"


@every_restored_kind
def test_an_unknown_property_is_kept(
    open_scenario: Callable[[str], RestoreScenario], key: str
) -> None:
    scenario = open_scenario(key)
    item = writable_item(scenario)
    entry = scenario.objects(key)[item.graph_id] | {"newInGraph": {"enabled": True}}
    scenario.graph.put_object(scenario.tenant.external_id, key, entry)
    item = scenario.back_up_again(item)
    scenario.graph.put_object(scenario.tenant.external_id, key, changed(KIND[key], entry))

    restore, run = scenario.restore([item], **ALL)

    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    assert scenario.objects(key)[item.graph_id]["newInGraph"] == {"enabled": True}


REFERRING = [
    (key, reference)
    for key in RESTORED
    for reference in KIND[key].references
    if not reference.within and reference.kind in KIND
]


@pytest.mark.parametrize(
    ("key", "reference"), REFERRING, ids=[f"{key} {each.path}" for key, each in REFERRING]
)
def test_a_missing_reference_blocks(
    open_scenario: Callable[[str], RestoreScenario], key: str, reference: Any
) -> None:
    scenario = open_scenario(key)
    item = writable_item(scenario)
    entry = with_reference(scenario.objects(key)[item.graph_id], reference.path)
    if KIND[key].links(entry) == () and key == "device_configuration":
        pytest.skip("the type of the sample has no links; see test_links")
    scenario.graph.put_object(scenario.tenant.external_id, key, entry)
    item = scenario.back_up_again(item)
    scenario.delete(item)

    row = only_item(scenario.preview([item], **ALL))

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_reference_missing")
    assert NO_OBJECT in row.message


def with_reference(entry: dict[str, Any], path: str) -> dict[str, Any]:
    """The object with a reference to an object that does not exist."""
    changed_entry = copy.deepcopy(entry)
    container: Any = changed_entry
    *steps, last = path.split(".")
    for step in steps:
        name = step.removesuffix("[]")
        if step.endswith("[]"):
            container = container[name][0]
        else:
            container[name] = container.get(name) or {}
            container = container[name]
    name = last.removesuffix("[]")
    container[name] = [NO_OBJECT] if last.endswith("[]") else NO_OBJECT
    return changed_entry
