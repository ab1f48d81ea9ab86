"""An unavailable or read-only database gives a clear error page and no partial change."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from django.db import DataError, InternalError, OperationalError, connection
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from accounts.models import Session
from dev.services.postgres import Postgres
from operations.models import OperationRun
from tenancy.db import is_database_unavailable
from tenancy.models import Tenant, User
from tests.support.routes import ROUTES
from tests.support.sessions import open_session
from tests.support.stack import database_url, eventually

pytestmark = pytest.mark.django_db(transaction=True)

SYNC = "/w/contoso/inventory/sync/"
BANNER = "The database is read-only."


@pytest.fixture
def page(operator: User, tenant: Tenant) -> Client:
    client = Client(raise_request_exception=False)
    open_session(client, operator)
    return client


@contextmanager
def read_only() -> Iterator[None]:
    """Make the database read-only, as after a failover to a standby."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")


def terminate_database_session() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    settings = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    params = {name: settings[name] for name in names if settings.get(name)}
    with psycopg.connect(**params, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_with_a_read_only_database_changes_are_refused(page: Client) -> None:
    with read_only():
        change = page.post(SYNC)

    assert change.status_code == 503
    assert change["Retry-After"] == "10"
    assert "Database unavailable" in change.content.decode()
    assert "psycopg" not in change.content.decode()
    assert OperationRun.objects.count() == 0


def test_every_page_that_reads_works_with_a_read_only_database(page: Client, owner: User) -> None:
    open_session(page, owner)
    # The next page would record that the user is active.
    Session.objects.update(last_seen_at=Now() - dt.timedelta(minutes=5))
    pages = [
        reverse(route.name, args=["contoso"] if route.ids else [])
        for route in ROUTES
        if not route.post and not route.staff and route.ids in ((), ("slug",))
    ]
    with read_only():
        answers = {address: page.get(address) for address in pages}

    refused = {address for address, answer in answers.items() if answer.status_code >= 500}
    assert len(pages) > 40
    # These two begin a change: they store a secret in the session.
    assert refused == {reverse("app_add"), reverse("passkey_add")}
    assert BANNER in answers["/w/contoso/runs/"].content.decode()
    assert BANNER not in page.get("/w/contoso/runs/").content.decode()


@pytest.mark.direct  # behind a pooler, it would end the connection of another client
def test_a_terminated_session_gives_an_error_page_and_the_next_request_works(page: Client) -> None:
    terminate_database_session()

    lost = page.get("/w/contoso/runs/")
    connection.close_if_unusable_or_obsolete()
    again = page.get("/w/contoso/runs/")

    assert lost.status_code == 503
    assert "Traceback" not in lost.content.decode()
    assert again.status_code == 200


# --- a server that takes few connections ------------------------------------------------------------


@pytest.fixture
def small_server(transactional_db: None, tmp_path: Path) -> Iterator[Postgres]:
    """Start a PostgreSQL with six connections and a copy of the empty database of the tests."""
    server = Postgres(tmp_path / "postgres", durable=False, max_connections=6).start()
    server.create_database("small")
    dump = [f"{server.programs}/pg_dump", "-d", database_url()]
    restore = [f"{server.programs}/psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.url("small")]
    schema = subprocess.run(dump, check=True, capture_output=True).stdout
    subprocess.run(restore, input=schema, check=True, capture_output=True)
    original = connection.settings_dict.copy()
    connection.close()
    connection.settings_dict |= {"NAME": "small", "HOST": str(server.sockets), "PORT": ""}
    connection.settings_dict |= {"USER": "postgres", "PASSWORD": ""}
    yield server
    connection.close()
    connection.settings_dict |= original
    server.stop()
    server.remove()


@pytest.fixture
def crowd(small_server: Postgres, page: Client) -> Iterator[ExitStack]:
    """Take every connection of the server."""
    connection.close()
    wait_for_free_connections(small_server)
    with ExitStack() as others:
        for _ in range(small_server.max_connections):
            others.enter_context(connect(small_server))
        yield others


def connect(server: Postgres) -> psycopg.Connection[Any]:
    """Connect; a closed connection takes its place until its process has ended."""

    def try_to_connect() -> psycopg.Connection[Any] | None:
        with suppress(psycopg.OperationalError):
            return psycopg.connect(server.url("small"), autocommit=True)
        return None

    return cast("psycopg.Connection[Any]", eventually(try_to_connect, what="a free connection"))


def wait_for_free_connections(server: Postgres) -> None:
    """Wait until the processes of all closed connections have ended."""
    others = (
        "SELECT FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with connect(server) as observer:
        eventually(lambda: not observer.execute(others).rowcount, what="the end of all sessions")


def test_without_a_free_connection_there_is_an_error_page_and_no_partial_change(
    small_server: Postgres, page: Client, crowd: ExitStack
) -> None:
    responses = [page.get("/w/contoso/runs/"), page.post(SYNC)]
    health, alive = Client().get("/healthz"), Client().get("/livez")
    crowd.close()
    wait_for_free_connections(small_server)
    before = OperationRun.objects.count()
    again = page.post(SYNC)

    assert [answer.status_code for answer in responses] == [503, 503]
    assert all("Database unavailable" in answer.content.decode() for answer in responses)
    assert not any("too many clients" in answer.content.decode() for answer in responses)
    assert (health.status_code, alive.status_code) == (503, 200)
    assert health.json()["checks"]["database"] == "it cannot be reached"
    assert before == 0
    assert again.status_code == 302
    assert OperationRun.objects.count() == 1


def test_other_errors_do_not_count_as_an_unavailable_database() -> None:
    assert is_database_unavailable(OperationalError())
    assert not is_database_unavailable(InternalError())
    assert not is_database_unavailable(DataError())
    assert not is_database_unavailable(ValueError())
    assert not is_database_unavailable(None)
