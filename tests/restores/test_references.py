"""What a policy refers to: built-in locations, and references that a write does not send."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from backups.models import BackupItem
from operations.testing import run_now
from restores import services
from restores.models import Action, ItemState, RestoreStatus
from tenancy.models import User
from tests.support.restores import RestoreScenario, only_item
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

    together, result = services.add_missing(blocked, by=manager)
    run_now(result.run)
    run = scenario.execute(together)

    assert "Preview with it" in page
    assert location.name in page
    assert run.outcome == "succeeded", run.failures
    states = {row.kind: (row.action, row.state) for row in together.items.all()}
    assert set(states) == {"named_location", "conditional_access"}
    assert set(states.values()) == {(Action.CREATE, ItemState.VERIFIED)}
    blocked.refresh_from_db()
    assert blocked.status == RestoreStatus.ENDED


def test_what_the_set_does_not_contain_is_not_offered(
    scenario: RestoreScenario, manager: User
) -> None:
    users = {"includeUsers": ["All"], "excludeGroups": [str(uuid.uuid4())]}
    policy = back_up_policy(scenario, users=users)
    scenario.delete(policy)
    blocked = scenario.preview([policy], access_state=AS_BACKED_UP)

    assert services.missing_items(blocked, blocked.items.all()) == []
    with pytest.raises(ValidationError, match="contains none of the missing objects"):
        services.add_missing(blocked, by=manager)
    services.discard(blocked)
    blocked.refresh_from_db()
    with pytest.raises(ValidationError, match="no longer in preview"):
        services.add_missing(blocked, by=manager)
