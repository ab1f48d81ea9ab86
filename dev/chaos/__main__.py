"""`python -m dev.chaos`: cause faults for some minutes, then check every promise.

    python -m dev.chaos [--duration 300] [--seed 1] [--within 31] [--control fence|identity|relay|slot]

The exit status is 0 if every promise was kept, otherwise 1. With `--control`, one promise is broken on
purpose; then the exit status is 0 if a checker detected it, and the campaign ends as soon as one does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING

from dev.chaos.cluster import Cluster

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from dev.chaos.checkers import Verdict
    from dev.chaos.faults import Faults
    from dev.chaos.load import Load

#: The controls of `dev.chaos.controls`, which can be imported only after Django is configured, and the
#: seconds after which each gives up. Runs that are lost without the relay show only at the end.
CONTROLS = {"fence": 200.0, "identity": 200.0, "relay": 30.0, "slot": 200.0}
DURATION = 300.0
WORKERS = 3
#: Dispatches and faults per second: more than 1,000 runs and 200 faults in five minutes. With twice the
#: work, the campaign would measure how long two processors take to catch up, not the effect of faults.
RATE = 3.3
#: Seconds that workers and beats have to start.
START = 5.0
#: Seconds after the last fault after which an active run counts as lost; before that it is late.
PATIENCE = 150.0
#: Campaigns of this many seconds have time for freezes that outlast every lease.
LONG_ENOUGH = 120.0
FAULTS_PER_SECOND = 0.8
PROGRESS_SECONDS = 5.0


def main() -> int:
    options = _parse_options()
    settings = f"seed {options.seed}, {options.duration} s"
    if options.control:
        settings += f", without {options.control}"
    _print(settings)
    failpoints = "" if options.control else "0.002"
    with Cluster(workers=WORKERS, failpoints=failpoints, control=options.control) as cluster:
        os.environ.update(cluster.environment)
        return _campaign(cluster, options)


def _campaign(cluster: Cluster, options: argparse.Namespace) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from dev.chaos import checkers, controls
    from dev.chaos.faults import Faults
    from dev.chaos.load import Load, make_world

    call_command("migrate", verbosity=0)
    world = make_world(cluster.graph.control)
    control = controls.CONTROLS.get(options.control)
    controls.break_database(options.control)
    load, watcher = Load(world, seed=options.seed, rate=RATE), checkers.IdentityWatcher()
    checks = checkers.Checkers(world, cluster.graph.control, load.created_ids, watcher)
    faults = Faults(cluster, world, options.seed, control.faults if control else frozenset())
    cluster.start_programs(failpoints_until=time.time() + START + options.duration)
    time.sleep(START)
    watcher.start()
    load.start()
    try:
        for progress in _inject_faults(faults, options):
            _print(f"{progress}, {len(load.created_ids)} runs requested")
            # While work goes on, a lost run cannot be distinguished from a late one.
            if control and control.caught_by != "nothing is lost" and checks.run(control.caught_by):
                break
    finally:
        faults.resume_due(everything=True)
        load.stop()
    faults.counts["failpoints"] = cluster.failpoints_hit()
    cluster.graph.control.clear()
    within = options.within or checkers.SETTLED
    settled = _settle(checkers.is_quiet, within if control else max(PATIENCE, within))
    watcher.stop()
    cluster.stop_programs()
    verdict = checks.run_all()
    in_time = settled is not None and settled <= within
    if in_time:
        verdict.broken["everything ends in time"] = []
    else:
        verdict.broken["everything ends in time"] = [f"limit: {within:.0f} s"]
    verdict.broken["no worker ends unexpectedly"] = cluster.unexpected_ends()
    _report(faults, load, verdict, settled, watcher.checks)
    _print(f"workers restarted: {_format_counts(cluster.restarts) or 'none'}")
    _report_promises(verdict)
    if control:
        if not verdict.broken[control.caught_by]:
            _print(f"\nwithout {options.control}: not detected")
            return 1
        _print(f"\nwithout {options.control}: {control.caught_by}")
        return 0
    if not verdict.is_kept:
        _print(cluster.logs())
        return 1
    return 0


def _inject_faults(faults: Faults, options: argparse.Namespace) -> Iterator[str]:
    """Cause one fault after another; yield the progress every few seconds."""
    chance = random.Random(options.seed)  # noqa: S311 - repeatable
    started, last_progress = time.monotonic(), 0.0
    due = [] if options.control else _schedule_planned(faults, options.duration)
    while (now := time.monotonic() - started) < options.duration:
        time.sleep(chance.expovariate(FAULTS_PER_SECOND * 1.3))
        if due and now > due[0][0]:
            due.pop(0)[1]()
        faults.inject()
        faults.resume_due()
        if now - last_progress > PROGRESS_SECONDS:
            last_progress = now
            yield f"{now:4.0f} s: {faults.counts.total()} faults"


def _schedule_planned(faults: Faults, duration: float) -> list[tuple[float, Callable[[], None]]]:
    """Return the faults that every campaign includes, each with its second."""
    planned = faults.planned(is_long=duration >= LONG_ENOUGH)
    interval = duration / (len(planned) + 1)
    return [(interval * number, fault) for number, fault in enumerate(planned, start=1)]


def _settle(is_quiet: Callable[[], bool], patience: float) -> float | None:
    """Return the seconds until every run had ended, or None if some had not after `patience`."""
    from django.db import Error, connection

    started = time.monotonic()
    while (now := time.monotonic() - started) < patience:
        try:
            if is_quiet():
                return now
        except Error:
            connection.close()
        time.sleep(0.5)
    return None


def _report(
    faults: Faults, load: Load, verdict: Verdict, settled: float | None, checks: int
) -> None:
    counts, runs = faults.counts, sum(verdict.outcomes.values())
    _print(f"\nfaults: {counts.total()}")
    for name, count in counts.most_common():
        _print(f"  {count:4} {name}")
    _print(f"runs: {runs} ({_format_counts(verdict.outcomes)})")
    _print(f"reasons: {_format_counts(verdict.reasons)}")
    _print(f"dispatches: {_format_counts(load.results)}")
    duplicated = sum(
        verdict.count(name)
        for name in ("one active run per identity", "a slot starts once", "effects happen once")
    )
    _print(
        f"lost: {verdict.count('nothing is lost')}, duplicated: {duplicated}, late writes accepted: "
        f"{verdict.count('no late write is accepted')} (refused: {verdict.refused_late}, "
        f"calls in flight at the end of their run: {verdict.in_flight})"
    )
    if times := verdict.seconds:
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
        _print(f"time to terminal: p50 {p50:.1f} s, p99 {p99:.1f} s, max {times[-1]:.1f} s")
    if settled is None:
        _print("NOT all runs ended after the last fault")
    else:
        _print(f"all runs ended {settled:.1f} s after the last fault")
    _print(f"checks for two active runs of one identity: {checks}")


def _format_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _report_promises(verdict: Verdict) -> None:
    for name, offenders in verdict.broken.items():
        if offenders:
            _print(f"  BROKEN {name}: {'; '.join(offenders[:5])}")
        else:
            _print(f"  kept   {name}")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", type=float, help=f"seconds of faults ({DURATION:.0f})")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--within", type=float, help="seconds within which every run must end")
    parser.add_argument("--control", choices=CONTROLS, default="")
    options = parser.parse_args()
    options.duration = options.duration or CONTROLS.get(options.control, DURATION)
    return options


def _print(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
