"""The judge of a campaign: one checker for each promise.

A checker takes the evidence and returns its offenders, as texts with ids. It recomputes what the
product promises from times, counts and objects. It uses no code of the product, so that an error
there cannot hide itself; the product's own check of the ledger is one checker among others.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from dev.chaos.faults import Record
from dev.chaos.ledger import Effect, Evidence, Item, Run
from dev.chaos.restores import CHANGED, ORIGINAL
from operations.maintenance.integrity import check_ledger

Checker = Callable[[Evidence], list[str]]

#: Two statements of different transactions can read the clock in this order and commit in the other.
CLOCK_SLACK = dt.timedelta(milliseconds=50)
#: A tick looks for active runs and records the blocked slots in one transaction; this is the longest
#: time between both on a loaded machine, unless a fault holds up the worker or the database.
TICK_SLACK = dt.timedelta(seconds=5)
#: Seconds before and after a run within which a fault can explain its failure.
EXPLAINS_BEFORE, EXPLAINS_AFTER = 15.0, 5.0
#: The kinds of events that may follow the end of a run.
EVENTS_AFTER_END = frozenset(
    {
        *("late_write_refused", "retry_given_up", "joined", "published_again", "publish_refused"),
        *("ended", "cancelled", "blocked", "acknowledged"),
        "recovered",
    }
)
ENDS = frozenset({"ended", "cancelled", "blocked"})
LOST = frozenset({"worker_lost", "lease_lost", "worker_shutdown"})
#: The types of which a lost run is retried automatically.
RETRIED_TYPES = frozenset(
    {
        *("inventory.sync", "directory_groups.sync", "directory_role_definitions.sync"),
        *("workspace.inventory_sync", "policy.export", "backup_set.add_policies"),
        *("backup_schedule.scheduled", "backup_schedule.run_now", "backup_schedule.retry"),
    }
)
MAX_LOST_IN_A_ROW = 3
RECONCILER = "Reconciler"
ATTENTION = frozenset({"failed", "partially_succeeded", "blocked"})
#: The groups of faults that explain a reason. Reasons that are not listed are never explained.
_ANY_OUTAGE = frozenset({"worker", "database", "broker"})
EXPLANATIONS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("worker_lost", "lease_lost", "worker_shutdown"), _ANY_OUTAGE),
    **dict.fromkeys(("unexpected_error", "database_conflict"), frozenset({"database"})),
    **dict.fromkeys(
        (
            *("throttled", "service_unavailable", "service_unreachable", "service_timeout"),
            *("write_outcome_unknown", "answer_unreadable", "sign_in_failed"),
            *("incomplete_capture", "incomplete_listing", "not_attempted_in_set"),
            *("listing_interrupted", "listing_expired", "page_malformed"),
            *("restore_unknown", "restore_not_seen", "restore_not_read_back"),
            *("restore_may_be_made", "restore_live_unreadable"),
        ),
        frozenset({"graph"}),
    ),
}
#: Reasons of single objects that a restore may give under any fault.
_AFTER_LOSS = frozenset({"restore_may_be_made", "restore_kept", "restore_not_as_previewed"})
OLD = dt.timedelta(days=30)
ONE_MINUTE = dt.timedelta(minutes=1)


# --- the run and its end ------------------------------------------------------------------------------


def find_lost(evidence: Evidence) -> list[str]:
    """Runs that were requested and have no row, or that have not ended."""
    known = evidence.runs.keys() | evidence.tombstones.keys()
    missing = [f"run {run_id} has no row" for run_id in sorted(evidence.created_ids - known)]
    active = [
        f"run {run.id} is {run.status}"
        for run in evidence.runs.values()
        if run.status != "completed" or run.completed_at is None
    ]
    return missing + active


def find_late_ends(evidence: Evidence) -> list[str]:
    """Runs that ended too long after the last fault, or after their request if that was later."""
    limit = dt.timedelta(seconds=evidence.within)
    return [
        f"run {run.id}: {(run.completed_at - start).total_seconds():.1f} s"
        for run in evidence.runs.values()
        if run.completed_at
        and (start := max(evidence.last_fault_at, run.created_at)) + limit < run.completed_at
    ]


def find_overlaps(evidence: Evidence) -> list[str]:
    """Runs of one identity that were active at the same time, by their times."""
    by_scope: dict[tuple[int, int | None, str], list[Run]] = defaultdict(list)
    for run in evidence.runs.values():
        if run.was_active:
            by_scope[run.scope].append(run)
    overlaps = [
        f"run {first.id} and {second.id}"
        for runs in by_scope.values()
        for first, second in _consecutive(sorted(runs, key=lambda run: (run.created_at, run.id)))
        if first.completed_at is None or second.created_at + CLOCK_SLACK < first.completed_at
    ]
    return overlaps + sorted(f"seen: {pair}" for pair in evidence.seen_twice)


def _consecutive(runs: list[Run]) -> Iterator[tuple[Run, Run]]:
    """Yield each run with the one of the runs before it that ended last."""
    last = None
    for run in runs:
        if last:
            yield last, run
        ends = [each for each in (last, run) if each]
        last = max(
            ends, key=lambda each: each.completed_at or dt.datetime.max.replace(tzinfo=dt.UTC)
        )


def find_repeated_claims(evidence: Evidence) -> list[str]:
    """Runs that were started more than once."""
    return [
        f"run {run_id}: {starts} starts"
        for run_id in evidence.runs
        if (starts := _count_events(evidence, run_id, {"started"})) > 1
    ]


def find_broken_leases(evidence: Evidence) -> list[str]:
    """Runs that were ended as lost although their lease had not ended."""
    lease = dt.timedelta(seconds=evidence.lease)
    return [
        f"run {run.id}: {(run.completed_at - run.heartbeat_at).total_seconds():.2f} s"
        for run in evidence.runs.values()
        if "worker_lost" in run.codes
        and run.id not in evidence.taken_ids
        and run.completed_at
        and run.heartbeat_at
        and run.completed_at - run.heartbeat_at < lease
    ]


def find_late_writes(evidence: Evidence) -> list[str]:
    """Items, events and heartbeats that were written after the end of their run."""
    offenders = []
    for run in evidence.runs.values():
        end = run.completed_at
        if end is None:
            continue
        offenders += [
            f"run {run.id} item {item.key}"
            for item in evidence.items.get(run.id, ())
            if item.at > end
        ]
        offenders += [
            f"run {run.id} event {event.kind}"
            for event in evidence.events.get(run.id, ())
            if event.at > end and event.kind not in EVENTS_AFTER_END
        ]
        if run.heartbeat_at and run.heartbeat_at > end:
            offenders.append(f"run {run.id} heartbeat")
    return offenders


# --- effects in the tenant ----------------------------------------------------------------------------


def late_effects(evidence: Evidence) -> dict[int, list[Effect]]:
    """The objects that each run created after its end."""
    late: dict[int, list[Effect]] = defaultdict(list)
    for effect in evidence.effects:
        run = evidence.runs.get(effect.run_id)
        if run and run.completed_at and effect.at > run.completed_at:
            late[effect.run_id].append(effect)
    return late


def effects_in_flight(evidence: Evidence) -> list[Effect]:
    """The single calls that were in flight when their run ended; nothing can withdraw these."""
    return [effects[0] for effects in late_effects(evidence).values() if len(effects) == 1]


def find_repeated_effects(evidence: Evidence) -> list[str]:
    """Items of exports that were created twice, by one run or by a run and its retry."""
    allowed = set(effects_in_flight(evidence))
    counts = Counter(effect.key for effect in evidence.effects if effect not in allowed)
    return [f"{key}: {count} objects" for key, count in counts.items() if count > 1]


def find_late_effects(evidence: Evidence) -> list[str]:
    """Runs that created more after their end than the one call in flight."""
    return [
        f"run {run_id}: {len(effects)} objects"
        for run_id, effects in late_effects(evidence).items()
        if len(effects) > 1
    ]


def find_wrong_restores(evidence: Evidence) -> list[str]:
    """Policies that are not as the ledger of their restore says."""
    offenders = []
    items = defaultdict(list)
    for item in evidence.restored:
        items[item.graph_id].append(item)
    for case in evidence.cases:
        if not case.was_changed:
            continue
        policies = [
            policy
            for policy in evidence.policies
            if policy.tenant == case.tenant and policy.name == case.name
        ]
        restored = items[case.graph_id]
        is_verified = any(item.state == "verified" for item in restored)
        may_be_written = any(item.has_intent and item.state != "failed" for item in restored)
        texts = {policy.description for policy in policies}
        if len(policies) > 1:
            offenders.append(f"{case.name} exists {len(policies)} times")
        elif case.is_deleted and is_verified and not policies:
            offenders.append(f"{case.name} is verified and does not exist")
        elif case.is_deleted and policies and not may_be_written:
            offenders.append(f"{case.name} exists and was not written")
        elif not case.is_deleted and is_verified and texts != {ORIGINAL}:
            offenders.append(f"{case.name} is verified and not as backed up")
        elif not case.is_deleted and not may_be_written and texts != {CHANGED}:
            offenders.append(f"{case.name} has changed and was not written")
    return offenders


# --- counts, outcome, timeline ------------------------------------------------------------------------


def find_wrong_counts(evidence: Evidence) -> list[str]:
    """Runs whose counts do not add up, or do not match their items."""
    offenders = []
    for run in evidence.runs.values():
        succeeded, failed, skipped = (
            run.count(name) for name in ("succeeded", "failed", "skipped")
        )
        if run.count("processed") != succeeded + failed + skipped:
            offenders.append(f"run {run.id}: the counts do not add up")
        elif run.details_removed_at is None and not _match_items(run, evidence):
            offenders.append(f"run {run.id}: the counts do not match the items")
    return offenders


def _match_items(run: Run, evidence: Evidence) -> bool:
    items = evidence.items.get(run.id, ())
    if run.type == "workspace.inventory_sync":
        return _match_child_runs(run, items, evidence)
    by_outcome = Counter(item.outcome for item in items)
    if run.type in ("policy.export", "restore.execute"):
        # These report each item, so that none is missing.
        names = ("succeeded", "failed", "skipped")
        return all(by_outcome[name] == run.count(name) for name in names)
    return (
        by_outcome["failed"] == run.count("failed")
        and by_outcome["skipped"] == run.count("skipped")
        and by_outcome["succeeded"] <= run.count("succeeded")
    )


def _match_child_runs(run: Run, items: Sequence[Item], evidence: Evidence) -> bool:
    """Whether the counts of a workspace's sync are the sums of the runs that it reports."""
    totals: Counter[str] = Counter()
    for item in items:
        child = _child_of(item, evidence)
        if child is None:
            return False
        has_failed = item.outcome == "failed"
        not_attempted = max(0, child.count("total") - child.count("processed"))
        extra = has_failed and not (child.count("failed") or not_attempted)
        totals["processed"] += child.count("processed") + extra
        totals["failed"] += child.count("failed") + extra
        if has_failed == (child.outcome == "succeeded"):
            return False
    return all(totals[name] == run.count(name) for name in ("processed", "failed"))


