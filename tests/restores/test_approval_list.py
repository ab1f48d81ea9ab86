"""The approvals that wait for a user, across workspaces, and their number in the navigation."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from restores.models import RestoreRun
from restores.waiting import requests_waiting_for
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    MembershipFactory,
    TenantFactory,
    WorkspaceFactory,
    create_approval_off_request,
    create_member,
)
from tests.support.factories.restores import create_restore
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def approver(workspace: Workspace) -> User:
    return create_member(workspace, Role.MANAGER, username="anna")


@pytest.fixture
def requester(workspace: Workspace) -> User:
    return create_member(workspace, Role.MANAGER, username="ruth")


@pytest.fixture
def tenant(workspace: Workspace) -> Tenant:
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    workspace.refresh_from_db()
    created: Tenant = TenantFactory(workspace=workspace, name="Fabrikam")
    return created


def page_of(user: User) -> str:
    client = Client()
    open_session(client, user)
    response = client.get("/approvals/")
    assert response.status_code == 200
    return response.content.decode()


def waiting(user: User) -> set[RestoreRun]:
    return set(RestoreRun.objects.waiting_for(user))


def test_the_restores_of_others_wait_in_all_workspaces(
    tenant: Tenant, approver: User, requester: User
) -> None:
    other = WorkspaceFactory(slug="other", restores_need_approval=True)
    MembershipFactory(user=approver, workspace=other, role=Role.OWNER)
    elsewhere = create_restore(
        TenantFactory(workspace=other, name="Woodgrove"), requested_by=create_member(other)
    )
    restore = create_restore(tenant, requested_by=requester)

    html = page_of(approver)

    assert waiting(approver) == {elsewhere, restore}
    assert restore.get_absolute_url() in html
    assert elsewhere.get_absolute_url() in html
    assert "Approvals that wait for you:</span> 2" in html
    assert "Nothing waits" in page_of(requester)
    assert "approvals-link" not in page_of(requester)


@pytest.mark.parametrize(
    "kind", ["own", "approved", "expired", "undecided", "executing", "not required", "operator"]
)
def test_what_the_user_cannot_approve_does_not_wait(
    tenant: Tenant, approver: User, requester: User, kind: str
) -> None:
    items: list[dict[str, Any]] = [{"action": "conflict"}] if kind == "undecided" else []
    restore = create_restore(
        tenant,
        *items,
        requested_by=approver if kind == "own" else requester,
        expires_in=dt.timedelta(seconds=-1 if kind == "expired" else 3600),
    )
    if kind == "approved":
        RestoreRun.objects.filter(pk=restore.pk).update(approved_by=approver, approved_at=Now())
    elif kind == "executing":
        other = create_member(tenant.workspace, Role.MANAGER)
        RestoreRun.objects.filter(pk=restore.pk).update(approved_by=other, approved_at=Now())
        RestoreRun.objects.filter(pk=restore.pk).update(
            status="executing", is_dry_run=False, executed_at=Now()
        )
    elif kind == "not required":
        unguarded = TenantFactory(workspace__restores_need_approval=False)
        MembershipFactory(user=approver, workspace=unguarded.workspace, role=Role.OWNER)
        RestoreRun.objects.filter(pk=restore.pk).update(approved_by=approver, approved_at=Now())
        create_restore(unguarded, requested_by=create_member(unguarded.workspace))
    elif kind == "operator":
        approver.memberships.update(role=Role.OPERATOR)

    assert waiting(approver) == set()
    assert "Nothing waits for your approval." in page_of(approver)


def test_a_request_to_switch_off_waits_for_another_owner(workspace: Workspace) -> None:
    owner = create_member(workspace, Role.OWNER, username="orla")
    request = create_approval_off_request(workspace)
    assert request.requested_by

    assert list(requests_waiting_for(owner)) == [request]
    assert list(requests_waiting_for(request.requested_by)) == []
    assert list(requests_waiting_for(create_member(workspace, Role.MANAGER))) == []
    assert f'href="/w/{workspace.slug}/settings/"' in page_of(owner)
    assert "Approvals that wait for you:</span> 1" in page_of(owner)


def test_the_number_in_the_navigation_costs_no_statement(
    tenant: Tenant, approver: User, requester: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        create_restore(TenantFactory(workspace=tenant.workspace), requested_by=requester)
    client = Client()
    open_session(client, approver)

    with django_assert_max_num_queries(15):
        assert "</span> 3" in client.get("/w/contoso/runs/").content.decode()
    with django_assert_max_num_queries(10):
        client.get("/approvals/")
