"""The contract that every kind of object keeps, from its backup to its restore.

One tenant has objects of every kind. They live through everything once, all kinds in the same runs;
each test then looks at the objects of one kind.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from django.test import Client, override_settings

from backups import services
from backups.models import BackupItem, BackupSchedule
from dev.graph_sandbox.process import SandboxProcess
from dev.graph_sandbox.resources import ALL_PERMISSIONS
from operations.models import OperationRun, OperationRunItem
from operations.testing import run_now
from providers.graph import type_table
from providers.graph.kinds import KIND, KINDS
from providers.graph.policy_kind import PolicyKind, Restore, words
from providers.graph.references import Reference
from providers.graph.tokens import forget_all_tokens
from providers.models import Access
from restores import bodies, verifying
from restores.models import Action, ItemState, RestoreItem, RestoreRun
from tenancy.models import Tenant
from tenancy.roles import Role
from tests.support.database import SharedRows
from tests.support.factories import TenantFactory, WorkspaceFactory, create_member
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.restores import RestoreScenario
from tests.support.sandbox import SECRET, connect_to_graph
from tests.support.sessions import open_session

# All kinds live through everything in the setup: half a minute, and more on a busy machine.
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

RESTORED = [key for key, kind in KINDS.items() if kind.restore is Restore.FULL]
DELETED = [key for key in RESTORED if not KIND[key].is_singleton]
ASSIGNED = [key for key in RESTORED if KIND[key].assign]
REFERRING = [
    (key, reference)
    for key in RESTORED
    for reference in KIND[key].all_references
    if not reference.within
]
every_kind = pytest.mark.parametrize("key", KINDS)
every_restored_kind = pytest.mark.parametrize("key", RESTORED)
ALL = {"assignments": "backup", "access_state": "as_backed_up"}
NO_OBJECT = "5a5a5a5a-0000-4000-8000-00000000dead"
UNKNOWN_PROPERTY = {"newInGraph": {"enabled": True}}
EVERYONE = {"@odata.type": "#microsoft.graph.allLicensedUsersAssignmentTarget"}
Rows = dict[str, RestoreItem]
Entries = dict[str, dict[str, Any]]


@dataclass
class Life:
    """What the objects lived through, in this order. All but the items are by kind."""

    scenario: RestoreScenario
    #: The group that every assignable object is assigned to.
    group_id: str = ""
    #: The object of each kind that is changed and, if possible, deleted.
    chosen: dict[str, BackupItem] = field(default_factory=dict)
    items: list[BackupItem] = field(default_factory=list)
    unchanged: Iterable[str] = ()
    previewed: Rows = field(default_factory=dict)
    #: With the write permissions of no kind.
    refused: Rows = field(default_factory=dict)
    changed_back: Rows = field(default_factory=dict)
    #: The objects in the tenant after they were changed back.
    after_change: Entries = field(default_factory=dict)
    backed_up_after_change: dict[str, BackupItem] = field(default_factory=dict)
    created: Rows = field(default_factory=dict)
    after_creation: Entries = field(default_factory=dict)
    backed_up_after_creation: dict[str, BackupItem] = field(default_factory=dict)
    referring: dict[tuple[str, Reference], RestoreItem] = field(default_factory=dict)
    without_permission: dict[str, OperationRunItem] = field(default_factory=dict)
    without_license: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def life(shared_rows: SharedRows, graph_sandbox: SandboxProcess) -> Iterator[Life]:
    """A tenant with objects of every kind, after everything has happened to them."""
    sandbox = {
        "GRAPH_SANDBOX_URL": graph_sandbox.url,
        "GRAPH_CA_BUNDLE": str(graph_sandbox.ca),
        "GRAPH_QUOTAS": {},
    }
    delays = mock.patch.object(verifying, "READ_BACK_DELAYS", (0.0, 0.05, 0.2, 0.4))
    with shared_rows(), override_settings(**sandbox), delays:
        lived = Life(_open_scenario(graph_sandbox))
        _back_up(lived)
        _change(lived)
        _delete(lived)
        _miss_references(lived)
        _lose_permissions(lived)
        _lose_licenses(lived)
    yield lived
    graph_sandbox.control.remove_tenant(lived.scenario.tenant.external_id)
    forget_all_tokens()


def _open_scenario(graph_sandbox: SandboxProcess) -> RestoreScenario:
    workspace = WorkspaceFactory()
    tenant = TenantFactory(workspace=workspace)
    manager = create_member(workspace, Role.MANAGER)
    sizes = {key: max(2, len(kind.samples)) for key, kind in KIND.items()}
    connection = connect_to_graph(graph_sandbox.control, tenant, sizes=sizes | {"groups": 6})
    connection.access = Access.READ_WRITE
    connection.save()

    def back_up(schedule: BackupSchedule) -> OperationRun:
        scoped = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
        return run_now(services.run_now(scoped, manager).run)

    schedule = BackupScheduleFactory(tenant=tenant, kinds=list(KINDS))
    first = back_up(schedule)
    return RestoreScenario(
        tenant, graph_sandbox.control, first.backup_set, schedule, manager, back_up
    )


def _back_up(life: Life) -> None:
    """Choose an object of each kind, with an assignment and an unknown property; back up twice."""
    scenario = life.scenario
    chosen = {key: _choose(scenario, key) for key in KINDS}
    life.group_id = next(
        each
        for each, group in scenario.objects("groups").items()
        if each != chosen["groups"].graph_id
    )
    for key, item in chosen.items():
        properties: dict[str, Any] = dict(UNKNOWN_PROPERTY)
        if KIND[key].assign:
            target = {
                "@odata.type": "#microsoft.graph.groupAssignmentTarget",
                "groupId": life.group_id,
            }
            properties["assignments"] = [{"id": f"{item.graph_id}_1", "target": target}]
        scenario.change(item, **properties)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    life.items = scenario.items()
    life.chosen = {
        key: scenario.backup_set.items.get(kind=key, graph_id=item.graph_id)
        for key, item in chosen.items()
    }
    again = scenario.back_up(scenario.schedule).backup_set
    versions = dict(again.items.values_list("graph_id", "version_id"))
    life.unchanged = {
        item.graph_id for item in life.items if versions.get(item.graph_id) == item.version_id
    }


def _choose(scenario: RestoreScenario, key: str) -> BackupItem:
    """The first object of a kind that can be restored; any, of a kind that cannot."""
    kind = KIND[key]
    items = scenario.items(key)
    for item in items:
        payload = item.version.payload if item.version else {}
        is_refused = kind.refuses and kind.refuses(payload)
        is_lacking = kind.lacking and kind.lacking(payload)
        if not (is_refused or is_lacking or bodies.is_microsoft_managed(kind, payload)):
            return item
    return items[0]


def _change(life: Life) -> None:
    """Change the chosen objects and their assignments; restore them, at first without permission."""
    scenario = life.scenario
    entries = {}
    for key, item in life.chosen.items():
        entries[key] = changed(KIND[key], scenario.objects(key)[item.graph_id])
        if KIND[key].assign:
            entries[key]["assignments"] = [{"id": "other", "target": EVERYONE}]
        scenario.graph.put_object(scenario.tenant.external_id, key, entries[key])
    life.previewed = _by_kind(scenario.preview(list(life.chosen.values()), **ALL))
    writes = {kind.write_permission for kind in KIND.values()}
    with granted(scenario, [each for each in ALL_PERMISSIONS if each not in writes]):
        life.refused = _by_kind(scenario.preview([life.chosen[key] for key in RESTORED], **ALL))
    restore, _ = scenario.restore([life.chosen[key] for key in RESTORED], **ALL)
    life.changed_back = _by_kind(restore)
    life.after_change = _entries(scenario, life.changed_back)
    life.backed_up_after_change = _backed_up(scenario, life.changed_back)


def _delete(life: Life) -> None:
    """Delete the chosen objects and restore them."""
    scenario = life.scenario
    for key in DELETED:
        scenario.delete(life.chosen[key])
    restore, _ = scenario.restore([life.chosen[key] for key in DELETED], **ALL)
    life.created = _by_kind(restore)
    life.after_creation = _entries(scenario, life.created)
    life.backed_up_after_creation = _backed_up(scenario, life.created)


def _miss_references(life: Life) -> None:
    """Back up objects that refer to one that does not exist, then delete and preview them."""
    scenario = life.scenario
    first, ids = scenario.backup_set, {}
    for number, (key, reference) in enumerate(REFERRING):
        entry = with_reference(life.after_creation[key], reference)
        entry |= {"id": f"{life.chosen[key].graph_id}-{number}", KIND[key].name_field: f"R{number}"}
        ids[key, reference] = entry["id"]
        scenario.graph.put_object(scenario.tenant.external_id, key, entry)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    items = {item.graph_id: item for item in scenario.items()}
    for graph_id in ids.values():
        scenario.delete(items[graph_id])
    restore = scenario.preview([items[graph_id] for graph_id in ids.values()], **ALL)
    rows = {row.graph_id: row for row in restore.items.all()}
    life.referring = {each: rows[graph_id] for each, graph_id in ids.items()}
    scenario.backup_set = first


def _lose_permissions(life: Life) -> None:
    scenario = life.scenario
    with granted(scenario, ["Organization.Read.All"]):
        run = scenario.back_up(scenario.schedule)
    life.without_permission = {
        item.key.removeprefix("kind:"): item for item in OperationRunItem.objects.filter(run=run)
    }


def _lose_licenses(life: Life) -> None:
    """Back up without a license for a kind; a set is never without any kind."""
    scenario = life.scenario
    for remaining in list(KINDS)[:2]:
        for key in KINDS.keys() - {remaining}:
            scenario.graph.fault(scenario.tenant.external_id, "license", kind=key)
        unlisted = scenario.back_up(scenario.schedule).backup_set.unlisted
        life.without_license |= unlisted
        scenario.graph.clear(scenario.tenant.external_id)


class granted:  # noqa: N801 - a context manager
    """Within it, the connection of a scenario has these permissions only."""

    def __init__(self, scenario: RestoreScenario, permissions: list[str]) -> None:
        self._scenario = scenario
        self._permissions = permissions

    def __enter__(self) -> None:
        self._grant(self._permissions)

    def __exit__(self, *_: object) -> None:
        self._grant(list(ALL_PERMISSIONS))

    def _grant(self, permissions: list[str]) -> None:
        tenant: Tenant = self._scenario.tenant
        client_id = tenant.connections.get().client_id
        self._scenario.graph.add_tenant(
            tenant.external_id, client_id, SECRET, permissions=permissions
        )
        forget_all_tokens()


def changed(kind: PolicyKind, entry: dict[str, Any]) -> dict[str, Any]:
    """The object as an administrator would have changed it."""
    if "description" in entry and kind.key != "groups":
        return {**entry, "description": "changed"}
    return {**entry, kind.name_field: f"{entry.get(kind.name_field)} changed"}


def with_reference(entry: dict[str, Any], reference: Reference) -> dict[str, Any]:
    """The object with a reference to an object that does not exist.

    A profile becomes one of a type that has the link.
    """
    changed_entry = copy.deepcopy(entry)
    if reference.kind == "device_configuration":
        name = reference.path.removesuffix("[]")
        types = [f"#microsoft.graph.{each}" for each in type_table.types_of("device_configuration")]
        links = KIND["device_configuration"].links
        changed_entry["@odata.type"] = next(
            each for each in types if name in {link.name for link in links({"@odata.type": each})}
        )
    container: Any = changed_entry
    *steps, last = reference.path.split(".")
    for step in steps:
        name = step.removesuffix("[]")
        if step.endswith("[]"):
            container = container[name][0]
        else:
            container[name] = container.get(name) or {}
            container = container[name]
    container[last.removesuffix("[]")] = [NO_OBJECT] if last.endswith("[]") else NO_OBJECT
    return changed_entry


def _by_kind(restore: RestoreRun) -> Rows:
    return {row.kind: row for row in restore.items.all()}


def _entries(scenario: RestoreScenario, rows: Rows) -> Entries:
    return {
        key: scenario.objects(key).get(row.result_id or row.graph_id, {})
        for key, row in rows.items()
    }


def _backed_up(scenario: RestoreScenario, rows: Rows) -> dict[str, BackupItem]:
    backup_set = scenario.back_up(scenario.schedule).backup_set
    items = {(item.kind, item.graph_id): item for item in backup_set.items.all()}
    return {
        key: items[key, row.result_id] for key, row in rows.items() if (key, row.result_id) in items
    }


def has_content(life: Life, item: BackupItem, again: BackupItem) -> bool:
    """Whether an object that was backed up again has the content of the item."""
    kind = KIND[item.kind]
    options = bodies.Options(**ALL)
    new_ids = {key: {row.graph_id: row.result_id} for key, row in life.created.items()}
    assert item.version
    assert again.version
    expected, actual = (
        bodies.replace_ids(
            kind, bodies.comparable_state(kind, each.version.payload, options), new_ids
        )
        for each in (item, again)
        if each.version
    )
    assert actual == expected
    return True


@every_kind
def test_a_backup_is_complete_and_the_second_one_is_unchanged(life: Life, key: str) -> None:
    items = [item for item in life.items if item.kind == key]

    assert items
    assert all(item.complete for item in items)
    assert {item.graph_id for item in items} <= set(life.unchanged)


@every_kind
def test_a_change_is_found(life: Life, key: str) -> None:
    row = life.previewed[key]

    assert row.changes
    if KIND[key].restore is not Restore.FULL:
        assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_kind_refused")


@every_restored_kind
def test_a_changed_object_is_restored(life: Life, key: str) -> None:
    row = life.changed_back[key]

    assert (row.action, row.state) == (Action.CONFLICT, ItemState.VERIFIED), row.outcome_message
    assert has_content(life, life.chosen[key], life.backed_up_after_change[key])


@pytest.mark.parametrize("key", DELETED)
def test_a_deleted_object_is_restored(life: Life, key: str) -> None:
    row = life.created[key]

    assert (row.action, row.state) == (Action.CREATE, ItemState.VERIFIED), row.outcome_message
    assert has_content(life, life.chosen[key], life.backed_up_after_creation[key])


@every_restored_kind
def test_an_object_is_verified_without_the_parts_that_its_backup_lacks(
    life: Life, key: str
) -> None:
    version = life.chosen[key].version
    assert version
    navigation = type_table.navigation(type_table.type_of(key, version.payload))
    names = {each.removesuffix("[]") for each in navigation} - {*KIND[key].computed}
    lacking = names - version.payload.keys()

    for row in (rows[key] for rows in (life.changed_back, life.created) if key in rows):
        assert row.outcome_code == ("restore_verified_without" if lacking else "")
        assert row.result_label == ("Written" if lacking else "Written and verified")
        assert [each for each in lacking if words(each) not in row.outcome_message] == []


def test_the_page_of_a_restore_names_the_parts_that_were_not_compared(
    life: Life, client: Client
) -> None:
    open_session(client, life.scenario.operator)

    page = client.get(life.changed_back["intune_roles"].restore.get_absolute_url())

    html = " ".join(page.content.decode().split())
    assert "objects without the parts that backups do not contain." in html
    assert "<td> Written <details>" in html
    assert "Verified without role assignments: backups do not contain that" in html


@pytest.mark.parametrize("key", ASSIGNED)
def test_assignments_are_restored(life: Life, key: str) -> None:
    for entry in (life.after_change[key], life.after_creation[key]):
        groups = [each["target"].get("groupId") for each in entry["assignments"]]
        assert groups == [life.group_id]


@every_kind
def test_a_missing_permission_is_named(life: Life, key: str) -> None:
    item = life.without_permission[key]

    assert item.reason_code == "permission_missing"
    assert KIND[key].read_permission in item.message


@every_restored_kind
def test_a_missing_write_permission_blocks_the_preview(life: Life, key: str) -> None:
    row = life.refused[key]

    assert (row.action, row.reason_code) == (Action.BLOCKED, "write_permission_missing")
    assert KIND[key].write_permission in row.message + row.next_step


@every_kind
def test_a_missing_license_leaves_the_kind_out(life: Life, key: str) -> None:
    assert life.without_license[key] == "license_missing"


@every_restored_kind
def test_an_unknown_property_is_kept(life: Life, key: str) -> None:
    assert UNKNOWN_PROPERTY.items() <= life.after_change[key].items()


@pytest.mark.parametrize(
    ("key", "reference"), REFERRING, ids=[f"{key} {each.path}" for key, each in REFERRING]
)
def test_a_missing_reference_blocks(life: Life, key: str, reference: Reference) -> None:
    row = life.referring[key, reference]

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_reference_missing")
    assert NO_OBJECT in row.message
