"""The examples of docs/api.md, each as a program against a server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from backups.models import BackupSchedule
from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant, User
from tenancy.roles import Role
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.incidents import create_incident
from tests.support.stack import eventually
from tests.support.tokens import open_api

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = dict(re.findall(r"```python\n# (\w+)\.py.*\n((?:.|\n)*?)```", DOCUMENT.read_text()))


class Program:
    """An example that runs with a token."""

    def __init__(self, name: str, folder: Path, url: str, token: str, *args: str, **more: str):
        file = folder / f"{name}.py"
        file.write_text(EXAMPLES[name])
        environment = {"RUNLEDGER_URL": url, "RUNLEDGER_TOKEN": token, "POLL_SECONDS": "0.1"}
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(file), *args],
            env=os.environ | environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> tuple[int, str]:
        """Return its exit status and what it printed; what it complains about fails the test."""
        output, errors = self._process.communicate(timeout=120)
        assert errors == ""
        return self._process.returncode, output


@pytest.fixture
def token(tenant: Tenant, manager: User) -> str:
    client = open_api(manager, tenant.workspace, Role.MANAGER)
    return str(client.defaults["HTTP_AUTHORIZATION"]).removeprefix("Bearer ")


def test_start_and_wait(
    live_server: LiveServer, tmp_path: Path, tenant: Tenant, token: str
) -> None:
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant)
    program = Program("backup", tmp_path, live_server.url, token, str(schedule.pk))

    run: OperationRun = eventually(OperationRun.objects.first)
    OperationRunService().claim(run.pk, "worker")
    OperationRunService().complete(run.pk)

    status, output = program.wait()
    assert (status, OperationRun.objects.count()) == (0, 1)
    assert "succeeded" in output


def test_nightly_report(
    live_server: LiveServer, tmp_path: Path, tenant: Tenant, token: str
) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)

    status, output = Program("report", tmp_path, live_server.url, token).wait()

    assert status == 0
    assert "Fabrikam: never, last backup None" in output
    assert f"#{run.pk} " in output


@pytest.fixture
def tickets() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a ticket system, and the tickets that it has received."""
    received: list[dict[str, Any]] = []

    class Tickets(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Tickets) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        thread.join()


def test_ticket_on_incident(
    live_server: LiveServer,
    tmp_path: Path,
    tenant: Tenant,
    token: str,
    tickets: tuple[str, list[dict[str, Any]]],
) -> None:
    """One ticket for an incident, however many runs it has and however often the program runs."""
    url, received = tickets
    create_incident(tenant)
    environment = {"TICKETS_URL": url, "TICKETS_TOKEN": "x"}

    for _ in range(2):
        file = str(tmp_path / "known.json")
        program = Program("tickets", tmp_path, live_server.url, token, file, **environment)
        assert program.wait()[0] == 0

    (ticket,) = received
    assert "(3 tenants)" in ticket["title"]
    assert ticket["text"].startswith("3 runs since ")


def test_every_example_is_tested() -> None:
    assert EXAMPLES.keys() == {"backup", "report", "tickets"}
