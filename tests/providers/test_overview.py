"""The overview names the connections that somebody has to look after, and only those."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from tenancy.models import TenantStatus, User, Workspace
from tests.factories import TenantFactory
from tests.providers.factories import ProviderConnectionFactory

pytestmark = pytest.mark.django_db
TITLE = "Connections to look after"


@pytest.fixture
def overview(client: Client, reader: User) -> str:
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    return client.get("/w/contoso/").content.decode()


@pytest.fixture
def well(workspace: Workspace) -> None:
    """A connection that is as it should be, and a suspended tenant without one."""
    fine = TenantFactory(workspace=workspace, name="Fine")
    ProviderConnectionFactory(tenant=fine, status="ready")
    TenantFactory(workspace=workspace, name="Resting", status=TenantStatus.SUSPENDED)


@pytest.fixture
def ill(well: None, workspace: Workspace) -> None:
    today = timezone.now().date()
    for name, more in {
        "Failing": {"status": "failing"},
        "Limited": {"status": "limited"},
        "Expired": {"status": "ready", "credential_expires_on": today - dt.timedelta(days=1)},
        "Expiring": {"status": "ready", "credential_expires_on": today + dt.timedelta(days=9)},
    }.items():
        ProviderConnectionFactory(tenant=TenantFactory(workspace=workspace, name=name), **more)
    TenantFactory(workspace=workspace, name="Unconnected")


def test_nothing_is_said_where_all_is_well(well: None, overview: str) -> None:
    assert TITLE not in overview


def test_each_trouble_is_named(ill: None, overview: str) -> None:
    panel = overview[overview.index(TITLE) :]
    panel = panel[: panel.index("</section>")]

    for said in (
        "Failing",
        "Permissions missing",
        "Credential expired",
        "Credential expires",
        "No connection",
    ):
        assert said in panel
    assert "Fine" not in panel
    assert "Resting" not in panel
