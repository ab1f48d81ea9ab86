"""Measures the CPU, the statements and the weight of pages; prints ratios, taken in one run.

    python -m dev.bench.pages [--rounds 30] [--tenants 300] [--baseline REVISION] [--json FILE]

It starts its own database with a fleet, and takes the pages in alternation, so that other load on
the machine affects all of them. The CPU is that of the web process; the floor is a view that
answers a signed-in user with two bytes. With `--baseline`, the pages of another revision are taken
in the same rounds, on the same database.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import html
import json
import logging
import os
import pstats
import re
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from dev.bench.database import own_database
from dev.bench.revisions import ROOT, Revision, checkout, take

MODULE = "dev.bench.pages"
NIGHTS = 14
FLOOR = "signed-in view"
#: The pages with a section that refreshes.
SECTIONS = (("run list", "run-rows"), ("active run", "run-live"), ("overview", "panels"))


class Pages:
    """The pages of one revision, requested in its process."""

    def __init__(self, session: str, paths: dict[str, str]) -> None:
        from django.conf import settings
        from django.http import HttpRequest, HttpResponse
        from django.test import Client
        from django.urls import path

        import config.urls

        def floor(request: HttpRequest) -> HttpResponse:
            return HttpResponse("ok")

        config.urls.urlpatterns.append(path("bench/", floor))
        self.client = Client(raise_request_exception=True)
        self.client.cookies[settings.SESSION_COOKIE_NAME] = session
        self.requests = {FLOOR: "/bench/"} | paths
        self.find_sections()

    def find_sections(self) -> None:
        """Find the live sections as they are now: a row can get older than a day in between."""
        for page, part in SECTIONS:
            changed, unchanged = self.section(self.requests[page], part)
            self.requests |= {f"{page}, live 200": changed, f"{page}, live 204": unchanged}

    def section(self, path: str, part: str) -> tuple[str, str]:
        """Return the addresses of a live section that has changed, and that has not."""
        page = self.client.get(path).content.decode()
        match = re.search(f'id="{part}" hx-get="([^"]+)"', page)
        assert match, f"{path} has no section {part}"
        address = html.unescape(match[1])
        return re.sub("seen=[^&]+", "seen=other", address), address

    def get(self, name: str) -> Any:
        headers = {"HX-Request": "true"} if ", live" in name else {}
        response = self.client.get(self.requests[name], headers=headers)
        assert response.status_code in (200, 204), name
        return response

    def facts(self) -> dict[str, tuple[int, int]]:
        """Return the statements and the bytes of each page."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        facts = {}
        for name in self.requests:
            with CaptureQueriesContext(connection) as captured:
                response = self.get(name)
            facts[name] = (len(captured), len(response.content))
        return facts

    def round(self) -> dict[str, float]:
        """Take each page once; return the seconds of CPU."""
        self.find_sections()
        seconds = {}
        for name in self.requests:
            started = time.process_time()
            response = self.get(name)
            ended = time.process_time()
            # A section can change within a round, when an expected end moves on by a minute.
            if response.status_code == (204 if name.endswith("204") else 200):
                seconds[name] = ended - started
        return seconds


def serve() -> None:
    """Answer each line of the standard input with the facts, a round or a profile, as JSON."""
    pages = Pages(os.environ["BENCH_SESSION"], json.loads(os.environ["BENCH_PATHS"]))
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        answer: object
        if command == "profile":
            answer = None
            profiler = cProfile.Profile()
            for _ in range(int(os.environ.get("BENCH_PROFILED", "30"))):
                profiler.runcall(pages.get, argument)
            pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(45)
            pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(90)
        else:
            answer = pages.facts() if command == "facts" else pages.round()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def prepare(tenants: int) -> dict[str, str]:
    """Create the fleet with an active run; return what the processes need, as variables."""
    from django.conf import settings
    from django.core.management import call_command
    from django.db.models.functions import Now
    from django.test import Client
    from django.urls import reverse

    from dev.demo.scenario import MEMBERS
    from dev.management.commands.demo_fleet import create_fleet
    from operations.dispatch import RunRequest
    from operations.models import OperationRun
    from operations.services import OperationRunService
    from operations.states import RunOutcome
    from operations.types import OperationRunType
    from tenancy.models import Tenant, User

    call_command("migrate", verbosity=0)
    users = {role.value: User.objects.create(username=name) for name, _, role in MEMBERS}
    create_fleet(users, tenants=tenants, nights=NIGHTS)
    tenant = Tenant.objects.filter(status="active").select_related("workspace")[0]
    request = RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_RUN_NOW, workspace=tenant.workspace, tenant=tenant
    )
    active = OperationRunService().ensure_run(request).run
    assert OperationRunService().claim(active.pk, "bench")
    # The run keeps its lease, however long the measurement takes.
    OperationRun.objects.filter(pk=active.pk).update(heartbeat_at=Now() + dt.timedelta(days=1))
    client = Client()
    client.force_login(users["operator"], settings.AUTHENTICATION_BACKENDS[-1])
    newest = OperationRun.objects.order_by("-created_at")
    paths = {
        "run list": reverse("run_list", args=[tenant.workspace.slug]),
        "run": newest.filter(outcome=RunOutcome.SUCCEEDED)[0].get_absolute_url(),
        "failed run": newest.filter(outcome=RunOutcome.FAILED)[0].get_absolute_url(),
        "active run": active.get_absolute_url(),
        "overview": reverse("overview", args=[tenant.workspace.slug]),
    }
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    return {"BENCH_SESSION": session, "BENCH_PATHS": json.dumps(paths)}


def report(current: Revision, baseline: Revision | None) -> str:
    floor = median(current.times[FLOOR])
    lines = [f"{'':24} {'CPU':>9} {'/ floor':>8} {'statements':>11} {'bytes':>8}  / baseline"]
    for name, seconds in current.times.items():
        cpu, (statements, size) = median(seconds), current.facts[name]
        line = f"{name:24} {cpu * 1e3:6.2f} ms {cpu / floor:8.1f} {statements:11} {size:8,}"
        if baseline and name in baseline.times:
            before = baseline.facts[name]
            share = cpu / median(baseline.times[name])
            line += f"  {share:.2f} of the CPU; {before[0]} statements, {before[1]:,} bytes"
        lines.append(line)
    return "\n".join(lines)


def measure(options: argparse.Namespace) -> None:
    import django

    django.setup()
    logging.disable()
    environment = prepare(options.tenants)
    current = Revision(MODULE, ROOT, environment)
    if options.profile:
        current.ask(f"profile {options.profile}")
        current.end()
        return
    if not options.baseline:
        take(options.rounds, current, None, report, options.json, floor=FLOOR, target=0.4)
        return
    with checkout(options.baseline, Path(__file__)) as folder:
        baseline = Revision(MODULE, folder, environment)
        take(options.rounds, current, baseline, report, options.json, floor=FLOOR, target=0.4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tenants", type=int, default=300)
    parser.add_argument("--baseline", help="a git revision to compare with")
    parser.add_argument("--profile", help="print where the time of this page goes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import django

        django.setup()
        logging.disable()
        serve()
        return
    with own_database():
        measure(options)


if __name__ == "__main__":
    main()
