"""A database that is gone, or takes no writes, is told as that: never a trace, never half a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import DataError, InternalError, OperationalError, connection
from django.test import Client

from dev.services.postgres import Postgres
from operations.models import OperationRun
from tenancy.errors import is_database_unavailable
from tenancy.models import Tenant, User
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db(transaction=True)

SYNC = "/w/contoso/inventory/sync/"


@pytest.fixture
def page(operator: User, tenant: Tenant) -> Client:
    client = Client(raise_request_exception=False)
    open_session(client, operator)
    return client


@pytest.fixture
def read_only(page: Client) -> Iterator[None]:
    """As after a failover to a standby."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")


def end_the_session_of_the_web() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    settings = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    given = {name: settings[name] for name in names if settings.get(name)}
    with psycopg.connect(**given, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.usefixtures("read_only")
def test_where_nothing_can_be_written_pages_are_read_and_changes_are_refused(page: Client) -> None:
    looked = page.get("/w/contoso/runs/")
    sent = page.post(SYNC)

    assert looked.status_code == 200
    assert sent.status_code == 503
    assert sent["Retry-After"] == "10"
    assert "Database unavailable" in sent.content.decode()
    assert "psycopg" not in sent.content.decode()
    assert OperationRun.objects.count() == 0


def test_a_session_that_was_ended_is_told_and_the_next_request_has_a_new_one(page: Client) -> None:
    end_the_session_of_the_web()

    lost = page.get("/w/contoso/runs/")
    connection.close_if_unusable_or_obsolete()
    again = page.get("/w/contoso/runs/")

    assert lost.status_code == 503
    assert "Traceback" not in lost.content.decode()
    assert again.status_code == 200


# --- a server that takes few connections ------------------------------------------------------------


@pytest.fixture
def small_server(transactional_db: None, tmp_path: Path) -> Iterator[Postgres]:
    """A Postgres of the test's own with room for six, on which the tables are."""
    server = Postgres(tmp_path / "postgres", durable=False, max_connections=6).start()
    server.create_database("small")
    usual = connection.settings_dict.copy()
    connection.close()
    connection.settings_dict |= {"NAME": "small", "HOST": str(server.sockets), "PORT": ""}
    connection.settings_dict |= {"USER": "postgres", "PASSWORD": ""}
    call_command("migrate", verbosity=0)
    yield server
    connection.close()
    connection.settings_dict |= usual
    server.stop()
    server.remove()


@pytest.fixture
def crowd(small_server: Postgres, page: Client) -> Iterator[ExitStack]:
    """Others, who have taken every connection."""
    connection.close()
    with ExitStack() as others:
        for _ in range(small_server.max_connections):
            others.enter_context(psycopg.connect(small_server.url("small")))
        yield others


def test_a_server_without_a_free_connection_is_told_and_nothing_is_half_done(
    small_server: Postgres, page: Client, crowd: ExitStack
) -> None:
    away = [page.get("/w/contoso/runs/"), page.post(SYNC)]
    health, alive = Client().get("/healthz"), Client().get("/livez")
    crowd.close()
    before = OperationRun.objects.count()
    again = page.post(SYNC)

    assert [answer.status_code for answer in away] == [503, 503]
    assert all("Database unavailable" in answer.content.decode() for answer in away)
    assert not any("too many clients" in answer.content.decode() for answer in away)
    assert (health.status_code, alive.status_code) == (503, 200)
    assert health.json()["checks"]["database"] == "not reachable"
    assert before == 0
    assert again.status_code == 302
    assert OperationRun.objects.count() == 1


def test_another_error_is_no_excuse() -> None:
    assert is_database_unavailable(OperationalError())
    assert not is_database_unavailable(InternalError())
    assert not is_database_unavailable(DataError())
    assert not is_database_unavailable(ValueError())
    assert not is_database_unavailable(None)
