"""Measures the lists against the length of the ledger; prints ratios, taken in one run.

    python -m dev.bench.reads [--runs 1000000] [--middle 100000 …] [--rounds 5] [--only TEXT]
        [--keep FOLDER] [--json FILE]

It starts its own database server with a ledger of 10,000 runs, middle ones and a long one, and
takes each page of all of them in alternation. A row says how much CPU of the server the statements
of a page take, as a multiple of those of the short ledger, and how long the slowest statement
takes; each is the minimum of the rounds, because other load on the machine only adds to it. The
blocks of the database that the statements read do not depend on the load at all.
`dev.bench.generator` has the skew.

With `--keep`, the ledgers stay in a folder, and the next call with it measures them again. They
grow older: a day later, pages of the last day find no runs.

A page that finds 3 runs in the short ledger and more than 1,000 in the long one counts and sorts
more, whatever the length of the ledger. The charts of a schedule or a tenant have a slot for each of
its last runs, of which the short ledger has three. The ratio “/ same” is therefore to the shortest
ledger in which the page finds and shows as much; if there is none, to the longest of the others,
with a mark.

A ratio counts only if the page of the long ledger takes 5 ms more: on a busy machine, the minima of
the same page differ by up to that. Rows above a target are listed again at the end.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from dev.bench.database import own_database, server_cpu
from dev.bench.results import Row, compare, write

SHORT = 10_000
#: What a page may take in the long ledger, as a multiple of the short one.
TARGET = 1.2
#: Seconds. A smaller difference is none.
NOISE = 0.005
#: Seconds that a statement may take.
SLOWEST = 0.1
#: The filters of the list of runs; {tenant} is one with many runs, and {small} one with few.
FILTERS = {
    "no filter": "",
    "type": "type=inventory.sync",
    "rare type": "type=restore.execute",
    "tenant": "tenant={tenant}",
    "small tenant": "tenant={small}",
    "tenant and type": "tenant={tenant}&type=inventory.sync",
    "active": "view=active",
    "status": "status=running",
    "completed": "status=completed",
    "outcome active": "outcome=pending",
    "outcome": "outcome=failed",
    "rare outcome": "outcome=cancelled",
    "succeeded": "outcome=succeeded",
    "tenant and outcome": "tenant={tenant}&outcome=failed",
    "tenant and rare outcome": "tenant={tenant}&outcome=cancelled",
    "small tenant and outcome": "tenant={small}&outcome=failed",
    "type and outcome": "type=inventory.sync&outcome=failed",
    "type and rare outcome": "type=directory_groups.sync&outcome=cancelled",
    "rare type and outcome": "type=restore.execute&outcome=blocked",
    "tenant, type and outcome": "tenant={tenant}&type=inventory.sync&outcome=failed",
    "attention": "view=attention",
    "attention of a tenant": "view=attention&tenant={tenant}",
    "attention of a rare type": "view=attention&type=restore.execute",
    "assigned": "view=assigned",
    "mine": "view=mine",
    "mine and rare outcome": "view=mine&outcome=cancelled",
    "last day": "view=day",
    "failed in the last day": "view=failed",
    "failed, of a rare type": "view=failed&type=restore.execute",
    "failed, of a tenant": "view=failed&tenant={tenant}",
    "cause": "cause=permission_missing:Scope.3",
    "cause with all details": "cause=permission_missing",
    "cause of a tenant": "cause=throttled&tenant={tenant}",
    "cause and type": "cause=throttled&type=restore.execute",
    "day": "since={day}&until={day}",
    "day and rare outcome": "since={day}&until={day}&outcome=cancelled",
    "hour": "since={day}&since_hour=2&until={day}&until_hour=3",
    "old days": "until={day}",
    "text of one tenant": "q=Tenant 0042",
    "text of many tenants": "q=Contoso",
    "text of all tenants": "q=Tenant",
    "text of a common initiator": "q=Nightly",
    "text of a rare initiator": "q=Bench User 19",
    "text of a cause": "q=Scope.3",
    "text of nothing": "q=nothing has this text",
    "text and outcome": "q=Bench User&outcome=failed",
    "text and rare outcome": "q=Nightly&outcome=cancelled",
    "text and another type": "q=Nightly&type=inventory.sync",
    "text and a tenant": "q=Nightly&tenant={tenant}",
    "text and attention": "q=Contoso&view=attention",
    "text and failed": "q=Contoso&view=failed",
    "number": "q=%23{number}",
    "number or text": "q={number}",
}
#: The orders of the list, each with these filters.
SORTS = ("requested", "-ended", "ended", "-duration", "duration")
SORTED_FILTERS = {
    name: FILTERS[name]
    for name in (
        "no filter", "type", "rare type", "tenant", "small tenant", "outcome", "rare outcome",
        "succeeded", "type and outcome", "tenant and outcome", "attention", "mine", "cause",
        "last day", "old days", "text of many tenants", "text of a rare initiator",
        "text and rare outcome",
    )
}  # fmt: skip
#: The filters that the list of all workspaces is measured with.
OF_ALL = (
    "no filter", "type", "rare type", "rare outcome", "outcome", "type and rare outcome", "active",
    "attention", "mine", "failed in the last day", "cause", "text of many tenants",
    "text of a rare initiator", "text of nothing", "number",
)  # fmt: skip
#: Other pages of a workspace.
PAGES = {
    "overview": "/w/bench-1/",
    "schedules": "/w/bench-1/schedules/",
    "schedules, text": "/w/bench-1/schedules/?q=Contoso",
    "incidents": "/w/bench-1/incidents/",
    "freshness": "/w/bench-1/freshness/",
    "changes": "/w/bench-1/changes/",
    "changes of a tenant": "/w/bench-1/changes/?tenant={tenant}",
    "changes, kind": "/w/bench-1/changes/?kind=device_configuration",
    "changes, rare kind": "/w/bench-1/changes/?kind=named_location",
    "changes, rare change": "/w/bench-1/changes/?change=removed",
    "changes, text": "/w/bench-1/changes/?q=Policy 4321",
    "changes, common text": "/w/bench-1/changes/?q=policy",
    "changes, text of an author": "/w/bench-1/changes/?q=admin17@",
    "changes, text and rare kind": "/w/bench-1/changes/?q=Policy&kind=named_location",
    "changes, text and tenant": "/w/bench-1/changes/?q=Policy 4321&tenant={tenant}",
    "changes, text of nothing": "/w/bench-1/changes/?q=nothing has this text",
    "audit log": "/w/bench-1/audit-log/",
    "audit log, kind": "/w/bench-1/audit-log/?kind=backup_schedules",
    "audit log, rare kind": "/w/bench-1/audit-log/?kind=memberships",
    "audit log, rare action": "/w/bench-1/audit-log/?action=deleted",
    "audit log, tenant": "/w/bench-1/audit-log/?tenant={tenant}",
    "audit log, text": "/w/bench-1/audit-log/?q=Schedule 4321",
    "audit log, common text": "/w/bench-1/audit-log/?q=schedule",
    "audit log, text of an address": "/w/bench-1/audit-log/?q=192.0.2.17",
    "audit log, text and rare kind": "/w/bench-1/audit-log/?q=bench-user-7&kind=memberships",
    "audit log, text of nothing": "/w/bench-1/audit-log/?q=nothing has this text",
    "one run": "/runs/{number}/",
}
_ADMIN, _ADMIN_AUDIT = "/admin/operations/operationrun/", "/admin/audit/auditentry/"
ADMIN_PAGES = {
    "no filter": _ADMIN,
    "rare outcome": f"{_ADMIN}?outcome__exact=cancelled",
    "status": f"{_ADMIN}?status__exact=running",
    "rare type": f"{_ADMIN}?type=restore.execute",
    "type and rare outcome": f"{_ADMIN}?type=directory_groups.sync&outcome__exact=cancelled",
    "number": f"{_ADMIN}?q={{number}}",
    "text of many tenants": f"{_ADMIN}?q=Contoso",
    "text of a rare initiator": f"{_ADMIN}?q=Bench User 19",
    "text of nothing": f"{_ADMIN}?q=nothing",
    "audit log": _ADMIN_AUDIT,
    "audit log, rare kind": f"{_ADMIN_AUDIT}?kind=memberships",
    "audit log, text of a user": f"{_ADMIN_AUDIT}?q=bench-user-7",
    "audit log, text of nothing": f"{_ADMIN_AUDIT}?q=nothing",
}


def addresses() -> dict[str, str]:
    """Return the address of each page, with names in braces for values of the database."""
    runs, every = "/w/bench-1/runs/", "/runs/"
    pages = {f"runs: {name}": f"{runs}?{query}" for name, query in FILTERS.items()}
    for sort in SORTS:
        for name, query in SORTED_FILTERS.items():
            pages[f"runs by {sort}: {name}"] = f"{runs}?{query}&sort={sort}"
    pages |= {f"all runs: {name}": f"{every}?{FILTERS[name]}" for name in OF_ALL}
    return pages | PAGES | {f"admin: {name}": page for name, page in ADMIN_PAGES.items()}


def load_values() -> dict[str, Any]:
    """Return the values of the braces, from the database of the connection."""
    import datetime as dt

    from django.utils import timezone

    from operations.models import OperationRun
    from tenancy.models import Tenant

    tenants = Tenant.objects.filter(workspace__slug="bench-1").order_by("name")
    newest = OperationRun.objects.filter(workspace__slug="bench-1").order_by("-pk")
    run = newest.filter(outcome="succeeded")[0]
    first, last = tenants.first(), tenants.last()
    assert first
    assert last
    return {
        "tenant": first.pk,
        "small": last.pk,
        "day": (timezone.now() - dt.timedelta(days=12)).date(),
        "number": run.pk,
    }


def address_of(page: str, values: dict[str, Any]) -> str:
    """Return the address with the values, as a browser sends it."""
    return quote(page.format(**values), safe="/?&=%:")


class Clock:
    """Measures how long each statement takes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*statement)
        finally:
            self.seconds.append(time.perf_counter() - started)


