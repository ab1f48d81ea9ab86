"""The overview of all workspaces."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from tenancy.models import Tenant, User
from tenancy.roles import Role
from tests.support.factories import (
    MembershipFactory,
    OperationRunFactory,
    TenantFactory,
    UserFactory,
    WorkspaceFactory,
)
from tests.support.factories.incidents import create_incident
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def numbers(html: str, slug: str) -> dict[str, str]:
    """Return the numbers of a workspace by their labels."""
    (row,) = [
        row for row in html.split("<tr data-row>") if f'href="/w/{slug}/"' in row.split("</a>")[0]
    ]
    pairs = re.findall(r"<strong>(.*?)</strong> <span[^>]*>(.*?)</span>", row)
    return {label: number for number, label in pairs}


def test_each_workspace_has_its_numbers(page: Client, tenant: Tenant, operator: User) -> None:
    other = WorkspaceFactory(slug="other")
    MembershipFactory(user=operator, workspace=other, role=Role.READER)
    create_incident(tenant)
    OperationRunFactory(tenant=tenant, running=True)
    OperationRunFactory(tenant=TenantFactory(workspace=other), failed=True)
    foreign = OperationRunFactory(failed=True)

    html = page.get("/overview/").content.decode()

    assert numbers(html, "contoso") == {
        "Open incidents": "1",
        "Need attention": "3",
        "Failed in 24 hours": "3",
        "Active runs": "1",
        "Backup late": "0",
        "Never backed up": "3",
        "Tenants": "3",
    }
    assert numbers(html, "other")["Need attention"] == "1"
    assert f"/w/{foreign.workspace.slug}/" not in html
    assert 'href="/w/contoso/runs/?view=attention" data-outcome="failed"' in html


def test_the_number_of_statements_does_not_depend_on_the_workspaces(
    page: Client, tenant: Tenant, operator: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        workspace = WorkspaceFactory(slug=f"w{number}")
        MembershipFactory(user=operator, workspace=workspace, role=Role.READER)
        TenantFactory(workspace=workspace)

    with django_assert_max_num_queries(15):
        html = page.get("/overview/").content.decode()

    assert html.count("<tr data-row>") == 9


def test_a_user_without_workspaces_is_not_lost(client: Client) -> None:
    open_session(client, UserFactory())

    assert "not a member of any workspace" in client.get("/overview/").content.decode()
