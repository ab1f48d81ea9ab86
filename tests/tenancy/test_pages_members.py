"""Owners manage the members of a workspace, and one owner always remains."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from tenancy import services
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role
from tests.support.concurrency import racing_threads
from tests.support.factories import create_member
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

MEMBERS = "/w/contoso/members/"
REASON = {"reason": "Left the company"}
SETTINGS = "/w/contoso/settings/"


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    open_session(client, owner)
    return client


def of(user: User, workspace: Workspace) -> Membership:
    return Membership.objects.get(user=user, workspace=workspace)


def test_every_member_is_listed_and_a_reader_sees_no_button(
    client: Client, page: Client, workspace: Workspace, reader: User
) -> None:
    as_owner = page.get(MEMBERS).content.decode()
    open_session(client, reader)
    as_reader = client.get(MEMBERS).content.decode()

    assert reader.username in as_owner
    assert "Invite member" in as_owner
    assert reader.username in as_reader
    assert "<form" not in as_reader.split("<main")[1].split("</main>")[0]


def test_a_role_is_changed_and_a_member_is_removed(
    page: Client, workspace: Workspace, reader: User
) -> None:
    pk = of(reader, workspace).pk
    page.post(f"{MEMBERS}{pk}/role/", {"role": "manager"})
    changed = of(reader, workspace).role
    page.post(f"{MEMBERS}{pk}/role/", {"role": "emperor"})
    unchanged = of(reader, workspace).role
    page.post(f"{MEMBERS}{pk}/remove/", REASON)

    assert changed == unchanged == Role.MANAGER
    assert not Membership.objects.filter(pk=pk).exists()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301, "a\u202eb"])
def test_a_member_is_not_removed_without_a_valid_reason(
    page: Client, workspace: Workspace, reader: User, reason: str
) -> None:
    page.post(f"{MEMBERS}{of(reader, workspace).pk}/remove/", {"reason": reason})

    assert of(reader, workspace).role == Role.READER


def test_the_history_says_who_removed_a_member_and_why(
    page: Client, workspace: Workspace, reader: User
) -> None:
    page.post(f"{MEMBERS}{of(reader, workspace).pk}/remove/", REASON)

    text = page.get(MEMBERS).content.decode()
    assert "Reason: <bdi>Left the company</bdi>" in text
    assert "Member deleted" in text


def test_the_last_owner_cannot_be_removed(page: Client, workspace: Workspace, owner: User) -> None:
    pk = of(owner, workspace).pk
    create_member(workspace, Role.OWNER, is_active=False)

    demoted = page.post(f"{MEMBERS}{pk}/role/", {"role": "reader"}, follow=True)
    removed = page.post(f"{MEMBERS}{pk}/remove/", REASON, follow=True)

    assert "needs at least one owner" in demoted.content.decode()
    assert "needs at least one owner" in removed.content.decode()
    assert of(owner, workspace).role == Role.OWNER


def test_a_member_who_leaves_is_redirected_to_the_start_page(
    page: Client, workspace: Workspace, owner: User
) -> None:
    create_member(workspace, Role.OWNER)

    answer = page.post(f"{MEMBERS}{of(owner, workspace).pk}/remove/", REASON)

    assert answer["Location"] == "/"
    assert page.get(MEMBERS).status_code == 404


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_owners_cannot_remove_each_other(workspace: Workspace) -> None:
    owners = [create_member(workspace, Role.OWNER) for _ in range(2)]

    def remove(each: User, by: User) -> str:
        try:
            services.remove_member(of(each, workspace), by=by, reason="Left")
        except ValidationError as error:
            return error.messages[0]
        return ""

    with racing_threads(2) as threads:
        errors = threads.race(
            [lambda: remove(owners[0], owners[1]), lambda: remove(owners[1], owners[0])]
        )

    assert Membership.objects.filter(workspace=workspace, role=Role.OWNER).count() == 1
    assert sorted(map(bool, errors)) == [False, True]


def test_an_owner_changes_the_settings(page: Client, workspace: Workspace) -> None:
    form = {"name": "Contoso Europe", "timezone": "Europe/Paris", "restores_need_approval": "on"}

    page.post(SETTINGS, form)

    workspace.refresh_from_db()
    assert (workspace.name, workspace.timezone) == ("Contoso Europe", "Europe/Paris")
    assert workspace.restores_need_approval
    assert "checked" in page.get(SETTINGS).content.decode()


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 201}, {"timezone": "Mars/Olympus"}, {"timezone": ""}]
)
def test_invalid_settings_show_an_error_and_are_not_saved(
    page: Client, workspace: Workspace, wrong: dict[str, str]
) -> None:
    before = Workspace.objects.filter(pk=workspace.pk).values().get()

    answer = page.post(SETTINGS, {"name": "Other", "timezone": "UTC", **wrong})

    assert answer.status_code == 400
    assert Workspace.objects.filter(pk=workspace.pk).values().get() == before


def test_members_of_a_workspace_without_an_owner_can_be_removed(
    workspace: Workspace, owner: User, reader: User
) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)

    services.remove_member(of(reader, workspace), by=owner, reason="Left")

    assert not Membership.objects.filter(user=reader).exists()
