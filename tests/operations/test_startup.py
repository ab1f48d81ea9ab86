"""A process that could lose messages or disable the guards does not start."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from psycopg.conninfo import conninfo_to_dict

from operations.maintenance import preflight
from operations.maintenance.preflight import refuse_to_start, run_preflight_checks
from tenancy.db import database_now
from tests.support.broker import Broker
from tests.support.roles import PASSWORD
from tests.support.stack import ROOT, database_url

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

GUARD_TABLES = ("operation_runs", "operation_run_events", "inventory_sync_runs")


def preflight_messages() -> dict[str, str]:
    return {str(message.id): f"{message.msg} {message.hint}" for message in run_preflight_checks()}


def test_a_valid_installation_starts(broker: Broker) -> None:
    refuse_to_start()

    assert preflight_messages() == {}
    call_command("check_start")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_broker_that_evicts_is_refused(broker: Broker, policy: str) -> None:
    broker.configure("maxmemory-policy", policy)

    with pytest.raises(SystemExit, match=f"is {policy}.*maxmemory-policy noeviction"):
        refuse_to_start()
    with pytest.raises(CommandError, match="cannot start"):
        call_command("check_start")


def test_an_unreachable_broker_is_only_a_warning(broker: Broker) -> None:
    broker.stop()
    try:
        refuse_to_start()
        assert list(preflight_messages()) == ["operations.W010"]
        with pytest.raises(CommandError, match="start, and wait for what cannot be reached"):
            call_command("check_start")
    finally:
        broker.start()


@pytest.mark.parametrize("keys", ["", "v1:", "v1:short", "a key without a name"])
def test_keys_that_encrypt_nothing_are_refused(
    broker: Broker, settings: Settings, keys: str
) -> None:
    settings.CREDENTIAL_KEYS = keys

    with pytest.raises(SystemExit, match="CREDENTIAL_KEYS") as refused:
        refuse_to_start()

    assert "short" not in str(refused.value)


def test_a_role_that_owns_the_tables_is_refused_in_production(
    broker: Broker, settings: Settings
) -> None:
    settings.REQUIRE_APP_ROLE = True

    with pytest.raises(SystemExit, match=r"could disable the guards.*grant_app_role"):
        refuse_to_start()


@pytest.mark.parametrize("minutes", [-61, 2], ids=["behind", "ahead"])
def test_a_wrong_clock_is_named_and_prevents_nothing(
    broker: Broker, capsys: pytest.CaptureFixture[str], minutes: int
) -> None:
    with time_machine.travel(database_now() + dt.timedelta(minutes=minutes), tick=True):
        refuse_to_start()
        assert list(preflight_messages()) == ["operations.W017"]
        call_command("check_start")

    assert "clocks of this host and of PostgreSQL differ by" in capsys.readouterr().out


EXCESSIVE_RIGHTS = {
    "may set session_replication_role": "GRANT SET ON PARAMETER session_replication_role TO {role}",
    "may create roles": "ALTER ROLE {role} CREATEROLE",
    "may create temporary tables": "GRANT TEMPORARY ON DATABASE {database} TO {role}",
    "may create tables in the schema": "GRANT CREATE ON SCHEMA public TO {role}",
    "is a member of a role that reads or writes files": "GRANT pg_read_server_files TO {role}",
    "may change or delete rows of policy_versions": "GRANT DELETE ON policy_versions TO {role}",
}


@pytest.mark.parametrize("reason", EXCESSIVE_RIGHTS)
def test_a_role_with_too_many_rights_is_refused_in_production(
    app_role: str, broker: Broker, settings: Settings, reason: str
) -> None:
    settings.REQUIRE_APP_ROLE = True
    role, database = conninfo_to_dict(app_role)["user"], connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        try:
            refuse_to_start()
            cursor.execute("RESET ROLE")
            cursor.execute(EXCESSIVE_RIGHTS[reason].format(role=role, database=database))
            cursor.execute(f"SET ROLE {role}")
            with pytest.raises(SystemExit, match=f"could disable the guards.*it {reason}"):
                refuse_to_start()
        finally:
            cursor.execute("RESET ROLE")


@pytest.mark.parametrize(
    "privilege",
    [
        "EXECUTE ON FUNCTION backup_sets_delete(bigint)",
        "SELECT ON tenants",
        "INSERT ON operation_runs",
        "UPDATE ON policy_versions",
        "DELETE ON django_session",
        # As after a dump was restored without privileges.
        "ALL ON ALL TABLES IN SCHEMA public",
    ],
)
def test_a_role_without_a_privilege_is_refused(
    app_role: str, broker: Broker, settings: Settings, privilege: str
) -> None:
    settings.REQUIRE_APP_ROLE = True
    role = conninfo_to_dict(app_role)["user"]
    with connection.cursor() as cursor:
        cursor.execute(f"REVOKE {privilege} FROM {role}")
        cursor.execute(f"SET ROLE {role}")
        try:
            with pytest.raises(SystemExit, match=r"lacks privileges.*after each upgrade"):
                refuse_to_start()
        finally:
            cursor.execute("RESET ROLE")


# --- the application role -------------------------------------------------------------------------


def test_the_role_can_read_and_cannot_change_the_guards(app_role: str) -> None:
    forbidden = [
        "SET session_replication_role = replica",
        *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in GUARD_TABLES),
        *(f"DROP TABLE {table}" for table in GUARD_TABLES),
        *(f"TRUNCATE {table}" for table in GUARD_TABLES),
        "DROP INDEX runs_slot_once",
        (
            "CREATE OR REPLACE FUNCTION operation_runs_reject() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NEW; END $$"
        ),
        "UPDATE operation_run_events SET message = ''",
    ]
    with psycopg.connect(app_role, autocommit=True) as app:
        for statement in forbidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
        app.execute("SELECT FROM operation_runs, legacy_run_entries, run_entries")


WORK = """
import django; django.setup()
from operations.maintenance import preflight
preflight.refuse_to_start()
from operations.maintenance.integrity import check_ledger
from tenancy.models import Tenant, Workspace
import uuid
workspace = Workspace.objects.create(name="W", slug="w")
tenant = Tenant.objects.create(workspace=workspace, name="T", external_id=uuid.uuid4())
from operations.dispatch import RunRequest
from operations.services import OperationRunService
from operations.types import OperationRunType
service = OperationRunService()
run = service.ensure_run(RunRequest(type=OperationRunType.DIRECTORY_GROUPS_SYNC, tenant=tenant,
    workspace=workspace, initiator_name="role")).run
