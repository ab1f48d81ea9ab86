"""The role of the web process waits briefly for the database, that of the workers longer."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, QueryCanceled
from pytest_django import Settings

from operations.maintenance import preflight
from tests.support.pooler import StartPooler
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db(transaction=True)


def limits(url: str) -> tuple[str, str]:
    """Return how long a statement of a new connection may take, and may wait for a lock."""
    with psycopg.connect(url) as session:
        row = session.execute(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
        ).fetchone()
    assert row
    return row[0], row[1]


def test_each_role_has_its_limits(app_role: str, web_role: str) -> None:
    assert limits(web_role) == ("5s", "2s")
    assert limits(app_role) == ("10min", "1min")


@pytest.mark.direct
def test_the_limits_hold_behind_a_pooler_that_drops_what_clients_ask_for(
    start_pooler: StartPooler, web_role: str
) -> None:
    pooler, web = start_pooler(ignore_options=True), urlsplit(web_role)
    credentials, address = web.netloc.rpartition("@")[0], pooler.rpartition("@")[2]

    assert limits(f"postgresql://{credentials}@{address}") == ("5s", "2s")
    assert limits(pooler) == ("10min", "1min")


def test_the_settings_decide_and_the_command_can_be_repeated(
    web_role: str, settings: Settings
) -> None:
    settings.WEB_STATEMENT_SECONDS, settings.WEB_LOCK_SECONDS = 7.5, 0.25
    call_command("grant_app_role")

    assert limits(web_role) == ("7500ms", "250ms")


def test_a_statement_of_a_page_ends(web_role: str) -> None:
    with psycopg.connect(web_role) as web, pytest.raises(QueryCanceled):
        web.execute("SELECT pg_sleep(20)")


def test_a_page_does_not_wait_for_a_lock(web_role: str) -> None:
    with psycopg.connect(database_url()) as holder, psycopg.connect(web_role) as web:
        holder.execute("LOCK TABLE operation_runs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockNotAvailable):
            web.execute("SELECT count(*) FROM operation_runs")


_PRIVILEGES = """
SELECT relname, privilege, has_table_privilege(%(role)s, oid, privilege)
FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER',
                            'REFERENCES']) AS privilege
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


def test_both_roles_have_the_same_privileges(
    app_role: str, web_role: str, settings: Settings
) -> None:
    privileges = []
    for role in (settings.APP_DATABASE_ROLE, settings.WEB_DATABASE_ROLE):
        with connection.cursor() as cursor:
            cursor.execute(_PRIVILEGES, {"role": role})
            privileges.append(set(cursor.fetchall()))

    assert privileges[0] == privileges[1]
    assert ("operation_runs", "INSERT", True) in privileges[1]
    with psycopg.connect(web_role) as web, pytest.raises(InsufficientPrivilege):
        web.execute("DELETE FROM operation_runs")


def test_a_table_of_a_later_migration_belongs_to_both(web_role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id int)")
    try:
        with psycopg.connect(web_role) as web:
            web.execute("INSERT INTO later VALUES (1)")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE later")


def test_one_role_for_both_is_refused(app_role: str, settings: Settings) -> None:
    settings.WEB_DATABASE_ROLE = settings.APP_DATABASE_ROLE

    with pytest.raises(CommandError, match="its own limits"):
        call_command("grant_app_role")


def test_the_web_process_reports_a_role_without_limits() -> None:
    (message,) = preflight.check_web_limits()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 2000")
        assert list(preflight.check_web_limits()) == []

    assert message.id == "operations.W016"
    assert "grant_app_role" in str(message.hint)
    assert set(preflight.WEB_CHECKS) - set(preflight.CHECKS) == {preflight.check_web_limits}
