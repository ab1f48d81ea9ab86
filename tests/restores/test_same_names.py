"""Objects of one name are not confused: a restore writes onto the object that it is about."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from backups.models import BackupItem
from inventory.models import Policy
from restores import services
from restores.models import Action, Decision, ItemState, RestoreRun
from tests.support.restores import RestoreScenario, objects_named, only_item

pytestmark = pytest.mark.django_db

KIND = "settings_catalog"


def add_policy(
    scenario: RestoreScenario, description: str, *, name: str = "Baseline", **columns: Any
) -> str:
    """Add a copy of a policy to the tenant; return its id."""
    entry = copy.deepcopy(next(iter(scenario.objects(KIND).values())))
    entry |= {"id": str(uuid.uuid4()), "name": name, "description": description, **columns}
    scenario.graph.put_object(scenario.tenant.external_id, KIND, entry)
    return str(entry["id"])


def back_up(scenario: RestoreScenario, *ids: str) -> list[BackupItem]:
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    return [scenario.backup_set.items.get(kind=KIND, graph_id=graph_id) for graph_id in ids]


def descriptions(scenario: RestoreScenario, name: str = "Baseline") -> list[str]:
    objects = scenario.objects(KIND).values()
    return sorted(entry["description"] for entry in objects if entry["name"] == name)


def decide(restore: RestoreRun, decision: Decision) -> None:
    services.decide(restore, {item.pk: decision for item in restore.items.all()})


def test_another_backed_up_object_of_the_name_stays_as_it_is(scenario: RestoreScenario) -> None:
    ids = [add_policy(scenario, description) for description in ("A", "B")]
    deleted, _ = back_up(scenario, *ids)
    scenario.delete(deleted)

    restore, run = scenario.restore([deleted])

    item = only_item(restore)
    assert (item.action, item.state) == (Action.CREATE, ItemState.VERIFIED)
    assert "have the same name (1 found)" in item.warning
    assert run.outcome == "succeeded"
    assert descriptions(scenario) == ["A", "B"]


def test_two_deleted_objects_of_one_name_both_come_back(scenario: RestoreScenario) -> None:
    items = back_up(scenario, *[add_policy(scenario, text) for text in ("A", "B")])
    for item in items:
        scenario.delete(item)

    restore, run = scenario.restore(items)

    assert set(restore.items.values_list("action", "state")) == {("create", "verified")}
    assert run.outcome == "succeeded"
    assert descriptions(scenario) == ["A", "B"]


def test_objects_of_one_name_come_back_in_two_restores(scenario: RestoreScenario) -> None:
    items = back_up(scenario, *[add_policy(scenario, text) for text in ("A", "B")])
    for item in items:
        scenario.delete(item)
    for item in items:
        scenario.restore([item])

    again = scenario.preview(items)

    assert descriptions(scenario) == ["A", "B"]
    assert set(again.items.values_list("action", flat=True)) == {Action.UNCHANGED}


@pytest.mark.parametrize(
    ("decision", "expected"),
    [(Decision.TAKE, ["A"]), (Decision.CREATE, ["A", "X"]), (Decision.KEEP, ["X"])],
)
def test_a_new_object_of_the_name_is_a_conflict_with_three_decisions(
    scenario: RestoreScenario, decision: Decision, expected: list[str]
) -> None:
    (item,) = back_up(scenario, add_policy(scenario, "A"))
    scenario.delete(item)
    add_policy(scenario, "X")

    restore = scenario.preview([item])
    assert only_item(restore).reason_code == "restore_other_object"
    decide(restore, decision)
    if decision != Decision.KEEP:
        assert scenario.execute(restore).outcome == "succeeded"

    assert descriptions(scenario) == expected


def test_a_known_object_of_the_name_is_not_overwritten(scenario: RestoreScenario) -> None:
    (item,) = back_up(scenario, add_policy(scenario, "A"))
    scenario.delete(item)
    known = add_policy(scenario, "X")
    Policy.objects.create(
        workspace=scenario.tenant.workspace,
        tenant=scenario.tenant,
        kind=KIND,
        graph_id=known,
        name="Baseline",
    )

    restore = scenario.preview([item])
    row = only_item(restore)
    decide(restore, Decision.TAKE)
    run = scenario.execute(restore)

    assert (row.action, row.reason_code) == (Action.CONFLICT, "restore_name_taken")
    assert row.target_id == ""
    assert run.outcome == "succeeded"
    assert descriptions(scenario) == ["A", "X"]


def test_an_object_of_another_platform_is_no_candidate(scenario: RestoreScenario) -> None:
    (item,) = back_up(scenario, add_policy(scenario, "A", platforms="windows10"))
    scenario.delete(item)
    add_policy(scenario, "Mac", platforms="macOS")

    assert only_item(scenario.preview([item])).action == Action.CREATE


def test_a_copy_beside_a_changed_object_is_not_its_successor(scenario: RestoreScenario) -> None:
    item = scenario.items(KIND)[0]
    scenario.change(item, description="Changed by hand")
    restore = scenario.preview([item])
    assert only_item(restore).reason_code == "restore_changed_since"

    decide(restore, Decision.CREATE)
    run = scenario.execute(restore)
    again = only_item(scenario.preview([item]))

    assert run.outcome == "succeeded"
    assert run.counts.created == 1
    assert len(objects_named(scenario, item)) == 2
    assert scenario.objects(KIND)[item.graph_id]["description"] == "Changed by hand"
    assert again.target_id == item.graph_id


def test_an_object_that_appears_after_the_preview_stops_the_creation(
    scenario: RestoreScenario,
) -> None:
    (item,) = back_up(scenario, add_policy(scenario, "A"))
    scenario.delete(item)
    restore = scenario.preview([item])
    add_policy(scenario, "X")

    scenario.execute(restore)

    assert only_item(restore).outcome_code == "restore_moved_since_preview"
    assert descriptions(scenario) == ["X"]


@pytest.mark.parametrize("fault", ["drop_after_write", "empty_after_write"])
def test_a_lost_answer_is_resolved_beside_an_object_of_the_name(
    scenario: RestoreScenario, fault: str
) -> None:
    deleted, _ = back_up(scenario, *[add_policy(scenario, text) for text in ("A", "B")])
    scenario.delete(deleted)
    restore = scenario.preview([deleted])
    scenario.graph.fault(
        scenario.tenant.external_id, "drop_after_write", kind=KIND, method="POST", times=1
    )

    run = scenario.execute(restore)

    assert only_item(restore).state == ItemState.VERIFIED
    assert run.outcome == "succeeded"
    assert descriptions(scenario) == ["A", "B"]
