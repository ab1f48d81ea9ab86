"""The time zone of a user."""

from __future__ import annotations

import pytest
from django.test import Client

from tenancy.models import User, Workspace
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ADDRESS = "/account/time-zone/"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def test_a_user_sets_a_time_zone_and_returns_to_that_of_the_workspace(
    page: Client, operator: User
) -> None:
    Workspace.objects.update(timezone="Europe/Berlin")
    assert "Times in Europe/Berlin" in page.get("/w/contoso/").content.decode()

    answer = page.post(ADDRESS, {"timezone": "Asia/Tokyo"}, follow=True)

    operator.refresh_from_db()
    assert operator.timezone == "Asia/Tokyo"
    assert answer.redirect_chain == [("/account/", 302)]
    assert "Time zone saved." in answer.content.decode()
    assert '<option value="Asia/Tokyo" selected>' in answer.content.decode()
    assert "Times in Asia/Tokyo" in page.get("/w/contoso/").content.decode()

    page.post(ADDRESS, {"timezone": ""})

    assert "Times in Europe/Berlin" in page.get("/w/contoso/").content.decode()


@pytest.mark.parametrize("name", ["Mars/Olympus", "utc", "localtime", "../x", "\x00", "A" * 5000])
def test_an_unknown_time_zone_changes_nothing(page: Client, operator: User, name: str) -> None:
    answer = page.post(ADDRESS, {"timezone": name})

    operator.refresh_from_db()
    assert answer.status_code == 400
    assert "Select a valid choice" in answer.content.decode()
    assert operator.timezone == ""


def test_the_time_zone_changes_nothing_else_of_the_account(page: Client, operator: User) -> None:
    users = User.objects.filter(pk=operator.pk)
    before: dict[str, object] = dict(users.values().get())

    page.post(ADDRESS, {"timezone": "Asia/Tokyo"})

    assert dict(users.values().get()) == before | {"timezone": "Asia/Tokyo"}
