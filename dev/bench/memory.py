"""Measures the memory of the processes of an installation; prints multiples of idle processes.

    python -m dev.bench.memory [--runs 10000] [--policies 10000] [--json FILE]

It starts a worker with one slot, one with a slot for ticks, beat and the web server, as they are
deployed, with their own database, broker and Graph sandbox. Each process is idle once it has done a
little of its work, which fills its caches. Then come the runs, during which the web server answers
requests, in two halves: what grows in the second half too is no cache. Then come a backup of all
policies of a tenant, an export of the most policies that can be selected, and the download of the
backup set. The memory is the resident set; of the last three, its peak.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.bench.database import own_broker, own_database
from dev.bench.results import Row, write
from dev.bench.revisions import ROOT
from dev.services.processes import children_of, spawn, stop

if TYPE_CHECKING:
    from operations.models import OperationRun
    from tenancy.models import Tenant, User

#: The shares of the kinds in the policies of the tenant.
SHARES = {"settings_catalog": 0.6, "device_configuration": 0.3, "compliance": 0.1}
#: Before a process counts as idle, it has done this: the caches of the web server are full then.
WARM_UP = 2_000
BATCH = 500
#: Of the web server.
THREADS = 8
#: What the processes may need in addition after all runs, in megabytes.
GROWTH = 2
#: What a slot or a web process may need for many policies, as a multiple of what it needs idle.
PEAK = 1.3
#: The longest time that runs may take, in seconds.
PATIENCE = 3600


@dataclass(frozen=True)
class Watched:
    """A process whose memory is measured."""

    name: str
    pid: int

    @property
    def resident(self) -> float:
        """The resident set in megabytes."""
        return self._status("VmRSS")

    @property
    def peak(self) -> float:
        """The largest resident set since `forget_peak`, in megabytes."""
        return self._status("VmHWM")

    @property
    def proportional(self) -> float:
        """The memory in megabytes, with its share of what it has in common with other processes."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return _kilobytes(rollup, "Pss") / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> float:
        return _kilobytes(Path(f"/proc/{self.pid}/status").read_text(), name) / 1024


def _kilobytes(text: str, name: str) -> int:
    return int(next(line for line in text.splitlines() if line.startswith(f"{name}:")).split()[1])


