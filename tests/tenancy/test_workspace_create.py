"""Staff create a workspace, and become its owner."""

from __future__ import annotations

import pytest
from django.test import Client

from audit.models import AuditEntry
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role
from tests.support.factories import UserFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ADDRESS = "/workspaces/new/"
FORM = {"name": "Adatum", "slug": "adatum", "timezone": "Europe/Berlin"}


@pytest.fixture
def staff(client: Client) -> User:
    user: User = UserFactory(username="sara", is_staff=True)
    open_session(client, user)
    return user


def test_staff_without_a_workspace_create_one_and_own_it(client: Client, staff: User) -> None:
    assert client.get("/")["Location"] == ADDRESS
    assert "Create workspace" in client.get(ADDRESS).content.decode()

    answer = client.post(ADDRESS, FORM)

    membership = Membership.objects.select_related("workspace").get(user=staff)
    assert answer["Location"] == "/w/adatum/"
    assert (membership.role, membership.workspace.timezone) == (Role.OWNER, "Europe/Berlin")
    assert client.get("/")["Location"] == "/w/adatum/"


def test_the_audit_log_of_the_workspace_begins_with_its_creator(
    client: Client, staff: User
) -> None:
    client.post(ADDRESS, FORM)

    entries = AuditEntry.objects.filter(workspace_id=Workspace.objects.get().pk)
    assert {(entry.object_type, entry.user_name) for entry in entries} >= {
        ("workspaces", "sara"),
        ("memberships", "sara"),
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\u200bb"),
        ("name", "x" * 201),
        ("slug", ""),
        ("slug", "two words"),
        ("slug", "s" * 61),
        ("slug", "CONTOSO"),
        ("timezone", "Mars/Olympus"),
    ],
)
def test_invalid_values_are_refused(
    client: Client, staff: User, workspace: Workspace, field: str, value: str
) -> None:
    answer = client.post(ADDRESS, FORM | {field: value})

    assert answer.status_code == 400
    assert Workspace.objects.get() == workspace
    assert not Membership.objects.filter(user=staff).exists()


def test_other_users_create_no_workspace(client: Client, owner: User) -> None:
    open_session(client, owner)

    assert client.post(ADDRESS, FORM).status_code == 403
    assert not Workspace.objects.filter(slug="adatum").exists()
