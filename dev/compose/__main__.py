"""Run the services of docker-compose.yml in podman, disturb them, and print what happened.

`dev/compose/run-in-podman` builds the images, starts the services with the Graph sandbox beside
them, asks every health check, waits for a backup of a schedule, kills the worker, and restarts
PostgreSQL and Redis. Its images and containers are in `.dev/podman`. Exit status: 0 if everything
was as expected or podman cannot run here, 1 otherwise.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dev.compose.images import build_images
from dev.compose.podman import CannotRunError, Podman
from dev.compose.services import load_services, run_arguments

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "runledger"
SUBNET = "10.213.77"
SERVERS = ("postgres", "redis")
PROCESSES = ("web", "worker", "notifications", "ticks", "beat")
SANDBOX = "sandbox"
ADDRESSES = {name: f"{SUBNET}.{10 + at}" for at, name in enumerate((*SERVERS, *PROCESSES, SANDBOX))}
TICK_SECONDS = 5
PATIENCE_SECONDS = 180

ADD_TENANT = """
import sys
from dev.graph_sandbox.control import SandboxControl
token, tenant, client, secret = sys.argv[1:]
control = SandboxControl("https://sandbox:8443", token, "/tls/ca.pem")
control.add_tenant(tenant, client, secret, sizes={"compliance": 3, "groups": 5})
"""

ADD_SCHEDULE = """
from backups import services
from backups.models import BackupSchedule
from providers.models import ProviderConnection
from tenancy.models import Tenant, Workspace
workspace = Workspace.objects.create(name="Contoso", slug="contoso")
tenant = Tenant.objects.create(workspace=workspace, name="Fabrikam", external_id="{tenant}")
connection = ProviderConnection(workspace=workspace, tenant=tenant, name="Read only",
    cloud="sandbox", client_id="{client}", credential_kind="secret", is_default=True)
connection.save()
connection.set_credential("{secret}")
connection.save()
schedule = BackupSchedule(workspace=workspace, tenant=tenant, name="Every minute",
    cron="* * * * *", kinds=["compliance"])
services.save(schedule)
"""

COUNT_RUNS = """
from operations.models import OperationRun
runs = OperationRun.objects.filter(type="backup_schedule.scheduled")
print("runs", runs.filter(outcome="succeeded").count(), runs.filter(status="completed").count())
"""

HEALTHZ = """
import urllib.request
request = urllib.request.Request("http://127.0.0.1:8000/healthz", headers={"Host": "localhost"})
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


class UnexpectedError(Exception):
    """Something did not happen in time; the message says what."""