class BlockCounter:
    """Counts the blocks that the SELECT statements read, from memory or from disk."""

    def __init__(self) -> None:
        self.blocks = 0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        from django.db import connection

        result = execute(sql, params, *rest)
        if sql.lstrip().startswith(("SELECT", "WITH")) and "set_config" not in sql:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                (plan,) = cursor.fetchone()
            top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            self.blocks += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
        return result


#: The number of rows above a list.
_COUNT = re.compile(r'<p class="(?:text-secondary|paginator)">\s*([0-9,]+\+*) ')
#: Pages that differ by fewer elements show as much: one run has a badge more than another.
SAME_ELEMENTS = 0.95


@dataclass(frozen=True)
class Shown:
    """What a page says about the number of its rows, how many it shows, and its elements."""

    count: str
    rows: int
    elements: int

    @classmethod
    def of(cls, html: str) -> Shown:
        count = _COUNT.search(html)
        return cls(count[1] if count else "", html.count("<tr"), html.count("<"))

    def has_as_many_as(self, other: Shown) -> bool:
        """Whether a page with this shows as much as another one."""
        has_rows = (self.count, self.rows) == (other.count, other.rows)
        return has_rows and self.elements >= SAME_ELEMENTS * other.elements

    def __str__(self) -> str:
        return f"{self.count} {self.rows} {self.elements}"


