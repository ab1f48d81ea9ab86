"""A restore says exactly what would change, and then changes exactly that."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from backups.models import BackupItem, BackupSet, SetPurpose
from dev.graph_sandbox.resources import ALL_PERMISSIONS, READ_PERMISSIONS
from operations.maintenance import reconciler
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.testing import run_now
from providers.graph.client import GraphClient
from providers.graph.errors import UnknownWriteOutcome
from providers.graph.kinds import KIND
from providers.graph.normalize import canonical_json
from providers.graph.tokens import forget_all_tokens
from providers.models import Access, ProviderConnection
from restores import bodies, services, settling
from restores.executing import Execution
from restores.models import Action, Choice, ItemState, RestoreRun, RestoreStatus
from tenancy.models import User
from tests.support.restores import (
    KINDS,
    Place,
    a_change,
    a_target,
    changed,
    only,
    state_of,
    written,
)
from tests.support.sandbox import SECRET

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def contents(place: Place, kind: str) -> list[str]:
    """What the Graph sandbox has of a kind, without ids and times; null is the same as not set."""
    states = [
        bodies.comparable(KIND[kind], entry, bodies.Options())
        for entry in place.objects(kind).values()
    ]
    return sorted(canonical_json(state).decode() for state in states)


def test_a_preview_of_what_nobody_touched_says_unchanged_and_writes_nothing(place: Place) -> None:
    place.graph.clear_log()
    restore = place.preview([item for item in place.items() if item.kind != "conditional_access"])

    assert restore.status == RestoreStatus.PREVIEWED
    assert restore.is_dry_run
    assert set(restore.items.values_list("action", flat=True)) == {Action.UNCHANGED}
    assert len(restore.preview_digest) == 64
    methods = {entry["method"] for entry in place.graph.log(place.tenant.external_id)}
    assert methods <= {"GET", "POST"}
    posts = [
        entry for entry in place.graph.log(place.tenant.external_id) if entry["method"] == "POST"
    ]
    assert all("token" in str(entry["path"]) for entry in posts)


def test_a_change_that_was_backed_up_is_an_update_with_its_fields(place: Place) -> None:
    item = place.items("compliance")[0]
    place.change(item, description="Somebody changed this")
    place.back_up(place.schedule)

    found = only(place.preview([item]))

    assert found.action == Action.UPDATE
    assert [change["path"] for change in found.changes] == ["description"]
    assert found.changes[0]["before"] == "Somebody changed this"


def test_a_change_that_was_never_backed_up_is_a_conflict_to_be_decided(place: Place) -> None:
    item = place.items("compliance")[0]
    place.change(item, description="Nobody has backed this up")
    restore = place.preview([item])

    assert only(restore).action == Action.CONFLICT
    with pytest.raises(ValidationError, match="every conflict"):
        place.start(restore)

    services.choose(restore, {only(restore).pk: Choice.KEEP})
    with pytest.raises(ValidationError, match="nothing to write"):
        place.start(restore)


def test_what_is_gone_would_be_created(place: Place) -> None:
    item = place.items("device_configuration")[0]
    place.delete(item)

    assert only(place.preview([item])).action == Action.CREATE


def test_another_object_of_the_name_is_never_doubled(place: Place) -> None:
    item = place.items("compliance")[0]
    entry = dict(place.objects("compliance")[item.graph_id])
    place.delete(item)
    for number in range(2):
        copy = {
            **entry,
            "id": f"{number}1111111-2222-3333-4444-555555555555",
            "description": str(number),
        }
        place.graph.put_object(place.tenant.external_id, "compliance", copy)
        found = only(place.preview([item]))
        if number == 0:
            assert (found.action, found.reason_code) == (Action.CONFLICT, "restore_other_object")
        else:
            assert (found.action, found.reason_code) == (Action.BLOCKED, "restore_name_taken")


def test_a_group_that_is_missing_blocks_and_an_exclusion_is_never_left_out(place: Place) -> None:
    item = place.items("compliance")[0]
    group = "99999999-0000-0000-0000-000000000000"
    target = {"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": group}
    place.change(item, assignments=[{"id": "x", "target": target}])
    place.backup_set = place.back_up(place.schedule).backup_set
    item = next(each for each in place.items("compliance") if each.graph_id == item.graph_id)
    place.change(item, assignments=[], description="other")

    kept = only(place.preview([item], assignments="keep"))
    found = only(place.preview([item], assignments="backup"))

    assert kept.action == Action.CONFLICT
    assert (found.action, found.reason_code) == (Action.BLOCKED, "restore_reference_missing")
    assert group in found.message


def test_encrypted_values_block_before_anything_starts(place: Place) -> None:
    item = place.items("device_configuration")[0]
    secret = {"omaUri": "./x", "displayName": "x", "isEncrypted": True, "value": "****"}
    place.change(item, omaSettings=[secret])
    place.backup_set = place.back_up(place.schedule).backup_set
    item = next(
        each for each in place.items("device_configuration") if each.graph_id == item.graph_id
    )
    place.change(item, description="other")

    found = only(place.preview([item]))

    assert (found.action, found.reason_code) == (Action.BLOCKED, "restore_encrypted")


def test_a_permission_to_write_that_is_missing_blocks_before_anything_starts(place: Place) -> None:
    connection = ProviderConnection.objects.get()
    found = [place.items("compliance")[0], place.items("named_location")[0]]
    for item in found:
        place.delete(item)

    def granted(permissions: list[str]) -> None:
        place.graph.add_tenant(
            place.tenant.external_id, connection.client_id, SECRET, permissions=permissions
        )

    granted([*READ_PERMISSIONS, "Policy.ReadWrite.ConditionalAccess"])
    forget_all_tokens()
    restore = place.preview(found)
    policy, location = restore.items.order_by("kind")
    # The token is an hour's; what was granted meanwhile is seen all the same.
    granted(list(ALL_PERMISSIONS))
    again = place.preview(found)

    assert (policy.action, location.action) == (Action.BLOCKED, Action.CREATE)
    assert "DeviceManagementConfiguration.ReadWrite.All is missing" in policy.message
    assert "Grant DeviceManagementConfiguration.ReadWrite.All" in policy.next_step
    assert set(again.items.values_list("action", flat=True)) == {Action.CREATE}


def test_a_next_step_says_what_to_grant(place: Place) -> None:
    place.graph.fault(
        place.tenant.external_id, "forbid", kind="compliance", permission="Some.Permission"
    )
    restore = place.preview([place.items("compliance")[0], place.items("named_location")[0]])
    blocked = restore.items.get(kind="compliance")

    assert blocked.action == Action.BLOCKED
    assert "Grant Some.Permission" in blocked.next_step


def test_app_protection_is_previewed_and_never_written(place: Place) -> None:
    place.schedule.kinds = ["app_protection"]
    services_set = place.graph.put_object(
        place.tenant.external_id,
        "app_protection",
        {
            "@odata.type": "#microsoft.graph.iosManagedAppProtection",
            "id": "T_1",
            "displayName": "iOS",
            "description": "before",
            "apps": [],
            "assignments": [],
        },
    )
    assert services_set
    place.schedule.save()
    place.backup_set = place.back_up(place.schedule).backup_set
    item = next(each for each in place.items("app_protection") if each.graph_id == "T_1")
    place.change(item, description="after")

    found = only(place.preview([item]))

    assert (found.action, found.reason_code) == (Action.BLOCKED, "restore_kind_refused")
    assert [change["path"] for change in found.changes] == ["description"]


def test_encrypted_values_are_never_called_unchanged(place: Place) -> None:
    """Both show the same mask; whether what is behind it is the same nobody can tell."""
    item = place.items("device_configuration")[0]
    secret = {"omaUri": "./x", "displayName": "x", "isEncrypted": True, "value": "****"}
    place.change(item, omaSettings=[secret])

    found = only(place.preview([place.back_up_again(item)]))

    assert (found.action, found.reason_code) == (Action.BLOCKED, "restore_encrypted")


def enforced(place: Place) -> BackupItem:
    """A conditional access policy that was enforced when it was backed up, for everybody."""
    item = place.items("conditional_access")[0]
    entry = place.objects("conditional_access")[item.graph_id]
    users = {"includeUsers": ["All"], "excludeUsers": [], "excludeGroups": [], "excludeRoles": []}
    conditions = {**entry["conditions"], "users": users}
    place.change(item, state="enabled", conditions=conditions)
    return place.back_up_again(item)


def test_a_policy_that_is_enforced_as_it_was_is_not_weakened(place: Place) -> None:
    assert only(place.preview([enforced(place)])).action == Action.UNCHANGED


def test_that_a_policy_would_stop_enforcing_is_said(place: Place) -> None:
    item = enforced(place)
    place.change(item, displayName="changed")

    assert "would only report afterward" in only(place.preview([item])).warning


def test_that_a_policy_would_be_enforced_for_everybody_is_said(place: Place) -> None:
    item = enforced(place)
    place.delete(item)

    assert "lock out" in only(place.preview([item], access_state="as_backed_up")).warning
    assert only(place.preview([item])).warning == ""


def test_that_a_new_object_comes_back_unassigned_is_said(place: Place) -> None:
    item = place.items("compliance")[0]
    place.change(item, assignments=[{"id": "1", **a_target("allDevicesAssignmentTarget")}])
    item = place.back_up_again(item)
    place.delete(item)

    assert "without its assignments" in only(place.preview([item])).warning
    assert only(place.preview([item], assignments="backup")).warning == ""


def test_only_what_an_object_refers_to_is_looked_up(place: Place) -> None:
    """A connection that may read and write Intune alone restores Intune."""
    connection_ = ProviderConnection.objects.get()
    allowed = [
        each for each in ALL_PERMISSIONS if not each.startswith(("Policy", "Group", "Directory"))
    ]
    place.graph.add_tenant(
        place.tenant.external_id, connection_.client_id, SECRET, permissions=allowed
    )
    forget_all_tokens()
    found = [place.items("compliance")[0], place.items("settings_catalog")[0]]
    for item in found:
        place.delete(item)

    restore, run = place.restore(found)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert set(state_of(restore).values()) == {ItemState.VERIFIED}


def test_the_order_of_what_has_none_is_no_difference(place: Place) -> None:
    item = place.items("device_configuration")[0]
    settings = [{"omaUri": f"./{name}", "displayName": name, "value": name} for name in "ab"]
    place.change(item, omaSettings=settings)
    item = place.back_up_again(item)
    place.change(item, omaSettings=settings[::-1])

    assert only(place.preview([item])).action == Action.UNCHANGED


def test_a_property_that_came_to_graph_after_the_backup_is_left_as_it_is(place: Place) -> None:
    item = changed(place)
    place.change(item, createdByAppId="set by Microsoft", somethingNew=True)

    restore, run = place.restore([item])

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert place.objects("compliance")[item.graph_id]["somethingNew"] is True
    assert [change["path"] for change in only(restore).changes] == ["description"]


def test_privacy_access_controls_are_compared_and_come_back(place: Place) -> None:
    item = place.items("device_configuration")[0]
    controls = [{"accessLevel": "forceDeny", "appDisplayName": "Camera"}]
    place.change(item, privacyAccessControls=controls)
    item = place.back_up_again(item)
    place.change(item, privacyAccessControls=[])
    restore, run = place.restore([item])
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert only(restore).changes
    assert place.objects("device_configuration")[item.graph_id]["privacyAccessControls"] == controls
    place.delete(item)

    restore, run = place.restore([item])

    made = place.objects("device_configuration")[only(restore).result_id]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert made["privacyAccessControls"] == controls


def test_a_long_text_is_shown_where_it_begins_to_differ(place: Place) -> None:
    item = place.items("compliance")[0]
    long = "The quick brown fox jumps over the dog. " * 100
    place.change(item, description=f"{long}One end")
    item = place.back_up_again(item)
    place.change(item, description=f"{long}Another end")

    (change,) = only(place.preview([item])).changes

    assert "Another end" in change["before"]
    assert "One end" in change["after"]
    assert len(change["before"]) < 1000


# --- round trips ------------------------------------------------------------------------------------


@EVERY_KIND
def test_what_was_changed_is_as_before(place: Place, kind: str) -> None:
    before = contents(place, kind)
    for item in place.items(kind):
        place.change(item, **a_change(item))

    restore, run = place.restore(place.items(kind), access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, (run.failures, list(restore.items.values()))
    assert set(state_of(restore).values()) == {ItemState.VERIFIED}
    assert contents(place, kind) == before


@EVERY_KIND
def test_what_was_deleted_comes_back_as_it_was(place: Place, kind: str) -> None:
    before = contents(place, kind)
    wanted = place.items(kind)
    if kind == "named_location":
        wanted = wanted + place.items("conditional_access")
    for item in place.items(kind):
        place.delete(item)

    restore, run = place.restore(place.items(kind), access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, (run.failures, list(restore.items.values()))
    assert set(state_of(restore).values()) == {ItemState.VERIFIED}
    assert contents(place, kind) == before


def test_locations_come_before_the_policies_that_name_them(place: Place) -> None:
    """Everything is gone: the policies refer to the ids that the locations have now."""
    location = place.items("named_location")[0]
    policy = place.items("conditional_access")[0]
    entry = place.objects("conditional_access")[policy.graph_id]
    conditions = {
        **entry["conditions"],
        "locations": {"includeLocations": [location.graph_id], "excludeLocations": []},
    }
    place.change(policy, conditions=conditions)
    place.backup_set = place.back_up(place.schedule).backup_set
    wanted = [
        each for each in place.items() if each.graph_id in (location.graph_id, policy.graph_id)
    ]
    for item in wanted:
        place.delete(item)

    restore, run = place.restore(wanted)

    made = {item.kind: item for item in restore.items.all()}
    assert run.outcome == RunOutcome.SUCCEEDED, (run.failures, list(restore.items.values()))
    written = place.objects("conditional_access")[made["conditional_access"].result_id]
    assert written["conditions"]["locations"]["includeLocations"] == [
        made["named_location"].result_id
    ]
    assert written["state"] in ("enabledForReportingButNotEnforced", "disabled")


@pytest.mark.parametrize("how", ["changed", "deleted"])
@pytest.mark.parametrize("kind", ["settings_catalog", "device_configuration", "compliance"])
def test_assignments_come_back_with_inclusions_exclusions_and_filters(
    place: Place, kind: str, how: str
) -> None:
    group, other = (entry for entry in list(place.objects("groups"))[:2])
    used = next(iter(place.objects("assignment_filters")))
    targets = [
        a_target("exclusionGroupAssignmentTarget", groupId=other),
        a_target(
            "groupAssignmentTarget",
            groupId=group,
            deviceAndAppManagementAssignmentFilterId=used,
            deviceAndAppManagementAssignmentFilterType="include",
        ),
    ]
    item = place.items(kind)[0]
    place.change(item, assignments=[{"id": str(n), **each} for n, each in enumerate(targets)])
    item = place.back_up_again(item)
    if how == "deleted":
        place.delete(item)
    else:
        place.change(item, assignments=[])

    restore, run = place.restore([item], assignments="backup")

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    written = place.objects(kind)[only(restore).result_id]["assignments"]
    assert bodies.same(bodies.targets(written), bodies.targets(targets))


@pytest.mark.parametrize(("choice", "count"), [("keep", 1), ("backup", 0), ("none", 0)])
def test_assignments_are_a_choice_of_their_own(place: Place, choice: str, count: int) -> None:
    item = place.items("compliance")[0]
    place.change(item, assignments=[])
    place.backup_set = place.back_up(place.schedule).backup_set
    item = next(each for each in place.items("compliance") if each.graph_id == item.graph_id)
    everybody = {"target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}}
    place.change(item, description="changed", assignments=[{"id": "1", **everybody}])

    _, run = place.restore([item], assignments=choice)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert len(place.objects("compliance")[item.graph_id]["assignments"]) == count


# --- safety -----------------------------------------------------------------------------------------


def test_what_was_there_is_backed_up_first(place: Place) -> None:
    item = changed(place)

    restore, _ = place.restore([item])

    before = restore.before_set
    assert isinstance(before, BackupSet)
    assert before.purpose == SetPurpose.SELECTION
    kept = before.items.get().version
    assert kept
    assert kept.payload["description"] == "changed"


def test_an_object_that_moved_since_the_preview_is_left_alone(place: Place) -> None:
    item = changed(place)
    restore = place.preview([item])
    place.take_all(restore)
    place.change(item, description="changed once more")

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code == "restore_moved_since_preview"
    assert place.objects("compliance")[item.graph_id]["description"] == "changed once more"


def test_an_object_that_changes_while_others_are_backed_up_is_left_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = changed(place)
    restore = place.preview([item])
    place.take_all(restore)
    keep = Execution._keep

    def keep_and_somebody_edits(execution: Execution, *given: Any) -> None:
        keep(execution, *given)
        place.change(item, description="Edited after it was backed up")

    monkeypatch.setattr(Execution, "_keep", keep_and_somebody_edits)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code == "restore_moved_since_preview"
    assert place.objects("compliance")[item.graph_id]["description"].startswith("Edited after")


def test_an_object_that_could_not_be_backed_up_is_not_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = changed(place)
    restore = place.preview([item])
    place.take_all(restore)
    monkeypatch.setattr(Execution, "_back_up", lambda *_: set())

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code == "restore_live_unreadable"


def test_a_change_that_was_made_in_part_is_not_told_as_nothing_written(place: Place) -> None:
    """The policy is changed, then Graph refuses its actions for noncompliance."""
    item = changed(place)
    rules = place.objects("compliance")[item.graph_id]["scheduledActionsForRule"]
    place.change(item, scheduledActionsForRule=[{**rules[0], "ruleName": "Another"}])
    restore = place.preview([item])
    place.take_all(restore)
    place.graph.fault(
        place.tenant.external_id, "server_error", kind="compliance", method="POST", status=400
    )

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.DIFFERS
    assert only(restore).is_written


def test_an_object_that_came_since_the_preview_is_not_doubled(place: Place) -> None:
    item = place.items("compliance")[0]
    entry = dict(place.objects("compliance")[item.graph_id])
    place.delete(item)
    restore = place.preview([item])
    place.graph.put_object(place.tenant.external_id, "compliance", entry)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert len(place.objects("compliance")) == 2


def test_a_connection_that_may_only_read_writes_nothing(place: Place) -> None:
    restore = place.preview([changed(place)])
    place.take_all(restore)
    ProviderConnection.objects.update(access=Access.READ_ONLY)

    with pytest.raises(ValidationError, match="Allow writing on the connection"):
        place.start(restore)

    ProviderConnection.objects.update(access=Access.READ_WRITE)
    begun = place.start(restore)
    ProviderConnection.objects.update(access=Access.READ_ONLY)

    run = run_now(begun)

    assert run.outcome == RunOutcome.BLOCKED
    assert state_of(restore) == {only(restore).name: ItemState.SKIPPED}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"decided": "0" * 64}, "look again"), ({"tenant_name": "Fabrikan"}, "exactly")],
)
def test_a_confirmation_that_is_not_one_is_refused(
    place: Place, wrong: dict[str, str], says: str
) -> None:
    restore = place.preview([changed(place)])
    place.take_all(restore)
    seen = services.decided_of(restore)
    given = {"decided": seen, "tenant_name": place.tenant.name} | wrong

    with pytest.raises(ValidationError, match=says):
        services.execute(
            restore,
            by=place.person,
            decided=given["decided"],
            tenant_name=given["tenant_name"],
        )
    assert RestoreRun.objects.get().status == RestoreStatus.PREVIEWED


def test_where_the_workspace_wants_it_a_second_person_agrees_and_not_the_first(
    place: Place, owner: User
) -> None:
    place.tenant.workspace.restores_need_approval = True
    place.tenant.workspace.save()
    restore = place.preview([changed(place)])
    with pytest.raises(ValidationError, match="every conflict"):
        services.approve(restore, by=owner, decided=services.decided_of(restore))
    place.take_all(restore)

    with pytest.raises(ValidationError, match="second person"):
        place.start(restore)
    with pytest.raises(ValidationError, match="your own"):
        services.approve(restore, by=place.person, decided=services.decided_of(restore))
    services.approve(restore, by=owner, decided=services.decided_of(restore))

    assert place.execute(restore).outcome == RunOutcome.SUCCEEDED


def test_what_was_approved_cannot_be_decided_otherwise(place: Place, owner: User) -> None:
    restore = place.preview([changed(place)])
    services.choose(restore, {only(restore).pk: Choice.KEEP})
    services.approve(restore, by=owner, decided=services.decided_of(restore))

    with pytest.raises(ValidationError, match="approved as it is"):
        services.choose(restore, {only(restore).pk: Choice.TAKE})


def test_a_decision_that_changes_under_somebody_s_hands_is_not_confirmed(place: Place) -> None:
    restore = place.preview([changed(place), changed(place, "settings_catalog")])
    place.take_all(restore)
    seen = services.decided_of(restore)
    first = restore.items.order_by("pk")[0]
    services.choose(restore, {first.pk: Choice.KEEP})

    with pytest.raises(ValidationError, match="look again"):
        services.execute(
            RestoreRun.objects.with_scope().get(pk=restore.pk),
            by=place.person,
            decided=seen,
            tenant_name=place.tenant.name,
        )


def test_one_restore_of_a_tenant_at_a_time(place: Place) -> None:
    first, second = place.preview([changed(place)]), place.preview([place.items("compliance")[0]])
    for restore in (first, second):
        place.take_all(restore)
    place.start(first)

    with pytest.raises(ValidationError, match="Another restore"):
        place.start(second)


# --- truth under failure ----------------------------------------------------------------------------

LOST = pytest.mark.parametrize(
    "fault", ["drop_after_write", "error_after_write", "drop", "late_write"]
)


@LOST
@EVERY_KIND
def test_a_lost_answer_to_a_creation_is_read_back_and_never_repeated(
    place: Place, kind: str, fault: str
) -> None:
    """Five of each kind and fault: 100 creations of which nobody knows, none doubled, none guessed."""
    item = place.items(kind)[0]
    for _ in range(5):
        for entry in written(place, item):
            place.graph.delete_object(place.tenant.external_id, kind, entry["id"])
        restore = place.preview([item])
        place.take_all(restore)
        place.graph.fault(place.tenant.external_id, fault, kind=kind, method="POST", times=1, ms=60)
        run = place.execute(restore)
        place.graph.clear(place.tenant.external_id)
        told, there = only(restore), written(place, item)
        assert len(there) == (0 if fault == "drop" else 1)
        if told.state == ItemState.VERIFIED:
            assert [entry["id"] for entry in there] == [told.result_id]
        else:
            assert told.state == ItemState.UNKNOWN
            assert run.outcome != RunOutcome.SUCCEEDED
        assert (told.state == ItemState.VERIFIED) == (fault != "drop")


@LOST
@EVERY_KIND
def test_a_lost_answer_to_a_change_is_read_back_and_never_called_what_it_is_not(
    place: Place, kind: str, fault: str
) -> None:
    """Five of each kind and fault: 100 changes of which nobody knows, none called what it is not."""
    item = place.items(kind)[0]
    method = "PUT" if kind == "settings_catalog" else "PATCH"
    before = contents(place, kind)
    for _ in range(5):
        place.change(item, **a_change(item))
        restore = place.preview([item], access_state="as_backed_up")
        place.take_all(restore)
        place.graph.fault(place.tenant.external_id, fault, kind=kind, method=method, times=1, ms=60)
        run = place.execute(restore)
        place.graph.clear(place.tenant.external_id)
        told = only(restore)
        if fault == "drop":
            assert (told.state, told.outcome_code) == (ItemState.UNKNOWN, "restore_not_seen")
            assert run.outcome == RunOutcome.FAILED
            assert contents(place, kind) != before
        else:
            assert told.state == ItemState.VERIFIED
            assert contents(place, kind) == before


def test_after_a_creation_of_which_nobody_knows_a_second_one_is_somebody_s_decision(
    place: Place,
) -> None:
    item = place.items("compliance")[0]
    place.delete(item)
    restore = place.preview([item])
    tenant = place.tenant.external_id
    place.graph.fault(tenant, "drop_after_write", kind="compliance", method="POST", times=1)
    place.graph.fault(tenant, "slow_replication", kind="compliance", ms=60_000)
    place.execute(restore)
    assert only(restore).state == ItemState.UNKNOWN

    again, result = services.retry(
        RestoreRun.objects.with_scope().get(pk=restore.pk), by=place.person
    )
    run_now(result.run)

    assert (only(again).action, only(again).reason_code) == (Action.CONFLICT, "restore_may_be_made")
    place.graph.clear(tenant)
    seen = only(place.preview([item]))
    assert (seen.action, seen.reason_code) == (Action.UNCHANGED, "")
    assert len(written(place, item)) == 1


def test_an_object_that_somebody_else_made_meanwhile_is_not_taken_for_ours(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = place.items("compliance")[0]
    entry = place.objects("compliance")[item.graph_id]
    place.change(item, assignments=[{"id": "1", **a_target("allDevicesAssignmentTarget")}])
    item = place.back_up_again(item)
    place.delete(item)
    restore = place.preview([item], assignments="backup")
    foreign = {**entry, "id": "f0000000-1111-2222-3333-444444444444", "description": "theirs"}
    post = GraphClient.post

    def lost(client: GraphClient, path: str, body: Any) -> Any:
        if path.endswith("deviceCompliancePolicies"):
            place.graph.put_object(
                place.tenant.external_id, "compliance", {**foreign, "assignments": []}
            )
            raise UnknownWriteOutcome
        return post(client, path, body)

    monkeypatch.setattr(GraphClient, "post", lost)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.UNKNOWN
    assert place.objects("compliance")[foreign["id"]]["assignments"] == []


def test_an_object_that_was_renamed_is_not_made_a_second_time(place: Place) -> None:
    """One answer says that it is not there, although it is, under another name."""
    item = place.items("compliance")[0]
    place.change(item, displayName="Renamed in the admin center")
    place.graph.fault(place.tenant.external_id, "gone", kind="compliance", times=1)

    found = only(place.preview([item]))

    assert found.action == Action.CONFLICT
    assert found.target_id == item.graph_id


def test_an_object_that_comes_back_under_another_name_is_not_doubled(place: Place) -> None:
    item = place.items("compliance")[0]
    entry = dict(place.objects("compliance")[item.graph_id])
    place.delete(item)
    restore = place.preview([item])
    place.graph.put_object(
        place.tenant.external_id, "compliance", {**entry, "displayName": "Renamed"}
    )

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code == "restore_moved_since_preview"
    assert len(place.objects("compliance")) == 2


def test_a_group_that_goes_after_the_preview_keeps_its_policy_from_being_written(
    place: Place,
) -> None:
    group = list(place.objects("groups"))[1]
    item = place.items("compliance")[0]
    everybody_but = [
        a_target("allDevicesAssignmentTarget"),
        a_target("exclusionGroupAssignmentTarget", groupId=group),
    ]
    place.change(item, assignments=[{"id": str(n), **each} for n, each in enumerate(everybody_but)])
    item = place.back_up_again(item)
    place.change(item, assignments=[])
    restore = place.preview([item], assignments="backup")
    place.take_all(restore)
    place.graph.delete_object(place.tenant.external_id, "groups", group)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code == "restore_reference_missing"
    assert place.objects("compliance")[item.graph_id]["assignments"] == []


def a_policy_with_a_location(place: Place) -> tuple[BackupItem, BackupItem]:
    """A conditional access policy that excludes a named location, both backed up."""
    location, policy = (place.items(kind)[0] for kind in ("named_location", "conditional_access"))
    entry = place.objects("conditional_access")[policy.graph_id]
    locations = {"includeLocations": ["All"], "excludeLocations": [location.graph_id]}
    place.change(policy, conditions={**entry["conditions"], "locations": locations})
    policy = place.back_up_again(policy)
    return place.backup_set.items.get(graph_id=location.graph_id), policy


def test_a_policy_finds_its_location_that_an_earlier_restore_has_put_back(place: Place) -> None:
    location, policy = a_policy_with_a_location(place)
    place.delete(location)
    place.delete(policy)
    tenant = place.tenant.external_id
    place.graph.fault(
        tenant, "server_error", kind="conditional_access", method="POST", status=409, times=1
    )
    first, run = place.restore([location, policy])
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED

    second, result = services.retry(
        RestoreRun.objects.with_scope().get(pk=first.pk), by=place.person
    )
    run_now(result.run)
    assert only(second).action == Action.CREATE
    run = place.execute(second)

    made = place.objects("conditional_access")[only(second).result_id]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert made["conditions"]["locations"]["excludeLocations"] == [
        first.items.get(kind="named_location").result_id
    ]
    assert set(place.preview([location, policy]).items.values_list("kind", "action")) == {
        ("named_location", Action.UNCHANGED),
        ("conditional_access", Action.UNCHANGED),
    }


def test_a_policy_whose_location_was_not_put_back_after_all_is_not_written(place: Place) -> None:
    location, policy = a_policy_with_a_location(place)
    place.delete(location)
    place.delete(policy)
    tenant = place.tenant.external_id
    place.graph.fault(tenant, "server_error", kind="named_location", method="POST", status=409)

    restore, run = place.restore([location, policy])

    assert run.outcome == RunOutcome.FAILED
    assert restore.items.get(kind="conditional_access").outcome_code == "restore_reference_missing"
    assert written(place, policy) == []


@pytest.mark.parametrize(
    ("waits_at", "told", "is_there"),
    [
        ("deviceCompliancePolicies", (ItemState.FAILED, "restore_stopped_before"), False),
        ("assign", (ItemState.DIFFERS, "restore_stopped_within"), True),
    ],
)
def test_a_cancellation_within_an_object_says_how_far_it_came(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    waits_at: str,
    told: tuple[str, str],
    is_there: bool,
) -> None:
    item = place.items("compliance")[0]
    place.change(item, assignments=[{"id": "1", **a_target("allDevicesAssignmentTarget")}])
    item = place.back_up_again(item)
    place.delete(item)
    restore = place.preview([item], assignments="backup")
    run = place.start(restore)
    post = GraphClient.post

    def throttled(client: GraphClient, path: str, body: Any) -> Any:
        if path.endswith(waits_at):
            place.graph.fault(
                place.tenant.external_id,
                "throttle",
                kind="compliance",
                method="POST",
                retry_after=3,
            )
            OperationRunService().request_cancel(run, by=place.person)
        return post(client, path, body)

    monkeypatch.setattr(GraphClient, "post", throttled)

    ended = run_now(run)

    assert ended.outcome == RunOutcome.CANCELLED
    assert (only(restore).state, only(restore).outcome_code) == told
    assert bool(written(place, item)) is is_there


@pytest.mark.parametrize("how", ["created", "changed"])
@pytest.mark.parametrize("fault", [None, "drop_after_write"])
def test_what_is_not_seen_at_once_is_waited_for(place: Place, how: str, fault: str | None) -> None:
    item = changed(place)
    if how == "created":
        place.delete(item)
    restore = place.preview([item])
    place.take_all(restore)
    method = "POST" if how == "created" else "PATCH"
    place.graph.fault(place.tenant.external_id, "slow_replication", kind="compliance", ms=150)
    if fault:
        place.graph.fault(
            place.tenant.external_id, fault, kind="compliance", method=method, times=1
        )

    run = place.execute(restore)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert only(restore).state == ItemState.VERIFIED
    assert len(place.objects("compliance")) == 2


def test_an_object_that_is_never_seen_again_is_for_somebody_to_look_at(place: Place) -> None:
    item = place.items("compliance")[0]
    place.delete(item)
    restore = place.preview([item])
    place.graph.fault(place.tenant.external_id, "slow_replication", kind="compliance", ms=60_000)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.UNKNOWN
    assert only(restore).result_id


@pytest.mark.parametrize("status", [409, 412])
def test_a_refusal_for_a_conflict_is_not_written_and_told(place: Place, status: int) -> None:
    item = changed(place)
    restore = place.preview([item])
    place.take_all(restore)
    place.graph.fault(
        place.tenant.external_id, "server_error", kind="compliance", method="PATCH", status=status
    )

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.FAILED
    assert only(restore).outcome_code == "object_conflict"


def test_a_write_that_was_given_up_is_not_told_as_done(place: Place) -> None:
    item = changed(place)
    restore = place.preview([item])
    place.take_all(restore)
    place.graph.fault(place.tenant.external_id, "server_error", kind="compliance", method="PATCH")

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code == "restore_not_seen"
    assert place.objects("compliance")[item.graph_id]["description"] == "changed"


def test_a_cancelled_restore_says_what_was_written_and_is_no_rollback(place: Place) -> None:
    items = place.items("compliance")
    for item in items:
        place.change(item, description="changed")
    restore = place.preview(items)
    place.take_all(restore)
    run = place.start(restore)
    original = Execution._write

    def write_and_cancel(self: Any, item: Any, **given: Any) -> None:
        original(self, item, **given)
        OperationRunService().request_cancel(run, by=place.person)
        self._run.flush()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Execution, "_write", write_and_cancel)
        ended = run_now(run)

    assert ended.outcome == RunOutcome.CANCELLED
    assert sorted(state_of(restore).values()) == [ItemState.SKIPPED, ItemState.VERIFIED]
    assert RestoreRun.objects.get(pk=restore.pk).status == RestoreStatus.ENDED


def test_a_lost_worker_never_runs_a_restore_again_and_leaves_what_is_known(place: Place) -> None:
    items = place.items("compliance")
    for item in items:
        place.change(item, description="changed")
    restore = place.preview(items)
    place.take_all(restore)
    run = place.start(restore)
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
    settling.settle_abandoned()

    assert not OperationRun.objects.filter(retry_of=run).exists()
    assert sorted(restore.items.values_list("state", flat=True)) == [
        ItemState.SKIPPED,
        ItemState.UNKNOWN,
    ]
    assert RestoreRun.objects.get(pk=restore.pk).status == RestoreStatus.ENDED


def test_a_retry_takes_up_only_what_is_left(place: Place) -> None:
    items = place.items("compliance")
    for item in items:
        place.change(item, description="changed")
    restore = place.preview(items)
    place.take_all(restore)
    place.change(items[0], description="changed once more")
    place.execute(restore)
    ended = RestoreRun.objects.with_scope().get(pk=restore.pk)

    repeated, result = services.retry(ended, by=place.person)
    run_now(result.run)

    assert repeated.retry_of == ended
    assert [item.graph_id for item in repeated.items.all()] == [items[0].graph_id]


def test_runs_and_restores_lead_to_each_other(place: Place) -> None:
    from operations.links import OperationRunLinks

    restore, run = place.restore([changed(place)])

    links = OperationRunLinks.related(run, place.person)
    assert restore.get_absolute_url() in [link.url for link in links]
    assert restore.run == run
    assert run.context["restore_run_id"] == restore.pk
