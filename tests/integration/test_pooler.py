"""The product behind PgBouncer in transaction mode, where many clients share few connections."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client

from backups import services
from dev.services.processes import spawn, stop
from operations.models import OperationRun
from operations.states import RunOutcome
from operations.views import run_log
from tenancy.db import UndeclaredPooler
from tenancy.models import User
from tenancy.roles import Role
from tests.support.broker import Broker
from tests.support.customer import Customer, MakeStack
from tests.support.factories import OperationRunFactory, TenantFactory, create_member
from tests.support.pooler import StartPooler
from tests.support.sessions import open_session
from tests.support.stack import ROOT, eventually, wait_for_end

if TYPE_CHECKING:
    from pytest_django import Settings

# They start a pooler themselves.
pytestmark = [pytest.mark.integration, pytest.mark.direct]

RUNS = 6
CLIENTS = 40
REQUESTS = 120
LINES = run_log.LINES_READ + 100


@contextmanager
def web_server(folder: Path, **environment: str) -> Iterator[httpx2.Client]:
    """Run gunicorn with forked workers; provide a client of its socket."""
    address, log = folder / "web.sock", folder / "web.log"
    command = ["gunicorn", "config.wsgi", "--bind", f"unix:{address}", "--no-control-socket"]
    command += ["--worker-class", "gthread", "--workers", "4", "--threads", "8"]
    with log.open("wb") as output:
        process = spawn(
            [sys.executable, "-m", *command],
            output=output.fileno(),
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test", **environment},
        )
    transport = httpx2.HTTPTransport(uds=str(address))
    with httpx2.Client(transport=transport, base_url="http://localhost", timeout=60) as client:
        try:
            eventually(lambda: is_listening(address), what=f"the start of the web server ({log})")
            yield client
        finally:
            stop(process, grace=10)


def is_listening(address: Path) -> bool:
    """Whether a server listens on a socket, which exists a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


def run_of_new_workspace(number: int) -> tuple[OperationRun, Client]:
    """Create a workspace with one run and a long timeline; return the run and a member's session."""
    tenant = TenantFactory()
    run = OperationRunFactory(tenant=tenant, running=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data)"
            " SELECT %s, n, now(), 'note', 'info', 'Secret of workspace ' || %s, '{}'"
            " FROM generate_series(1, %s) AS n",
            [run.pk, number, LINES],
        )
    member = create_member(tenant.workspace, Role.READER, username=f"reader{number}")
    return run, open_session(Client(), member)


@pytest.mark.django_db(transaction=True)
def test_a_log_shows_only_lines_of_its_run_when_forked_workers_share_connections(
    pooled_url: str, broker: Broker, tmp_path: Path
) -> None:
    runs = [run_of_new_workspace(number) for number in range(RUNS)]
    with web_server(
        tmp_path, DATABASE_URL=pooled_url, DATABASE_POOLER="transaction", REDIS_URL=broker.url
    ) as web:

        def messages(number: int) -> list[str]:
            run, session = runs[number]
            cookies = {name: morsel.value for name, morsel in session.cookies.items()}
            response = web.get(
                f"/runs/{run.pk}/log.txt",
                headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
            )
            assert response.status_code == 200
            return [line.split("\t")[4] for line in response.text.splitlines()[1:]]

        numbers = [random.Random(12).randrange(RUNS) for _ in range(REQUESTS)]
        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = list(clients.map(messages, numbers))

    expected = [[f"Secret of workspace {number}"] * LINES for number in numbers]
    assert answers == expected


def test_worker_and_beat_complete_a_backup_through_the_pooler(
    customer: Customer, make_stack: MakeStack, pooled_url: str, operator: User
) -> None:
    stack = make_stack(DATABASE_URL=pooled_url, DATABASE_POOLER="transaction")
    stack.start_worker()
    stack.start_beat()

    run = services.run_now(customer.schedule, operator).run

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()


@pytest.mark.django_db(transaction=True)
def test_health_is_answered_in_time_while_the_pooler_is_up_and_the_database_down(
    start_pooler: StartPooler, broker: Broker, tmp_path: Path
) -> None:
    server, name = tmp_path / "server", ".s.PGSQL.5432"
    server.mkdir()
    server.chmod(0o755)
    (server / name).symlink_to(f"{connection.settings_dict['HOST']}/{name}")
    url = start_pooler(server=str(server))
    with web_server(
        tmp_path, DATABASE_URL=url, DATABASE_POOLER="transaction", REDIS_URL=broker.url
    ) as web:
        before = web.get("/healthz").json()

        (server / name).unlink()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                [urlsplit(url).username],
            )
        # Health limits itself to 4 s; a busy machine takes longer.
        answers = [web.get("/healthz", timeout=15) for _ in range(3)]

    assert before["checks"]["database"] == "ok"
    assert [answer.status_code for answer in answers] == [503] * 3
    assert "ok" not in {answer.json()["checks"]["database"] for answer in answers}


# --- the preflight checks -------------------------------------------------------------------------


def check_start(broker: Broker, **environment: str) -> str:
    """Return what the preflight checks of another process say."""
    process = subprocess.run(
        [sys.executable, "manage.py", "check_start"],
        cwd=ROOT,
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": "config.settings.test", "REDIS_URL": broker.url}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout + process.stderr


@pytest.mark.django_db(transaction=True)
def test_the_processes_start_behind_a_declared_pooler(pooled_url: str, broker: Broker) -> None:
    output = check_start(broker, DATABASE_URL=pooled_url, DATABASE_POOLER="transaction")

    assert output == "Web, worker and beat can start.\n"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ignore_options", [True, False])
def test_processes_do_not_start_behind_a_pooler_that_is_not_declared(
    start_pooler: StartPooler, broker: Broker, *, ignore_options: bool
) -> None:
    url = start_pooler(ignore_options=ignore_options)

    output = check_start(broker, DATABASE_URL=url)

    assert (
        "operations.E015: A pooler is between this process and PostgreSQL, but DATABASE_POOLER is "
        "not set. Set DATABASE_POOLER=transaction" in output
    )
    assert "cannot start" in output
    assert "Traceback" not in output


@pytest.mark.django_db(transaction=True)
def test_a_running_process_uses_no_connection_through_a_pooler_that_is_not_declared(
    start_pooler: StartPooler, settings: Settings
) -> None:
    parts = urlsplit(start_pooler(ignore_options=True))
    pooled = {
        **connection.settings_dict,
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parse_qs(parts.query)["host"][0],
        "PORT": parts.port,
    }
    through_pooler = DatabaseWrapper(pooled)
    for _ in range(2):
        with pytest.raises(UndeclaredPooler, match="Set DATABASE_POOLER=transaction"):
            through_pooler.ensure_connection()

    settings.DATABASE_POOLER = "transaction"
    with through_pooler.cursor() as cursor:
        cursor.execute("SELECT 1")
    through_pooler.close()


@pytest.mark.django_db(transaction=True)
def test_a_pooler_that_drops_the_limit_of_idle_transactions_is_refused(
    start_pooler: StartPooler, broker: Broker
) -> None:
    url = start_pooler(ignore_options=True)
    role = urlsplit(url).username
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role} RESET idle_in_transaction_session_timeout")

    output = check_start(broker, DATABASE_URL=url, DATABASE_POOLER="transaction")

    assert (
        f"operations.E014: PostgreSQL does not end idle transactions of the role {role}" in output
    )
    assert "cannot start" in output