def find_wrong_outcomes(evidence: Evidence) -> list[str]:
    """Runs whose outcome does not follow from their counts and failures."""
    return [
        f"run {run.id}: {run.outcome}"
        for run in evidence.runs.values()
        if run.status == "completed" and not _has_right_outcome(run, evidence)
    ]


def _has_right_outcome(run: Run, evidence: Evidence) -> bool:
    failed, done = run.count("failed"), run.count("succeeded") + run.count("skipped")
    not_attempted = max(0, run.count("total") - run.count("processed"))
    if run.id in evidence.past_ids:
        return True
    match run.outcome:
        case "succeeded":
            return not (failed or not_attempted or run.failure_summary)
        case "partially_succeeded":
            return bool((failed or not_attempted) and done and run.failure_summary)
        case "failed":
            return bool(run.failure_summary)
        case "blocked":
            return bool(run.failure_summary) and not (failed or done)
        case "cancelled":
            return True  # `find_wrong_cancellations` checks these.
    return False


def find_wrong_timelines(evidence: Evidence) -> list[str]:
    """Runs whose timeline has a gap, or lacks or repeats the beginning, the start or the end."""
    offenders = []
    for run in evidence.runs.values():
        if run.details_removed_at or run.id in evidence.past_ids:
            continue
        events = evidence.events.get(run.id, ())
        if [event.sequence for event in events] != list(range(1, len(events) + 1)):
            offenders.append(f"run {run.id}: a number is missing")
        elif not events or events[0].kind not in ("created", "blocked"):
            offenders.append(f"run {run.id}: no beginning")
        elif run.status == "completed" and _count_events(evidence, run.id, ENDS) != 1:
            offenders.append(f"run {run.id}: not one end")
        elif bool(run.started_at) != bool(_count_events(evidence, run.id, {"started"})):
            offenders.append(f"run {run.id}: its start is wrong")
    return offenders