class Trial:
    """One run of all services."""

    def __init__(self, podman: Podman) -> None:
        self.podman = podman
        self.tls = podman.folder / "tls"
        self.services = load_services(
            {
                "GRAPH_SANDBOX_URL": "https://sandbox:8443",
                "GRAPH_CA_BUNDLE": "/tls/ca.pem",
                "TICK_SECONDS": str(TICK_SECONDS),
            }
        )

    def run(self) -> None:
        """Start everything, disturb it, and check that it recovers.

        Raises:
            UnexpectedError: a check failed.
        """
        self.remove()
        self.podman.run("network", "create", f"--subnet={SUBNET}.0/24", PROJECT)
        self.start_services()
        self.add_schedule()
        self.expect_backups("a schedule fires against the Graph sandbox")
        self.kill_worker()
        for server in SERVERS:
            self.podman.run("restart", server)
            self.expect_health(f"after a restart of {server}", [server, *PROCESSES])
            self.expect_backups(f"a schedule fires after a restart of {server}")

    def start_services(self) -> None:
        """Start the services in the order of their dependencies."""
        for name in SERVERS:
            self.start(name)
        self.expect_health("of the servers", list(SERVERS))
        self.podman.run_to_end(*self.options("migrate"), *self.arguments("migrate"))
        report("migrate ends with status 0")
        self.start_sandbox()
        for name in PROCESSES:
            self.start(name)
        self.expect_health("of all services", [*SERVERS, *PROCESSES])

    def start(self, name: str) -> None:
        """Start a service of the compose file."""
        self.podman.start(name, *self.options(name), *self.arguments(name))

    def start_sandbox(self) -> None:
        """Start the Graph sandbox from the image, with the folder that the image leaves out."""
        self.tls.mkdir(exist_ok=True)
        self.tls.chmod(0o777)
        self.token = secrets.token_hex(16)
        command = ["python", "-m", "dev.graph_sandbox", "--host", SANDBOX, "--port", "8443"]
        self.podman.start(
            SANDBOX,
            *self.options(SANDBOX),
            f"--env=GRAPH_SANDBOX_TOKEN={self.token}",
            f"--volume={ROOT / 'dev'}:/srv/runledger/dev:ro",
            f"--volume={self.tls}:/tls",
            PROJECT,
            *command,
            "--tls-dir=/tls",
        )
        self.wait_until("the certificate of the sandbox", (self.tls / "ca.pem").exists)

    def options(self, name: str) -> list[str]:
        """Return the network options of a service, and the sandbox's certificates for the app."""
        hosts = [f"--add-host={host}:{address}" for host, address in ADDRESSES.items()]
        options = [f"--network={PROJECT}", *hosts]
        if name in ADDRESSES:
            options.append(f"--ip={ADDRESSES[name]}")
        if name in PROCESSES:
            options.append(f"--volume={self.tls}:/tls:ro")
        return options

    def arguments(self, name: str) -> list[str]:
        return run_arguments(self.services[name], project=PROJECT)

    def expect_health(self, when: str, names: list[str]) -> None:
        """Wait until the health check of each service, and `/healthz`, succeed."""
        for name in names:
            started = time.monotonic()
            check = partial(self.podman.succeeds, "healthcheck", "run", name)
            self.wait_until(f"the health check of {name}", check)
            report(f"health check of {name} {when}", time.monotonic() - started)
        if "web" in names:
            started = time.monotonic()
            self.wait_until("/healthz", lambda: "status" in self.python("web", HEALTHZ))
            report(f"/healthz answers 200 {when}", time.monotonic() - started)

    def add_schedule(self) -> None:
        """Add a tenant to the sandbox, and a schedule of every minute for it."""
        tenant, client, secret = str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_hex(12)
        self.podman.run(
            *("exec", SANDBOX, "python", "-c", ADD_TENANT, self.token, tenant, client, secret)
        )
        code = ADD_SCHEDULE.format(tenant=tenant, client=client, secret=secret)
        self.podman.run("exec", "web", "python", "manage.py", "shell", "-v0", "-c", code)

    def expect_backups(self, what: str) -> None:
        """Wait until one more backup of the schedule has succeeded."""
        started, before = time.monotonic(), self.succeeded_runs()
        self.wait_until(what, lambda: self.succeeded_runs() > before)
        report(what, time.monotonic() - started)

    def succeeded_runs(self) -> int:
        """Return the number of succeeded backups, or 0 while the database is down."""
        command = ("exec", "web", "python", "manage.py", "shell", "-v0", "-c", COUNT_RUNS)
        words = self.podman.output(*command).split()
        return int(words[1]) if words[:1] == ["runs"] else 0

    def kill_worker(self) -> None:
        """Kill every process of the worker's container; it is restarted."""
        pid = int(self.podman.output("inspect", "--format", "{{.State.Pid}}", "worker"))
        os.kill(pid, signal.SIGKILL)

        def is_restarted() -> bool:
            new = self.podman.output("inspect", "--format", "{{.State.Pid}}", "worker")
            return new not in {"", "0", str(pid)}

        self.wait_until("the restart of the killed worker", is_restarted)
        report("the killed worker is restarted")
        self.expect_health("after the worker was killed", [*SERVERS, *PROCESSES])
        self.expect_backups("a schedule fires after the worker was killed")

    def python(self, name: str, code: str) -> str:
        """Return the output of Python code in the container of a service."""
        return self.podman.output("exec", name, "python", "-c", code)

    def wait_until(self, what: str, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise UnexpectedError(f"{what}: not within {PATIENCE_SECONDS} s")
            time.sleep(1)

    def remove(self) -> None:
        """Remove the containers, their volumes and their network; the images stay."""
        names = (*PROCESSES, SANDBOX, *SERVERS)
        self.podman.succeeds("rm", "--force", "--ignore", "--volumes", "--time=5", *names)
        self.podman.succeeds("network", "rm", "--force", PROJECT)
        for volume in SERVERS:
            self.podman.succeeds("volume", "rm", "--force", f"{PROJECT}-{volume}")

    def print_logs(self) -> None:
        """Print the end of each container's log."""
        for name in (*SERVERS, SANDBOX, *PROCESSES):
            print(f"--- {name}", flush=True)
            subprocess.run(
                ["podman", *self.podman.options, "logs", "--tail", "20", name], check=False
            )


def report(what: str, seconds: float | None = None) -> None:
    """Print a line about what was as expected."""
    duration = "" if seconds is None else f" ({seconds:.1f} s)"
    print(f"ok  {what}{duration}", flush=True)


def main() -> int:
    """Build, run and report. Return the exit status."""
    folder = ROOT / ".dev" / "podman"
    podman = Podman(folder)
    try:
        print(podman.check(), flush=True)
    except CannotRunError as error:
        print(f"Skipped: {error}")
        return 0
    build_images(podman, folder)
    trial = Trial(podman)
    try:
        trial.run()
    except (UnexpectedError, subprocess.CalledProcessError) as error:
        print(f"FAILED  {error}", flush=True)
        trial.print_logs()
        return 1
    finally:
        trial.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
