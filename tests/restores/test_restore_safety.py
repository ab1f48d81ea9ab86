"""What a restore must never do, however the tenant and the wire behave around it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from backups import retention
from backups.models import BackupItem, BackupSet
from operations.states import RunOutcome
from operations.testing import run_now
from providers.graph.client import GraphClient
from providers.graph.errors import CredentialRejected, InvalidRequest
from restores import services
from restores.models import Action, Choice, ItemState, RestoreRun
from tenancy.models import User
from tests.support.restores import Place, a_target, changed, only, state_of, written

pytestmark = pytest.mark.django_db

LOCATION_IDS = [f"{n}0000000-1111-2222-3333-444444444444" for n in range(1, 5)]


def locations_and_their_policy(place: Place, ids: list[str]) -> tuple[list[BackupItem], BackupItem]:
    """Named locations of these ids and a policy that includes them, all backed up."""
    tenant = place.tenant.external_id
    base = next(iter(place.objects("named_location").values()))
    for number, graph_id in enumerate(ids):
        entry = {**base, "id": graph_id, "displayName": f"Office {number}"}
        place.graph.put_object(tenant, "named_location", entry)
    policy = place.items("conditional_access")[0]
    entry = place.objects("conditional_access")[policy.graph_id]
    locations = {"includeLocations": ids, "excludeLocations": []}
    place.change(policy, conditions={**entry["conditions"], "locations": locations})
    policy = place.back_up_again(policy)
    return [each for each in place.items("named_location") if each.graph_id in ids], policy


def test_a_second_restore_that_was_previewed_before_does_not_create_again(place: Place) -> None:
    """The first one's creation arrives late: nobody knows of it when the second is executed."""
    item = place.items("compliance")[0]
    place.delete(item)
    first, second = place.preview([item]), place.preview([item])
    tenant = place.tenant.external_id
    place.graph.fault(tenant, "late_write", kind="compliance", method="POST", times=1, ms=3_600_000)
    place.execute(first)
    assert only(first).state == ItemState.UNKNOWN

    run = place.execute(second)

    assert run.outcome == RunOutcome.FAILED
    assert only(second).outcome_code == "restore_may_be_made"
    assert written(place, item) == []


