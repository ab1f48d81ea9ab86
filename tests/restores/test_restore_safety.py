"""What a restore must never do, whatever the tenant and the network do."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from backups.models import BackupItem
from operations.states import RunOutcome
from operations.testing import run_now
from providers.graph.client import GraphClient
from providers.graph.errors import CredentialRejected, InvalidRequest
from providers.graph.kinds import KIND
from providers.graph.policy_kind import PolicyKind
from restores import services
from restores.bodies import Options
from restores.models import Action, Decision, ItemState, RestoreRun
from tenancy.models import User
from tests.support.factories.backups import delete_expired
from tests.support.restores import (
    RestoreScenario,
    assignment_target,
    change_object,
    objects_named,
    only_item,
    states_by_name,
)

pytestmark = pytest.mark.django_db

LOCATION_IDS = [f"{n}0000000-1111-2222-3333-444444444444" for n in range(1, 5)]


def back_up_locations_and_policy(
    scenario: RestoreScenario, ids: list[str]
) -> tuple[list[BackupItem], BackupItem]:
    """Back up named locations with these ids, and a policy that includes them."""
    tenant = scenario.tenant.external_id
    base = next(iter(scenario.objects("named_location").values()))
    for number, graph_id in enumerate(ids):
        entry = {**base, "id": graph_id, "displayName": f"Office {number}"}
        scenario.graph.put_object(tenant, "named_location", entry)
    policy = scenario.items("conditional_access")[0]
    entry = scenario.objects("conditional_access")[policy.graph_id]
    locations = {"includeLocations": ids, "excludeLocations": []}
    scenario.change(policy, conditions={**entry["conditions"], "locations": locations})
    policy = scenario.back_up_again(policy)
    return [item for item in scenario.items("named_location") if item.graph_id in ids], policy


def test_a_second_restore_previewed_earlier_does_not_create_the_object_again(
    scenario: RestoreScenario,
) -> None:
    """The creation of the first arrives late: its outcome is unknown when the second is executed."""
    item = scenario.items("compliance")[0]
    scenario.delete(item)
    first, second = scenario.preview([item]), scenario.preview([item])
    tenant = scenario.tenant.external_id
    scenario.graph.fault(
        tenant, "late_write", kind="compliance", method="POST", times=1, ms=3_600_000
    )
    scenario.execute(first)
    assert only_item(first).state == ItemState.UNKNOWN

    run = scenario.execute(second)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(second).outcome_code == "restore_may_be_made"
    assert objects_named(scenario, item) == []


def test_a_policy_is_restored_with_all_of_its_locations(scenario: RestoreScenario) -> None:
    locations, policy = back_up_locations_and_policy(scenario, LOCATION_IDS)
    for item in [policy, *locations]:
        scenario.delete(item)

    restore, run = scenario.restore([*locations, policy], access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert set(states_by_name(restore).values()) == {ItemState.VERIFIED}
    assert (
        only_item(scenario.preview([policy], access_state="as_backed_up")).action
        == Action.UNCHANGED
    )


def test_a_policy_refers_to_the_location_that_replaced_one_with_its_name(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    (location,), policy = back_up_locations_and_policy(scenario, LOCATION_IDS[:1])
    entry = scenario.objects("named_location")[location.graph_id]
    scenario.delete(location)
    scenario.delete(policy)
    other = {**entry, "id": LOCATION_IDS[1], "isTrusted": not entry.get("isTrusted")}
    scenario.graph.put_object(scenario.tenant.external_id, "named_location", other)
    with monkeypatch.context() as patch:
        patch.setattr(GraphClient, "post", refuse)
        first, _ = scenario.restore([location, policy], access_state="as_backed_up")
    assert first.items.get(kind="named_location").state == ItemState.VERIFIED

    again, result = services.retry(
        RestoreRun.objects.with_scope().get(pk=first.pk), by=scenario.operator
    )
    run_now(result.run)

    assert only_item(again).action == Action.CREATE
    assert scenario.execute(again).outcome == RunOutcome.SUCCEEDED
    (created,) = objects_named(scenario, policy)
    assert created["conditions"]["locations"]["includeLocations"] == [LOCATION_IDS[1]]


def refuse(*_: Any) -> Any:
    raise InvalidRequest(error="refused")


def test_retention_may_delete_the_set_during_the_execution(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = change_object(scenario)
    scenario.back_up(scenario.schedule)
    restore = scenario.preview([item])
    patch = GraphClient.patch

    def delete_set_and_patch(client: GraphClient, path: str, body: Any) -> Any:
        delete_expired(scenario.backup_set)
        return patch(client, path, body)

    monkeypatch.setattr(GraphClient, "patch", delete_set_and_patch)

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert only_item(restore).state == ItemState.VERIFIED


def test_an_object_is_restored_after_the_set_that_read_it_has_expired(
    scenario: RestoreScenario,
) -> None:
    first = scenario.backup_set
    item = scenario.back_up_again(scenario.items("compliance")[0])
    assert item.backup_set == first != scenario.backup_set
    scenario.change(item, description="changed")
    restore = scenario.preview([item])

    delete_expired(first)

    scenario.use_backup_for_all(restore)
    assert scenario.execute(restore).outcome == RunOutcome.SUCCEEDED
    restored = only_item(restore)
    assert (restored.state, restored.backup_item) == (ItemState.VERIFIED, item)


def back_up_assigned_policy(scenario: RestoreScenario) -> BackupItem:
    """A policy that was assigned when it was backed up, and no longer is."""
    item = scenario.items("compliance")[0]
    scenario.change(
        item, assignments=[{"id": "1", **assignment_target("allDevicesAssignmentTarget")}]
    )
    item = scenario.back_up_again(item)
    scenario.change(item, assignments=[])
    return item


def test_a_run_rejected_after_a_write_is_not_blocked(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = back_up_assigned_policy(scenario)
    scenario.change(item, description="changed")
    restore = scenario.preview([item], assignments="backup")
    scenario.use_backup_for_all(restore)

    def reject_credential(*_: Any) -> Any:
        raise CredentialRejected("token_rejected")

    monkeypatch.setattr(GraphClient, "post", reject_credential)

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.DIFFERS


def test_an_object_without_an_accepted_write_is_not_written(scenario: RestoreScenario) -> None:
    """Only its assignments would be written, and Graph refuses them."""
    restore = scenario.preview([back_up_assigned_policy(scenario)], assignments="backup")
    scenario.use_backup_for_all(restore)
    scenario.graph.fault(
        scenario.tenant.external_id,
        "forbid",
        kind="compliance",
        method="POST",
        permission="Some.One",
    )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.FAILED
    assert not only_item(restore).is_written


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_null_added_by_graph_is_no_difference(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    item = scenario.items("conditional_access")[0]

    def add_null() -> None:
        entry = scenario.objects("conditional_access")[item.graph_id]
        scenario.change(item, conditions={**entry["conditions"], "somethingNew": None})

    if how == "before":
        add_null()
        item_row = only_item(scenario.preview([item], access_state="as_backed_up"))
        assert item_row.action == Action.UNCHANGED
        return
    scenario.change(item, displayName="changed")
    patch = GraphClient.patch

    def patch_and_add_null(client: GraphClient, path: str, body: Any) -> Any:
        response = patch(client, path, body)
        add_null()
        return response

    monkeypatch.setattr(GraphClient, "patch", patch_and_add_null)
    restore, _ = scenario.restore([item], access_state="as_backed_up")

    assert only_item(restore).state == ItemState.VERIFIED


def test_nested_values_missing_from_the_backup_are_removed(scenario: RestoreScenario) -> None:
    """A PATCH keeps properties that it does not contain, so it sends null for those to remove."""
    item = scenario.items("conditional_access")[0]
    hours = {"signInFrequency": {"value": 1, "type": "hours", "isEnabled": True}}
    scenario.change(item, sessionControls={**hours, "cloudAppSecurity": None})
    item = scenario.back_up_again(item)
    monitored = {"isEnabled": True, "cloudAppSecurityType": "blockDownloads"}
    scenario.change(item, sessionControls={**hours, "cloudAppSecurity": monitored})

    _, run = scenario.restore([item], access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    left = scenario.objects("conditional_access")[item.graph_id]["sessionControls"]
    assert left["cloudAppSecurity"] is None
    assert left["signInFrequency"] == hours["signInFrequency"]


def test_a_replacement_that_loses_a_property_is_not_verified(scenario: RestoreScenario) -> None:
    """A settings catalog policy is replaced as a whole; the backup lacks a newer property."""
    item = change_object(scenario, "settings_catalog")
    scenario.change(item, somethingNew=True)

    restore, run = scenario.restore([item])

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.DIFFERS


@pytest.mark.parametrize("state", ["enabledForReportingButNotEnforced", "disabled"])
def test_a_policy_not_enforced_in_the_backup_has_a_warning(
    scenario: RestoreScenario, state: str
) -> None:
    item = scenario.items("conditional_access")[0]
    scenario.change(item, state=state)
    item = scenario.back_up_again(item)
    scenario.change(item, state="enabled")

    warning = only_item(scenario.preview([item], access_state="as_backed_up")).warning

    assert "not enforced in the backup" in warning
    assert "As in the backup" not in warning


def test_the_approver_cannot_execute(scenario: RestoreScenario, owner: User) -> None:
    scenario.tenant.workspace.restores_need_approval = True
    scenario.tenant.workspace.save()
    restore = scenario.preview([change_object(scenario)])
    services.decide(restore, {only_item(restore).pk: Decision.TAKE})
    services.approve(restore, by=owner, decision_digest=services.decision_digest_of(restore))

    with pytest.raises(ValidationError, match="another person must execute"):
        services.execute(
            RestoreRun.objects.with_scope().get(pk=restore.pk),
            by=owner,
            decision_digest=services.decision_digest_of(restore),
            tenant_name=scenario.tenant.name,
        )

    assert scenario.execute(restore).outcome == RunOutcome.SUCCEEDED


def test_creating_many_objects_lists_the_kind_at_most_twice(scenario: RestoreScenario) -> None:
    tenant = scenario.tenant.external_id
    base = next(iter(scenario.objects("compliance").values()))
    for number in range(12):
        graph_id = f"{number:08d}-1111-2222-3333-444444444444"
        entry = {**base, "id": graph_id, "displayName": f"Many {number}"}
        scenario.graph.put_object(tenant, "compliance", entry)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    many = [item for item in scenario.items("compliance") if item.name.startswith("Many")]
    for item in many:
        scenario.delete(item)
    restore = scenario.preview(many)
    scenario.graph.clear_log()

    run = scenario.execute(restore)

    lists = [
        entry
        for entry in scenario.graph.log(tenant)
        if entry["method"] == "GET"
        and str(entry["path"]).partition("?")[0].endswith("deviceCompliancePolicies")
    ]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert len(lists) <= 2


def test_an_object_of_an_unknown_kind_is_blocked_and_the_others_are_restored(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version backed it up, and an older one is in use again."""
    later, item = scenario.items("device_configuration")[0], scenario.items("compliance")[0]
    scenario.delete(item)
    monkeypatch.delitem(KIND, later.kind)

    restore, run = scenario.restore([later, item])

    rows = {row.kind: row for row in restore.items.all()}
    unknown = rows[later.kind]
    assert (unknown.action, unknown.reason_code) == (Action.BLOCKED, "restore_kind_unknown")
    assert later.kind in unknown.message
    assert rows["compliance"].state == ItemState.VERIFIED
    assert run.outcome != "failed"


def test_a_list_that_changed_while_it_was_read_creates_nothing(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page can lack an object that moved to the page before."""
    item = scenario.items("compliance")[0]
    scenario.delete(item)
    list_objects = PolicyKind.list_objects

    def twice(self: PolicyKind, client: Any) -> Any:
        entries = list(list_objects(self, client))
        return iter([*entries, *entries[:1]])

    monkeypatch.setattr(PolicyKind, "list_objects", twice)

    restore, result = services.start_preview(
        scenario.backup_set, [item], Options(), by=scenario.operator
    )
    run_now(result.run)

    row = only_item(restore)
    assert (row.action, row.reason_code) == (Action.BLOCKED, "listing_repeats")
