"""No data crosses from one workspace to another."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from operations.models import OperationRun
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    OperationRunFactory,
    TenantFactory,
    UserFactory,
    WorkspaceFactory,
    create_member,
)


@pytest.fixture
def run(tenant: Tenant) -> OperationRun:
    return OperationRunFactory(tenant=tenant)


def test_members_see_the_rows_of_their_workspace(
    run: OperationRun, tenant: Tenant, workspace: Workspace, reader: User
) -> None:
    assert Workspace.objects.visible_to(reader).get() == workspace
    assert Tenant.objects.visible_to(reader).get() == tenant
    assert OperationRun.objects.visible_to(reader).get() == run


@pytest.mark.parametrize("model", [Tenant, OperationRun])
def test_members_of_other_workspaces_see_no_rows(
    run: OperationRun, stranger: User, model: type[Tenant] | type[OperationRun]
) -> None:
    assert not model.objects.visible_to(stranger).exists()


@pytest.mark.parametrize("model", [Workspace, Tenant, OperationRun])
@pytest.mark.parametrize(
    "flags", [{"is_active": False}, {"is_staff": True}, {"is_superuser": True}]
)
def test_inactive_users_and_staff_without_a_role_see_no_rows(
    run: OperationRun, workspace: Workspace, model: type[Tenant], flags: dict[str, bool]
) -> None:
    person = UserFactory(**flags)
    if not person.is_active:
        Membership.objects.create(user=person, workspace=workspace, role=Role.OWNER)

    assert not model.objects.visible_to(person).exists()


@pytest.mark.parametrize("model", [Workspace, Tenant, OperationRun])
def test_anonymous_users_see_no_rows(run: OperationRun, model: type[Tenant]) -> None:
    assert not model.objects.visible_to(AnonymousUser()).exists()


def test_a_member_of_two_workspaces_sees_both_and_each_row_once(run: OperationRun) -> None:
    other = OperationRunFactory()
    person = create_member(run.workspace)
    Membership.objects.create(user=person, workspace=other.workspace)

    assert sorted(OperationRun.objects.visible_to(person).values_list("pk", flat=True)) == sorted(
        [run.pk, other.pk]
    )


def test_former_members_see_no_rows(run: OperationRun, owner: User) -> None:
    owner.memberships.all().delete()

    assert not OperationRun.objects.visible_to(owner).exists()


def test_visible_rows_can_be_filtered_further(run: OperationRun, reader: User) -> None:
    assert not OperationRun.objects.visible_to(reader).needs_attention().exists()
    assert OperationRun.objects.active().visible_to(reader).get() == run


def test_a_run_cannot_have_a_tenant_of_another_workspace(run: OperationRun) -> None:
    foreign = TenantFactory()

    with pytest.raises(IntegrityError, match="tenant_of_workspace"), transaction.atomic():
        OperationRunFactory(tenant=foreign, workspace=run.workspace)


def test_two_workspaces_can_manage_the_same_entra_tenant(tenant: Tenant) -> None:
    assert TenantFactory(external_id=tenant.external_id).pk != tenant.pk


def test_a_workspace_has_an_entra_tenant_only_once(tenant: Tenant) -> None:
    with pytest.raises(IntegrityError, match="tenants_once_per_workspace"), transaction.atomic():
        TenantFactory(workspace=tenant.workspace, external_id=tenant.external_id)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [(Tenant, "status", "asleep"), (Membership, "role", "emperor")],
)
def test_the_database_rejects_unknown_statuses_and_roles(
    tenant: Tenant, reader: User, table: type[Tenant], column: str, value: str
) -> None:
    with pytest.raises(IntegrityError, match="_known"), transaction.atomic():
        table.objects.update(**{column: value})


def test_a_person_has_one_role_in_a_workspace(workspace: Workspace, reader: User) -> None:
    with pytest.raises(IntegrityError, match="memberships_one_role"), transaction.atomic():
        Membership.objects.create(user=reader, workspace=workspace, role=Role.OWNER)


def test_a_workspace_with_tenants_is_not_deleted(tenant: Tenant) -> None:
    with pytest.raises(ProtectedError):
        tenant.workspace.delete()


def test_suspended_tenants_are_not_active(tenant: Tenant) -> None:
    TenantFactory(workspace=tenant.workspace, status="suspended")

    assert Tenant.objects.active().get() == tenant


def test_two_workspaces_never_share_a_slug(workspace: Workspace) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkspaceFactory(slug=workspace.slug)
