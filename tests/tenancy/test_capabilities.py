"""The capabilities of users in workspaces."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from tenancy.capabilities import capabilities_of, has_capability, require_capability
from tenancy.models import User, Workspace
from tenancy.roles import ROLE_CAPABILITIES, Capability, Role
from tests.support.factories import UserFactory, create_member

R, O, M, W = Role.READER, Role.OPERATOR, Role.MANAGER, Role.OWNER  # noqa: E741

#: For each capability, the roles that have it; written out independently of the code.
TABLE: dict[Capability, set[Role]] = {
    Capability.VIEW: {R, O, M, W},
    Capability.START_SYNC: {O, M, W},
    Capability.START_BACKUP: {O, M, W},
    Capability.EXPORT_POLICIES: {O, M, W},
    Capability.CHECK_CONNECTION: {O, M, W},
    Capability.RETRY_RUN: {O, M, W},
    Capability.ACKNOWLEDGE_RUN: {O, M, W},
    Capability.CANCEL_OWN_RUN: {O, M, W},
    Capability.SHARE_VIEWS: {O, M, W},
    Capability.CANCEL_ANY_RUN: {M, W},
    Capability.MANAGE_SCHEDULES: {M, W},
    Capability.DELETE_BACKUP_SETS: {M, W},
    Capability.REVEAL_VALUES: {M, W},
    Capability.MANAGE_CONNECTIONS: {M, W},
    Capability.RESTORE: {M, W},
    Capability.PRUNE_RUNS: {M, W},
    Capability.MANAGE_TENANTS: {W},
    Capability.MANAGE_MEMBERS: {W},
    Capability.MANAGE_WORKSPACE: {W},
    Capability.VIEW_AUDIT_LOG: {W},
}


def test_every_capability_is_in_the_table() -> None:
    assert set(TABLE) == set(Capability)
    assert set(ROLE_CAPABILITIES) == set(Role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("capability", Capability)
def test_a_role_has_exactly_the_capabilities_of_the_table(
    workspace: Workspace, role: Role, capability: Capability
) -> None:
    person = create_member(workspace, role)

    assert has_capability(person, workspace, capability) == (role in TABLE[capability])


def test_each_role_includes_the_capabilities_of_the_role_before_it() -> None:
    reader, operator, manager, owner = (ROLE_CAPABILITIES[role] for role in Role)

    assert reader < operator < manager < owner


@pytest.mark.parametrize("capability", Capability)
def test_a_member_of_another_workspace_has_no_capability(
    workspace: Workspace, stranger: User, capability: Capability
) -> None:
    assert not has_capability(stranger, workspace, capability)


@pytest.mark.parametrize(
    "flags", [{"is_active": False}, {"is_active": False, "is_superuser": True}]
)
def test_an_inactive_owner_has_no_capability(workspace: Workspace, flags: dict[str, bool]) -> None:
    assert capabilities_of(create_member(workspace, Role.OWNER, **flags), workspace) == frozenset()


@pytest.mark.parametrize("flags", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_staff_have_no_capabilities_in_a_workspace(
    workspace: Workspace, flags: dict[str, bool]
) -> None:
    assert capabilities_of(UserFactory(**flags), workspace) == frozenset()


def test_anonymous_users_have_no_capability(workspace: Workspace) -> None:
    assert capabilities_of(AnonymousUser(), workspace) == frozenset()


def test_a_role_applies_to_one_workspace_only(owner: User, stranger: User) -> None:
    elsewhere = stranger.memberships.get().workspace

    assert capabilities_of(owner, elsewhere) == frozenset()


def test_a_permitted_user_is_accepted(workspace: Workspace, operator: User) -> None:
    require_capability(operator, workspace, Capability.START_BACKUP)


def test_a_refusal_names_the_capability_and_the_workspace(
    workspace: Workspace, reader: User
) -> None:
    with pytest.raises(PermissionDenied, match="Contoso Services does not include “start backup”"):
        require_capability(reader, workspace, Capability.START_BACKUP)


def test_a_changed_role_applies_immediately(workspace: Workspace, reader: User) -> None:
    before = has_capability(reader, workspace, Capability.RESTORE)
    reader.memberships.update(role=Role.OWNER)

    assert (before, has_capability(reader, workspace, Capability.RESTORE)) == (False, True)
