"""`python -m dev.chaos`: cause faults for some minutes, then check every promise.

    python -m dev.chaos [--duration 300] [--seed 1 | --seeds 1,2,3] [--within 25] [--report FILE]
    python -m dev.chaos --control NAME | --controls

The exit status is 0 if every promise was kept, 1 if one was broken, and 2 if the campaign is void: it
did too little to prove anything. With `--control`, one promise is broken on purpose; then the status
is 0 if the checker of this promise, and no other, noticed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dev.chaos.cluster import LEASE, Cluster
from dev.chaos.controls import CONTROLS, Control, break_database
from dev.chaos.report import Report, format_report, format_total, load_report, scale_minimums

if TYPE_CHECKING:
    from dev.chaos.faults import Faults
    from dev.chaos.ledger import Evidence
    from dev.chaos.load import Load, World
    from dev.chaos.watcher import Watcher

DURATION = 300.0
WORKERS = 3
#: Dispatches per second, and faults per second of each lane: what two processors can do, with
#: enough left that the campaign measures the effect of faults and not the load of the machine.
RATE = 5.5
FAULT_RATES = {"servers": 0.28, "workers": 0.5, "messages": 0.38, "graph": 0.25}
#: The longest time in seconds that workers and beats need to start.
START = 60.0
#: A campaign that has done too little goes on for at most this share of its duration.
EXTENSION = 0.5
#: Seconds after the last fault after which an active run counts as lost; before that it is late.
PATIENCE = 120.0
PROGRESS_SECONDS = 10.0
#: How much of each program's log is kept after a campaign that did not keep every promise.
LOG_CHARACTERS = 5_000_000


def main() -> int:
    options = _parse_options()
    if options.controls:
        return _run_controls(options)
    if options.seeds:
        return _run_seeds(options)
    text = f"seed {options.seed}, {options.duration:.0f} s"
    if options.control:
        text = f"control “{options.control}”, {text}"
    _print(text)
    failpoints = "" if options.control else "0.0015"
    with Cluster(
        workers=WORKERS, lease=options.lease, failpoints=failpoints, control=options.control
    ) as cluster:
        os.environ.update(cluster.environment)
        return _campaign(cluster, options)


def _run_seeds(options: argparse.Namespace) -> int:
    """Run a campaign for each seed, one after another, and print a table of all."""
    folder = Path(tempfile.mkdtemp(prefix="runledger-chaos-"))
    paths = []
    for seed in options.seeds.split(","):
        paths.append(folder / f"{seed}.json")
        arguments = [
            "--seed",
            seed,
            "--duration",
            str(options.duration),
            "--report",
            str(paths[-1]),
        ]
        arguments += ["--lease", str(options.lease), "--within", str(options.within)]
        _run_again(arguments)
    reports = [load_report(path) for path in paths if path.exists()]
    _print(format_total(reports))
    _print(f"reports: {folder}")
    if len(reports) < len(paths):
        return 1
    return max((report.status for report in reports), key=(0, 2, 1).index)


def _run_controls(options: argparse.Namespace) -> int:
    """Run every control; return 1 if one was not detected."""
    results = {}
    for name in CONTROLS:
        results[name] = _run_again(["--control", name, "--seed", str(options.seed)])
    _print("\ncontrols:")
    for name, status in results.items():
        result = "NOT detected" if status else "detected"
        _print(f"  {result:12} {name}")
    return int(any(results.values()))


def _run_again(arguments: list[str]) -> int:
    """Run one campaign in a process, because Django is configured once for each."""
    return subprocess.run([sys.executable, "-m", "dev.chaos", *arguments], check=False).returncode


def _campaign(cluster: Cluster, options: argparse.Namespace) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from dev.chaos.faults import Faults
    from dev.chaos.load import Load, make_world
    from dev.chaos.watcher import Watcher

    call_command("migrate", verbosity=0)
    graph = cluster.graph.control
    world = make_world(graph)
    control = CONTROLS.get(options.control)
    if control:
        break_database(control.sql)
    load = Load(world, graph, seed=options.seed, rate=RATE)
    watcher = Watcher()
    faults = Faults(
        cluster,
        world,
        load,
        seed=options.seed,
        duration=options.duration,
        only=control.faults if control else None,
        ticks_run=watcher.ticks_run,
    )
    cluster.start_programs(failpoints_until=time.time() + START + options.duration)
    watcher.start()
    watcher.wait_for_ticks(START)
    campaign = Campaign(
        cluster=cluster,
        world=world,
        load=load,
        faults=faults,
        watcher=watcher,
        options=options,
        control=control,
    )
    report = campaign.run()
    if control:
        return _report_control(options.control, control, report)
    _print(format_report(report))
    if options.report:
        report.save(Path(options.report))
    if report.status:
        path = Path(tempfile.gettempdir()) / f"runledger-chaos-{options.seed}.log"
        path.write_text(cluster.logs(size=LOG_CHARACTERS))
        _print(f"logs: {path}")
    return report.status


class Campaign:
    """One campaign: faults and load for a while, then the judgment."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        world: World,
        load: Load,
        faults: Faults,
        watcher: Watcher,
        options: argparse.Namespace,
        control: Control | None,
    ) -> None:
        self._cluster = cluster
        self._world = world
        self._load = load
        self._faults = faults
        self._watcher = watcher
        self._options = options
        self._control = control
        self._started = self._last_progress = time.monotonic()
        self._next_look = 0.0
        self._is_over = False

    def run(self) -> Report:
        """Run it and return its report."""
        from dev.chaos.exercise import build_report
        from dev.chaos.judge import judge

        self._started = time.monotonic()
        self._load.start()
        rates = FAULT_RATES
        if self._control:
            rates = dict.fromkeys(FAULT_RATES, self._control.rate)
        self._faults.start(rates)
        try:
            self._faults.run_servers(rates["servers"], self._is_finished)
        finally:
            self._faults.stop()
            self._cluster.graph.control.clear()
            last_fault_at = dt.datetime.now(dt.UTC)
            self._load.stop()
        seconds = time.monotonic() - self._started
        self._load.pause_schedules()
        self._settle()
        self._watcher.stop()
        ended_at = dt.datetime.now(dt.UTC)
        self._cluster.stop_programs()
        if self._control and self._control.plant:
            break_database(self._control.plant)
        evidence = self._collect(last_fault_at, ended_at)
        return build_report(
            evidence,
            self._faults,
            self._load,
            self._watcher,
            seed=self._options.seed,
            planned_seconds=self._options.duration,
            seconds=seconds,
            broken=judge(evidence),
            restarts=self._cluster.restarts,
        )

    def _is_finished(self) -> bool:
        """Whether the time is over and enough was done; also prints the progress."""
        now = time.monotonic() - self._started
        if time.monotonic() - self._last_progress > PROGRESS_SECONDS:
            self._last_progress = time.monotonic()
            done, failed = self._faults.count(done=True), self._faults.count(done=False)
            _print(
                f"{now:4.0f} s: {done.total()} faults done, {failed.total()} failed, "
                f"{len(self._load.requests.created_ids)} runs requested"
            )
        if self._is_over:
            return True
        if self._control:
            self._is_over = now > self._control.seconds or self._is_detected()
        elif now >= self._options.duration:
            longest = self._options.duration * (1 + EXTENSION)
            self._is_over = now >= longest or not self._lacks_exercise()
        return self._is_over

    def _is_detected(self) -> bool:
        """Whether the checker of the control already has an offender that will remain one."""
        from dev.chaos.judge import CHECKERS

        assert self._control
        if self._control.shows_at_end or time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + 3
        evidence = self._collect_during_faults()
        return evidence is not None and bool(CHECKERS[self._control.caught_by](evidence))

    def _lacks_exercise(self) -> bool:
        """Whether a fault or a promise has had too little exercise so far; looks now and then."""
        from dev.chaos.exercise import measure_exercise

        if time.monotonic() < self._next_look:
            return True
        self._next_look = time.monotonic() + 5
        done = self._faults.count(done=True)
        if any(not done[kind] for kind in self._faults.kinds):
            return True
        evidence = self._collect_during_faults()
        if evidence is None:
            return True
        exercise = measure_exercise(evidence, self._faults, self._load, self._watcher)
        minimums = scale_minimums(self._options.duration)
        return any(exercise.get(name, 0) < minimum for name, minimum in minimums.items())

    def _collect_during_faults(self) -> Evidence | None:
        """Collect the evidence so far; None if a fault keeps the database from answering."""
        from django.db import Error, connection

        try:
            return self._collect()
        except Error:
            connection.close()
            return None

    def _settle(self) -> None:
        """Wait until every run has ended and every slot of the time before was accounted for."""
        from django.db import Error, connection

        from operations.models import OperationRun

        within = self._options.within
        patience = max(self._control.patience if self._control else PATIENCE, within)
        started = time.monotonic()
        # Slots until the last fault are judged if the programs run long enough after it.
        shortest = 0.0 if self._control else 2 * self._options.lease + 15.0
        while (now := time.monotonic() - started) < patience:
            try:
                if now >= shortest and not OperationRun.objects.active().exists():
                    return
            except Error:
                connection.close()
            time.sleep(0.5)

    def _collect(
        self, last_fault_at: dt.datetime | None = None, ended_at: dt.datetime | None = None
    ) -> Evidence:
        """Collect the evidence; without times, of the campaign so far."""
        from dev.chaos import ledger

        load, now = self._load, dt.datetime.now(dt.UTC)
        evidence = ledger.Evidence(
            last_fault_at=last_fault_at or now,
            ended_at=ended_at or now,
            created_ids=set(load.requests.created_ids),
            past_ids=set(load.requests.past_ids),
            taken_ids=set(self._faults.taken_ids),
            changes=list(load.requests.changes),
            faults=list(self._faults.records),
            cases=ledger.facts_of(load.restores.cases),
            tenants=self._world.external_ids(),
            seen_twice=set(self._watcher.seen_twice),
            unexpected_ends=self._cluster.unexpected_ends(),
            request_errors=list(load.requests.errors),
            failpoints=self._cluster.failpoints_hit(),
            lease=self._options.lease,
            within=self._options.within,
        )
        _repeat_on_error(lambda: ledger.load_tables(evidence))
        tenants = [*self._world.tenants, *self._world.restore_tenants]
        ids = [str(tenant.external_id) for tenant in tenants]
        ledger.load_objects(evidence, self._cluster.graph.control, ids)
        return evidence


