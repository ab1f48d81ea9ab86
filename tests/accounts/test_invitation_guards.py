"""The database guards of invitations, attacked with plain SQL."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.invitations import services
from accounts.invitations.models import Invitation
from tenancy.models import User, Workspace
from tenancy.roles import Role
from tests.support.factories import UserFactory, WorkspaceFactory, create_member
from tests.support.factories.accounts import create_invitation

pytestmark = pytest.mark.django_db


def execute(statement: str, *values: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def refused(by: str) -> Any:
    return pytest.raises(DatabaseError, match=by)


@pytest.fixture
def invitation(workspace: Workspace, owner: User) -> Invitation:
    return create_invitation(workspace, by=owner)[0]


@pytest.fixture
def accepted(workspace: Workspace, owner: User) -> Invitation:
    invitation, token = create_invitation(workspace, "paul@example.com", by=owner)
    services.accept(token, UserFactory(username="paul"))
    return invitation


@pytest.mark.parametrize(
    "assignment",
    [
        "role = 'owner'",
        "email = 'mallory@example.com'",
        "created_at = now() - interval '1 day'",
        "workspace_id = (SELECT id FROM workspaces WHERE slug = 'elsewhere')",
    ],
)
def test_what_was_offered_cannot_be_changed(invitation: Invitation, assignment: str) -> None:
    WorkspaceFactory(slug="elsewhere")

    with refused("cannot be changed"):
        execute(f"UPDATE invitations SET {assignment} WHERE id = %s", invitation.pk)


@pytest.mark.parametrize(
    "assignment",
    [
        "accepted_at = NULL",
        "accepted_at = NULL, accepted_by_id = NULL",
        "accepted_by_id = (SELECT id FROM users WHERE username = 'owen')",
        "link_hash = repeat('a', 64)",
        "expires_at = now() + interval '1 day'",
        "invited_by_name = 'mallory'",
        "revoked_at = now()",
    ],
)
def test_an_accepted_invitation_stays_as_it_is(accepted: Invitation, assignment: str) -> None:
    with refused("accepted or revoked"):
        execute(f"UPDATE invitations SET {assignment} WHERE id = %s", accepted.pk)


def test_a_revoked_invitation_does_not_become_pending(invitation: Invitation, owner: User) -> None:
    services.revoke(invitation, by=owner)

    with refused("accepted or revoked"):
        execute("UPDATE invitations SET revoked_at = NULL WHERE id = %s", invitation.pk)


def test_only_a_member_accepts(invitation: Invitation, stranger: User) -> None:
    accept = "UPDATE invitations SET accepted_at = now(), accepted_by_id = %s WHERE id = %s"

    with refused("becomes a member"):
        execute(accept, stranger.pk, invitation.pk)
    with refused("becomes a member"):
        execute(accept, None, invitation.pk)
    with refused("not accepted"):
        execute("UPDATE invitations SET accepted_by_id = %s", stranger.pk)


@pytest.mark.parametrize("more", ["", ", expires_at = now() + interval '1 day'"])
def test_an_expired_invitation_is_not_accepted(
    invitation: Invitation, reader: User, more: str
) -> None:
    execute("UPDATE invitations SET expires_at = now() - interval '1 second'")

    with refused("it has expired"):
        execute(f"UPDATE invitations SET accepted_at = now(), accepted_by_id = %s{more}", reader.pk)


def test_no_invitation_lasts_longer_than_a_month(invitation: Invitation) -> None:
    with refused("within 31 days"):
        execute("UPDATE invitations SET expires_at = now() + interval '32 days'")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"accepted_at": "now()"}, "is pending"),
        ({"revoked_at": "now()"}, "is pending"),
        ({"expires_at": "now() + interval '40 days'"}, "within 31 days"),
        ({"link_hash": "'a-token-in-clear'"}, "invitations_link_is_hashed"),
        ({"role": "'emperor'"}, "invitations_role_known"),
        ({"email": "'NADIA@Example.com'"}, "invitations_one_per_address"),
    ],
)
def test_a_new_invitation_is_pending_and_valid(
    invitation: Invitation, columns: dict[str, str], message: str
) -> None:
    values = {
        "workspace_id": str(invitation.workspace_id),
        "email": "'zoe@example.com'",
        "role": "'reader'",
        "link_hash": "repeat('b', 64)",
        "invited_by_name": "'owen'",
        "expires_at": "now() + interval '1 day'",
    } | columns

    with refused(message):
        execute(
            f"INSERT INTO invitations ({', '.join(values)}) VALUES ({', '.join(values.values())})"
        )


def test_a_deleted_account_leaves_its_invitations(
    workspace: Workspace, accepted: Invitation
) -> None:
    other = create_member(workspace, Role.OWNER)
    User.objects.filter(username="paul").delete()

    accepted.refresh_from_db()
    assert accepted.accepted_by is None
    assert accepted.accepted_at is not None
    assert other.memberships.exists()
