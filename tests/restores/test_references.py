"""What a policy refers to: built-in locations, and references that a write does not send."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from backups.models import BackupItem
from restores.models import Action
from tests.support.restores import RestoreScenario, only_item

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
