"""The alerts and the dashboard fit the metrics, also in a real Prometheus that scrapes two processes."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from django.test import Client
from pytest_django import Settings

from backups.models import BackupObjective
from dev.services.processes import free_port, spawn, stop
from operations.metrics.counting import record, update_metrics
from tenancy.db import database_now
from tenancy.models import Tenant
from tests.support.factories.backups import BackupSetFactory, finish
from tests.support.factories.operations import create_ended_run
from tests.support.stack import ROOT, eventually
from tests.support.web_server import image_command, production_environment

FOLDER = ROOT / "deploy/prometheus"
DASHBOARD = ROOT / "deploy/grafana/runledger.json"
TOKEN = "a-token-of-the-monitoring"
NAME = re.compile(r"\brunledger_[a-z_]+")

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed (Debian: apt-get install prometheus).",
)


def alert_expressions() -> list[str]:
    document = yaml.safe_load((FOLDER / "runledger.rules.yml").read_text())
    return [rule["expr"] for group in document["groups"] for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    document = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in document["panels"] for target in panel["targets"]]


@pytest.mark.django_db
def test_every_name_in_alerts_and_dashboard_is_a_metric(
    client: Client, tenant: Tenant, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN
    create_ended_run(tenant)
    update_metrics()
    body = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    families = re.findall(r"^# TYPE (\w+) (\w+)$", body, re.MULTILINE)
    names = {f"{name}_bucket" if kind == "histogram" else name for name, kind in families}

    used = {
        name
        for expr in alert_expressions() + dashboard_expressions()
        for name in NAME.findall(expr)
    }

    assert used - names == set()
    # What no chart shows would not be missed.
    assert names - used <= {"runledger_runs_with_reason_total", "runledger_tick_interval_seconds"}


@needs_prometheus
def test_the_alerts_pass_their_tests() -> None:
    subprocess.run(["promtool", "check", "rules", "runledger.rules.yml"], cwd=FOLDER, check=True)
    subprocess.run(["promtool", "test", "rules", "runledger.test.yml"], cwd=FOLDER, check=True)


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a program, and show the end of its log if the block fails."""
    with log.open("wb") as output:
        process = spawn(command, output=output.fileno(), cwd=ROOT, env=os.environ | environment)
    try:
        yield
    except BaseException:
        sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-5000:]}\n")
        raise
    finally:
        stop(process, signal.SIGTERM, grace=10)


def web_command(port: int) -> list[str]:
    """Return the command of the image with two processes at a port."""
    program, *options = image_command()
    options[options.index("--bind") + 1] = f"127.0.0.1:{port}"
    options[options.index("--workers") + 1] = "2"
    return [sys.executable, "-m", program, *options]


def prometheus_command(folder: Path, port: int, target: str) -> list[str]:
    """Write the configuration of the repository with this target, and return the command."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (scrape,) = config["scrape_configs"]
    scrape |= {"scheme": "http", "static_configs": [{"targets": [target]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(FOLDER / "runledger.rules.yml", folder)
    (folder / "metrics-token").write_text(TOKEN)
    subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=folder, check=True)
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


@needs_prometheus
@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
def test_an_alert_fires_when_a_tenant_goes_late(
    tmp_path: Path, static_root: Path, tenant: Tenant
) -> None:
    ended = database_now() - dt.timedelta(hours=5)
    finish(BackupSetFactory(schedule__tenant=tenant), ended_at=ended)
    create_ended_run(tenant)
    record([("graph_requests", {"method": "GET", "status": "200"}, 3)])
    update_metrics()
    web, monitoring = free_port(), free_port()
    token_file = tmp_path / "metrics-token"
    environment = production_environment(
        REDIS_URL=os.environ["REDIS_URL"],
        STATIC_ROOT=str(static_root),
        ALLOWED_HOSTS="127.0.0.1",
        METRICS_TOKEN_FILE=str(token_file),
    )
    command = prometheus_command(tmp_path, monitoring, f"127.0.0.1:{web}")
    with (
        running(web_command(web), tmp_path / "web.log", environment),
        running(command, tmp_path / "prometheus.log", {}),
        httpx2.Client(base_url=f"http://127.0.0.1:{monitoring}", timeout=30) as prometheus,
    ):

        def query(expression: str) -> list[dict[str, Any]]:
            answer = prometheus.get("/api/v1/query", params={"query": expression}).json()
            assert answer["status"] == "success", (expression, answer)
            result: list[dict[str, Any]] = answer["data"]["result"]
            return result

        def firing() -> set[str]:
            alerts = prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
            return {
                f"{each['labels']['alertname']} {each['labels'].get('tenant_id', '')}".strip()
                for each in alerts
                if each["state"] == "firing"
            }

        eventually(until_answered(lambda: query('up{job="runledger"} == 1')), seconds=180)
        eventually(lambda: query("runledger_backup_late == 0"))
        assert firing() == set()
        for expression in dashboard_expressions():
            query(expression.replace("$job", "runledger").replace("$__rate_interval", "5m"))
        # Whichever process answers, the counters are those of the ledger.
        eventually(lambda: query("count_over_time(runledger_graph_requests_total[5m]) > 5"))
        assert query("changes(runledger_graph_requests_total[5m]) > 0") == []
        # A scrape that takes longer than a second leaves a gap.
        eventually(lambda: query("sum(runledger_runs_ended_total) == 1"))

        BackupObjective.objects.create(workspace=tenant.workspace, tenant=tenant, hours=1)

        late = f"RunledgerBackupLate {tenant.pk}"
        eventually(lambda: late in firing(), what=late)
        finish(BackupSetFactory(schedule__tenant=tenant), ended_at=database_now())
        eventually(lambda: late not in firing(), what=f"the end of {late}")


def until_answered(query: Callable[[], Any]) -> Callable[[], Any]:
    """Return the query, which is false while the server starts."""

    def attempt() -> Any:
        try:
            return query()
        except (httpx2.TransportError, ValueError, AssertionError):
            return None

    return attempt