def _count_events(evidence: Evidence, run_id: int, kinds: frozenset[str] | set[str]) -> int:
    return sum(event.kind in kinds for event in evidence.events.get(run_id, ()))


# --- reasons --------------------------------------------------------------------------------------------


def find_unexplained_reasons(evidence: Evidence) -> list[str]:
    """Failures of runs that no fault and no request explains."""
    offenders, unexplained_losses = [], []
    for run in evidence.runs.values():
        if run.id in evidence.past_ids:
            continue
        for code in sorted(run.codes):
            if _is_explained(run, code, evidence):
                continue
            if code == "worker_lost":
                unexplained_losses.append(f"run {run.id}: {code}")
            else:
                offenders.append(f"run {run.id}: {code}")
    # A process that exits at a failpoint loses its run; a workspace's sync also loses its child run.
    return offenders + unexplained_losses[2 * evidence.failpoints :]


def _is_explained(run: Run, code: str, evidence: Evidence) -> bool:
    if code == "previous_run_active":
        return _had_active_run(run, evidence)
    if code == "cancel_timeout":
        return run.cancel_requested_at is not None
    if code == "missed":
        return _was_missed(run)
    if code == "tenant_not_synced":
        return any(
            item.outcome == "failed" and _child_failed(item, evidence)
            for item in evidence.items.get(run.id, ())
        )
    if code == "worker_lost" and run.id in evidence.taken_ids:
        return True
    if code == "not_attempted":
        # A list that failed leaves its items; the failure of the list needs an explanation, too.
        return len(run.codes) > 1
    if code in _AFTER_LOSS:
        return True
    groups = EXPLANATIONS.get(code, frozenset())
    tenant = evidence.tenants.get(run.tenant_id or 0, "")
    return any(
        fault.group in groups and not fault.error and (not fault.subject or fault.subject == tenant)
        for fault in _faults_during(run, evidence)
    )