@contextmanager
def connected(database: str) -> Iterator[None]:
    """Let Django use this database."""
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = database
    yield
    connection.close()


def execute(statement: str) -> list[tuple[Any, ...]]:
    """Execute a statement in the first database of the server, and return its rows."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        cursor = session.execute(statement)
        return cursor.fetchall() if cursor.description else []


def exists(database: str) -> bool:
    return (database,) in execute("SELECT datname FROM pg_database")


class Ledger:
    """A database with a ledger, and a signed-in member of its workspaces."""

    def __init__(self, runs: int) -> None:
        from django.core.management import call_command

        self.name = f"runs_{runs}"
        self.runs = runs
        self.times: dict[str, list[float]] = defaultdict(list)
        self.slowest: dict[str, list[float]] = defaultdict(list)
        self.blocks: dict[str, int] = {}
        self.shown: dict[str, Shown] = {}
        if not exists(self.name):
            self.generate()
        with connected(self.name):
            call_command("migrate", verbosity=0)
            self.values = load_values()
            self.client = self.sign_in()

    def generate(self) -> None:
        """Create the database under a temporary name: one that was interrupted is not used."""
        from django.core.management import call_command
        from django.db import connection

        from dev.bench.generator import generate

        execute("DROP DATABASE IF EXISTS unfinished")
        execute("CREATE DATABASE unfinished")
        with connected("unfinished"):
            call_command("migrate", verbosity=0)
            started = time.monotonic()
            generate(self.runs)
            sys.stdout.write(f"{self.runs:,} runs in {time.monotonic() - started:.0f} s\n")
            # Whether autovacuum has come so far would be a difference between the ledgers.
            with connection.cursor() as cursor:
                cursor.execute("VACUUM")
        execute(f"ALTER DATABASE unfinished RENAME TO {self.name}")

    def sign_in(self) -> Any:
        from django.conf import settings
        from django.test import Client

        from tenancy.models import User

        client = Client(raise_request_exception=True)
        user = User.objects.get(username="bench-user-1")
        client.force_login(user, settings.AUTHENTICATION_BACKENDS[-1])
        return client

    def take(self, page: str, rounds: int) -> None:
        """Request a page several times, after once without measuring."""
        from django.db import connection

        address = address_of(addresses()[page], self.values)
        with connected(self.name):
            for number in range(rounds + 1):
                connection.ensure_connection()
                backend = [connection.connection.info.backend_pid]
                clock, before = Clock(), server_cpu(backend)
                with connection.execute_wrapper(clock):
                    response = self.client.get(address)
                spent = server_cpu(backend) - before
                assert response.status_code in (200, 503), (page, response.status_code)
                if response.status_code == 503:
                    spent = float("inf")
                if number:
                    self.times[page].append(spent)
                    self.slowest[page].append(max(clock.seconds))
            with connection.execute_wrapper(counter := BlockCounter()):
                html = self.client.get(address).content.decode()
            self.blocks[page] = counter.blocks
            self.shown[page] = Shown.of(html)


def base_of(page: str, ledgers: Sequence[Ledger]) -> tuple[Ledger, bool]:
    """Return the shortest ledger in which a page shows as much as in the longest one.

    If there is none, return the last shorter one, and False.
    """
    *shorter, longest = ledgers
    for ledger in shorter:
        if ledger.shown[page].has_as_many_as(longest.shown[page]):
            return ledger, True
    return shorter[-1], False


def is_above(seconds: float, floor: float) -> bool:
    return seconds > TARGET * floor and seconds - floor > NOISE


def rows(ledgers: Sequence[Ledger]) -> list[Row]:
    compared = []
    for page, seconds in ledgers[-1].times.items():
        base, is_same = base_of(page, ledgers)
        floor = base.times[page]
        is_noise = min(seconds) - min(floor) <= NOISE
        name = f"{page}, long / {base.name}{'' if is_same else ', which shows less'}"
        compared.append(compare(name, seconds, floor, target=None if is_noise else TARGET))
    return compared


def report(ledgers: Sequence[Ledger]) -> str:
    short, long = ledgers[0], ledgers[-1]
    heading = f"{'':44} {'CPU':>10} {'/ short':>8} {'/ same':>8} {'slowest':>10} {'blocks':>7}"
    lines = [f"{heading} {'/ short':>8}  count, rows and elements in short, same, long"]
    above: list[str] = []
    fewer: list[str] = []
    for page, seconds in long.times.items():
        base, is_same = base_of(page, ledgers)
        spent, slowest, blocks = min(seconds), min(long.slowest[page]), long.blocks[page]
        ratios = [spent / min(ledger.times[page]) for ledger in (short, base)]
        counts = [str(ledger.shown[page]) for ledger in (short, base, long)]
        line = (
            f"{page:44} {spent * 1e3:7.1f} ms {ratios[0]:8.2f} {ratios[1]:7.2f}"
            f"{' ' if is_same else '*'} {slowest * 1e3:7.1f} ms {blocks:7,}"
            f" {blocks / short.blocks[page]:8.2f}  {', '.join(counts)}"
        )
        lines.append(line)
        if slowest > SLOWEST or is_above(spent, min(base.times[page])):
            (above if is_same or slowest > SLOWEST else fewer).append(line)
    lines += ["", f"{len(above)} of {len(long.times)} rows are above:", *above]
    lines += ["", f"{len(fewer)} rows are above a ledger in which the page shows less (*):", *fewer]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--middle", type=int, nargs="*", default=[100_000])
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the ledgers, and use them again"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="take only pages whose name has this text")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with own_database(keep=options.keep):
        measure(options)


def measure(options: argparse.Namespace) -> None:
    import django

    django.setup()
    logging.disable()
    lengths = sorted({SHORT, *options.middle, options.runs})
    ledgers = [Ledger(runs) for runs in lengths]
    for page in addresses():
        if options.only in page:
            for ledger in ledgers:
                ledger.take(page, options.rounds)
    sys.stdout.write(report(ledgers) + "\n")
    write(options.json, rows(ledgers))


if __name__ == "__main__":
    main()
