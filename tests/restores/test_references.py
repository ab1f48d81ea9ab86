"""What a policy refers to: built-in locations, and references that a write does not send."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from backups.models import BackupItem
from providers.graph.kinds import KIND
from restores.models import Action, ItemState, RestoreStatus
from tenancy.models import User
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.inventory import PolicyFactory, RoleDefinitionFactory
from tests.support.restores import RestoreScenario, objects_named, offered_items, only_item
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

AS_BACKED_UP = "as_backed_up"
ZERO_ID = "00000000-0000-0000-0000-000000000000"


def back_up_policy(scenario: RestoreScenario, **conditions: Any) -> BackupItem:
    """Add conditions to a conditional access policy and back it up."""
    item = scenario.items("conditional_access")[0]
    entry = scenario.objects("conditional_access")[item.graph_id]
    scenario.change(item, conditions={**entry["conditions"], **conditions}, state="enabled")
    return scenario.back_up_again(item)


def test_trusted_addresses_are_no_missing_location(scenario: RestoreScenario) -> None:
    locations = {"includeLocations": ["All"], "excludeLocations": ["AllTrusted", ZERO_ID]}
    item = back_up_policy(scenario, locations=locations)
    scenario.delete(item)

    row = only_item(scenario.preview([item], access_state=AS_BACKED_UP))

    assert (row.action, row.reason_code) == (Action.CREATE, "")


def test_a_missing_reference_that_stays_as_it_is_blocks_nothing(scenario: RestoreScenario) -> None:
    users = {"includeUsers": ["All"], "excludeGroups": [str(uuid.uuid4())]}
    item = back_up_policy(scenario, users=users)
    scenario.change(item, state="disabled")
    first = scenario.backup_set
    scenario.back_up(scenario.schedule)
    scenario.backup_set = first

    restore, run = scenario.restore([item], access_state=AS_BACKED_UP)

    assert only_item(restore).action == Action.UPDATE
    assert run.outcome == "succeeded", run.failures
    assert scenario.objects("conditional_access")[item.graph_id]["state"] == "enabled"


def test_a_missing_reference_that_is_written_blocks(scenario: RestoreScenario) -> None:
    users = {"includeUsers": ["All"], "excludeGroups": [str(uuid.uuid4())]}
    item = back_up_policy(scenario, users=users)
    entry = scenario.objects("conditional_access")[item.graph_id]
    other = {**entry["conditions"], "users": {**entry["conditions"]["users"], "excludeGroups": []}}
    scenario.change(item, conditions=other)

    changed = only_item(scenario.preview([item], access_state=AS_BACKED_UP))
    scenario.delete(item)
    deleted = only_item(scenario.preview([item], access_state=AS_BACKED_UP))

    assert changed.reason_code == deleted.reason_code == "restore_reference_missing"


def test_a_missing_location_in_the_set_is_offered_and_restored_as_well(
    scenario: RestoreScenario, manager: User
) -> None:
    location = scenario.items("named_location")[0]
    locations = {"includeLocations": ["All"], "excludeLocations": [location.graph_id]}
    policy = back_up_policy(scenario, locations=locations)
    scenario.delete(policy)
    scenario.delete(location)
    blocked = scenario.preview([policy], access_state=AS_BACKED_UP)
    page = open_session(Client(), manager).get(blocked.get_absolute_url()).content.decode()

    together = scenario.preview_again(blocked, added=[location])
    run = scenario.execute(together)

    assert "Also restore it from this backup set" in page
    assert location.name in page
    assert run.outcome == "succeeded", run.failures
    states = {row.kind: (row.action, row.state) for row in together.items.all()}
    assert set(states) == {"named_location", "conditional_access"}
    assert set(states.values()) == {(Action.CREATE, ItemState.VERIFIED)}
    blocked.refresh_from_db()
    assert blocked.status == RestoreStatus.ENDED


def test_what_the_set_does_not_contain_is_not_offered(scenario: RestoreScenario) -> None:
    users = {"includeUsers": ["All"], "excludeGroups": [str(uuid.uuid4())]}
    policy = back_up_policy(scenario, users=users)
    scenario.delete(policy)

    blocked = scenario.preview([policy], access_state=AS_BACKED_UP)

    assert only_item(blocked).missing
    assert offered_items(blocked) == []


def test_what_cannot_be_restored_is_not_offered(scenario: RestoreScenario) -> None:
    location = scenario.items("named_location")[0]
    network = {"@odata.type": "#microsoft.graph.compliantNetworkNamedLocation"}
    scenario.change(location, **network, compliantNetworkType="allTenantCompliantNetworks")
    locations = {"includeLocations": ["All"], "excludeLocations": [location.graph_id]}
    policy = back_up_policy(scenario, locations=locations)
    scenario.delete(policy)
    scenario.delete(location)

    blocked = scenario.preview([policy], access_state=AS_BACKED_UP)

    assert only_item(blocked).reason_code == "restore_reference_missing"
    assert offered_items(blocked) == []


NOT_IN_TENANT = {
    "users": "44444444-aaaa-4bbb-8ccc-000000000004",
    "role_definitions": "33333333-aaaa-4bbb-8ccc-000000000003",
    "applications": "55555555-aaaa-4bbb-8ccc-000000000005",
    "directory_objects": "66666666-aaaa-4bbb-8ccc-000000000006",
    "authentication_strengths": "22222222-aaaa-4bbb-8ccc-000000000002",
    "authentication_contexts": "c7",
    "terms_of_use": "11111111-aaaa-4bbb-8ccc-000000000001",
}


def with_references(ids: dict[str, str]) -> dict[str, Any]:
    """The parts of a conditional access policy that name these objects, by kind."""
    return {
        "conditions": {
            "clientAppTypes": ["all"],
            "applications": {
                "includeApplications": ["Office365", ids["applications"]],
                "includeAuthenticationContextClassReferences": [ids["authentication_contexts"]],
            },
            "clientApplications": {"includeServicePrincipals": [ids["directory_objects"]]},
            "users": {
                "includeUsers": ["GuestsOrExternalUsers", ids["users"]],
                "excludeRoles": [ids["role_definitions"]],
            },
        },
        "grantControls": {
            "operator": "AND",
            "builtInControls": [],
            "termsOfUse": [ids["terms_of_use"]],
            "authenticationStrength": {"id": ids["authentication_strengths"]},
        },
    }


@pytest.fixture
def policy(scenario: RestoreScenario) -> BackupItem:
    """A deleted policy whose users, roles, applications and controls do not exist."""
    item = scenario.items("conditional_access")[0]
    scenario.change(item, **with_references(NOT_IN_TENANT))
    item = scenario.back_up_again(item)
    scenario.delete(item)
    return item


def content(part: dict[str, Any]) -> dict[str, Any]:
    """A part of a policy whose lists have one order."""
    return KIND["conditional_access"].content(part)


def existing(scenario: RestoreScenario, kind: str) -> str:
    """The id by which policies refer to an object of the tenant."""
    entry = next(iter(scenario.objects(kind).values()))
    return str(entry["appId"] if kind == "applications" else entry["id"])


def test_everything_that_a_policy_names_is_looked_up(
    scenario: RestoreScenario, policy: BackupItem
) -> None:
    row = only_item(scenario.preview([policy], access_state=AS_BACKED_UP))

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_reference_missing")
    assert {each["kind"]: each["id"] for each in row.missing} == NOT_IN_TENANT
    assert f"user {NOT_IN_TENANT['users']}" in row.message
    assert row.message.endswith("and 4 more.")
    assert "choose another one" in row.next_step


def test_what_a_policy_names_is_replaced_and_kept_for_the_tenant(
    scenario: RestoreScenario, policy: BackupItem, manager: User
) -> None:
    restore = scenario.preview([policy], access_state=AS_BACKED_UP)
    chosen = {kind: existing(scenario, kind) for kind in NOT_IN_TENANT}
    role = scenario.objects("role_definitions")[chosen["role_definitions"]]
    RoleDefinitionFactory(tenant=scenario.tenant, graph_id=role["id"], name=role["displayName"])
    for kind in ("authentication_strengths", "authentication_contexts", "terms_of_use"):
        PolicyFactory(tenant=scenario.tenant, kind=kind, graph_id=chosen[kind], name=kind)
    names = {"role_definitions": role["displayName"]}

    replacements = {key: names.get(key[0], chosen[key[0]]) for key in NOT_IN_TENANT.items()}
    restore = scenario.preview_again(restore, replacements=replacements)
    page = open_session(Client(), manager).get(restore.get_absolute_url()).content.decode()
    run = scenario.execute(restore)

    assert run.outcome == "succeeded", run.failures
    assert chosen["users"] in page
    (restored,) = objects_named(scenario, policy)
    for part, value in with_references(chosen).items():
        assert content(restored[part]) == content(value)
    again = only_item(scenario.preview([policy], access_state=AS_BACKED_UP))
    assert again.action == Action.UNCHANGED


@pytest.mark.parametrize("replacement", ["Dana Reyes", NOT_IN_TENANT["users"].upper()])
def test_only_another_id_replaces_an_object_that_is_never_listed(
    scenario: RestoreScenario, policy: BackupItem, replacement: str
) -> None:
    restore = scenario.preview([policy], access_state=AS_BACKED_UP)

    with pytest.raises(ValidationError, match=r"Enter the ID|missing object itself"):
        scenario.preview_again(
            restore, replacements={("users", NOT_IN_TENANT["users"]): replacement}
        )


def test_a_user_deleted_after_the_preview_stops_the_write(scenario: RestoreScenario) -> None:
    user = existing(scenario, "users")
    users = {"includeUsers": ["All"], "excludeUsers": [user]}
    item = back_up_policy(scenario, users=users)
    scenario.delete(item)
    restore = scenario.preview([item], access_state=AS_BACKED_UP)
    scenario.graph.delete_object(scenario.tenant.external_id, "users", user)

    scenario.execute(restore)

    row = only_item(restore)
    assert (row.action, row.outcome_code) == (Action.CREATE, "restore_reference_missing")
    assert f"user {user}" in row.outcome_message


def test_without_the_permission_to_look_up_users_graph_decides(
    scenario: RestoreScenario, policy: BackupItem
) -> None:
    for kind in ("users", "applications", "directory_objects", "role_definitions"):
        scenario.graph.fault(scenario.tenant.external_id, "forbid", kind=kind)

    row = only_item(scenario.preview([policy], access_state=AS_BACKED_UP))

    kinds = {each["kind"] for each in row.missing}
    assert kinds == {"authentication_strengths", "authentication_contexts", "terms_of_use"}


def test_a_group_comes_back_with_the_group_that_is_its_member(scenario: RestoreScenario) -> None:
    outer, inner, device = (str(uuid.uuid4()) for _ in range(3))
    tenant_id = scenario.tenant.external_id
    group = {"securityEnabled": True, "groupTypes": [], "mailEnabled": False, "mailNickname": "g"}
    scenario.graph.put_object(tenant_id, "groups", {**group, "id": inner, "displayName": "B inner"})
    outer_group = {**group, "id": outer, "displayName": "A outer", "members": [inner, device]}
    scenario.graph.put_object(tenant_id, "groups", outer_group)
    scenario.schedule = BackupScheduleFactory(tenant=scenario.tenant, kinds=["groups"])
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    items = {item.graph_id: item for item in scenario.items("groups")}
    for graph_id in (outer, inner):
        scenario.graph.delete_object(tenant_id, "groups", graph_id)

    blocked = scenario.preview([items[outer]])
    offered = offered_items(blocked)
    scenario.graph.put_object(tenant_id, "directory_objects", {"id": device})
    restore, run = scenario.restore([items[outer], items[inner]])

    assert {each["id"] for each in only_item(blocked).missing} == {inner, device}
    assert [each.graph_id for each in offered] == [inner]
    assert {row.state for row in restore.items.all()} == {ItemState.VERIFIED}, run.failures
    new_ids = {row.graph_id: row.result_id for row in restore.items.all()}
    members = scenario.objects("groups")[new_ids[outer]]["members"]
    assert sorted(members) == sorted([new_ids[inner], device])
