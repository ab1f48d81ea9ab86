"""After a failover to a standby that is promoted late: what is shown, refused, and works again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from accounts.access_tokens.secrets import create_secret
from accounts.models import Session
from operations.models import OperationRun
from operations.testing import record_ticks
from tenancy.models import Tenant, User
from tenancy.roles import Role
from tests.support.broker import Broker
from tests.support.sessions import open_session
from tests.support.standby import Standby
from tests.support.tokens import open_api

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.direct,  # a pooler stays connected to the server that has failed
]

RUNS = "/w/contoso/runs/"
API = "/api/v1/runs"
SYNC = "/w/contoso/inventory/sync/"
UNKNOWN = {"Authorization": f"Bearer {create_secret()}"}
BANNER = "The database is read-only."


@pytest.fixture
def page(operator: User, tenant: Tenant) -> Client:
    """A client whose user was active some minutes ago, so that the next page would record it."""
    client = Client(raise_request_exception=False)
    open_session(client, operator)
    Session.objects.update(last_seen_at=Now() - dt.timedelta(minutes=5))
    return client


@pytest.fixture
def api(page: Client, operator: User, tenant: Tenant) -> Client:
    return open_api(operator, tenant.workspace, Role.READER)


@pytest.fixture
def standby(api: Client, broker: Broker, tmp_path: Path) -> Iterator[Standby]:
    """Connect to a standby with a copy of the server of the tests."""
    host = str(connection.settings_dict["HOST"])
    if not host.startswith("/"):
        pytest.skip("The standby copies a PostgreSQL on a Unix socket.")
    record_ticks()
    server = Standby(tmp_path / "standby", source=host)
    try:
        server.start()
        connection.close()
        connection.settings_dict["HOST"] = str(server.sockets)
        yield server
    finally:
        connection.close()
        connection.settings_dict["HOST"] = host
        server.stop()
        server.remove()


def test_a_standby_is_read_until_it_is_promoted(
    page: Client, api: Client, standby: Standby
) -> None:
    runs, change, health = page.get(RUNS), page.post(SYNC), page.get("/healthz")
    listed = api.get(API)
    refused = Client(raise_request_exception=False, headers=UNKNOWN).get(API)
    standby.promote()
    connection.close()
    runs_later, change_later = page.get(RUNS), page.post(SYNC)
    health_later = page.get("/healthz")
    listed_later = api.get(API)

    assert (runs.status_code, change.status_code, health.status_code) == (200, 503, 503)
    assert BANNER in runs.content.decode()
    assert (listed.status_code, listed_later.status_code) == (200, 200)
    # A request with an unknown token is counted, which a standby cannot.
    assert (refused.status_code, refused["Content-Type"]) == (503, "application/problem+json")
    checks = health.json()["checks"]
    assert checks["database"] == "it refuses to write: it is read-only"
    assert checks["scheduler"] == "unknown"
    assert (runs_later.status_code, change_later.status_code) == (200, 302)
    assert BANNER not in runs_later.content.decode()
    assert OperationRun.objects.count() == 1
    assert health_later.json()["checks"]["database"] == "ok"
