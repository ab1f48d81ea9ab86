"""The database guards of access tokens and service accounts, attacked with plain SQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from accounts.access_tokens import services
from accounts.models import AccessToken
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role
from tests.support.factories import WorkspaceFactory

pytestmark = pytest.mark.django_db

#: What no statement changes about a token.
FIXED = {
    "hash": "secret_hash = repeat('a', 64)",
    "hint": "hint = 'aaaaaa'",
    "name": "name = 'other'",
    "role": "role = 'manager'",
    "types": "operation_types = NULL",
    "kind": "is_service = NOT is_service",
    "workspace": "workspace_id = (SELECT id FROM workspaces WHERE slug = 'elsewhere')",
    "user": "user_id = (SELECT id FROM users WHERE username = 'owen')",
    "name of the user": "user_name = 'owen'",
    "creator": "created_by_id = (SELECT id FROM users WHERE username = 'owen')",
    "name of the creator": "created_by_name = 'owen'",
    "start": "created_at = now()",
    "expiry": "expires_at = expires_at + interval '1 day'",
}
#: What makes no revoked token usable, and rewrites no end.
ENDED = {
    "revoked": "revoked_at = NULL, revoked_by_name = ''",
    "later": "revoked_at = now() + interval '1 year'",
    "by another user": "revoked_by_name = 'eve'",
}


def execute(statement: str, *values: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def refused(by: str) -> Any:
    return pytest.raises(DatabaseError, match=by)


@pytest.fixture
def token(workspace: Workspace, operator: User, owner: User) -> AccessToken:
    WorkspaceFactory(slug="elsewhere")
    types = ["inventory.sync"]
    new = services.create_personal_token(
        operator, workspace, name="Laptop", role=Role.OPERATOR, days=30, operation_types=types
    )
    return new.token


@pytest.fixture
def service_token(workspace: Workspace, owner: User) -> AccessToken:
    new = services.create_service_token(
        workspace, by=owner, name="Nightly report", role=Role.READER, days=30
    )
    return new.token


@pytest.fixture
def account(service_token: AccessToken) -> User:
    assert service_token.user
    return service_token.user


@pytest.mark.parametrize("name", FIXED)
def test_a_token_never_changes(token: AccessToken, name: str) -> None:
    with refused("cannot be changed"):
        execute(f"UPDATE access_tokens SET {FIXED[name]}")


@pytest.mark.parametrize("name", ENDED)
def test_a_revoked_token_stays_revoked(token: AccessToken, owner: User, name: str) -> None:
    services.revoke(token, by=owner)

    with refused("it has been revoked"):
        execute(f"UPDATE access_tokens SET {ENDED[name]}")


def test_no_token_is_deleted(token: AccessToken) -> None:
    with refused("never deleted"):
        execute("DELETE FROM access_tokens")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"revoked_at": "now()"}, "neither revoked nor used"),
        ({"expires_at": "now() + interval '732 days'"}, "within two years"),
        ({"expires_at": "now() - interval '1 day'"}, "access_tokens_expire_later"),
        ({"workspace_id": "(SELECT id FROM workspaces WHERE slug = 'elsewhere')"}, "as a member"),
        ({"user_id": "NULL"}, "as a member"),
        ({"user_id": "(SELECT id FROM users WHERE username = 'owen')"}, "only its user"),
        ({"is_service": "true"}, "as a member"),
        ({"role": "'owner'"}, "access_tokens_role_known"),
        ({"operation_types": "'{}'"}, "access_tokens_types_named"),
        ({"secret_hash": "'rlt_in_clear'"}, "access_tokens_hashed"),
    ],
)
def test_raw_sql_creates_no_token_beyond_the_rules(
    token: AccessToken, change: dict[str, str], message: str
) -> None:
    with refused(message):
        insert_copy(token, change)
    assert AccessToken.objects.count() == 1


def test_raw_sql_creates_a_token_within_the_rules(token: AccessToken) -> None:
    """The control: only the change of each attack is refused."""
    assert insert_copy(token, {}) == 1


def test_raw_sql_creates_no_service_token_without_an_owner(
    service_token: AccessToken, manager: User
) -> None:
    with refused("only owners"):
        insert_copy(service_token, {"created_by_id": str(manager.pk)})
    with refused("access_tokens_one_of_account"):
        insert_copy(service_token, {})


def insert_copy(token: AccessToken, change: dict[str, str]) -> int:
    """Insert a token like this one, with another hash and these columns."""
    columns = [str(field.column) for field in AccessToken._meta.fields if field.column != "id"]
    values = {column: column for column in columns} | {"secret_hash": "repeat('b', 64)"} | change
    return execute(
        f"INSERT INTO access_tokens ({', '.join(columns)})"
        f" SELECT {', '.join(values[column] for column in columns)} FROM access_tokens WHERE id = %s",
        token.pk,
    )


def test_a_token_ends_with_the_membership(token: AccessToken, operator: User) -> None:
    membership = operator.memberships.get()
    membership.role = Role.READER
    membership.save()
    assert AccessToken.objects.usable().exists()

    execute("DELETE FROM memberships WHERE user_id = %s", operator.pk)

    token.refresh_from_db()
    assert token.revoked_at
    Membership.objects.create(user=operator, workspace=token.workspace, role=Role.OPERATOR)
    assert not AccessToken.objects.usable().exists()


def test_a_token_ends_with_the_account(token: AccessToken, operator: User) -> None:
    execute("UPDATE users SET is_active = false WHERE id = %s", operator.pk)
    execute("UPDATE users SET is_active = true WHERE id = %s", operator.pk)

    assert not AccessToken.objects.usable().exists()


def test_a_deleted_account_leaves_its_token_without_use(token: AccessToken, operator: User) -> None:
    operator.delete()

    token.refresh_from_db()
    assert (token.user, token.user_name, token.created_by_name) == (None, "olga", "olga")
    assert token.revoked_at


@pytest.mark.parametrize(
    "change",
    [
        "is_staff = true",
        "is_superuser = true",
        "email = 'eve@example.com'",
        "password = 'argon2$...'",
    ],
)
def test_a_service_account_cannot_sign_in(account: User, change: str) -> None:
    with refused("users_service_accounts_cannot_sign_in"):
        execute(f"UPDATE users SET {change} WHERE id = %s", account.pk)


@pytest.mark.parametrize("is_service_account", [True, False])
def test_a_user_keeps_its_kind(account: User, owner: User, is_service_account: bool) -> None:
    user = owner if is_service_account else account
    with refused("a service account stays one"):
        execute(
            "UPDATE users SET is_service_account = %s WHERE id = %s", is_service_account, user.pk
        )


def test_a_service_account_has_no_session(account: User) -> None:
    with refused("has no session"):
        execute(
            "INSERT INTO sessions (session_key, session_data, user_id, expires_at)"
            " VALUES ('key', '', %s, now() + interval '1 day')",
            account.pk,
        )


def test_a_service_account_is_no_owner_and_has_one_workspace(account: User) -> None:
    elsewhere = WorkspaceFactory(slug="elsewhere")

    with refused("cannot be an owner"):
        execute("UPDATE memberships SET role = 'owner' WHERE user_id = %s", account.pk)
    with refused("belongs to one workspace"):
        execute(
            "INSERT INTO memberships (user_id, workspace_id, role, created_at)"
            " VALUES (%s, %s, 'reader', now())",
            *(account.pk, elsewhere.pk),
        )


@pytest.mark.django_db(transaction=True)
def test_the_role_of_the_application_cannot_do_it_either(app_role: str, token: AccessToken) -> None:
    attacks = [
        *(f"UPDATE access_tokens SET {change}" for change in FIXED.values()),
        "DELETE FROM access_tokens",
        "TRUNCATE access_tokens CASCADE",
        "ALTER TABLE access_tokens DISABLE TRIGGER ALL",
        "DROP TRIGGER access_tokens_never_change ON access_tokens",
        "ALTER TABLE users DROP CONSTRAINT users_service_accounts_cannot_sign_in",
        "DROP TRIGGER access_tokens_end ON memberships",
    ]
    with refused("never deleted"):
        execute("TRUNCATE access_tokens CASCADE")
    (before,) = AccessToken.objects.values()
    succeeded = []
    with psycopg.connect(app_role, autocommit=True) as session:
        for statement in attacks:
            try:
                session.execute(statement)
            except psycopg.Error:
                continue
            succeeded.append(statement)
        # The control: what the application does all the time.
        session.execute("UPDATE access_tokens SET last_used_at = now()")

    assert succeeded == []
    (after,) = AccessToken.objects.values()
    assert {name for name in before if before[name] != after[name]} == {"last_used_at"}  # type: ignore[literal-required]
