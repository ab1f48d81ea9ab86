"""A restore says exactly what would change, and then changes exactly that."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from backups.models import BackupSet, SetPurpose
from operations import reconciler
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from providers.graph.kinds import KIND
from providers.graph.normalize import canonical_json
from providers.graph.tokens import forget_all_tokens
from providers.models import Access, ProviderConnection
from providers.sandbox.resources import ALL_PERMISSIONS, READ_PERMISSIONS
from restores import services, settling
from restores.executing import Execution
from restores.models import Action, Choice, ItemState, RestoreRun, RestoreStatus
from tenancy.models import User
from tests.backups.conftest import SECRET
from tests.restores.conftest import KINDS, Place, executed, only, state_of

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def contents(place: Place, kind: str) -> list[str]:
    """What the stand-in has of a kind, without ids and times; null is the same as not set."""
    states = [
        {name: value for name, value in KIND[kind].content(entry).items() if value is not None}
        for entry in place.objects(kind).values()
    ]
    for state in states:
        state.pop("assignments", None)
    return sorted(canonical_json(state).decode() for state in states)


# --- the preview ------------------------------------------------------------------------------------


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


# --- round trips ------------------------------------------------------------------------------------


@EVERY_KIND
def test_what_was_changed_is_as_before(place: Place, kind: str) -> None:
    before = contents(place, kind)
    for item in place.items(kind):
        name = KIND[kind].name_field
        described = {} if kind == "named_location" else {"description": "changed"}
        place.change(item, **(described or {name: f"{item.name} changed"}))

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


def changed(place: Place, kind: str = "compliance") -> Any:
    item = place.items(kind)[0]
    place.change(item, description="changed")
    return item


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

    run = executed(begun)

    assert run.outcome == RunOutcome.BLOCKED
    assert state_of(restore) == {only(restore).name: ItemState.SKIPPED}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"digest": "0" * 64}, "not the one"), ({"tenant_name": "Fabrikan"}, "exactly")],
)
def test_a_confirmation_that_is_not_one_is_refused(
    place: Place, wrong: dict[str, str], says: str
) -> None:
    restore = place.preview([changed(place)])
    place.take_all(restore)
    given = {"digest": restore.preview_digest, "tenant_name": place.tenant.name} | wrong

    with pytest.raises(ValidationError, match=says):
        services.execute(
            restore,
            by=place.person,
            digest=given["digest"],
            tenant_name=given["tenant_name"],
        )
    assert RestoreRun.objects.get().status == RestoreStatus.PREVIEWED


def test_where_the_workspace_wants_it_a_second_person_agrees_and_not_the_first(
    place: Place, owner: User
) -> None:
    place.tenant.workspace.restores_need_approval = True
    place.tenant.workspace.save()
    restore = place.preview([changed(place)])
    place.take_all(restore)

    with pytest.raises(ValidationError, match="second person"):
        place.start(restore)
    with pytest.raises(ValidationError, match="your own"):
        services.approve(restore, by=place.person)
    services.approve(restore, by=owner)

    assert place.execute(restore).outcome == RunOutcome.SUCCEEDED


def test_one_restore_of_a_tenant_at_a_time(place: Place) -> None:
    first, second = place.preview([changed(place)]), place.preview([place.items("compliance")[0]])
    for restore in (first, second):
        place.take_all(restore)
    place.start(first)

    with pytest.raises(ValidationError, match="Another restore"):
        place.start(second)


# --- truth under failure ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop_after_write", "error_after_write"])
@EVERY_KIND
def test_a_lost_answer_is_read_back_and_never_repeated(place: Place, kind: str, fault: str) -> None:
    """Twenty objects of each kind and fault: 200 ambiguous writes, none doubled, none guessed."""
    wanted = place.items(kind)[:1]
    for round_ in range(20):
        for item in wanted:
            live = [e for e in place.objects(kind).values() if KIND[kind].name_of(e) == item.name]
            for entry in live:
                place.graph.delete_object(place.tenant.external_id, kind, entry["id"])
        restore = place.preview(wanted)
        place.graph.fault(place.tenant.external_id, fault, kind=kind, method="POST", times=1)
        run = place.execute(restore)
        place.graph.clear(place.tenant.external_id)
        names = [KIND[kind].name_of(entry) for entry in place.objects(kind).values()]
        assert len(names) == len(set(names)), f"round {round_}: doubled"
        item_state = only(restore).state
        assert item_state in (ItemState.VERIFIED, ItemState.UNKNOWN)
        if item_state == ItemState.UNKNOWN:
            assert run.outcome != RunOutcome.SUCCEEDED
        RestoreRun.objects.filter(pk=restore.pk)


@pytest.mark.parametrize("fault", [None, "drop_after_write"])
def test_a_new_object_that_is_not_seen_at_once_is_waited_for(
    place: Place, fault: str | None
) -> None:
    item = place.items("compliance")[0]
    place.delete(item)
    restore = place.preview([item])
    place.graph.fault(place.tenant.external_id, "slow_replication", kind="compliance", ms=150)
    if fault:
        place.graph.fault(
            place.tenant.external_id, fault, kind="compliance", method="POST", times=1
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


def test_a_write_that_never_arrived_is_told_as_not_written_or_unknown(place: Place) -> None:
    item = changed(place)
    restore = place.preview([item])
    place.take_all(restore)
    place.graph.fault(place.tenant.external_id, "server_error", kind="compliance", method="PATCH")

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).outcome_code in ("restore_not_applied", "service_unavailable")
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
        ended = executed(run)

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
    from django.db import connection

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
    executed(result.run)

    assert repeated.retry_of == ended
    assert [item.graph_id for item in repeated.items.all()] == [items[0].graph_id]


def test_runs_and_restores_lead_to_each_other(place: Place) -> None:
    from operations.links import OperationRunLinks

    restore, run = place.restore([changed(place)])

    links = OperationRunLinks.related(run, place.person)
    assert restore.get_absolute_url() in [link.url for link in links]
    assert restore.run == run
    assert run.context["restore_run_id"] == restore.pk
