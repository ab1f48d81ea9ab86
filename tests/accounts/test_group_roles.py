"""Groups of an identity provider give roles in workspaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.group_roles.services import apply_groups, groups_of
from accounts.identity_providers import ENTRA, OIDC
from accounts.models import GroupMembership, GroupRole
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role
from tests.support.factories import MembershipFactory, UserFactory, WorkspaceFactory
from tests.support.openid_provider import TENANT, OpenIdProvider, start
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def give(workspace: Workspace) -> Callable[..., GroupRole]:
    """A function that maps a group to a role of the workspace."""

    def create(group: str, role: Role, **more: Any) -> GroupRole:
        return GroupRole.objects.create(
            **{"workspace": workspace, "provider": ENTRA, "group": group, "role": role} | more
        )

    return create


def role_of(user: User, workspace: Workspace) -> str | None:
    return (
        Membership.objects.filter(user=user, workspace=workspace)
        .values_list("role", flat=True)
        .first()
    )


def sign_in(user: User, *groups: str) -> None:
    apply_groups(user, ENTRA, {"groups": list(groups)})


def test_a_group_gives_a_role_and_takes_it_again(
    workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    give("admins", Role.MANAGER)
    user = UserFactory()

    sign_in(user, "admins", "others")
    assert role_of(user, workspace) == Role.MANAGER

    sign_in(user, "others")
    assert role_of(user, workspace) is None


def test_the_highest_role_counts_and_follows_the_groups(
    workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    give("all", Role.READER)
    give("admins", Role.MANAGER)
    give("desk", Role.OPERATOR)
    user = UserFactory()

    sign_in(user, "desk", "admins", "all")
    assert role_of(user, workspace) == Role.MANAGER
    sign_in(user, "all", "desk")
    assert role_of(user, workspace) == Role.OPERATOR


def test_a_membership_that_an_owner_gave_stays_as_it_is(
    workspace: Workspace, operator: User, give: Callable[..., GroupRole]
) -> None:
    give("admins", Role.OWNER)

    sign_in(operator, "admins")
    assert role_of(operator, workspace) == Role.OPERATOR

    sign_in(operator)
    assert role_of(operator, workspace) == Role.OPERATOR


def test_a_group_gives_roles_in_its_workspace_only(
    workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    other = WorkspaceFactory()
    give("admins", Role.MANAGER)
    user = UserFactory()

    sign_in(user, "admins")

    assert role_of(user, other) is None
    assert user.memberships.count() == 1


def test_a_group_of_another_provider_gives_nothing(
    workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    give("admins", Role.MANAGER, provider=OIDC)
    user = UserFactory()

    sign_in(user, "admins")

    assert role_of(user, workspace) is None


def test_the_last_owner_stays_without_the_group(
    workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    give("owners", Role.OWNER)
    user = UserFactory()
    sign_in(user, "owners")

    sign_in(user)
    assert role_of(user, workspace) == Role.OWNER

    MembershipFactory(user=UserFactory(), workspace=workspace, role=Role.OWNER)
    sign_in(user)
    assert role_of(user, workspace) is None


@pytest.mark.parametrize(
    "claims", [{"_claim_names": {"groups": "src1"}}, {"hasgroups": True, "groups": ["x"]}]
)
def test_too_many_groups_for_the_token_change_nothing(
    workspace: Workspace, give: Callable[..., GroupRole], claims: dict[str, Any]
) -> None:
    give("admins", Role.MANAGER)
    user = UserFactory()
    sign_in(user, "admins")

    apply_groups(user, ENTRA, claims)

    assert role_of(user, workspace) == Role.MANAGER


@pytest.mark.parametrize("groups", [None, "admins", 7, {"admins": 1}, [["admins"], 7, None]])
def test_a_claim_of_another_form_names_no_group(groups: Any) -> None:
    assert groups_of({"groups": groups}) == frozenset()


def test_the_claim_is_a_setting(settings: Settings) -> None:
    settings.OIDC_GROUPS_CLAIM = "roles"

    assert groups_of({"roles": ["admins"], "groups": ["others"]}) == frozenset({"admins"})


@pytest.mark.integration
def test_a_user_of_a_group_gets_an_account_and_a_membership(
    entra: OpenIdProvider, workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    give("0b1f2c9e", Role.OPERATOR)
    claims = {"oid": "group-user", "tid": TENANT, "preferred_username": "gil@contoso.com"}
    entra.set_claims("gil", **claims, groups=["0b1f2c9e"])
    client = Client()

    address = entra.sign_in(start(client, "entra"), "gil")
    client.get(address.removeprefix("http://testserver"))

    user = client.get("/account/").context["user"]
    assert (user.username, role_of(user, workspace)) == ("gil@contoso.com", Role.OPERATOR)

    entra.set_claims("gil", **claims, groups=[])
    client = Client()
    address = entra.sign_in(start(client, "entra"), "gil")
    client.get(address.removeprefix("http://testserver"))

    assert client.get("/account/").context["user"] == user
    assert role_of(user, workspace) is None


# --- the page -----------------------------------------------------------------------------------------


def test_an_owner_maps_a_group_and_removes_it(
    workspace: Workspace, owner: User, settings: Settings
) -> None:
    settings.ENTRA_CLIENT_ID, settings.ENTRA_TENANT_ID = "x", TENANT
    client = open_session(Client(), owner)
    form = {"provider": ENTRA, "group": "admins", "role": Role.MANAGER}

    client.post("/w/contoso/members/groups/", form)
    again = client.post("/w/contoso/members/groups/", form)
    row = GroupRole.objects.get()
    page = client.get("/w/contoso/members/groups/").content.decode()
    client.post(f"/w/contoso/members/groups/{row.pk}/remove/")

    assert again.status_code == 400
    assert "admins" in page
    assert not GroupRole.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {"provider": OIDC, "group": "x", "role": Role.READER},
        {"provider": ENTRA, "group": "", "role": Role.READER},
        {"provider": ENTRA, "group": "x" * 201, "role": Role.READER},
        {"provider": ENTRA, "group": "\0", "role": Role.READER},
        {"provider": ENTRA, "group": "x", "role": "root"},
    ],
)
def test_an_invalid_mapping_is_refused(
    workspace: Workspace, owner: User, settings: Settings, form: dict[str, str]
) -> None:
    settings.ENTRA_CLIENT_ID, settings.ENTRA_TENANT_ID = "x", TENANT
    client = open_session(Client(), owner)

    assert client.post("/w/contoso/members/groups/", form).status_code == 400
    assert not GroupRole.objects.exists()


def test_a_removed_member_leaves_no_mark(
    workspace: Workspace, give: Callable[..., GroupRole]
) -> None:
    give("admins", Role.MANAGER)
    user = UserFactory()
    sign_in(user, "admins")

    Membership.objects.filter(user=user).delete()

    assert not GroupMembership.objects.exists()


def test_the_database_refuses_a_second_role_of_a_group_and_an_unknown_role(
    give: Callable[..., GroupRole],
) -> None:
    row = give("admins", Role.MANAGER)

    with pytest.raises(IntegrityError, match="one_role_of_a_group"), transaction.atomic():
        give("admins", Role.READER)
    with pytest.raises(DatabaseError, match="role_known"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE group_roles SET role = 'root' WHERE id = %s", [row.pk])


def test_the_list_of_members_says_whose_role_a_group_gives(
    client: Client, workspace: Workspace, owner: User, give: Callable[..., GroupRole]
) -> None:
    give("admins", Role.MANAGER)
    user = UserFactory()
    sign_in(user, "admins")
    membership = user.memberships.get()

    page = open_session(client, owner).get("/w/contoso/members/").content.decode()

    assert page.count("of the identity provider, which changes it at the next sign-in") == 1
    assert f"members/{membership.pk}/role/" not in page
    assert f"members/{owner.memberships.get().pk}/role/" in page
