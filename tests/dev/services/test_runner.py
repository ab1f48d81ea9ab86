"""`make run` starts web, workers and beat with the role that they have in production."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import psycopg
import pytest

from dev.services.processes import free_port
from tests.dev.services.helpers import ROOT
from tests.support.stack import eventually

RUN = """
import sys
from pathlib import Path
from dev.services.runner import Runner
from dev.services.state import StateFolder
state = StateFolder(Path(sys.argv[1]))
state.claim()
raise SystemExit(Runner(state, port=int(sys.argv[2]), reload=False).run())
"""


def read_services(folder: Path) -> dict[str, str]:
    text = (folder / "services.env").read_text()
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.long
@pytest.mark.integration
def test_every_process_connects_with_the_role_of_the_application(tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    folder, port, log = tmp_path / "state", free_port(), tmp_path / "output.log"
    with log.open("wb") as output:
        runner = subprocess.Popen(
            [sys.executable, "-c", RUN, folder, str(port)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        eventually(
            lambda: "Runledger is at" in log.read_text() or runner.poll() is not None,
            seconds=420, what=f"the start of make run ({log})",
        )  # fmt: skip
        assert runner.poll() is None, log.read_text()
        eventually(lambda: is_healthy(port), what=f"the health of the processes ({log})")
        services = read_services(folder)
        with psycopg.connect(services["OWNER_DATABASE_URL"]) as owner:
            roles = owner.execute(
                "SELECT DISTINCT usename FROM pg_stat_activity"
                " WHERE datname = 'runledger' AND pid <> pg_backend_pid() AND usename IS NOT NULL"
            ).fetchall()
        with psycopg.connect(services["DATABASE_URL"]) as app:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("DELETE FROM operation_run_events")
    finally:
        runner.send_signal(signal.SIGINT)
        runner.wait(120)

    assert sorted(roles) == [("runledger_app",), ("runledger_web",)]
    assert not re.search("permission denied", log.read_text())


def is_healthy(port):
    try:
        return httpx2.get(f"http://localhost:{port}/healthz", timeout=10).status_code == 200
    except httpx2.HTTPError:
        return False