def _faults_during(run: Run, evidence: Evidence) -> list[Record]:
    begin = (run.started_at or run.created_at).timestamp() - EXPLAINS_BEFORE
    end = (run.completed_at or evidence.ended_at).timestamp() + EXPLAINS_AFTER
    return [fault for fault in evidence.faults if fault.at <= end and begin <= fault.until]


def _had_active_run(run: Run, evidence: Evidence) -> bool:
    """Whether the run that a slot names was active when the tick looked for it."""
    previous = evidence.runs.get(int(run.context.get("previous_run_id") or 0))
    if previous is None or previous.scope != run.scope:
        return False
    end = (previous.completed_at or evidence.ended_at) + TICK_SLACK
    was_delayed = any(
        fault.group in ("worker", "database")
        and fault.at <= end.timestamp()
        and (run.created_at - TICK_SLACK).timestamp() <= fault.until
        for fault in evidence.faults
    )
    return previous.created_at - CLOCK_SLACK <= run.created_at and (
        run.created_at <= end or was_delayed
    )


def _was_missed(run: Run) -> bool:
    """Whether the slots that a run records as missed were indeed long over."""
    slot = _slot_of(run.context["scheduled_for"])
    missed = run.context.get("missed") or {}
    count = int(missed.get("slots") or 1)
    return count > 1 or run.created_at - slot > dt.timedelta(seconds=50)


def _child_of(item: Item, evidence: Evidence) -> Run | None:
    """Return the run that an item of a workspace's sync reports."""
    return evidence.runs.get(int(item.key.removeprefix("run:")))


def _child_failed(item: Item, evidence: Evidence) -> bool:
    child = _child_of(item, evidence)
    return child is not None and child.outcome != "succeeded"


# --- retries, cancellations, acknowledgments ------------------------------------------------------------


