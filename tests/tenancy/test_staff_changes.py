"""Staff cannot take over an owner, or a workspace, without an entry that the owners see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from tenancy.models import Membership, StaffChange, User, Workspace
from tenancy.roles import Role
from tenancy.staff_changes import record
from tests.support.factories import UserFactory, WorkspaceFactory, create_member
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

NOTICE = "Staff changed the members of"
NEW_PASSWORD = "a quite different horse"


def to(model: str, page: str, *ids: int) -> str:
    return reverse(f"admin:tenancy_{model}_{page}", args=ids)


@pytest.fixture
def support(client: Client) -> User:
    """A member of staff who may manage accounts and members, but is no superuser."""
    user: User = UserFactory(username="sara", is_staff=True)
    names = [f"{verb}_{model}" for verb in ("add", "change", "delete", "view")
             for model in ("user", "membership")]  # fmt: skip
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    open_session(client, user)
    return user


def entries(workspace: Workspace) -> list[tuple[str, str, str]]:
    return list(
        workspace.staff_changes.order_by("pk").values_list("changed_by_name", "user_name", "text")
    )


def account_form(user: User, **more: object) -> dict[str, object]:
    return {
        "username": user.username,
        "email": user.email,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "10:00:00",
        "is_active": "on",
    } | more


def page_of(client: Client, user: User, address: str = "/w/contoso/runs/") -> str:
    text: str = open_session(client, user).get(address).content.decode()
    return text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (
            {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"},
            "password.",
        ),
        ({"usable_password": "false", "unset-password": "Disable"}, "password."),
    ],
    ids=["replaced", "disabled"],
)
def test_a_password_that_staff_sets_for_an_owner_is_an_entry(  # noqa: PLR0917
    client: Client, support: User, workspace: Workspace, owner: User, form: Any, text: str
) -> None:
    before = owner.password
    address = reverse("admin:auth_user_password_change", args=[owner.pk])

    client.post(address, form)

    owner.refresh_from_db()
    assert owner.password != before
    assert entries(workspace) == [("sara", "owen", f"Changed the account of an owner: {text}")]


def test_a_password_that_is_refused_is_no_entry(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    form = {"password1": "short", "password2": "other", "usable_password": "true"}
    client.post(reverse("admin:auth_user_password_change", args=[owner.pk]), form)

    assert entries(workspace) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"email": "sara@example.com"}, "email address."),
        ({"username": "sara2"}, "user name."),
        ({"is_active": ""}, "whether the account is active."),
    ],
)
def test_an_account_that_staff_changes_is_an_entry_in_every_workspace_of_the_owner(  # noqa: PLR0917
    client: Client, support: User, workspace: Workspace, owner: User, change: Any, text: str
) -> None:
    second, third = WorkspaceFactory(), WorkspaceFactory()
    Membership.objects.create(user=owner, workspace=second, role=Role.OWNER)
    Membership.objects.create(user=owner, workspace=third, role=Role.MANAGER)

    client.post(to("user", "change", owner.pk), account_form(owner, **change))

    for place in (workspace, second):
        ((_, _, entry),) = entries(place)
        assert entry == f"Changed the account of an owner: {text}"
    assert entries(third) == []


def test_other_changes_of_accounts_are_no_entries(
    client: Client, support: User, workspace: Workspace, owner: User, operator: User
) -> None:
    client.post(to("user", "change", owner.pk), account_form(owner, first_name="Owen"))
    client.post(to("user", "change", operator.pk), account_form(operator, email="o@example.com"))
    owner.refresh_from_db()

    assert owner.first_name == "Owen"
    assert entries(workspace) == []


def test_members_that_staff_adds_changes_and_removes_are_entries(
    client: Client, support: User, workspace: Workspace, owner: User, reader: User
) -> None:
    form = {"user": support.pk, "workspace": workspace.pk, "role": "owner"}
    client.post(to("membership", "add"), form)
    membership = Membership.objects.get(user=reader)
    client.post(to("membership", "change", membership.pk), {"role": "manager"})
    client.post(to("membership", "delete", membership.pk), {"post": "yes"})
    client.post(to("user", "delete", reader.pk), {"post": "yes"})
    client.post(to("membership", "delete", Membership.objects.get(user=owner).pk), {"post": "yes"})

    assert entries(workspace) == [
        ("sara", "sara", "Added the member as owner."),
        ("sara", "rita", "Changed the role of the member to manager."),
        ("sara", "rita", "Removed the manager."),
        ("sara", "owen", "Removed the owner."),
    ]


def test_a_deleted_account_is_an_entry(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    second = create_member(workspace, Role.OWNER, username="oda")

    client.post(to("user", "delete", second.pk), {"post": "yes"})

    assert not User.objects.filter(username="oda").exists()
    assert entries(workspace) == [("sara", "oda", "Deleted the account of the owner.")]


def test_a_change_that_is_refused_is_no_entry(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    membership = Membership.objects.get(user=owner)

    client.post(to("membership", "change", membership.pk), {"role": "reader"})
    client.post(to("membership", "delete", membership.pk), {"post": "yes"})
    client.post(to("user", "delete", owner.pk), {"post": "yes"})

    assert entries(workspace) == []
    assert Membership.objects.get(user=owner).role == Role.OWNER


def test_owners_see_the_entries_and_other_members_do_not(
    client: Client, workspace: Workspace, owner: User, manager: User, stranger: User
) -> None:
    sara = UserFactory(username="sara", is_staff=True)
    record(workspace, owner, "Changed the account of an owner: password.", by=sara)

    for address in ("/w/contoso/", "/w/contoso/runs/", "/w/contoso/members/"):
        assert NOTICE in page_of(client, owner, address)
        assert NOTICE not in page_of(client, manager, address)
    assert "Changes by staff" in page_of(client, owner, "/w/contoso/members/")
    assert "Changes by staff" not in page_of(client, manager, "/w/contoso/members/")
    assert NOTICE not in page_of(client, stranger, "/w/elsewhere/runs/")


def test_the_notice_ends_after_a_week_and_the_entry_stays(
    client: Client, workspace: Workspace, owner: User
) -> None:
    record(workspace, owner, "Changed the account of an owner: password.", by=UserFactory())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE staff_changes DISABLE TRIGGER USER")
        cursor.execute("UPDATE staff_changes SET at = at - interval '8 days'")
        cursor.execute("ALTER TABLE staff_changes ENABLE TRIGGER USER")

    page = page_of(client, owner, "/w/contoso/members/")

    assert NOTICE not in page
    assert "Changed the account of an owner: password." in page


ATTACKS = [
    "DELETE FROM staff_changes",
    "TRUNCATE staff_changes",
    "UPDATE staff_changes SET text = ''",
    "UPDATE staff_changes SET at = '2000-01-01'",
    "UPDATE staff_changes SET changed_by_name = 'eve'",
    "UPDATE staff_changes SET user_name = 'eve'",
    "UPDATE staff_changes SET workspace_id = (SELECT max(id) FROM workspaces)",
    "UPDATE staff_changes SET user_id = changed_by_id",
]


@pytest.mark.parametrize("statement", ATTACKS)
def test_an_entry_is_neither_changed_nor_deleted(
    workspace: Workspace, owner: User, statement: str
) -> None:
    record(workspace, owner, "Removed the owner.", by=UserFactory())
    WorkspaceFactory()
    with connection.cursor() as cursor:
        # A table with deferred checks pending in this transaction cannot be truncated.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with (
        pytest.raises(IntegrityError, match="entries are kept as they are"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.fixture
def session(app_role: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application's role."""
    with psycopg.connect(app_role, autocommit=True) as session:
        yield session


@pytest.mark.django_db(transaction=True)
def test_the_role_of_the_application_adds_entries_and_deletes_none(
    session: psycopg.Connection[Any], workspace: Workspace, owner: User
) -> None:
    session.execute(
        "INSERT INTO staff_changes (workspace_id, user_name, changed_by_name, text, at)"
        " SELECT id, 'owen', 'sara', 'Removed the owner.', '2000-01-01' FROM workspaces"
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("DELETE FROM staff_changes")

    assert StaffChange.objects.get().at.year > 2000
    # The entries of a workspace that is deleted go with it.
    session.execute("DELETE FROM memberships")
    session.execute("DELETE FROM workspaces")
    assert not StaffChange.objects.exists()