service.claim(run.pk, "w:1"); service.increment_summary_counts(run.pk, total=1, processed=1, succeeded=1)
print(service.complete(run.pk).outcome, [r.summary for r in check_ledger() if not r.is_kept])
"""


def test_the_role_can_complete_a_run(app_role: str, broker: Broker) -> None:
    environment = os.environ | {
        "DATABASE_URL": app_role,
        "REDIS_URL": broker.url,
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "ALLOWED_HOSTS": "x",
    }
    process = subprocess.run(
        [sys.executable, "-c", WORK],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert process.stdout.strip() == "succeeded []", process.stderr


def test_granting_the_role_again_changes_only_the_password(
    app_role: str, settings: Settings
) -> None:
    settings.APP_DATABASE_PASSWORD = "another"
    call_command("grant_app_role")

    with psycopg.connect(app_role.replace(quote(PASSWORD, safe=""), "another")) as app:
        assert app.execute("SELECT count(*) FROM operation_runs").fetchone() == (0,)


def test_a_role_without_a_password_is_not_created(settings: Settings) -> None:
    settings.APP_DATABASE_PASSWORD = ""

    with pytest.raises(CommandError, match="APP_DATABASE_PASSWORD"):
        call_command("grant_app_role")


PROGRAMS = {
    "worker": ["celery", "-A", "config", "worker", "--concurrency", "1"],
    "beat": ["celery", "-A", "config", "beat", "--schedule", "{folder}/beat"],
    "web": ["gunicorn", "config.wsgi", "--bind", "unix:{folder}/web.sock", "--no-control-socket"],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_process_that_fails_the_preflight_checks_exits_with_the_reason(
    program: str, broker: Broker, tmp_path: object
) -> None:
    broker.configure("maxmemory-policy", "allkeys-lru")
    command = [part.format(folder=tmp_path) for part in PROGRAMS[program]]
    process = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url(), "REDIS_URL": broker.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert process.returncode != 0
    assert "noeviction" in process.stderr


def test_a_role_whose_idle_transactions_do_not_end_is_refused(broker: Broker) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        with pytest.raises(SystemExit, match=r"does not end idle transactions.*grant_app_role"):
            refuse_to_start()


def test_the_role_ends_idle_transactions_of_every_connection(app_role: str) -> None:
    with psycopg.connect(app_role) as app:
        limit = app.execute("SHOW idle_in_transaction_session_timeout").fetchone()

    assert limit == ("5min",)  # the setting of the tests


def test_failpoints_are_refused_in_production(
    broker: Broker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNLEDGER_FAILPOINTS", "0.5")
    refuse_to_start()
    settings.REQUIRE_APP_ROLE = True

    with pytest.raises(SystemExit, match="would exit at random"):
        refuse_to_start()


def test_every_preflight_check_has_a_test() -> None:
    assert len(preflight.CHECKS) == 6


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_worker_without_processes_does_not_start(broker: Broker, pool: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", pool],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": database_url(), "REDIS_URL": broker.url},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip

    assert process.returncode == 1
    assert "start the worker without --pool" in process.stderr
