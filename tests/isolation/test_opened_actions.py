"""A browser that opens the address of an action is led to the page that has its form."""

from __future__ import annotations

import pytest
from django.test import Client

from tenancy.http import OPENED_ACTION
from tests.isolation.conftest import SignIn, World
from tests.support.routes import OPEN, ROUTES, Route, public_address

pytestmark = pytest.mark.django_db

ACTIONS = [route for route in ROUTES if route.post]
#: Actions whose form the objects of these tests do not have.
WITHOUT_FORM = {
    *("restore_retry", "restore_decide", "notification_read", "notification_delivery_send_again"),
    *("tenant_resume", "schedule_resume", "webhook_endpoint_resume", "connection_default"),
    *("run_cancel", "run_again", "approval_off_request", "backup_set_delete", "backup_item_reveal"),
    *("access_token_revoke", "session_end", "factor_remove", "recovery_codes_create"),
    *("identity_confirm", "identity_disconnect"),
}


@pytest.mark.parametrize("route", ACTIONS, ids=lambda route: route.name)
def test_the_address_of_an_action_leads_to_the_page_of_its_form(
    world: World, sign_in: SignIn, route: Route
) -> None:
    client = sign_in(world.users["staff" if route.staff else "owner"])
    address = world.url(route, world.own_ids)

    response = client.get(address, follow=True)

    text = response.content.decode()
    assert response.status_code == 200
    assert OPENED_ACTION in text
    assert (f'action="{address}"' in text) == (route.name not in WITHOUT_FORM)


@pytest.mark.parametrize("name", sorted(OPEN))
def test_a_public_address_can_be_opened(client: Client, name: str) -> None:
    assert client.get(public_address(name), follow=True).status_code != 405
