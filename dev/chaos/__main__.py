"""`python -m dev.chaos`: break everything for some minutes, then ask whether the promises were kept.

    python -m dev.chaos [--duration 300] [--seed 1] [--within 31] [--control fence|identity|relay|slot]

Ends with 0 if they were, with 1 if one was not. With `--control` a promise is broken on purpose, and
it is the other way round: 0 if the campaign noticed, and it ends as soon as it has.
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

from dev.chaos.parts import Parts

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from dev.chaos.faults import Faults
    from dev.chaos.judge import Verdict

#: The names in `dev.chaos.controls`, which can be imported only when there are settings, and the seconds
#: after which each gives up. What is lost without the relay shows at the end only.
CONTROLS = {"fence": 200.0, "identity": 200.0, "relay": 30.0, "slot": 200.0}
DURATION = 300.0
WORKERS = 3
#: Dispatches and faults a second: in five minutes above 1,000 runs and 200 faults. Twice the work
#: would measure how long two processors take to catch up, not what a fault does.
RATE = 3.3
#: Seconds that workers and beats are given to come up.
START = 5.0
#: Seconds after the last fault until what has not ended counts as lost; before, it is late.
PATIENCE = 150.0
#: A campaign of so many seconds has time for freezes that outlast every lease.
LONG_ENOUGH = 120.0
FAULTS_A_SECOND = 0.8
TELL_EVERY = 5.0


def main() -> int:
    given = _arguments()
    _say(
        f"seed {given.seed}, {given.duration} s{f', without {given.control}' * bool(given.control)}"
    )
    failpoints = "" if given.control else "0.002"
    with Parts(workers=WORKERS, failpoints=failpoints, control=given.control) as parts:
        os.environ.update(parts.environment)
        return _campaign(parts, given)


def _campaign(parts: Parts, given: argparse.Namespace) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from dev.chaos import controls, judge
    from dev.chaos.faults import Faults
    from dev.chaos.load import Load, make_world

    call_command("migrate", verbosity=0)
    world = make_world(parts.graph.control)
    control = controls.CONTROLS.get(given.control)
    controls.break_in_the_database(given.control)
    load, watch = Load(world, seed=given.seed, rate=RATE), judge.ActiveTwice()
    asked = judge.Judge(world, parts.graph.control, load.promised, watch)
    faults = Faults(parts, world, given.seed, control.faults if control else frozenset())
    parts.start_programs(failpoints_until=time.time() + START + given.duration)
    time.sleep(START)
    watch.start()
    load.start()
    try:
        for told in _strike(faults, given):
            _say(f"{told}, {len(load.promised)} runs asked for")
            # What is not lost but on its way looks the same as long as work goes on.
            if control and control.caught_by != "nothing is lost" and asked.one(control.caught_by):
                break
    finally:
        faults.wake_due(everything=True)
        load.stop()
    faults.counts["failpoints"] = parts.failpoints_hit()
    parts.graph.control.clear()
    within = given.within or judge.SETTLED
    settled = _settle(judge.is_quiet, within if control else max(PATIENCE, within))
    watch.stop()
    parts.stop_programs()
    verdict = asked.all()
    in_time = settled is not None and settled <= within
    verdict.broken["everything ends in time"] = [] if in_time else [f"promised: {within:.0f} s"]
    verdict.broken["no worker ends by itself"] = parts.ended_by_themselves()
    _report(faults, load, verdict, settled, watch.looks)
    _say(f"workers started again: {_listed(parts.restarts) or 'none'}")
    _say_what_was_kept(verdict)
    if control:
        noticed = bool(verdict.broken[control.caught_by])
        _say(f"\nwithout {given.control}: {control.caught_by if noticed else 'nothing noticed'}")
        return 0 if noticed else 1
    if not verdict.is_kept:
        _say(parts.logs())
    return 0 if verdict.is_kept else 1


def _strike(faults: Faults, given: argparse.Namespace) -> Iterator[str]:
    """Do one fault after another; what has been done so far, now and then."""
    chance = random.Random(given.seed)  # noqa: S311 - repeatable
    started, told = time.monotonic(), 0.0
    due = [] if given.control else _planned(faults, given.duration)
    while (now := time.monotonic() - started) < given.duration:
        time.sleep(chance.expovariate(FAULTS_A_SECOND * 1.3))
        if due and now > due[0][0]:
            due.pop(0)[1]()
        faults.strike()
        faults.wake_due()
        if now - told > TELL_EVERY:
            told = now
            yield f"{now:4.0f} s: {faults.counts.total()} faults"


def _planned(faults: Faults, duration: float) -> list[tuple[float, Callable[[], None]]]:
    """What is done whatever chance says, and after how many seconds."""
    planned = faults.planned(is_long=duration >= LONG_ENOUGH)
    every = duration / (len(planned) + 1)
    return [(every * number, fault) for number, fault in enumerate(planned, start=1)]


def _settle(is_quiet: object, patience: float) -> float | None:
    """Seconds until every run had ended; None if some had not in time."""
    from django.db import Error, connection

    assert callable(is_quiet)
    started = time.monotonic()
    while (now := time.monotonic() - started) < patience:
        try:
            if is_quiet():
                return now
        except Error:
            connection.close()
        time.sleep(0.5)
    return None


def _report(faults, load, verdict: Verdict, settled: float | None, looks: int) -> None:  # type: ignore[no-untyped-def]
    counts, runs = faults.counts, sum(verdict.outcomes.values())
    _say(f"\nfaults: {counts.total()}")
    for name, count in counts.most_common():
        _say(f"  {count:4} {name}")
    _say(f"runs: {runs} ({_listed(verdict.outcomes)})")
    _say(f"reasons: {_listed(verdict.reasons)}")
    _say(f"dispatches: {_listed(load.told)}")
    duplicated = sum(
        verdict.count(name)
        for name in ("one active run per identity", "a slot fires once", "effects happen once")
    )
    _say(
        f"lost: {verdict.count('nothing is lost')}, duplicated: {duplicated}, late writes accepted: "
        f"{verdict.count('no late write is accepted')} (refused: {verdict.refused_late}, "
        f"calls in flight at the end of their run: {verdict.in_flight})"
    )
    if times := verdict.seconds:
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
        _say(f"time to terminal: p50 {p50:.1f} s, p99 {p99:.1f} s, max {times[-1]:.1f} s")
    _say(f"all ended {f'{settled:.1f} s' if settled is not None else 'NOT'} after the last fault")
    _say(f"looks for two active runs of one identity: {looks}")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _say_what_was_kept(verdict: Verdict) -> None:
    for name, found in verdict.broken.items():
        _say(
            f"  {'BROKEN' if found else 'kept  '} {name}{': ' if found else ''}{'; '.join(found[:5])}"
        )


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--duration", type=float, help=f"seconds of faults ({DURATION:.0f})")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options.add_argument("--within", type=float, help="seconds in which all must have ended")
    options.add_argument("--control", choices=CONTROLS, default="")
    given = options.parse_args()
    given.duration = given.duration or CONTROLS.get(given.control, DURATION)
    return given


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