@dataclass
class Installation:
    """The processes of an installation, in a folder for their files."""

    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start everything, and wait for the web server."""
        self.slot = self._worker("default,sync,backup,restore", "-I", "dev.bench.memory")
        self.ticks = self._worker("ticks,notifications")
        self.beat = self._spawn("celery", "-A", "config", "beat", "-s", str(self.folder / "beat"))
        self.web = self._spawn(
            "gunicorn", "config.wsgi", "--bind", f"unix:{self.socket}", "--workers", "1",
            "--threads", str(THREADS), "--no-control-socket", "--config", "python:config.gunicorn",
        )  # fmt: skip
        wait_until(self.socket.exists, "the web server")

    @property
    def socket(self) -> Path:
        """The address of the web server."""
        return self.folder / "web.sock"

    def watched(self) -> list[Watched]:
        """Return the processes that do the work, once each has done some."""
        return [
            Watched("slot", child_of(self.slot)),
            Watched("slot for ticks", child_of(self.ticks)),
            Watched("beat", self.beat.pid),
            Watched("web worker", child_of(self.web)),
        ]

    def end(self) -> None:
        for process in reversed(self.processes):
            stop(process, signal.SIGKILL, grace=10)

    def _worker(self, queues: str, *options: str) -> subprocess.Popen[bytes]:
        return self._spawn("celery", "-A", "config", "worker", "-c", "1", "-Q", queues, *options)

    def _spawn(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"{module}-{len(self.processes)}.log"
        with log.open("wb") as output:
            process = spawn(
                [sys.executable, "-m", module, *arguments],
                output=output.fileno(),
                cwd=ROOT,
                env=os.environ | self.environment,
            )
        self.processes.append(process)
        return process


def child_of(parent: subprocess.Popen[bytes]) -> int:
    """Return the process that the parent has started for its work."""
    (child,) = children_of(parent.pid)
    return child


def wait_until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not ready after {PATIENCE} seconds.")
        time.sleep(0.05)


class Work:
    """What the processes do."""

    def __init__(self, tenant: Tenant, user: User, socket: Path) -> None:
        import httpx2
        from django.conf import settings
        from django.test import Client

        self.tenant, self.user, self.sent = tenant, user, 0
        client = Client()
        client.force_login(user, settings.AUTHENTICATION_BACKENDS[-1])
        name = settings.SESSION_COOKIE_NAME
        self.web = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(socket)),
            base_url="http://localhost",
            headers={"Cookie": f"{name}={client.cookies[name].value}"},
            timeout=PATIENCE,
        )

    def take_runs(self, number: int) -> None:
        """Execute this many runs that do nothing, and request two pages for each ten of them."""
        from operations.dispatch import RunRequest
        from operations.models import OperationRun
        from operations.services import OperationRunService
        from operations.types import OperationRunType

        for first in range(0, number, BATCH):
            requests = [
                RunRequest(
                    type=OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
                    workspace=self.tenant.workspace,
                    tenant=self.tenant,
                    inputs={"bench": self.sent + place},
                )
                for place in range(min(BATCH, number - first))
            ]
            self.sent += len(requests)
            last = OperationRunService().dispatch_many(requests)[-1].run
            pages = (f"/w/{self.tenant.workspace.slug}/runs/", last.get_absolute_url())
            with ThreadPoolExecutor(THREADS) as threads:
                for response in threads.map(self.web.get, pages * (len(requests) // 10)):
                    response.raise_for_status()
            wait_until(lambda: not OperationRun.objects.active().exists(), "runs")

    def complete(self, run: OperationRun) -> None:
        """Wait for the end of a run, which must be a success."""
        from operations.states import RunOutcome

        def is_ended() -> bool:
            run.refresh_from_db()
            return not run.is_active

        wait_until(is_ended, run.label)
        assert run.outcome == RunOutcome.SUCCEEDED, (run.label, run.outcome, run.failures)

    def sync(self) -> None:
        from inventory.services import start_sync
        from operations.types import OperationRunType

        request = start_sync(OperationRunType.INVENTORY_SYNC, self.tenant, by=self.user)
        self.complete(request.run)

    def back_up(self) -> None:
        from backups import services
        from backups.models import BackupSchedule

        schedule = BackupSchedule(
            workspace=self.tenant.workspace, tenant=self.tenant, name="Bench", kinds=list(SHARES),
            cron="0 2 1 1 *",
        )  # fmt: skip
        services.save(schedule, self.user)
        saved = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
        self.complete(services.run_now(saved, self.user).run)

    def export(self) -> None:
        from backups import services
        from inventory.models import Policy
        from inventory.selection import MAX_SELECTED, Selection

        policies = Policy.objects.with_scope().filter(tenant=self.tenant).order_by("pk")
        selection = Selection({self.tenant: list(policies[:MAX_SELECTED])})
        (request,) = services.export_policies(selection, by=self.user)
        self.complete(request.run)

    def download(self) -> None:
        from backups.models import BackupSet

        backup_set = BackupSet.objects.with_scope().latest("pk")
        with self.web.stream("GET", f"{backup_set.get_absolute_url()}download/") as response:
            response.raise_for_status()
            for _ in response.iter_bytes():
                pass


def create_owned_tenant(control: Any, policies: int) -> tuple[Tenant, User]:
    """Create a tenant of the sandbox with its connection, and an owner of its workspace."""
    from dev.bench.graph import create_tenant
    from tenancy.models import Membership

    external_id = str(uuid.uuid4())
    sizes = {kind: round(policies * share) for kind, share in SHARES.items()}
    control.add_tenant(external_id, uuid.uuid4(), uuid.uuid4().hex, seed="bench", sizes=sizes)
    tenant, user = create_tenant(external_id, control)
    Membership.objects.create(user=user, workspace=tenant.workspace, role="owner")
    return tenant, user


def measure(options: argparse.Namespace) -> list[Row]:
    import django
    from django.core.management import call_command

    from dev.graph_sandbox.process import SandboxProcess

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = stack.enter_context(SandboxProcess(folder))
        os.environ |= {"GRAPH_SANDBOX_URL": sandbox.url, "GRAPH_CA_BUNDLE": str(sandbox.ca)}
        django.setup()
        call_command("migrate", verbosity=0)
        tenant, user = create_owned_tenant(sandbox.control, options.policies)
        environment = {"HANDLER_OF_BENCH": "1", "TICK_SECONDS": "2", "LOG_LEVEL": "WARNING"}
        installation = Installation(folder, environment)
        stack.callback(installation.end)
        installation.start()
        work = Work(tenant, user, installation.socket)
        work.take_runs(WARM_UP)
        return list(take(options, installation.watched(), work))


def take(options: argparse.Namespace, watched: list[Watched], work: Work) -> Iterator[Row]:
    """Do the work, and print and generate the rows."""
    slot, web = watched[0], watched[-1]
    idle = {each: each.resident for each in watched}
    for each in watched:
        say(f"{each.name}: {idle[each]:.1f} MB idle, {each.proportional:.1f} MB of it its share")
    half = options.runs // 2
    work.take_runs(half)
    for each in watched:
        say(f"{each.name}: {each.resident - idle[each]:+.1f} MB after {half:,} runs")
    work.take_runs(options.runs - half)
    for each in watched:
        name = f"{each.name}, after {options.runs:,} runs / idle"
        yield row(name, each.resident, idle[each], (idle[each] + GROWTH) / idle[each])
    work.sync()
    steps = (
        (slot, f"backup of {options.policies:,} policies", work.back_up),
        (slot, "export of 2,000 policies", work.export),
        (web, f"download of a set with {options.policies:,} policies", work.download),
    )
    for process, text, step in steps:
        process.forget_peak()
        step()
        yield row(f"{process.name}, {text} / idle", process.peak, idle[process], PEAK)


def row(name: str, used: float, idle: float, target: float) -> Row:
    say(f"{name}: {used:.1f} MB / {idle:.1f} MB, {used - idle:+.1f} MB")
    return Row(name, used / idle, used / idle, used, idle, target)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--policies", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with own_database(), own_broker():
        write(options.json, measure(options))


if "HANDLER_OF_BENCH" in os.environ:
    # Imported by the worker.
    from operations.testing import override_handler
    from operations.types import OperationRunType

    handler = override_handler(OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC, lambda _run: None)
    handler.__enter__()

if __name__ == "__main__":
    main()
