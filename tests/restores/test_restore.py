"""A restore previews exactly what would change, and then changes exactly that."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from backups.models import BackupItem, BackupSet, SetPurpose
from dev.graph_sandbox.resources import ALL_PERMISSIONS, READ_PERMISSIONS
from operations.links import OperationRunLinks
from operations.maintenance import reconciler
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.testing import run_now
from providers.graph.client import GraphClient
from providers.graph.errors import UnknownWriteOutcome
from providers.graph.kinds import KIND
from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import Assign
from providers.graph.tokens import forget_all_tokens
from providers.models import Access, ProviderConnection
from restores import bodies, closing, executing, services
from restores.before_set import save_before_set
from restores.executing import Execution
from restores.models import Action, Decision, ItemState, RestoreRun, RestoreStatus
from tenancy.models import User
from tests.support.restores import (
    KINDS,
    RestoreScenario,
    assignment_target,
    change_object,
    changed_properties,
    objects_named,
    only_item,
    states_by_name,
)
from tests.support.sandbox import SECRET

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def contents(scenario: RestoreScenario, kind: str) -> list[str]:
    """The comparable states of all objects of a kind in the Graph sandbox, as sorted JSON."""
    states = [
        bodies.comparable_state(KIND[kind], entry, bodies.Options())
        for entry in scenario.objects(kind).values()
    ]
    return sorted(canonical_json(state).decode() for state in states)


def test_a_preview_of_unchanged_objects_plans_and_writes_nothing(scenario: RestoreScenario) -> None:
    scenario.graph.clear_log()
    restore = scenario.preview(
        [item for item in scenario.items() if item.kind != "conditional_access"]
    )

    assert restore.status == RestoreStatus.PREVIEWED
    assert restore.is_dry_run
    assert set(restore.items.values_list("action", flat=True)) == {Action.UNCHANGED}
    assert len(restore.preview_digest) == 64
    methods = {entry["method"] for entry in scenario.graph.log(scenario.tenant.external_id)}
    assert methods <= {"GET", "POST"}
    posts = [
        entry
        for entry in scenario.graph.log(scenario.tenant.external_id)
        if entry["method"] == "POST"
    ]
    # A batch of reads is a POST as well; its requests have entries of their own.
    assert all(str(entry["path"]).endswith(("token", "/$batch")) for entry in posts)


def test_a_change_that_was_backed_up_is_an_update_with_its_differences(
    scenario: RestoreScenario,
) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(item, description="Changed by an administrator")
    scenario.back_up(scenario.schedule)

    item_row = only_item(scenario.preview([item]))

    assert item_row.action == Action.UPDATE
    assert [change["path"] for change in item_row.changes] == ["description"]
    assert item_row.changes[0]["before"] == "Changed by an administrator"


def test_a_change_that_was_never_backed_up_is_a_conflict(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(item, description="Not backed up")
    restore = scenario.preview([item])

    assert only_item(restore).action == Action.CONFLICT
    with pytest.raises(ValidationError, match="every conflict"):
        scenario.start(restore)

    services.decide(restore, {only_item(restore).pk: Decision.KEEP})
    with pytest.raises(ValidationError, match="nothing to write"):
        scenario.start(restore)


def test_a_deleted_object_is_created(scenario: RestoreScenario) -> None:
    item = scenario.items("device_configuration")[0]
    scenario.delete(item)

    assert only_item(scenario.preview([item])).action == Action.CREATE


def test_an_object_with_the_same_name_needs_a_decision(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    entry = dict(scenario.objects("compliance")[item.graph_id])
    scenario.delete(item)
    for number in range(2):
        copy = {
            **entry,
            "id": f"{number}1111111-2222-3333-4444-555555555555",
            "description": str(number),
        }
        scenario.graph.put_object(scenario.tenant.external_id, "compliance", copy)
        item_row = only_item(scenario.preview([item]))
        if number == 0:
            assert (item_row.action, item_row.reason_code) == (
                Action.CONFLICT,
                "restore_other_object",
            )
        else:
            assert (item_row.action, item_row.reason_code) == (
                Action.CONFLICT,
                "restore_name_taken",
            )
            assert item_row.target_id == ""


def test_a_missing_group_blocks_and_an_exclusion_is_never_removed(
    scenario: RestoreScenario,
) -> None:
    item = scenario.items("compliance")[0]
    group = "99999999-0000-0000-0000-000000000000"
    target = {"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": group}
    scenario.change(item, assignments=[{"id": "x", "target": target}])
    item = scenario.back_up_again(item)
    scenario.change(item, assignments=[], description="other")

    kept_row = only_item(scenario.preview([item], assignments="keep"))
    item_row = only_item(scenario.preview([item], assignments="backup"))

    assert kept_row.action == Action.CONFLICT
    assert (item_row.action, item_row.reason_code) == (Action.BLOCKED, "restore_reference_missing")
    assert group in item_row.message


def test_encrypted_values_block_at_the_preview(scenario: RestoreScenario) -> None:
    item = scenario.items("device_configuration")[0]
    secret = {"omaUri": "./x", "displayName": "x", "isEncrypted": True, "value": "****"}
    scenario.change(item, omaSettings=[secret])
    item = scenario.back_up_again(item)
    scenario.change(item, description="other")

    item_row = only_item(scenario.preview([item]))

    assert (item_row.action, item_row.reason_code) == (Action.BLOCKED, "restore_encrypted")


def test_a_missing_write_permission_blocks_at_the_preview(scenario: RestoreScenario) -> None:
    connection = ProviderConnection.objects.get()
    items = [scenario.items("compliance")[0], scenario.items("named_location")[0]]
    for item in items:
        scenario.delete(item)

    def granted(permissions: list[str]) -> None:
        scenario.graph.add_tenant(
            scenario.tenant.external_id, connection.client_id, SECRET, permissions=permissions
        )

    granted([*READ_PERMISSIONS, "Policy.ReadWrite.ConditionalAccess"])
    forget_all_tokens()
    restore = scenario.preview(items)
    policy, location = restore.items.order_by("kind")
    # A token is valid for an hour; permissions granted meanwhile are noticed all the same.
    granted(list(ALL_PERMISSIONS))
    again = scenario.preview(items)

    assert (policy.action, location.action) == (Action.BLOCKED, Action.CREATE)
    assert "DeviceManagementConfiguration.ReadWrite.All is missing" in policy.message
    assert "Grant DeviceManagementConfiguration.ReadWrite.All" in policy.next_step
    assert set(again.items.values_list("action", flat=True)) == {Action.CREATE}


def test_the_next_step_names_the_permission_to_grant(scenario: RestoreScenario) -> None:
    scenario.graph.fault(
        scenario.tenant.external_id, "forbid", kind="compliance", permission="Some.Permission"
    )
    restore = scenario.preview(
        [scenario.items("compliance")[0], scenario.items("named_location")[0]]
    )
    blocked = restore.items.get(kind="compliance")

    assert blocked.action == Action.BLOCKED
    assert "Grant Some.Permission" in blocked.next_step


def test_a_policy_set_is_previewed_and_never_written(scenario: RestoreScenario) -> None:
    scenario.schedule.kinds = ["policy_sets"]
    created = scenario.graph.put_object(
        scenario.tenant.external_id,
        "policy_sets",
        {
            "id": "T_1",
            "displayName": "Set",
            "description": "before",
            "items": [],
            "assignments": [],
        },
    )
    assert created
    scenario.schedule.save()
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    item = scenario.backup_set.items.get(kind="policy_sets", graph_id="T_1")
    scenario.change(item, description="after")

    item_row = only_item(scenario.preview([item]))

    assert (item_row.action, item_row.reason_code) == (Action.BLOCKED, "restore_kind_refused")
    assert [change["path"] for change in item_row.changes] == ["description"]


def test_encrypted_values_are_never_unchanged(scenario: RestoreScenario) -> None:
    """Both have the same mask, so the values behind it cannot be compared."""
    item = scenario.items("device_configuration")[0]
    secret = {"omaUri": "./x", "displayName": "x", "isEncrypted": True, "value": "****"}
    scenario.change(item, omaSettings=[secret])

    item_row = only_item(scenario.preview([scenario.back_up_again(item)]))

    assert (item_row.action, item_row.reason_code) == (Action.BLOCKED, "restore_encrypted")


def enforce_policy(scenario: RestoreScenario) -> BackupItem:
    """Back up a conditional access policy that is enforced for all users."""
    item = scenario.items("conditional_access")[0]
    entry = scenario.objects("conditional_access")[item.graph_id]
    users = {"includeUsers": ["All"], "excludeUsers": [], "excludeGroups": [], "excludeRoles": []}
    conditions = {**entry["conditions"], "users": users}
    scenario.change(item, state="enabled", conditions=conditions)
    return scenario.back_up_again(item)


def test_a_policy_enforced_as_in_the_backup_stays_enforced(scenario: RestoreScenario) -> None:
    assert only_item(scenario.preview([enforce_policy(scenario)])).action == Action.UNCHANGED


def test_a_policy_that_would_stop_enforcing_has_a_warning(scenario: RestoreScenario) -> None:
    item = enforce_policy(scenario)
    scenario.change(item, displayName="changed")

    assert "would only report after" in only_item(scenario.preview([item])).warning


def test_a_policy_enforced_without_exclusions_has_a_warning(scenario: RestoreScenario) -> None:
    item = enforce_policy(scenario)
    scenario.delete(item)

    assert "lock out" in only_item(scenario.preview([item], access_state="as_backed_up")).warning
    assert only_item(scenario.preview([item])).warning == ""


def test_a_new_object_without_its_assignments_has_a_warning(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(
        item, assignments=[{"id": "1", **assignment_target("allDevicesAssignmentTarget")}]
    )
    item = scenario.back_up_again(item)
    scenario.delete(item)

    assert "without its assignments" in only_item(scenario.preview([item])).warning
    assert only_item(scenario.preview([item], assignments="backup")).warning == ""


def test_only_referenced_kinds_are_listed(scenario: RestoreScenario) -> None:
    """A connection with Intune permissions alone can restore Intune objects."""
    connection_ = ProviderConnection.objects.get()
    allowed = [
        permission
        for permission in ALL_PERMISSIONS
        if not permission.startswith(("Policy", "Group", "Directory"))
    ]
    scenario.graph.add_tenant(
        scenario.tenant.external_id, connection_.client_id, SECRET, permissions=allowed
    )
    forget_all_tokens()
    items = [scenario.items("compliance")[0], scenario.items("settings_catalog")[0]]
    for item in items:
        scenario.delete(item)

    restore, run = scenario.restore(items)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert set(states_by_name(restore).values()) == {ItemState.VERIFIED}


def test_the_order_of_unordered_values_is_no_difference(scenario: RestoreScenario) -> None:
    item = scenario.items("device_configuration")[0]
    settings = [{"omaUri": f"./{name}", "displayName": name, "value": name} for name in "ab"]
    scenario.change(item, omaSettings=settings)
    item = scenario.back_up_again(item)
    scenario.change(item, omaSettings=settings[::-1])

    assert only_item(scenario.preview([item])).action == Action.UNCHANGED


def test_a_property_added_to_graph_after_the_backup_stays_unchanged(
    scenario: RestoreScenario,
) -> None:
    item = change_object(scenario)
    scenario.change(item, createdByAppId="set by Microsoft", somethingNew=True)

    restore, run = scenario.restore([item])

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert scenario.objects("compliance")[item.graph_id]["somethingNew"] is True
    assert [change["path"] for change in only_item(restore).changes] == ["description"]


def test_privacy_access_controls_are_compared_and_restored(scenario: RestoreScenario) -> None:
    item = scenario.items("device_configuration")[0]
    controls = [{"accessLevel": "forceDeny", "appDisplayName": "Camera"}]
    scenario.change(item, privacyAccessControls=controls)
    item = scenario.back_up_again(item)
    scenario.change(item, privacyAccessControls=[])
    restore, run = scenario.restore([item])
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert only_item(restore).changes
    assert (
        scenario.objects("device_configuration")[item.graph_id]["privacyAccessControls"] == controls
    )
    scenario.delete(item)

    restore, run = scenario.restore([item])

    created = scenario.objects("device_configuration")[only_item(restore).result_id]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert created["privacyAccessControls"] == controls


def test_a_long_text_is_shown_from_its_first_difference(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    long = "The quick brown fox jumps over the dog. " * 100
    scenario.change(item, description=f"{long}One end")
    item = scenario.back_up_again(item)
    scenario.change(item, description=f"{long}Another end")

    (change,) = only_item(scenario.preview([item])).changes

    assert "Another end" in change["before"]
    assert "One end" in change["after"]
    assert len(change["before"]) < 1000


# --- round trips ------------------------------------------------------------------------------------


@EVERY_KIND
def test_changed_objects_are_restored(scenario: RestoreScenario, kind: str) -> None:
    before = contents(scenario, kind)
    for item in scenario.items(kind):
        scenario.change(item, **changed_properties(item))

    restore, run = scenario.restore(scenario.items(kind), access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, (run.failures, list(restore.items.values()))
    assert set(states_by_name(restore).values()) == {ItemState.VERIFIED}
    assert contents(scenario, kind) == before


@EVERY_KIND
def test_deleted_objects_are_restored(scenario: RestoreScenario, kind: str) -> None:
    before = contents(scenario, kind)
    selection = scenario.items(kind)
    if kind == "named_location":
        selection = selection + scenario.items("conditional_access")
    for item in scenario.items(kind):
        scenario.delete(item)

    restore, run = scenario.restore(scenario.items(kind), access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, (run.failures, list(restore.items.values()))
    assert set(states_by_name(restore).values()) == {ItemState.VERIFIED}
    assert contents(scenario, kind) == before


def test_locations_are_restored_before_policies_that_refer_to_them(
    scenario: RestoreScenario,
) -> None:
    """After everything was deleted, policies refer to the new ids of the locations."""
    location = scenario.items("named_location")[0]
    policy = scenario.items("conditional_access")[0]
    entry = scenario.objects("conditional_access")[policy.graph_id]
    conditions = {
        **entry["conditions"],
        "locations": {"includeLocations": [location.graph_id], "excludeLocations": []},
    }
    scenario.change(policy, conditions=conditions)
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    selection = [
        item for item in scenario.items() if item.graph_id in (location.graph_id, policy.graph_id)
    ]
    for item in selection:
        scenario.delete(item)

    restore, run = scenario.restore(selection)

    created = {item.kind: item for item in restore.items.all()}
    assert run.outcome == RunOutcome.SUCCEEDED, (run.failures, list(restore.items.values()))
    result = scenario.objects("conditional_access")[created["conditional_access"].result_id]
    assert result["conditions"]["locations"]["includeLocations"] == [
        created["named_location"].result_id
    ]
    assert result["state"] in ("enabledForReportingButNotEnforced", "disabled")


@pytest.mark.parametrize("how", ["changed", "deleted"])
@pytest.mark.parametrize("kind", ["settings_catalog", "device_configuration", "compliance"])
def test_assignments_are_restored_with_inclusions_exclusions_and_filters(
    scenario: RestoreScenario, kind: str, how: str
) -> None:
    group, other = (entry for entry in list(scenario.objects("groups"))[:2])
    used = next(iter(scenario.objects("assignment_filters")))
    targets = [
        assignment_target("exclusionGroupAssignmentTarget", groupId=other),
        assignment_target(
            "groupAssignmentTarget",
            groupId=group,
            deviceAndAppManagementAssignmentFilterId=used,
            deviceAndAppManagementAssignmentFilterType="include",
        ),
    ]
    item = scenario.items(kind)[0]
    scenario.change(
        item, assignments=[{"id": str(n), **target} for n, target in enumerate(targets)]
    )
    item = scenario.back_up_again(item)
    if how == "deleted":
        scenario.delete(item)
    else:
        scenario.change(item, assignments=[])

    restore, run = scenario.restore([item], assignments="backup")

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    result = scenario.objects(kind)[only_item(restore).result_id]["assignments"]
    assert bodies.is_same_json(
        bodies.sent_assignments(Assign(), result), bodies.sent_assignments(Assign(), targets)
    )


@pytest.mark.parametrize(("option", "count"), [("keep", 1), ("backup", 0), ("none", 0)])
def test_assignments_follow_their_option(
    scenario: RestoreScenario, option: str, count: int
) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(item, assignments=[])
    item = scenario.back_up_again(item)
    all_devices = {"target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}}
    scenario.change(item, description="changed", assignments=[{"id": "1", **all_devices}])

    _, run = scenario.restore([item], assignments=option)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert len(scenario.objects("compliance")[item.graph_id]["assignments"]) == count


# --- safety -----------------------------------------------------------------------------------------


def test_the_current_configuration_is_backed_up_first(scenario: RestoreScenario) -> None:
    item = change_object(scenario)

    restore, _ = scenario.restore([item])

    before = restore.before_set
    assert isinstance(before, BackupSet)
    assert before.purpose == SetPurpose.SELECTION
    backup = before.items.get().version
    assert backup
    assert backup.payload["description"] == "changed"


def test_an_object_changed_since_the_preview_is_not_written(scenario: RestoreScenario) -> None:
    item = change_object(scenario)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    scenario.change(item, description="changed once more")

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).outcome_code == "restore_moved_since_preview"
    assert scenario.objects("compliance")[item.graph_id]["description"] == "changed once more"


def test_an_object_changed_during_the_backup_is_not_written(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = change_object(scenario)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)

    def save_before_an_edit(*args: Any) -> None:
        save_before_set(*args)
        scenario.change(item, description="Edited after it was backed up")

    monkeypatch.setattr(executing, "save_before_set", save_before_an_edit)

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).outcome_code == "restore_moved_since_preview"
    assert scenario.objects("compliance")[item.graph_id]["description"].startswith("Edited after")


def test_an_object_that_could_not_be_backed_up_is_not_written(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = change_object(scenario)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    monkeypatch.setattr(Execution, "_back_up", lambda *_: set())

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).outcome_code == "restore_live_unreadable"


def test_a_partly_written_object_is_not_reported_as_not_written(scenario: RestoreScenario) -> None:
    """The policy is changed, then Graph refuses its actions for noncompliance."""
    item = change_object(scenario)
    rules = scenario.objects("compliance")[item.graph_id]["scheduledActionsForRule"]
    scenario.change(item, scheduledActionsForRule=[{**rules[0], "ruleName": "Another"}])
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    scenario.graph.fault(
        scenario.tenant.external_id, "server_error", kind="compliance", method="POST", status=400
    )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.DIFFERS
    assert only_item(restore).is_written


def test_an_object_created_since_the_preview_is_not_duplicated(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    entry = dict(scenario.objects("compliance")[item.graph_id])
    scenario.delete(item)
    restore = scenario.preview([item])
    scenario.graph.put_object(scenario.tenant.external_id, "compliance", entry)

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert len(scenario.objects("compliance")) == 2


def test_a_read_only_connection_writes_nothing(scenario: RestoreScenario) -> None:
    restore = scenario.preview([change_object(scenario)])
    scenario.use_backup_for_all(restore)
    ProviderConnection.objects.update(access=Access.READ_ONLY)

    with pytest.raises(ValidationError, match="Allow writing on the connection"):
        scenario.start(restore)

    ProviderConnection.objects.update(access=Access.READ_WRITE)
    run_to_execute = scenario.start(restore)
    ProviderConnection.objects.update(access=Access.READ_ONLY)

    run = run_now(run_to_execute)

    assert run.outcome == RunOutcome.BLOCKED
    assert states_by_name(restore) == {only_item(restore).name: ItemState.SKIPPED}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"decision_digest": "0" * 64}, "review it again"), ({"tenant_name": "Fabrikan"}, "exactly")],
)
def test_an_invalid_confirmation_is_rejected(
    scenario: RestoreScenario, wrong: dict[str, str], message: str
) -> None:
    restore = scenario.preview([change_object(scenario)])
    scenario.use_backup_for_all(restore)
    reviewed = services.decision_digest_of(restore)
    values = {"decision_digest": reviewed, "tenant_name": scenario.tenant.name} | wrong

    with pytest.raises(ValidationError, match=message):
        services.execute(
            restore,
            by=scenario.operator,
            decision_digest=values["decision_digest"],
            tenant_name=values["tenant_name"],
        )
    assert RestoreRun.objects.get().status == RestoreStatus.PREVIEWED


def test_a_workspace_can_require_the_approval_of_a_second_person(
    scenario: RestoreScenario, owner: User
) -> None:
    scenario.tenant.workspace.restores_need_approval = True
    scenario.tenant.workspace.save()
    restore = scenario.preview([change_object(scenario)])
    with pytest.raises(ValidationError, match="every conflict"):
        services.approve(restore, by=owner, decision_digest=services.decision_digest_of(restore))
    scenario.use_backup_for_all(restore)

    with pytest.raises(ValidationError, match="second person"):
        scenario.start(restore)
    with pytest.raises(ValidationError, match="your own"):
        services.approve(
            restore, by=scenario.operator, decision_digest=services.decision_digest_of(restore)
        )
    services.approve(restore, by=owner, decision_digest=services.decision_digest_of(restore))

    assert scenario.execute(restore).outcome == RunOutcome.SUCCEEDED


def test_decisions_are_locked_after_approval(scenario: RestoreScenario, owner: User) -> None:
    restore = scenario.preview([change_object(scenario)])
    services.decide(restore, {only_item(restore).pk: Decision.KEEP})
    services.approve(restore, by=owner, decision_digest=services.decision_digest_of(restore))

    with pytest.raises(ValidationError, match="locked after approval"):
        services.decide(restore, {only_item(restore).pk: Decision.TAKE})


def test_a_decision_changed_since_the_review_is_not_confirmed(scenario: RestoreScenario) -> None:
    restore = scenario.preview(
        [change_object(scenario), change_object(scenario, "settings_catalog")]
    )
    scenario.use_backup_for_all(restore)
    reviewed = services.decision_digest_of(restore)
    first = restore.items.order_by("pk")[0]
    services.decide(restore, {first.pk: Decision.KEEP})

    with pytest.raises(ValidationError, match="review it again"):
        services.execute(
            RestoreRun.objects.with_scope().get(pk=restore.pk),
            by=scenario.operator,
            decision_digest=reviewed,
            tenant_name=scenario.tenant.name,
        )


def test_a_tenant_has_one_running_restore_at_a_time(scenario: RestoreScenario) -> None:
    first, second = (
        scenario.preview([change_object(scenario)]),
        scenario.preview([scenario.items("compliance")[0]]),
    )
    for restore in (first, second):
        scenario.use_backup_for_all(restore)
    scenario.start(first)

    with pytest.raises(ValidationError, match="Another restore"):
        scenario.start(second)


# --- lost responses and failures ----------------------------------------------------------------------------

LOST = pytest.mark.parametrize(
    "fault", ["drop_after_write", "error_after_write", "drop", "late_write"]
)


@LOST
@EVERY_KIND
def test_a_creation_with_a_lost_response_is_read_back_and_never_repeated(
    scenario: RestoreScenario, kind: str, fault: str
) -> None:
    """Twice for each kind and fault: no duplicate, no guessed outcome."""
    item = scenario.items(kind)[0]
    for _ in range(2):
        for entry in objects_named(scenario, item):
            scenario.graph.delete_object(scenario.tenant.external_id, kind, entry["id"])
        restore = scenario.preview([item])
        scenario.use_backup_for_all(restore)
        scenario.graph.fault(
            scenario.tenant.external_id, fault, kind=kind, method="POST", times=1, ms=60
        )
        run = scenario.execute(restore)
        scenario.graph.clear(scenario.tenant.external_id)
        item_row, existing = only_item(restore), objects_named(scenario, item)
        assert len(existing) == (0 if fault == "drop" else 1)
        if item_row.state == ItemState.VERIFIED:
            assert [entry["id"] for entry in existing] == [item_row.result_id]
        else:
            assert item_row.state == ItemState.UNKNOWN
            assert run.outcome != RunOutcome.SUCCEEDED
        assert (item_row.state == ItemState.VERIFIED) == (fault != "drop")


@LOST
@EVERY_KIND
def test_an_update_with_a_lost_response_is_read_back_and_reported_correctly(
    scenario: RestoreScenario, kind: str, fault: str
) -> None:
    """Twice for each kind and fault: no wrong outcome."""
    item = scenario.items(kind)[0]
    method = "PUT" if kind == "settings_catalog" else "PATCH"
    before = contents(scenario, kind)
    for _ in range(2):
        scenario.change(item, **changed_properties(item))
        restore = scenario.preview([item], access_state="as_backed_up")
        scenario.use_backup_for_all(restore)
        scenario.graph.fault(
            scenario.tenant.external_id, fault, kind=kind, method=method, times=1, ms=60
        )
        run = scenario.execute(restore)
        scenario.graph.clear(scenario.tenant.external_id)
        item_row = only_item(restore)
        if fault == "drop":
            assert (item_row.state, item_row.outcome_code) == (
                ItemState.UNKNOWN,
                "restore_not_seen",
            )
            assert run.outcome == RunOutcome.FAILED
            assert contents(scenario, kind) != before
        else:
            assert item_row.state == ItemState.VERIFIED
            assert contents(scenario, kind) == before


def test_after_an_unknown_creation_another_one_needs_a_decision(
    scenario: RestoreScenario,
) -> None:
    item = scenario.items("compliance")[0]
    scenario.delete(item)
    restore = scenario.preview([item])
    tenant = scenario.tenant.external_id
    scenario.graph.fault(tenant, "drop_after_write", kind="compliance", method="POST", times=1)
    scenario.graph.fault(tenant, "slow_replication", kind="compliance", ms=60_000)
    scenario.execute(restore)
    assert only_item(restore).state == ItemState.UNKNOWN

    again, result = services.retry(
        RestoreRun.objects.with_scope().get(pk=restore.pk), by=scenario.operator
    )
    run_now(result.run)

    assert (only_item(again).action, only_item(again).reason_code) == (
        Action.CONFLICT,
        "restore_may_be_made",
    )
    scenario.graph.clear(tenant)
    item_row = only_item(scenario.preview([item]))
    assert (item_row.action, item_row.reason_code) == (Action.UNCHANGED, "")
    assert len(objects_named(scenario, item)) == 1


def test_an_object_created_by_someone_else_is_not_taken_for_the_restored_one(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = scenario.items("compliance")[0]
    entry = scenario.objects("compliance")[item.graph_id]
    scenario.change(
        item, assignments=[{"id": "1", **assignment_target("allDevicesAssignmentTarget")}]
    )
    item = scenario.back_up_again(item)
    scenario.delete(item)
    restore = scenario.preview([item], assignments="backup")
    foreign = {**entry, "id": "f0000000-1111-2222-3333-444444444444", "description": "theirs"}
    post = GraphClient.post

    def lost(client: GraphClient, path: str, body: Any) -> Any:
        if path.endswith("deviceCompliancePolicies"):
            scenario.graph.put_object(
                scenario.tenant.external_id, "compliance", {**foreign, "assignments": []}
            )
            raise UnknownWriteOutcome
        return post(client, path, body)

    monkeypatch.setattr(GraphClient, "post", lost)

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.UNKNOWN
    assert scenario.objects("compliance")[foreign["id"]]["assignments"] == []


def test_a_renamed_object_is_not_created_again(scenario: RestoreScenario) -> None:
    """One "not items" response is wrong: the object exists under another name."""
    item = scenario.items("compliance")[0]
    scenario.change(item, displayName="Renamed in the admin center")
    scenario.graph.fault(scenario.tenant.external_id, "gone", kind="compliance", times=1)

    item_row = only_item(scenario.preview([item]))

    assert item_row.action == Action.CONFLICT
    assert item_row.target_id == item.graph_id


def test_an_object_restored_under_another_name_is_not_duplicated(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    entry = dict(scenario.objects("compliance")[item.graph_id])
    scenario.delete(item)
    restore = scenario.preview([item])
    scenario.graph.put_object(
        scenario.tenant.external_id, "compliance", {**entry, "displayName": "Renamed"}
    )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).outcome_code == "restore_moved_since_preview"
    assert len(scenario.objects("compliance")) == 2


def test_a_policy_is_not_written_if_its_group_was_deleted_after_the_preview(
    scenario: RestoreScenario,
) -> None:
    group = list(scenario.objects("groups"))[1]
    item = scenario.items("compliance")[0]
    targets = [
        assignment_target("allDevicesAssignmentTarget"),
        assignment_target("exclusionGroupAssignmentTarget", groupId=group),
    ]
    scenario.change(
        item, assignments=[{"id": str(n), **target} for n, target in enumerate(targets)]
    )
    item = scenario.back_up_again(item)
    scenario.change(item, assignments=[])
    restore = scenario.preview([item], assignments="backup")
    scenario.use_backup_for_all(restore)
    scenario.graph.delete_object(scenario.tenant.external_id, "groups", group)

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).outcome_code == "restore_reference_missing"
    assert scenario.objects("compliance")[item.graph_id]["assignments"] == []


def back_up_policy_with_location(scenario: RestoreScenario) -> tuple[BackupItem, BackupItem]:
    """Back up a conditional access policy and the named location that it excludes."""
    location, policy = (
        scenario.items(kind)[0] for kind in ("named_location", "conditional_access")
    )
    entry = scenario.objects("conditional_access")[policy.graph_id]
    locations = {"includeLocations": ["All"], "excludeLocations": [location.graph_id]}
    scenario.change(policy, conditions={**entry["conditions"], "locations": locations})
    policy = scenario.back_up_again(policy)
    return scenario.backup_set.items.get(graph_id=location.graph_id), policy


def test_a_policy_refers_to_the_location_restored_earlier(scenario: RestoreScenario) -> None:
    location, policy = back_up_policy_with_location(scenario)
    scenario.delete(location)
    scenario.delete(policy)
    tenant = scenario.tenant.external_id
    scenario.graph.fault(
        tenant, "server_error", kind="conditional_access", method="POST", status=409, times=1
    )
    first, run = scenario.restore([location, policy])
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED

    second, result = services.retry(
        RestoreRun.objects.with_scope().get(pk=first.pk), by=scenario.operator
    )
    run_now(result.run)
    assert only_item(second).action == Action.CREATE
    run = scenario.execute(second)

    created = scenario.objects("conditional_access")[only_item(second).result_id]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert created["conditions"]["locations"]["excludeLocations"] == [
        first.items.get(kind="named_location").result_id
    ]
    assert set(scenario.preview([location, policy]).items.values_list("kind", "action")) == {
        ("named_location", Action.UNCHANGED),
        ("conditional_access", Action.UNCHANGED),
    }


def test_a_policy_is_not_written_if_its_location_was_not_restored(
    scenario: RestoreScenario,
) -> None:
    location, policy = back_up_policy_with_location(scenario)
    scenario.delete(location)
    scenario.delete(policy)
    tenant = scenario.tenant.external_id
    scenario.graph.fault(tenant, "server_error", kind="named_location", method="POST", status=409)

    restore, run = scenario.restore([location, policy])

    assert run.outcome == RunOutcome.FAILED
    assert restore.items.get(kind="conditional_access").outcome_code == "restore_reference_missing"
    assert objects_named(scenario, policy) == []


@pytest.mark.parametrize(
    ("waits_at", "result", "exists"),
    [
        ("deviceCompliancePolicies", (ItemState.FAILED, "restore_stopped_before"), False),
        ("assign", (ItemState.DIFFERS, "restore_stopped_within"), True),
    ],
)
def test_a_cancellation_within_an_object_reports_what_was_written(
    scenario: RestoreScenario,
    monkeypatch: pytest.MonkeyPatch,
    waits_at: str,
    result: tuple[str, str],
    exists: bool,
) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(
        item, assignments=[{"id": "1", **assignment_target("allDevicesAssignmentTarget")}]
    )
    item = scenario.back_up_again(item)
    scenario.delete(item)
    restore = scenario.preview([item], assignments="backup")
    run = scenario.start(restore)
    post = GraphClient.post

    def throttled(client: GraphClient, path: str, body: Any) -> Any:
        if path.endswith(waits_at):
            scenario.graph.fault(
                scenario.tenant.external_id,
                "throttle",
                kind="compliance",
                method="POST",
                retry_after=3,
            )
            OperationRunService().request_cancel(run, by=scenario.operator)
        return post(client, path, body)

    monkeypatch.setattr(GraphClient, "post", throttled)

    ended = run_now(run)

    assert ended.outcome == RunOutcome.CANCELLED
    assert (only_item(restore).state, only_item(restore).outcome_code) == result
    assert bool(objects_named(scenario, item)) is exists


@pytest.mark.parametrize("how", ["created", "changed"])
@pytest.mark.parametrize("fault", [None, "drop_after_write"])
def test_verification_waits_until_the_object_is_visible(
    scenario: RestoreScenario, how: str, fault: str | None
) -> None:
    item = change_object(scenario)
    if how == "created":
        scenario.delete(item)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    method = "POST" if how == "created" else "PATCH"
    scenario.graph.fault(scenario.tenant.external_id, "slow_replication", kind="compliance", ms=150)
    if fault:
        scenario.graph.fault(
            scenario.tenant.external_id, fault, kind="compliance", method=method, times=1
        )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert only_item(restore).state == ItemState.VERIFIED
    assert len(scenario.objects("compliance")) == 2


def test_an_object_that_is_never_visible_is_unknown(scenario: RestoreScenario) -> None:
    item = scenario.items("compliance")[0]
    scenario.delete(item)
    restore = scenario.preview([item])
    scenario.graph.fault(
        scenario.tenant.external_id, "slow_replication", kind="compliance", ms=60_000
    )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.UNKNOWN
    assert only_item(restore).result_id


@pytest.mark.parametrize("status", [409, 412])
def test_a_refused_update_is_reported_as_not_written(
    scenario: RestoreScenario, status: int
) -> None:
    item = change_object(scenario)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    scenario.graph.fault(
        scenario.tenant.external_id,
        "server_error",
        kind="compliance",
        method="PATCH",
        status=status,
    )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).state == ItemState.FAILED
    assert only_item(restore).outcome_code == "object_conflict"


def test_a_write_that_failed_repeatedly_is_not_reported_as_written(
    scenario: RestoreScenario,
) -> None:
    item = change_object(scenario)
    restore = scenario.preview([item])
    scenario.use_backup_for_all(restore)
    scenario.graph.fault(
        scenario.tenant.external_id, "server_error", kind="compliance", method="PATCH"
    )

    run = scenario.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only_item(restore).outcome_code == "restore_not_seen"
    assert scenario.objects("compliance")[item.graph_id]["description"] == "changed"


def test_a_canceled_restore_keeps_and_reports_what_was_written(scenario: RestoreScenario) -> None:
    items = scenario.items("compliance")
    for item in items:
        scenario.change(item, description="changed")
    restore = scenario.preview(items)
    scenario.use_backup_for_all(restore)
    run = scenario.start(restore)
    original = Execution._write

    def write_and_cancel(self: Any, item: Any, **kwargs: Any) -> None:
        original(self, item, **kwargs)
        OperationRunService().request_cancel(run, by=scenario.operator)
        self._run.flush()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Execution, "_write", write_and_cancel)
        ended = run_now(run)

    assert ended.outcome == RunOutcome.CANCELLED
    assert sorted(states_by_name(restore).values()) == [ItemState.SKIPPED, ItemState.VERIFIED]
    assert RestoreRun.objects.get(pk=restore.pk).status == RestoreStatus.ENDED


def test_a_restore_is_closed_and_not_repeated_after_a_lost_worker(
    scenario: RestoreScenario,
) -> None:
    items = scenario.items("compliance")
    for item in items:
        scenario.change(item, description="changed")
    restore = scenario.preview(items)
    scenario.use_backup_for_all(restore)
    run = scenario.start(restore)
    service = OperationRunService()
    assert service.claim(run.pk, "w")
    first = restore.items.first()
    assert first
    restore.items.filter(pk=first.pk).update(state=ItemState.INTENT)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET heartbeat_at = now() - interval '1 hour' WHERE id = %s",
            [run.pk],
        )

    reconciler.reconcile()
    closing.close_orphaned_restores()

    assert not OperationRun.objects.filter(retry_of=run).exists()
    assert sorted(restore.items.values_list("state", flat=True)) == [
        ItemState.SKIPPED,
        ItemState.UNKNOWN,
    ]
    assert RestoreRun.objects.get(pk=restore.pk).status == RestoreStatus.ENDED


def test_a_retry_contains_only_the_remaining_objects(scenario: RestoreScenario) -> None:
    items = scenario.items("compliance")
    for item in items:
        scenario.change(item, description="changed")
    restore = scenario.preview(items)
    scenario.use_backup_for_all(restore)
    scenario.change(items[0], description="changed once more")
    scenario.execute(restore)
    ended = RestoreRun.objects.with_scope().get(pk=restore.pk)

    repeated, result = services.retry(ended, by=scenario.operator)
    run_now(result.run)

    assert repeated.retry_of == ended
    assert [item.graph_id for item in repeated.items.all()] == [items[0].graph_id]


def test_runs_and_restores_link_to_each_other(scenario: RestoreScenario) -> None:
    restore, run = scenario.restore([change_object(scenario)])

    links = OperationRunLinks.related(run, scenario.operator)
    assert restore.get_absolute_url() in [link.url for link in links]
    assert restore.run == run
    assert run.context["restore_run_id"] == restore.pk


@pytest.mark.parametrize("kind", ["settings_catalog", "compliance", "conditional_access"])
def test_a_restored_object_is_backed_up_as_the_content_that_was_restored(
    scenario: RestoreScenario, kind: str
) -> None:
    """Otherwise the list of changes would show more than the restore wrote."""
    item = scenario.items(kind)[0]
    column = "displayName" if kind == "conditional_access" else "description"
    scenario.change(item, **{column: "Changed outside of Runledger"})
    scenario.restore([item], access_state="as_backed_up")

    again = scenario.back_up_again(item)

    assert again.version
    assert item.version
    assert again.version.normalized_hash == item.version.normalized_hash
