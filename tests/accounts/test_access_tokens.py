"""Access tokens: what the API accepts, what it refuses, and what a token leaves of a user's rights."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.db.models import F
from pytest_django import Settings

from accounts import tokens
from accounts.access_tokens import secrets, services
from accounts.access_tokens.checks import access_token_settings_are_valid
from accounts.models import AccessToken, AccessTokenRate
from accounts.tokens import Refusal, TokenRefused, authenticate
from operations.dispatch import RunRequest
from operations.models import OperationRun
from operations.types import OperationRunType
from redaction.text import sanitize_text
from tenancy.capabilities import capabilities_of, may_approve, role_in
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import ROLE_CAPABILITIES, Capability, Role
from tests.support.factories import (
    OperationRunFactory,
    TenantFactory,
    WorkspaceFactory,
    create_member,
)

pytestmark = pytest.mark.django_db
ADDRESS = "192.0.2.7"


def personal(user: User, workspace: Workspace, **values: Any) -> services.NewToken:
    defaults: dict[str, Any] = {"name": "Laptop", "role": Role.MANAGER, "days": 30}
    return services.create_personal_token(user, workspace, **(defaults | values))


def service(workspace: Workspace, by: User, **values: Any) -> services.NewToken:
    defaults: dict[str, Any] = {"name": "Nightly report", "role": Role.OPERATOR, "days": 30}
    return services.create_service_token(workspace, by=by, **(defaults | values))


def use(secret: str, address: str = ADDRESS) -> tokens.Access:
    return authenticate(f"Bearer {secret}", address)


def refusal_of(header: str | None, address: str = ADDRESS) -> TokenRefused:
    with pytest.raises(TokenRefused) as refused:
        authenticate(header, address)
    return refused.value


def test_a_personal_token_acts_as_its_user(workspace: Workspace, operator: User) -> None:
    token, secret = personal(operator, workspace)

    access = use(secret)

    assert access.user == operator
    assert access.token == token
    assert capabilities_of(access.user, workspace) == ROLE_CAPABILITIES[Role.OPERATOR]


def test_a_service_token_acts_as_an_account_of_the_workspace(
    workspace: Workspace, tenant: Tenant, owner: User
) -> None:
    _, secret = service(workspace, owner)

    user = use(secret).user

    assert user.is_service_account
    assert "Nightly report" in user.get_username()
    assert capabilities_of(user, workspace) == ROLE_CAPABILITIES[Role.OPERATOR]
    assert Tenant.objects.visible_to(user).get() == tenant
    request = RunRequest(
        type=OperationRunType.INVENTORY_SYNC, workspace=workspace, tenant=tenant, by=user
    )
    assert request.initiator == user.get_username()


def test_the_secret_is_stored_as_a_hash_and_hidden_in_texts(
    workspace: Workspace, operator: User
) -> None:
    token, secret = personal(operator, workspace)

    assert secret not in str(AccessToken.objects.values().get())
    assert token.hint in secret
    assert secret not in sanitize_text(f"the client sent {secret}, twice")


@pytest.mark.parametrize("role", [Role.READER, Role.OPERATOR, Role.MANAGER])
@pytest.mark.parametrize("current", list(Role))
def test_the_lower_role_decides(workspace: Workspace, role: Role, current: Role) -> None:
    user = create_member(workspace, current)
    _, secret = personal(user, workspace, role=role)

    limited = use(secret).user

    lower = min(role, current, key=list(Role).index)
    assert capabilities_of(limited, workspace) == ROLE_CAPABILITIES[lower]
    row = Workspace.objects.annotate(role=role_in(limited, "pk")).get(pk=workspace.pk)
    assert row.role == lower  # type: ignore[attr-defined]
    assert not may_approve(limited, workspace, Capability.RESTORE)


def test_a_token_sees_its_own_workspace_only(
    workspace: Workspace, tenant: Tenant, operator: User
) -> None:
    other = WorkspaceFactory()
    Membership.objects.create(user=operator, workspace=other, role=Role.OWNER)
    run = OperationRunFactory(tenant=tenant)
    OperationRunFactory(tenant=TenantFactory(workspace=other))

    user = use(personal(operator, workspace).secret).user

    assert Workspace.objects.visible_to(user).get() == workspace
    assert OperationRun.objects.visible_to(user).get() == run
    assert capabilities_of(user, other) == frozenset()
    row = Workspace.objects.annotate(role=role_in(user, "pk")).get(pk=other.pk)
    assert row.role is None  # type: ignore[attr-defined]


def test_a_token_never_has_the_rights_of_staff(workspace: Workspace) -> None:
    admin = create_member(workspace, Role.OWNER, is_staff=True, is_superuser=True)

    user = use(personal(admin, workspace).secret).user

    assert not user.is_staff
    assert not user.has_perm("tenancy.change_user")
    with pytest.raises(TypeError):
        user.save()
    admin.refresh_from_db()
    assert admin.is_superuser


def test_a_token_starts_only_the_types_that_it_names(
    workspace: Workspace, tenant: Tenant, operator: User
) -> None:
    named = [OperationRunType.INVENTORY_SYNC.value]
    user = use(personal(operator, workspace, operation_types=named).secret).user

    RunRequest(type=OperationRunType.INVENTORY_SYNC, workspace=workspace, tenant=tenant, by=user)
    with pytest.raises(PermissionDenied, match="may not start"):
        RunRequest(
            type=OperationRunType.DIRECTORY_GROUPS_SYNC, workspace=workspace, tenant=tenant, by=user
        )


def test_a_token_creates_no_token(workspace: Workspace, owner: User) -> None:
    user = use(personal(owner, workspace).secret).user

    with pytest.raises(PermissionDenied):
        personal(user, workspace)
    with pytest.raises(PermissionDenied):
        service(workspace, user)


def test_only_owners_create_service_tokens(workspace: Workspace, manager: User) -> None:
    with pytest.raises(PermissionDenied):
        service(workspace, manager)


def test_strangers_create_no_token(workspace: Workspace, stranger: User) -> None:
    with pytest.raises(PermissionDenied):
        personal(stranger, workspace)


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "a\u202eb"},
        {"role": Role.OWNER},
        {"days": 0},
        {"days": 366},
        {"operation_types": ["no.such"]},
    ],
)
def test_values_that_are_not_valid_are_refused(
    workspace: Workspace, owner: User, values: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        service(workspace, owner, **values)
    with pytest.raises(ValidationError):
        personal(owner, workspace, **values)
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("name", "values"), [("ACCESS_TOKEN_MAX_DAYS", (0, 732)), ("API_REQUESTS_PER_MINUTE", (0, -1))]
)
def test_a_setting_without_sense_prevents_the_start(
    settings: Settings, name: str, values: tuple[int, ...]
) -> None:
    assert access_token_settings_are_valid() == []
    for value in values:
        setattr(settings, name, value)
        (error,) = access_token_settings_are_valid()
        assert name in error.msg


@pytest.mark.parametrize("header", [None, "", "Basic cmx0Xw==", "Bearer", "Bearer  "])
def test_a_request_without_a_token_is_refused(header: str | None) -> None:
    assert refusal_of(header).refusal is Refusal.MISSING


@pytest.mark.parametrize(
    "secret",
    ["rlt_", "rlt_" + "a" * 38, "x" * 42, secrets.create_secret()[:-1], "rlt_" + "\u00e9" * 38],
    ids=["too short", "wrong checksum", "no prefix", "one character less", "not ASCII"],
)
def test_a_mistyped_token_is_refused_without_a_statement(
    secret: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert refusal_of(f"Bearer {secret}").refusal is Refusal.MALFORMED


def test_an_unknown_token_is_refused() -> None:
    assert refusal_of(f"Bearer {secrets.create_secret()}").refusal is Refusal.UNKNOWN


def test_unknown_tokens_lock_their_address(
    workspace: Workspace, operator: User, settings: Settings
) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 3
    _, secret = personal(operator, workspace)
    for _ in range(3):
        refusal_of(f"Bearer {secrets.create_secret()}")

    refused = refusal_of(f"Bearer {secret}")

    assert refused.refusal is Refusal.ADDRESS_LOCKED
    assert refused.refusal.status == 429
    assert refused.retry_after
    assert 0 < refused.retry_after <= 15 * 60
    assert use(secret, "192.0.2.8").user == operator


def test_an_expired_token_is_refused(workspace: Workspace, operator: User) -> None:
    token, secret = personal(operator, workspace)
    age(token, days=31)

    assert refusal_of(f"Bearer {secret}").refusal is Refusal.EXPIRED


def test_a_revoked_token_is_refused(workspace: Workspace, owner: User) -> None:
    token, secret = service(workspace, owner)
    assert services.revoke(token, by=owner)
    assert not services.revoke(token, by=owner)

    assert refusal_of(f"Bearer {secret}").refusal is Refusal.REVOKED
    account = User.objects.get(is_service_account=True)
    assert not account.is_active
    assert not account.memberships.exists()


@pytest.mark.parametrize("end", ["membership", "account"])
def test_a_token_is_refused_after_its_user_left(
    workspace: Workspace, operator: User, end: str
) -> None:
    _, secret = personal(operator, workspace)
    if end == "membership":
        Membership.objects.filter(user=operator).delete()
    else:
        User.objects.filter(pk=operator.pk).update(is_active=False)

    assert refusal_of(f"Bearer {secret}").refusal is Refusal.NOT_A_MEMBER


def test_the_use_is_recorded_once_a_minute(
    workspace: Workspace, operator: User, django_assert_num_queries: Any
) -> None:
    token, secret = personal(operator, workspace)

    use(secret)
    token.refresh_from_db()
    first = token.last_used_at
    with django_assert_num_queries(3):
        use(secret, "192.0.2.8")
    token.refresh_from_db()

    assert first is not None
    assert (token.last_used_at, token.last_used_address) == (first, ADDRESS)
    AccessToken.objects.update(last_used_at=F("last_used_at") - dt.timedelta(seconds=61))
    use(secret, "192.0.2.8")
    token.refresh_from_db()
    assert token.last_used_address == "192.0.2.8"


def test_the_rate_is_limited_for_each_token(
    workspace: Workspace, operator: User, settings: Settings
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    _, secret = personal(operator, workspace)
    _, other = personal(operator, workspace, name="Desktop")

    rates = [use(secret).rate for _ in range(2)]
    refused = refusal_of(f"Bearer {secret}")

    assert [(rate.limit, rate.remaining) for rate in rates] == [(2, 1), (2, 0)]
    assert refused.refusal is Refusal.RATE_LIMITED
    assert refused.rate
    assert refused.retry_after == refused.rate.reset
    assert refused.rate.remaining == 0
    assert use(other).rate.remaining == 1
    AccessTokenRate.objects.update(started_at=F("started_at") - dt.timedelta(seconds=61))
    assert use(secret).rate.remaining == 1


def age(token: AccessToken, *, days: int) -> None:
    """Move a token into the past, which the guards allow no application."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE access_tokens SET created_at = created_at - make_interval(days => %(days)s),"
            " expires_at = expires_at - make_interval(days => %(days)s) WHERE id = %(id)s",
            {"days": days, "id": token.pk},
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
