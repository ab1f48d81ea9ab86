"""The first steps on the overview: from the first tenant to the first backup set."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from providers.models import ConnectionStatus
from tenancy.models import User, Workspace
from tenancy.roles import Role
from tests.support.factories import OperationRunFactory, TenantFactory, create_member
from tests.support.factories.backups import (
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

DONE, NEXT, OPEN, FAILED = "Done", "Next", "Open", "Failed"


def overview(user: User) -> str:
    client = Client()
    open_session(client, user)
    return client.get("/w/contoso/").content.decode()


def states(html: str) -> list[str]:
    """Return the state of each step."""
    return re.findall(r'step-state"[^>]*><svg.*?</svg>(\w+)</span>', html)


def step(html: str, number: int) -> str:
    """Return the HTML of a step."""
    part = html.split("step-state")[number]
    return re.sub(r"\s+", " ", part.partition("</li>")[0])


def test_an_empty_workspace_shows_the_steps_and_nothing_else(owner: User) -> None:
    html = overview(owner)

    assert states(html) == [NEXT, OPEN, OPEN, OPEN, OPEN]
    assert "0 of 5 done" in html
    assert 'href="/w/contoso/tenants/new/"' in step(html, 1)
    assert "Add tenant" in step(html, 1)
    assert "Slots of today" not in html
    assert "Active runs" not in html


def test_each_step_follows_from_what_exists(owner: User, workspace: Workspace) -> None:
    tenant = TenantFactory(workspace=workspace)
    html = overview(owner)
    assert states(html) == [DONE, NEXT, OPEN, OPEN, OPEN]
    assert f"/connections/new/?tenant={tenant.pk}" in step(html, 2)
    assert "btn" not in step(html, 3)

    connection = ProviderConnectionFactory(tenant=tenant)
    connection.set_credential("a secret")
    html = overview(owner)
    assert states(html) == [DONE, DONE, NEXT, OPEN, OPEN]
    assert f'href="{connection.get_absolute_url()}"' in step(html, 3)

    connection.status = ConnectionStatus.READY
    connection.save()
    html = overview(owner)
    assert states(html) == [DONE, DONE, DONE, NEXT, OPEN]
    assert 'href="/w/contoso/schedules/new/"' in step(html, 4)

    schedule = BackupScheduleFactory(tenant=tenant)
    html = overview(owner)
    assert states(html) == [DONE, DONE, DONE, DONE, NEXT]
    assert f'href="{schedule.get_absolute_url()}"' in step(html, 5)

    finish(BackupSetFactory(schedule=schedule))
    assert "First steps" not in overview(owner)


def test_a_set_that_is_not_complete_does_not_end_the_steps(owner: User, tenant: Any) -> None:
    BackupSetFactory(schedule__tenant=tenant)

    assert states(overview(owner))[-1] == OPEN


def test_from_the_first_run_on_the_panels_appear_below(owner: User, tenant: Any) -> None:
    OperationRunFactory(tenant=tenant, running=True)

    html = overview(owner)

    assert html.index("First steps") < html.index("Active runs")


def test_a_failed_check_says_what_it_found(owner: User, tenant: Any) -> None:
    connection = ProviderConnectionFactory(tenant=tenant)
    connection.set_credential("a secret")
    connection.status = ConnectionStatus.FAILING
    connection.check_reason_code = "credential_expired"
    connection.save()
    html = overview(owner)

    assert states(html)[2] == FAILED
    assert "The last check failed: " in step(html, 3)


def test_a_connection_without_a_credential_says_so(owner: User, tenant: Any) -> None:
    ProviderConnectionFactory(tenant=tenant)

    assert "Enter the credential of the connection first." in step(overview(owner), 3)


def test_a_suspended_tenant_is_no_first_step(owner: User, tenant: Any) -> None:
    tenant.status = "suspended"
    tenant.save()

    assert states(overview(owner))[0] == NEXT


@pytest.mark.parametrize(
    ("role", "buttons"),
    [
        (Role.READER, 0),
        (Role.OPERATOR, 1),
        (Role.MANAGER, 2),
        (Role.OWNER, 2),
    ],
)
def test_only_a_role_that_may_do_a_step_gets_its_link(
    workspace: Workspace, tenant: Any, role: Role, buttons: int
) -> None:
    ProviderConnectionFactory(tenant=tenant)

    html = overview(create_member(workspace, role))

    assert sum('class="btn' in step(html, number) for number in range(1, 6)) == buttons
    hint = "A manager of the workspace can do this."
    assert (hint in step(html, 4)) == (role in (Role.READER, Role.OPERATOR))


def test_objects_of_another_workspace_are_no_steps(owner: User, stranger: User) -> None:
    theirs = TenantFactory(workspace=Workspace.objects.get(slug="elsewhere"))
    ProviderConnectionFactory(tenant=theirs, status=ConnectionStatus.READY)
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=theirs)))

    assert states(overview(owner)) == [NEXT, OPEN, OPEN, OPEN, OPEN]


def test_the_page_takes_few_statements(
    owner: User, tenant: Any, django_assert_max_num_queries: Any
) -> None:
    ProviderConnectionFactory(tenant=tenant)
    OperationRunFactory(tenant=tenant, running=True)
    BackupScheduleFactory(tenant=tenant)
    client = Client()
    open_session(client, owner)

    with django_assert_max_num_queries(15):
        assert "First steps" in client.get("/w/contoso/").content.decode()
