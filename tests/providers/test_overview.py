"""The overview lists the connections that need attention, and only those."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from providers.overview import connections
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db
TITLE = "Connections that need attention"


@pytest.fixture
def overview(reader: User) -> str:
    client = Client()
    open_session(client, reader)
    return client.get("/w/contoso/").content.decode()


@pytest.fixture
def healthy(workspace: Workspace) -> None:
    """A tenant with a working connection, and a suspended tenant without one."""
    fine = TenantFactory(workspace=workspace, name="Fine")
    ProviderConnectionFactory(tenant=fine, status="ready")
    # Before its first complete backup, the overview shows the first steps instead.
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=fine)))
    TenantFactory(workspace=workspace, name="Suspended", status=TenantStatus.SUSPENDED)


@pytest.fixture
def problems(healthy: None, workspace: Workspace) -> None:
    def add(name: str, status: str, days: int | None = None) -> None:
        expires = timezone.now().date() + dt.timedelta(days=days) if days else None
        tenant = TenantFactory(workspace=workspace, name=name)
        ProviderConnectionFactory(tenant=tenant, status=status, credential_expires_on=expires)

    add("Failing", "failing")
    add("Limited", "limited")
    add("Expired", "ready", days=-1)
    add("Expiring", "ready", days=9)
    TenantFactory(workspace=workspace, name="Unconnected")


def test_the_panel_is_absent_without_problems(
    healthy: None, request: pytest.FixtureRequest
) -> None:
    assert TITLE not in request.getfixturevalue("overview")


def test_each_problem_is_listed(problems: None, request: pytest.FixtureRequest) -> None:
    overview = request.getfixturevalue("overview")
    panel = overview[overview.index(TITLE) :]
    panel = panel[: panel.index("</section>")]

    for text in (
        "Failing",
        "Permissions missing",
        "Credential expired",
        "Credential expires",
        "No connection",
    ):
        assert text in panel
    assert "Fine" not in panel
    assert "Suspended" not in panel


def test_only_the_displayed_tenants_without_a_connection_are_loaded(
    workspace: Workspace, reader: User
) -> None:
    Tenant.objects.bulk_create(TenantFactory.build(workspace=workspace) for _ in range(1500))
    request = RequestFactory().get("/")

    with CaptureQueriesContext(connection) as captured:
        panel = connections(request, workspace)  # type: ignore[arg-type]

    assert panel
    assert (len(panel[1]["problems"]), panel[1]["more"]) == (8, 1492)
    selects = [query["sql"] for query in captured if " FROM " in query["sql"]]
    rows = [sql for sql in selects if "COUNT" not in sql]
    assert all("LIMIT 8" in sql for sql in rows)
