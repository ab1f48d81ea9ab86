"""A page that is older than what another tab did does not claim to have done it."""

from __future__ import annotations

import pytest

from tests.isolation.conftest import SignIn, World
from tests.support.routes import ROUTES_BY_NAME

pytestmark = pytest.mark.django_db

#: The routes of actions that can be sent twice, and the answers to the second time.
REPEATED = {
    "tenant_suspend": "The tenant was already suspended by",
    "tenant_archive": "The tenant was already archived by",
    "schedule_pause": "The schedule was already paused by",
    "schedule_delete": "The schedule was already deleted by",
    "tenant_resume": "The tenant was already active",
    "schedule_resume": "The schedule is not paused. Nothing was changed.",
    "webhook_endpoint_pause": "The endpoint was already paused,",
    "webhook_endpoint_resume": "The endpoint is not paused. Nothing was changed.",
    "run_acknowledge": "The run was already acknowledged by",
}


@pytest.mark.parametrize("name", REPEATED)
def test_an_action_of_a_stale_page_says_that_nothing_has_changed(
    name: str, world: World, sign_in: SignIn
) -> None:
    client, address = sign_in(world.users["owner"]), world.url(ROUTES_BY_NAME[name], world.own_ids)
    client.post(address, {"reason": "Migration"})
    # Shows the message of the first time.
    client.get(f"/w/{world.own_ids['slug']}/members/")

    text = client.post(address, {"reason": "Maintenance"}, follow=True).content.decode()

    assert REPEATED[name] in text
    assert text.count('class="message" data-level="success"') == 0
    assert "Maintenance" not in text


def test_a_schedule_that_was_deleted_is_not_called_paused(world: World, sign_in: SignIn) -> None:
    client = sign_in(world.users["owner"])
    for name in ("schedule_delete", "schedule_pause"):
        answer = client.post(
            world.url(ROUTES_BY_NAME[name], world.own_ids), {"reason": "Migration"}, follow=True
        )

    text = answer.content.decode()
    assert "was deleted." in text
    assert "already paused" not in text
