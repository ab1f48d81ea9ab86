"""A reason or a note that is refused is asked for again, with what was entered, also without JavaScript."""

from __future__ import annotations

import pytest

from operations.models import OperationRun
from tests.isolation.conftest import SignIn, World
from tests.support.factories import OperationRunFactory
from tests.support.routes import ROUTES_BY_NAME

pytestmark = pytest.mark.django_db

LONG = ("Moved to another provider. " * 20).strip()
#: The routes that ask for a reason, and the text of their button.
REASONS = {
    "tenant_suspend": "Suspend tenant",
    "tenant_archive": "Archive tenant",
    "member_remove": "Remove member",
    "connection_remove": "Remove connection",
    "schedule_pause": "Pause schedule",
    "schedule_delete": "Delete schedule",
    "run_cancel": "Cancel run",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_that_is_too_long_is_asked_for_again(
    name: str, world: World, sign_in: SignIn
) -> None:
    client, address = sign_in(world.users["owner"]), world.url(ROUTES_BY_NAME[name], world.own_ids)

    response = client.post(address, {"reason": LONG})

    text = response.content.decode()
    assert response.status_code == 400
    assert "Enter a reason of at most" in text
    assert f'value="{LONG}"' in text
    assert REASONS[name] in text


@pytest.mark.parametrize("name", sorted(REASONS.keys() - {"run_cancel"}))
def test_a_blank_reason_is_asked_for_again(name: str, world: World, sign_in: SignIn) -> None:
    client, address = sign_in(world.users["owner"]), world.url(ROUTES_BY_NAME[name], world.own_ids)

    response = client.post(address, {"reason": "  "})

    assert response.status_code == 400
    assert "Enter a reason of at most 300 characters." in response.content.decode()


def test_a_note_that_is_too_long_is_asked_for_again(world: World, sign_in: SignIn) -> None:
    client = sign_in(world.users["owner"])
    address = world.url(ROUTES_BY_NAME["run_acknowledge"], world.own_ids)

    response = client.post(address, {"note": LONG, "assignee": ""})

    text = response.content.decode()
    assert response.status_code == 400
    assert "at most 500 characters" in text
    assert f'value="{LONG}"' in text


def test_the_corrected_form_does_what_was_asked(world: World, sign_in: SignIn) -> None:
    """The page with the error posts to the address of the action."""
    client = sign_in(world.users["owner"])
    other = OperationRun.objects.get(pk=world.own_ids["run_id"])
    run = OperationRunFactory(tenant=other.tenant, running=True)
    address = world.url(ROUTES_BY_NAME["run_cancel"], {"run_id": run.pk})

    refused = client.post(address, {"reason": LONG})
    client.post(address, {"reason": "Wrong tenant"})

    assert '<form method="post" class="panel form" novalidate>' in refused.content.decode()
    run.refresh_from_db()
    assert run.cancel_requested_at is not None