def _repeat_on_error(action: Callable[[], None]) -> None:
    """Do something; repeat it while a fault keeps the database from answering."""
    from django.db import Error, connection

    for _ in range(100):
        try:
            action()
        except Error:
            connection.close()
            time.sleep(0.3)
        else:
            return
    action()


def _report_control(name: str, control: Control, report: Report) -> int:
    """Print which checkers noticed; return 0 if it was the expected one, and no other."""
    from dev.chaos.judge import LEDGER_CHECK

    _print(f"  runs: {report.outcomes}, reasons: {report.reasons}, faults: {report.done}")
    red = [promise for promise, offenders in report.broken.items() if offenders]
    for promise in red:
        _print(f"  red: {promise}: {'; '.join(report.broken[promise][:3])}")
    others = set(red) - {control.caught_by, LEDGER_CHECK} - control.also_red
    if control.caught_by not in red:
        _print(f"control “{name}”: NOT detected")
        return 1
    if others:
        _print(f"control “{name}”: {control.caught_by}, but also: {', '.join(sorted(others))}")
        return 1
    _print(f"control “{name}”: {control.caught_by}")
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", type=float, default=DURATION, help="seconds of faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seeds", default="", help="several seeds, such as 1,2,3")
    parser.add_argument("--lease", type=int, default=0, help=f"seconds of a lease ({LEASE})")
    parser.add_argument(
        "--within", type=float, help="seconds within which every run must end (2 leases + 15)"
    )
    parser.add_argument("--report", default="", help="file for the report as JSON")
    parser.add_argument("--control", choices=CONTROLS, default="")
    parser.add_argument("--controls", action="store_true", help="run every control")
    options = parser.parse_args()
    control = CONTROLS.get(options.control)
    options.lease = options.lease or (control.lease if control else LEASE)
    options.within = options.within or (control.within if control else 2 * options.lease + 15.0)
    return options


def _print(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
