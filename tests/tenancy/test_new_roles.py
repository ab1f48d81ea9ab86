"""Who has just joined, or just got a higher role, cannot approve what another member does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.test import Client

from restores import services as restores
from restores.models import RestoreRun
from tenancy import services
from tenancy.approval_off import confirm_approval_off
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    UserFactory,
    create_approval_off_request,
    create_member,
    make_role_older,
)
from tests.support.factories.restores import create_restore
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def newcomer(workspace: Workspace, owner: User) -> User:
    """A second account that an owner has just let in."""
    return services.admit(workspace, UserFactory(username="nele"), Role.OWNER, by=owner).user


def approve(restore: RestoreRun, by: User) -> None:
    restores.approve(restore, by=by, decision_digest=restores.decision_digest_of(restore))


def test_a_new_member_approves_no_restore_until_a_day_has_passed(
    client: Client, tenant: Tenant, owner: User, newcomer: User
) -> None:
    restore = create_restore(tenant, requested_by=owner)
    Workspace.objects.update(restores_need_approval=True)

    with pytest.raises(ValidationError, match="less than 24 hours"):
        approve(restore, newcomer)
    with pytest.raises(DatabaseError, match="only another member"), transaction.atomic():
        RestoreRun.objects.update(approved_by=newcomer, approved_at=dt.datetime.now(dt.UTC))
    page = open_session(client, newcomer).get(restore.get_absolute_url()).content.decode()
    assert "Approve restore" not in page
    assert "at least 24 hours" in page

    make_role_older(newcomer.memberships.get())
    assert "Approve restore" in client.get(restore.get_absolute_url()).content.decode()
    approve(restore, newcomer)
    assert RestoreRun.objects.get().approved_by == newcomer


def test_an_approval_ends_when_its_approver_gets_a_higher_role(
    tenant: Tenant, owner: User, manager: User
) -> None:
    restore = create_restore(tenant, requested_by=owner)
    Workspace.objects.update(restores_need_approval=True)
    approve(restore, manager)
    restore = RestoreRun.objects.get()
    now = dt.datetime.now(dt.UTC)
    assert restores.approval_error(restore, now) == ""

    services.change_role(manager.memberships.get(), Role.OWNER, by=owner)

    assert "can no longer approve" in restores.approval_error(restore, now)


def test_a_new_owner_confirms_no_request_to_switch_off(
    workspace: Workspace, owner: User, newcomer: User
) -> None:
    request = create_approval_off_request(workspace, by=owner)

    with pytest.raises(ValidationError, match="less than 24 hours"):
        confirm_approval_off(request, by=newcomer)
    with pytest.raises(DatabaseError, match="new owner cannot confirm"), transaction.atomic():
        workspace.approval_off_requests.update(
            confirmed_by=newcomer, confirmed_at=dt.datetime.now(dt.UTC)
        )

    make_role_older(newcomer.memberships.get())
    confirm_approval_off(request, by=newcomer)
    workspace.refresh_from_db()
    assert not workspace.restores_need_approval


@pytest.mark.parametrize(
    ("before", "after", "is_new"),
    [
        (Role.READER, Role.MANAGER, True),
        (Role.MANAGER, Role.OWNER, True),
        (Role.OWNER, Role.MANAGER, False),
        (Role.MANAGER, Role.MANAGER, False),
    ],
)
def test_a_higher_role_is_new_and_a_lower_one_is_not(
    workspace: Workspace, owner: User, before: Role, after: Role, is_new: bool
) -> None:
    membership = create_member(workspace, before).memberships.get()

    services.change_role(membership, after, by=owner)

    since = Membership.objects.get(pk=membership.pk).role_since
    assert (since > membership.role_since) is is_new


def test_members_see_who_has_a_new_role(client: Client, owner: User, newcomer: User) -> None:
    open_session(client, owner)
    assert "new role" not in client.get("/w/contoso/members/").content.decode()
    Workspace.objects.update(restores_need_approval=True)

    assert client.get("/w/contoso/members/").content.decode().count("new role") == 1


@pytest.fixture
def session(app_role: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application's role."""
    with psycopg.connect(app_role, autocommit=True) as session:
        yield session


@pytest.mark.django_db(transaction=True)
def test_the_role_of_the_application_cannot_make_a_role_older(
    session: psycopg.Connection[Any], workspace: Workspace, newcomer: User
) -> None:
    session.execute("UPDATE memberships SET role_since = '2000-01-01'")
    session.execute("UPDATE memberships SET role = 'reader', role_since = '2000-01-01'")
    session.execute("UPDATE memberships SET role = 'owner', role_since = '2000-01-01'")
    session.execute(
        "INSERT INTO memberships (user_id, workspace_id, role, created_at, role_since)"
        " VALUES (%s, %s, 'owner', '2000-01-01', '2000-01-01')",
        [UserFactory().pk, workspace.pk],
    )

    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert Membership.objects.count() == 3
    assert not Membership.objects.filter(role_since__lt=long_ago).exists()
