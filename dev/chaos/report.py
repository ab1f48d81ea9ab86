"""The report of a campaign: faults, exercise against its minimum, promises, runs and times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: The duration in seconds for which the minimums are stated; a shorter campaign needs fewer.
STATED_FOR = 480.0
#: What a campaign must at least do, or its result says nothing.
MINIMUMS = {
    "faults done": 600,
    "runs ended": 2000,
    "runs succeeded": 1000,
    "late writes refused": 20,
    "duplicate messages": 100,
    "lost messages": 10,
    "deduplicated requests": 60,
    "runs lost with their worker": 40,
    "automatic retries": 40,
    "runs sent again by the relay": 20,
    "queued runs cancelled": 10,
    "running runs cancelled": 20,
    "runs ended for a cancel request": 10,
    "runs retried": 20,
    "runs acknowledged": 20,
    "schedules paused": 10,
    "schedules resumed": 10,
    "schedules edited": 10,
    "slots started": 60,
    "workspace syncs ended": 4,
    "runs removed by retention": 60,
    "backups ended": 120,
    "previews started": 20,
    "restores executed": 12,
    "policies restored": 8,
    "objects created by exports": 1500,
    "ticks": 1000,
    "checks for two active runs": 300,
}
#: Ticks must run in every period of this length.
LONGEST_GAP = 30.0
MIN_SHARE_DONE = 0.95


@dataclass
class Report:
    """The results of one campaign. It is void if it did too little to prove anything."""

    seed: int
    planned_seconds: float
    seconds: float = 0.0
    done: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    exercise: dict[str, int] = field(default_factory=dict)
    minimums: dict[str, int] = field(default_factory=dict)
    longest_gap: float = 0.0
    #: Which tick did not run for so long, and the faults of that time.
    gap: str = ""
    broken: dict[str, list[str]] = field(default_factory=dict)
    void: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    #: Seconds to the end of the runs that were active at the last fault: p50, p95, p99, max.
    to_end: list[float] = field(default_factory=list)
    #: Seconds from the request to the end of all runs: p50, p95, p99, max.
    durations: list[float] = field(default_factory=list)
    in_flight: int = 0

    @property
    def is_kept(self) -> bool:
        return not any(self.broken.values())

    @property
    def status(self) -> int:
        """The exit status: 1 if a promise is broken, 2 if the campaign is void, otherwise 0."""
        if not self.is_kept:
            return 1
        return 2 if self.void else 0

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self) | {"status": self.status}, indent=1))


def load_report(path: Path) -> Report:
    values: dict[str, Any] = json.loads(path.read_text())
    del values["status"]
    return Report(**values)


def scale_minimums(duration: float) -> dict[str, int]:
    """Return the minimums of a campaign of this planned duration in seconds.

    The first runs, backups and restores take a while, so a short campaign needs less than its
    share.
    """
    share = min(1.0, duration / STATED_FOR)
    if duration < STATED_FOR / 4:
        share /= 2
    return {name: max(1, int(minimum * share)) for name, minimum in MINIMUMS.items()}


def reasons_for_void(report: Report) -> Iterable[str]:
    """Yield why a campaign proves nothing."""
    done, failed = sum(report.done.values()), sum(report.failed.values())
    if done < MIN_SHARE_DONE * (done + failed):
        yield f"only {done} of {done + failed} faults were done"
    for kind, count in report.done.items():
        if not count:
            yield f"no fault “{kind}” was done"
    for name, minimum in report.minimums.items():
        if report.exercise[name] < minimum:
            yield f"{name}: {report.exercise[name]} of {minimum}"
    if report.longest_gap > LONGEST_GAP:
        yield f"no tick ran for {report.longest_gap:.0f} s"


def format_report(report: Report) -> str:
    """Return the report as text."""
    done, failed = sum(report.done.values()), sum(report.failed.values())
    lines = [
        f"\nseed {report.seed}: {report.seconds:.0f} of {report.planned_seconds:.0f} s",
        f"\nfaults: {done} done, {failed} failed ({done / report.seconds * 60:.0f} per minute)",
    ]
    for kind, count in sorted(report.done.items(), key=lambda entry: -entry[1]):
        suffix = f", {report.failed[kind]} failed" if kind in report.failed else ""
        lines.append(f"  {count:5} {kind}{suffix}")
    lines += [f"    failed: {text}" for text in report.failures[:10]]
    runs = sum(report.outcomes.values())
    lines += [
        f"\nruns: {runs} ({runs / report.seconds * 60:.0f} per minute): {_join(report.outcomes)}",
        f"types: {_join(report.types)}",
        f"reasons: {_join(report.reasons)}",
        f"requests: {_join(report.requests)}",
        f"workers restarted: {_join(report.restarts)}",
        f"from request to end: {_format_quantiles(report.durations)}",
        f"from the last fault to the end: {_format_quantiles(report.to_end)}",
        f"\nexercise, with its minimum for {report.planned_seconds:.0f} s:",
    ]
    lines += [
        f"  {report.exercise[name]:6} of {minimum:5} {name}"
        for name, minimum in report.minimums.items()
    ]
    lines.append(f"  {report.longest_gap:6} s without a tick, at most {LONGEST_GAP:.0f} s")
    lines.append(f"         {report.gap}")
    lines.append("\npromises:")
    for promise, offenders in report.broken.items():
        if offenders:
            lines.append(f"  BROKEN {promise} ({len(offenders)}): {'; '.join(offenders[:8])}")
        else:
            lines.append(f"  kept   {promise}")
    lines += [f"\n{summarize(report)}"]
    lines += [f"  void: {reason}" for reason in report.void]
    return "\n".join(lines)


def summarize(report: Report) -> str:
    """Return the result in one line."""
    verdicts = {0: "every promise was kept", 1: "a promise was BROKEN", 2: "the campaign is VOID"}
    return (
        f"seed {report.seed}: {verdicts[report.status]}: {sum(report.done.values())} faults, "
        f"{sum(report.outcomes.values())} runs, lost: {_count(report, 'no run is lost')}, "
        f"duplicated: {_count(report, *DUPLICATES)}, late writes accepted: "
        f"{_count(report, *LATE_WRITES)} (refused: {report.exercise['late writes refused']}, "
        f"calls in flight: {report.in_flight})"
    )


DUPLICATES = (
    "one active run per identity",
    "a run is claimed once",
    "effects happen once",
    "a slot starts once",
    "restores write what they record",
)
LATE_WRITES = ("no late write is accepted", "an ended run has no more effects")


def format_total(reports: list[Report]) -> str:
    """Return a table with a line for each campaign and their sum."""
    head = f"\n{'seed':>8} {'faults':>7} {'failed':>7} {'runs':>7} {'lost':>5} {'dupl.':>6}"
    head += f" {'late':>5} {'refused':>8} {'max s':>6}  result"
    names = {0: "kept", 1: "BROKEN", 2: "VOID"}
    lines = [head]
    totals = [0] * 7
    for report in reports:
        values = [
            sum(report.done.values()),
            sum(report.failed.values()),
            sum(report.outcomes.values()),
            _count(report, "no run is lost"),
            _count(report, *DUPLICATES),
            _count(report, *LATE_WRITES),
            report.exercise["late writes refused"],
        ]
        totals = [total + value for total, value in zip(totals, values, strict=True)]
        longest = report.to_end[-1] if report.to_end else 0.0
        lines.append(_row(str(report.seed), values, f"{longest:.1f}", names[report.status]))
    longest = max((report.to_end[-1] for report in reports if report.to_end), default=0.0)
    worst = max((report.status for report in reports), key=(0, 2, 1).index, default=0)
    lines.append(_row("all", totals, f"{longest:.1f}", names[worst]))
    return "\n".join(lines)


def _row(name: str, values: list[int], longest: str, result: str) -> str:
    widths = (7, 7, 7, 5, 6, 5, 8)
    cells = " ".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
    return f"{name:>8} {cells} {longest:>6}  {result}"


def _count(report: Report, *promises: str) -> int:
    return sum(len(report.broken.get(promise, ())) for promise in promises)


def _join(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def quantiles(seconds: Iterable[float]) -> list[float]:
    ordered = sorted(seconds)
    if not ordered:
        return []
    positions = (50, 95, 99, 100)
    last = len(ordered) - 1
    return [round(ordered[min(last, len(ordered) * percent // 100)], 1) for percent in positions]


def _format_quantiles(seconds: list[float]) -> str:
    if not seconds:
        return "no run"
    p50, p95, p99, longest = seconds
    return f"p50 {p50} s, p95 {p95} s, p99 {p99} s, max {longest} s"
