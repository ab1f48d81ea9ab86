"""Measures what an unchanged object of a nightly backup adds to the database, and the CPU of reading a set.

    python -m dev.bench.items [--policies 500] [--nights 4] [--baseline REVISION]

Each revision backs the same tenant of one Graph sandbox up, in a separate process with a separate
database: once to read it, once more, and then for some nights in which nothing changes. A vacuum
follows each night, so that space of replaced rows that is used again does not count. The CPU is that
of the process and of its connection to the database, for a night and for pages of its set. With
`--baseline`, the figures are compared with those of another revision.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dev.bench.graph import SHARES, create_tenant
from dev.bench.results import Row, write
from dev.bench.revisions import ROOT, checkout, result_of

MODULE = "dev.bench.items"
#: The bytes that an unchanged object shall add at most.
TARGET = 60
_SIZES = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relkind IN ('r', 'i', 't') AND relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace)
"""


#: Each page is read so many times, and the least CPU counts.
READS = 8


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Back the tenant up with the code on the path; return the bytes per object and night.

    The keys are tables and indexes, and `WAL`. Those that begin with “CPU” are seconds.
    """
    from dev.bench.database import own_database
    from dev.graph_sandbox.control import SandboxControl

    control = SandboxControl.at(options.url, options.ca, options.token)
    with own_database():
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE = options.url, options.ca
        call_command("migrate", verbosity=0)
        return _nights(options, control)


def _nights(options: argparse.Namespace, control: Any) -> dict[str, float]:
    from django.db import connection

    from backups import services
    from backups.models import BackupSchedule
    from operations.testing import run_now

    tenant, user = create_tenant(options.tenant, control)
    schedule = BackupSchedule(
        workspace=tenant.workspace,
        tenant=tenant,
        name="Bench",
        kinds=list(SHARES),
        cron="0 2 * * *",
    )
    services.save(schedule, user)
    schedule = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
    wal = 0
    seconds: list[float] = []

    def back_up() -> Any:
        nonlocal wal
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            (before,) = cursor.fetchone()
            dispatched = services.run_now(schedule, user).run
            run, taken = _cpu(lambda: run_now(dispatched))
            seconds.append(taken)
            cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", [before])
            wal += int(cursor.fetchone()[0])
            cursor.execute("VACUUM ANALYZE")
        assert run.outcome == "succeeded", (run.outcome, run.failures)
        return run

    def sizes() -> dict[str, int]:
        with connection.cursor() as cursor:
            cursor.execute(_SIZES)
            return dict(cursor.fetchall())

    for _ in range(2):
        back_up()
    before, wal = sizes(), 0
    seconds.clear()
    runs = [back_up() for _ in range(options.nights)]
    items = sum(run.counts.unchanged for run in runs)
    assert items == sum(run.counts.total for run in runs)
    added = {name: (size - before.get(name, 0)) / items for name, size in sizes().items()}
    added = {name: each for name, each in added.items() if each} | {"WAL": wal / items}
    return added | {"CPU of a night": min(seconds)} | _reads(runs[-1].backup_set, user)


def _reads(backup_set: Any, user: Any) -> dict[str, float]:
    """Return the seconds of CPU of reading a set."""
    from django.conf import settings
    from django.test import Client

    from tenancy.models import Membership
    from tenancy.roles import Role

    Membership.objects.create(workspace=backup_set.workspace, user=user, role=Role.OWNER)
    client = Client()
    client.force_login(user, settings.AUTHENTICATION_BACKENDS[-1])
    address = backup_set.get_absolute_url()

    def read(path: str) -> None:
        response: Any = client.get(f"{address}{path}")
        assert response.status_code == 200, response.status_code
        assert b"".join(response)

    pages = {"the page of a set": "", "a comparison": "changes/", "a download": "download/"}
    return {
        f"CPU of {name}": min(_cpu(partial(read, path))[1] for _ in range(READS))
        for name, path in pages.items()
    }


def _cpu(job: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a job returns, and the CPU that it takes here and in its database connection."""
    from django.db import connection

    from dev.bench.database import server_cpu

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()
    before = time.process_time() + server_cpu(backend)
    result = job()
    return result, time.process_time() + server_cpu(backend) - before


def run_build(tree: Path, arguments: list[str]) -> dict[str, float]:
    """Measure the code in this directory in a separate process."""
    command = [sys.executable, "-m", MODULE, "--measure", *arguments]
    results: dict[str, float] = result_of(command, tree)
    return results


def report(name: str, added: dict[str, float]) -> None:
    """Print the bytes of each table and index, and their sum."""
    sys.stdout.write(f"{name}: bytes that an unchanged object adds each night\n")
    for relation, size in sorted(added.items(), key=lambda each: -each[1]):
        if relation.startswith("CPU"):
            sys.stdout.write(f"  {relation:40} {1000 * size:7.0f} ms\n")
        elif size >= 1:
            sys.stdout.write(f"  {relation:40} {size:7.0f}\n")
    sys.stdout.write(f"  {'tables and indexes':40} {_stored(added):7.0f}\n")
    sys.stdout.flush()


def _stored(added: dict[str, float]) -> float:
    return sum(size for name, size in added.items() if not name.startswith(("WAL", "CPU")))


def _row(name: str, now: float, floor: float, target: float | None = None) -> Row:
    return Row(name, now / floor, now / floor, now, floor, target)


def compare(options: argparse.Namespace) -> None:
    """Measure the revisions against one sandbox, and print the bytes and the ratios."""
    from dev.graph_sandbox.process import SandboxProcess

    tenant = str(uuid.uuid4())
    sizes = {kind: round(options.policies * share) for kind, share in SHARES.items()}
    with tempfile.TemporaryDirectory() as folder, SandboxProcess(Path(folder)) as sandbox:
        secret = uuid.uuid4().hex
        sandbox.control.add_tenant(tenant, uuid.uuid4(), secret, seed="bench", sizes=sizes)
        arguments = ["--url", sandbox.url, "--ca", str(sandbox.ca), "--token", sandbox.token]
        arguments += ["--tenant", tenant, "--nights", str(options.nights)]
        added = run_build(ROOT, arguments)
        report("this", added)
        bytes_now = _stored(added)
        rows = [_row(f"bytes of an unchanged object / {TARGET}", bytes_now, TARGET, target=1)]
        if options.baseline:
            with checkout(options.baseline, Path(__file__)) as tree:
                before = run_build(tree, arguments)
            report(options.baseline, before)
            rows += [
                _row("bytes of an unchanged object / baseline", bytes_now, _stored(before)),
                _row("bytes of WAL of an unchanged object / baseline", added["WAL"], before["WAL"]),
                *(
                    _row(f"{name} / baseline", added[name], before[name])
                    for name in added
                    if name.startswith("CPU")
                ),
            ]
    sys.stdout.write("".join(f"{row}\n" for row in rows))
    write(options.json, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--nights", type=int, default=4)
    parser.add_argument("--baseline", help="a git revision to compare with")
    parser.add_argument("--json", type=Path)
    for name in ("--url", "--ca", "--token", "--tenant"):
        parser.add_argument(name, default="", help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        sys.stdout.write(json.dumps(measure(options)) + "\n")
    else:
        compare(options)


if __name__ == "__main__":
    main()