def test_a_policy_with_many_locations_comes_back_to_all_of_them(place: Place) -> None:
    locations, policy = locations_and_their_policy(place, LOCATION_IDS)
    for item in [policy, *locations]:
        place.delete(item)

    restore, run = place.restore([*locations, policy], access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert set(state_of(restore).values()) == {ItemState.VERIFIED}
    assert only(place.preview([policy], access_state="as_backed_up")).action == Action.UNCHANGED


def test_a_policy_finds_the_location_that_took_over_from_another_of_its_name(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (location,), policy = locations_and_their_policy(place, LOCATION_IDS[:1])
    entry = place.objects("named_location")[location.graph_id]
    place.delete(location)
    place.delete(policy)
    other = {**entry, "id": LOCATION_IDS[1], "isTrusted": not entry.get("isTrusted")}
    place.graph.put_object(place.tenant.external_id, "named_location", other)
    with monkeypatch.context() as patch:
        patch.setattr(GraphClient, "post", refusing)
        first, _ = place.restore([location, policy], access_state="as_backed_up")
    assert first.items.get(kind="named_location").state == ItemState.VERIFIED

    again, result = services.retry(
        RestoreRun.objects.with_scope().get(pk=first.pk), by=place.person
    )
    run_now(result.run)

    assert only(again).action == Action.CREATE
    assert place.execute(again).outcome == RunOutcome.SUCCEEDED
    (made,) = written(place, policy)
    assert made["conditions"]["locations"]["includeLocations"] == [LOCATION_IDS[1]]


def refusing(*_: Any) -> Any:
    raise InvalidRequest(error="refused")


def test_retention_that_lets_go_of_the_set_meanwhile_breaks_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = changed(place)
    place.back_up(place.schedule)
    restore = place.preview([item])
    patch = GraphClient.patch

    def let_go_and_patch(client: GraphClient, path: str, body: Any) -> Any:
        retention.delete_set(BackupSet.objects.get(pk=place.backup_set.pk))
        return patch(client, path, body)

    monkeypatch.setattr(GraphClient, "patch", let_go_and_patch)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert only(restore).state == ItemState.VERIFIED


def with_assignments(place: Place) -> BackupItem:
    """A policy that was assigned when it was backed up, and is not any more."""
    item = place.items("compliance")[0]
    place.change(item, assignments=[{"id": "1", **a_target("allDevicesAssignmentTarget")}])
    item = place.back_up_again(item)
    place.change(item, assignments=[])
    return item


def test_a_run_that_wrote_and_was_then_shut_out_is_not_told_as_blocked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = with_assignments(place)
    place.change(item, description="changed")
    restore = place.preview([item], assignments="backup")
    place.take_all(restore)

    def shut_out(*_: Any) -> Any:
        raise CredentialRejected("token_rejected")

    monkeypatch.setattr(GraphClient, "post", shut_out)

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.DIFFERS


def test_an_object_of_which_no_write_was_accepted_is_told_as_not_written(place: Place) -> None:
    """Only its assignments are to be written, and they are refused."""
    restore = place.preview([with_assignments(place)], assignments="backup")
    place.take_all(restore)
    place.graph.fault(
        place.tenant.external_id, "forbid", kind="compliance", method="POST", permission="Some.One"
    )

    run = place.execute(restore)

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.FAILED
    assert not only(restore).is_written


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_null_that_graph_adds_is_no_difference(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    item = place.items("conditional_access")[0]

    def add_null() -> None:
        entry = place.objects("conditional_access")[item.graph_id]
        place.change(item, conditions={**entry["conditions"], "somethingNew": None})

    if how == "before":
        add_null()
        found = only(place.preview([item], access_state="as_backed_up"))
        assert found.action == Action.UNCHANGED
        return
    place.change(item, displayName="changed")
    patch = GraphClient.patch

    def patch_and_add(client: GraphClient, path: str, body: Any) -> Any:
        answer = patch(client, path, body)
        add_null()
        return answer

    monkeypatch.setattr(GraphClient, "patch", patch_and_add)
    restore, _ = place.restore([item], access_state="as_backed_up")

    assert only(restore).state == ItemState.VERIFIED


def test_what_was_set_deeper_down_is_unset(place: Place) -> None:
    """A PATCH keeps what it does not speak of, so it has to speak of what must go."""
    item = place.items("conditional_access")[0]
    hours = {"signInFrequency": {"value": 1, "type": "hours", "isEnabled": True}}
    place.change(item, sessionControls={**hours, "cloudAppSecurity": None})
    item = place.back_up_again(item)
    monitored = {"isEnabled": True, "cloudAppSecurityType": "blockDownloads"}
    place.change(item, sessionControls={**hours, "cloudAppSecurity": monitored})

    _, run = place.restore([item], access_state="as_backed_up")

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    left = place.objects("conditional_access")[item.graph_id]["sessionControls"]
    assert left["cloudAppSecurity"] is None
    assert left["signInFrequency"] == hours["signInFrequency"]


def test_what_a_replacement_loses_is_not_called_verified(place: Place) -> None:
    """A settings catalog policy is replaced as a whole; the backup does not know of everything."""
    item = changed(place, "settings_catalog")
    place.change(item, somethingNew=True)

    restore, run = place.restore([item])

    assert run.outcome == RunOutcome.FAILED
    assert only(restore).state == ItemState.DIFFERS


@pytest.mark.parametrize("state", ["enabledForReportingButNotEnforced", "disabled"])
def test_that_a_policy_would_stop_enforcing_because_the_backup_did_not_is_said(
    place: Place, state: str
) -> None:
    item = place.items("conditional_access")[0]
    place.change(item, state=state)
    item = place.back_up_again(item)
    place.change(item, state="enabled")

    warning = only(place.preview([item], access_state="as_backed_up")).warning

    assert "in the backup it is not" in warning
    assert "As it was backed up" not in warning


def test_who_has_approved_does_not_execute(place: Place, owner: User) -> None:
    place.tenant.workspace.restores_need_approval = True
    place.tenant.workspace.save()
    restore = place.preview([changed(place)])
    services.choose(restore, {only(restore).pk: Choice.TAKE})
    services.approve(restore, by=owner, decided=services.decided_of(restore))

    with pytest.raises(ValidationError, match="somebody else has to execute"):
        services.execute(
            RestoreRun.objects.with_scope().get(pk=restore.pk),
            by=owner,
            decided=services.decided_of(restore),
            tenant_name=place.tenant.name,
        )

    assert place.execute(restore).outcome == RunOutcome.SUCCEEDED


def test_many_new_objects_are_not_looked_for_in_a_list_for_each(place: Place) -> None:
    tenant = place.tenant.external_id
    base = next(iter(place.objects("compliance").values()))
    for number in range(12):
        graph_id = f"{number:08d}-1111-2222-3333-444444444444"
        entry = {**base, "id": graph_id, "displayName": f"Many {number}"}
        place.graph.put_object(tenant, "compliance", entry)
    place.backup_set = place.back_up(place.schedule).backup_set
    many = [item for item in place.items("compliance") if item.name.startswith("Many")]
    for item in many:
        place.delete(item)
    restore = place.preview(many)
    place.graph.clear_log()

    run = place.execute(restore)

    lists = [
        entry
        for entry in place.graph.log(tenant)
        if entry["method"] == "GET"
        and str(entry["path"]).partition("?")[0].endswith("deviceCompliancePolicies")
    ]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert len(lists) <= 2