def find_wrong_retries(evidence: Evidence) -> list[str]:
    """Retries that started too early, too often or of the wrong run, and lost runs without one."""
    retries: dict[int, list[Run]] = defaultdict(list)
    for run in evidence.runs.values():
        if run.retry_of_id:
            retries[run.retry_of_id].append(run)
    offenders = []
    for run in evidence.runs.values():
        earlier = evidence.runs.get(run.retry_of_id or 0)
        automatic = [each for each in retries[run.id] if each.initiator_name == RECONCILER]
        if earlier and _is_wrong_retry(run, earlier):
            offenders.append(f"run {run.id} retries {earlier.id} wrongly")
        elif len(automatic) > 1:
            offenders.append(f"run {run.id} was retried {len(automatic)} times")
        elif _lost_in_a_row(run, evidence) > MAX_LOST_IN_A_ROW:
            offenders.append(f"run {run.id} is one retry too many")
        elif _needs_retry(run) and not automatic and not _was_given_up(run, evidence):
            offenders.append(f"run {run.id} was lost and not retried")
    return offenders


def _is_wrong_retry(run: Run, earlier: Run) -> bool:
    return (
        earlier.completed_at is None
        or run.created_at + CLOCK_SLACK < earlier.completed_at
        or run.scope != earlier.scope
        or earlier.outcome == "succeeded"
    )


def _lost_in_a_row(run: Run, evidence: Evidence) -> int:
    """Return the number of runs in a row that the reconciler started after losses, with the first."""
    count, current = 1, run
    while current.initiator_name == RECONCILER and current.retry_of_id in evidence.runs:
        count, current = count + 1, evidence.runs[current.retry_of_id]
    return count


def _needs_retry(run: Run) -> bool:
    return (
        run.outcome == "failed"
        and bool(run.codes & LOST)
        and run.type in RETRIED_TYPES
        and run.cancel_requested_at is None
    )


def _was_given_up(run: Run, evidence: Evidence) -> bool:
    """Whether the timeline says so, after as many losses in a row."""
    return (
        bool(_count_events(evidence, run.id, {"retry_given_up"}))
        and _lost_in_a_row(run, evidence) >= MAX_LOST_IN_A_ROW
    )


def find_wrong_cancellations(evidence: Evidence) -> list[str]:
    """Runs that were cancelled without a request, that started after it, or that did not stop."""
    limit = dt.timedelta(seconds=evidence.cancel + evidence.within)
    offenders = []
    for run in evidence.runs.values():
        requested_at, end = run.cancel_requested_at, run.completed_at
        if requested_at is None:
            if run.outcome == "cancelled":
                offenders.append(f"run {run.id} was cancelled without a request")
        elif run.started_at and run.started_at > requested_at + CLOCK_SLACK:
            offenders.append(f"run {run.id} started after its cancellation")
        elif end and end > max(requested_at, evidence.last_fault_at) + limit:
            offenders.append(f"run {run.id} did not stop")
    return offenders


def find_wrong_acknowledgments(evidence: Evidence) -> list[str]:
    """Runs that were acknowledged without need, or whose timeline does not say so exactly once."""
    return [
        f"run {run.id}"
        for run in evidence.runs.values()
        if run.details_removed_at is None
        and (
            _count_events(evidence, run.id, {"acknowledged"}) != bool(run.acknowledged_at)
            or (run.acknowledged_at and run.outcome not in ATTENTION)
        )
    ]


# --- schedules and retention ----------------------------------------------------------------------------


def find_repeated_slots(evidence: Evidence) -> list[str]:
    """Slots of a schedule that have more than one run."""
    slots: dict[tuple[str, str], list[int]] = defaultdict(list)
    for run in _slot_runs(evidence):
        slots[str(run.context["backup_schedule_id"]), run.context["scheduled_for"]].append(run.id)
    return [
        f"schedule {schedule} slot {slot}: runs {ids}"
        for (schedule, slot), ids in slots.items()
        if len(ids) > 1
    ]


def find_unexplained_slots(evidence: Evidence) -> list[str]:
    """Slots that were due by every known time of their schedule, and that no run accounts for."""
    ranges: dict[int, list[tuple[dt.datetime, dt.datetime]]] = defaultdict(list)
    for run in _slot_runs(evidence):
        slot = run.context["scheduled_for"]
        first = _slot_of((run.context.get("missed") or {}).get("first") or slot)
        last = _slot_of((run.context.get("repeated") or {}).get("last") or slot)
        ranges[int(run.context["backup_schedule_id"])].append((first, last))
    return [
        f"schedule {schedule_id} slot {slot:%H:%M}"
        for schedule_id, slot in _due_slots(evidence)
        if not any(first <= slot <= last for first, last in ranges[schedule_id])
    ]


