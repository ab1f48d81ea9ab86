"""What a campaign did, counted from its evidence, and the report about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dev.chaos.faults import Faults
from dev.chaos.judge import effects_in_flight
from dev.chaos.ledger import Evidence
from dev.chaos.load import Load
from dev.chaos.report import MINIMUMS, Report, quantiles, reasons_for_void, scale_minimums
from dev.chaos.watcher import Gap, Watcher


def measure_exercise(
    evidence: Evidence, faults: Faults, load: Load, watcher: Watcher
) -> dict[str, int]:
    """Count what the campaign did to each promise."""
    runs = evidence.runs.values()
    kinds = Counter(event.kind for events in evidence.events.values() for event in events)
    codes = Counter(code for run in runs for code in run.codes)
    lost = ("worker_lost", "lease_lost", "worker_shutdown")
    ended = [run for run in runs if run.status == "completed" and run.id not in evidence.past_ids]
    types = Counter(run.type for run in ended)
    return {
        "faults done": faults.count(done=True).total(),
        "runs ended": len(ended),
        "runs succeeded": sum(run.outcome == "succeeded" for run in ended),
        "late writes refused": kinds["late_write_refused"],
        **{name: faults.exercise[name] for name in ("duplicate messages", "lost messages")},
        **{name: load.requests.results[name] for name in MINIMUMS if name in load.requests.results},
        "runs lost with their worker": sum(codes[code] for code in lost),
        "automatic retries": sum(run.initiator_name == "Reconciler" for run in runs),
        "runs sent again by the relay": kinds["published_again"],
        "runs ended for a cancel request": codes["cancel_timeout"],
        "slots started": sum(
            run.type == "backup_schedule.scheduled" and run.started_at is not None for run in ended
        ),
        "workspace syncs ended": types["workspace.inventory_sync"],
        "runs removed by retention": len(evidence.tombstones),
        "backups ended": sum(
            count for name, count in types.items() if name.startswith("backup_schedule")
        ),
        **{name: load.restores.counts[name] for name in ("previews started", "restores executed")},
        "policies restored": sum(item.state == "verified" for item in evidence.restored),
        "objects created by exports": len(evidence.effects),
        "ticks": watcher.ticks,
        "checks for two active runs": watcher.reads,
    }


def build_report(
    evidence: Evidence,
    faults: Faults,
    load: Load,
    watcher: Watcher,
    *,
    seed: int,
    planned_seconds: float,
    seconds: float,
    broken: Mapping[str, list[str]],
    restarts: Counter[str],
) -> Report:
    """Return the report, with the reasons for which the campaign is void."""
    done, failed = faults.count(done=True), faults.count(done=False)
    runs = [run for run in evidence.runs.values() if run.id not in evidence.past_ids]
    ended = [(run, run.completed_at) for run in runs if run.completed_at]
    exercise = measure_exercise(evidence, faults, load, watcher)
    gap = watcher.longest_gap()
    report = Report(
        seed=seed,
        planned_seconds=planned_seconds,
        seconds=round(seconds, 1),
        done={kind: done[kind] for kind in faults.kinds},
        failed={kind: failed[kind] for kind in faults.kinds if failed[kind]},
        failures=[f"{record.kind}: {record.error}" for record in faults.records if record.error],
        exercise={name: exercise.get(name, 0) for name in MINIMUMS},
        minimums=scale_minimums(planned_seconds),
        longest_gap=round(gap.seconds, 1),
        gap=f"{gap.name} from {gap.began}; {_describe_faults(faults, gap)}",
        broken=dict(broken),
        outcomes=dict(Counter(run.outcome for run in runs).most_common()),
        types=dict(Counter(run.type for run in runs).most_common()),
        reasons=dict(Counter(code for run in runs for code in run.codes).most_common()),
        requests=dict((load.requests.results + load.restores.counts).most_common()),
        restarts=dict(restarts.most_common()),
        to_end=quantiles(
            (at - evidence.last_fault_at).total_seconds()
            for run, at in ended
            if run.created_at <= evidence.last_fault_at < at
        ),
        durations=quantiles((at - run.created_at).total_seconds() for run, at in ended),
        in_flight=len(effects_in_flight(evidence)),
    )
    report.void = list(reasons_for_void(report))
    return report


def _describe_faults(faults: Faults, gap: Gap) -> str:
    """Return what happened to workers and servers in a gap, with the seconds since it began."""
    during = [
        f"{record.at - gap.began_at:.0f} to {record.until - gap.began_at:.0f} s {record.kind}"
        for record in sorted(faults.records, key=lambda record: record.at)
        if record.group not in ("message", "graph")
        and record.at < gap.ended_at
        and record.until > gap.began_at
    ]
    return ", ".join(during) or "no fault"
