"""`python -m chaos`: break everything for some minutes, then ask whether the promises were kept.

    python -m chaos [--duration 300] [--seed 1] [--control fence|identity|relay|slot]

Ends with 0 if they were, with 1 if one was not. With `--control` a promise is broken on purpose, and
it is the other way round: 0 if the campaign noticed.
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

from chaos.parts import Parts

if TYPE_CHECKING:
    from chaos.judge import Verdict

CONTROLS = ("fence", "identity", "relay", "slot")
WORKERS = 3
RATE = 4.0
#: Seconds that workers and beats are given to come up.
START = 5.0
#: Seconds after the last fault until what has not ended counts as lost; before, it is late.
PATIENCE = 150.0
FAULTS_A_SECOND = 1.0


def main() -> int:
    given = _arguments()
    if given.control == "slot":
        # Slots come by the minute.
        given.duration = max(given.duration, 90)
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

    from chaos import controls, judge
    from chaos.faults import Faults
    from chaos.load import Load, make_world

    call_command("migrate", verbosity=0)
    world = make_world(parts.graph.control)
    controls.break_in_the_database(given.control)
    load, watch = Load(world, seed=given.seed, rate=RATE), judge.ActiveTwice()
    faults = Faults(parts, world, given.seed)
    parts.start_programs(failpoints_until=time.time() + START + given.duration)
    time.sleep(START)
    watch.start()
    load.start()
    try:
        _strike(faults, load, given)
    finally:
        faults.wake_due(everything=True)
        load.stop()
    faults.counts["failpoints"] = parts.failpoints_hit()
    parts.graph.control.clear()
    settled = _settle(judge.is_quiet, judge.SETTLED if given.control else PATIENCE)
    watch.stop()
    parts.stop_programs()
    verdict = judge.judge(world, parts.graph.control, load.promised, watch)
    if settled is None or settled > judge.SETTLED:
        verdict.broken["everything ends in time"] = [f"promised: {judge.SETTLED} s"]
    _report(faults, load, verdict, settled, watch.looks)
    if given.control:
        return _control(given.control, verdict, controls.CAUGHT_BY[given.control])
    if not verdict.is_kept:
        _say(parts.logs())
    return 0 if verdict.is_kept else 1


def _strike(faults: object, load: object, given: argparse.Namespace) -> None:
    from chaos.faults import Faults
    from chaos.load import Load

    assert isinstance(faults, Faults)
    assert isinstance(load, Load)
    chance = random.Random(given.seed)  # noqa: S311 - repeatable
    started, told = time.monotonic(), 0.0
    while (now := time.monotonic() - started) < given.duration:
        time.sleep(chance.expovariate(FAULTS_A_SECOND * 1.3))
        faults.strike()
        faults.wake_due()
        if now - told > 10:
            told = now
            _say(
                f"{now:4.0f} s: {faults.counts.total()} faults, {len(load.promised)} runs asked for"
            )


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
    _say(f"runs: {runs} ({', '.join(f'{n} {name}' for name, n in verdict.outcomes.most_common())})")
    _say(f"dispatches: {', '.join(f'{n} {name}' for name, n in load.told.most_common())}")
    duplicated = sum(
        verdict.count(name)
        for name in ("one active run per identity", "a slot fires once", "effects happen once")
    )
    _say(
        f"lost: {verdict.count('nothing is lost')}, duplicated: {duplicated}, late writes accepted: "
        f"{verdict.count('no late write is accepted')} (refused: {verdict.refused_late})"
    )
    if times := verdict.seconds:
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
        _say(f"time to terminal: p50 {p50:.1f} s, p99 {p99:.1f} s, max {times[-1]:.1f} s")
    _say(f"all ended {f'{settled:.1f} s' if settled is not None else 'NOT'} after the last fault")
    _say(f"looks for two active runs of one identity: {looks}")
    for name, found in verdict.broken.items():
        _say(
            f"  {'BROKEN' if found else 'kept  '} {name}{': ' if found else ''}{'; '.join(found[:5])}"
        )


def _control(control: str, verdict: Verdict, expected: set[str]) -> int:
    red = {name for name, found in verdict.broken.items() if found}
    caught = red & expected
    told = ", ".join(sorted(caught)) or "nothing noticed"
    _say(f"\nwithout {control}: {told}")
    return 0 if caught else 1


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--duration", type=float, default=300, help="seconds of faults")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options.add_argument("--control", choices=CONTROLS, default="")
    return options.parse_args()


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