def _due_slots(evidence: Evidence) -> Iterator[tuple[int, dt.datetime]]:
    """Yield each schedule with the minutes at which it was certainly due.

    A minute within a change, or after one that may not have been made, is not certain.
    """
    by_schedule = defaultdict(list)
    for change in evidence.changes:
        by_schedule[change.schedule_id].append(change)
    # A slot starts up to its spread and a tick later.
    last = evidence.ended_at - dt.timedelta(seconds=evidence.within)
    for schedule_id, changes in by_schedule.items():
        changes.sort(key=lambda change: change.began_at)
        ends = [change.began_at for change in changes[1:]] + [last]
        latest_end = changes[0].began_at
        for change, end in zip(changes, ends, strict=True):
            latest_end = max(latest_end, change.ended_at)
            if not (change.cron and change.is_certain):
                continue
            slot = latest_end.replace(second=0, microsecond=0) + ONE_MINUTE
            while slot < min(end, last):
                if _is_slot(change.cron, slot):
                    yield schedule_id, slot
                slot += ONE_MINUTE


def _is_slot(cron: str, minute: dt.datetime) -> bool:
    """Whether one of the expressions of the campaign is due at a minute."""
    match cron.split(maxsplit=1)[0]:
        case "*":
            return True
        case "*/2":
            return minute.minute % 2 == 0
        case "1-59/2":
            return minute.minute % 2 == 1
    raise ValueError(f"the campaign does not use {cron}")


def _slot_runs(evidence: Evidence) -> list[Run]:
    return [run for run in evidence.runs.values() if run.type == "backup_schedule.scheduled"]


def _slot_of(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def find_wrong_removals(evidence: Evidence) -> list[str]:
    """Old runs that vanished or were removed and kept, and runs that were removed too early."""
    offenders = [
        f"old run {run_id}"
        for run_id in sorted(evidence.past_ids)
        if (run_id in evidence.runs) == (run_id in evidence.tombstones)
    ]
    offenders += [
        f"run {run_id} was removed too early"
        for run_id, ended_at in evidence.tombstones.items()
        if ended_at > evidence.ended_at - OLD
    ]
    return offenders


# --- other ----------------------------------------------------------------------------------------------


def find_unexpected_ends(evidence: Evidence) -> list[str]:
    """Workers that ended although no fault ended them."""
    return evidence.unexpected_ends


def find_request_errors(evidence: Evidence) -> list[str]:
    """Requests of people that failed with an error that no page handles."""
    return evidence.request_errors


def find_broken_invariants(_: Evidence) -> list[str]:
    """What the product's own check of the ledger reports."""
    return [
        f"{result.name}: {result.error or result.offenders}"
        for result in check_ledger()
        if not result.is_kept
    ]


LEDGER_CHECK = "the product's check of the ledger reports nothing"
CHECKERS: dict[str, Checker] = {
    "no run is lost": find_lost,
    "every run ends in time": find_late_ends,
    "one active run per identity": find_overlaps,
    "a run is claimed once": find_repeated_claims,
    "a lease is respected": find_broken_leases,
    "no late write is accepted": find_late_writes,
    "effects happen once": find_repeated_effects,
    "an ended run has no more effects": find_late_effects,
    "restores write what they record": find_wrong_restores,
    "counts match the items": find_wrong_counts,
    "the outcome follows from the counts": find_wrong_outcomes,
    "every timeline is complete": find_wrong_timelines,
    "every reason is explained": find_unexplained_reasons,
    "a lost run is retried": find_wrong_retries,
    "a cancelled run stops": find_wrong_cancellations,
    "an acknowledgment is recorded once": find_wrong_acknowledgments,
    "a slot starts once": find_repeated_slots,
    "every slot is explained": find_unexplained_slots,
    "retention removes old runs only": find_wrong_removals,
    "no worker ends unexpectedly": find_unexpected_ends,
    "no request fails unexpectedly": find_request_errors,
    LEDGER_CHECK: find_broken_invariants,
}


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """Return the offenders of every promise; a kept promise has none."""
    return {promise: check(evidence) for promise, check in CHECKERS.items()}
