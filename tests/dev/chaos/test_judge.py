"""The judge finds each defect that is planted in a recorded ledger, with exactly one checker.

The product's own check is a second opinion, which may notice as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from dev.chaos.judge import CHECKERS, LEDGER_CHECK, judge
from dev.chaos.ledger import Effect, Evidence
from dev.chaos.restores import CHANGED
from operations.models import OperationRun
from tests.dev.chaos.recording import Recording, execute_sql

SECOND = dt.timedelta(seconds=1)
Plant = Callable[[Recording], Evidence]


def sql(statement: str, run: str) -> Plant:
    """Plant a defect in the rows of one of the recorded runs, which `%s` stands for."""

    def plant(recording: Recording) -> Evidence:
        row = getattr(recording, run)
        execute_sql(statement, (row[1] if isinstance(row, list) else row).pk)
        return recording.evidence()

    return plant


def columns(run: str, assignments: str) -> Plant:
    return sql(f"UPDATE operation_runs SET {assignments} WHERE id = %s", run)


def event(run: str, kind: str, at: str = "clock_timestamp()") -> Plant:
    return sql(
        "INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data, actor)"
        f" SELECT run_id, max(sequence) + 1, {at}, '{kind}', 'info', '', '{{}}', ''"
        " FROM operation_run_events WHERE run_id = %s GROUP BY run_id",
        run,
    )


def evidence(change: Callable[[Recording, Evidence], None]) -> Plant:
    """Plant a defect in what is known besides the rows."""

    def plant(recording: Recording) -> Evidence:
        known = recording.evidence()
        change(recording, known)
        return known

    return plant


def add_effect(known: Evidence, run: OperationRun, key: str, *, late: bool) -> None:
    at = run.completed_at if late else run.started_at
    assert at
    known.effects.append(Effect(key, run.pk, at + SECOND * (1 if late else 0)))


def repeat_effect(recording: Recording, known: Evidence) -> None:
    add_effect(known, recording.exported, "export 1 effect 0", late=False)


def add_late_effects(recording: Recording, known: Evidence) -> None:
    for number in (1, 2):
        add_effect(known, recording.lost, f"export 9 effect {number}", late=True)


def forget_row(recording: Recording, known: Evidence) -> None:
    known.created_ids.add(10**9)


def double_policy(recording: Recording, known: Evidence) -> None:
    known.policies.append(replace(known.policies[0], id="second"))


def lose_policy(recording: Recording, known: Evidence) -> None:
    known.policies.clear()


def change_policy(recording: Recording, known: Evidence) -> None:
    known.cases[0] = replace(known.cases[0], is_deleted=False)
    known.policies[0] = replace(known.policies[0], description=CHANGED)


def write_unrecorded_policy(recording: Recording, known: Evidence) -> None:
    known.restored = []


def end_before_faults(recording: Recording, known: Evidence) -> None:
    """One run ended long after the last fault."""
    known.last_fault_at -= dt.timedelta(hours=1)
    run = known.runs[recording.synced.pk]
    for other in known.runs.values():
        if other.id != run.id:
            created_at = other.completed_at or other.created_at
            known.runs[other.id] = replace(other, created_at=min(other.created_at, created_at))
    known.runs[run.id] = replace(run, created_at=known.last_fault_at)


def forget_faults(recording: Recording, known: Evidence) -> None:
    known.faults = []


def fault_another_tenant(recording: Recording, known: Evidence) -> None:
    known.faults = [
        replace(fault, subject=fault.subject and "another tenant") for fault in known.faults
    ]


def block_slot_by_ended_run(recording: Recording, known: Evidence) -> None:
    """A slot names a run as active that had ended long before."""
    past = known.runs[recording.past.pk]
    run = known.runs[recording.slots[1].pk]
    known.runs[run.id] = replace(
        run,
        context={**run.context, "previous_run_id": past.id},
        outcome="blocked",
        failure_summary=[*run.failure_summary, {"code": "previous_run_active"}],
    )
    workspace_id, tenant_id, identity = run.scope
    known.runs[past.id] = replace(
        past, workspace_id=workspace_id, tenant_id=tenant_id, run_identity_hash=identity
    )


def lose_slot(recording: Recording, known: Evidence) -> None:
    del known.runs[recording.slots[1].pk]
    known.created_ids.discard(recording.slots[1].pk)


def lose_old_run(recording: Recording, known: Evidence) -> None:
    del known.runs[recording.past.pk]
    known.created_ids.discard(recording.past.pk)


def remove_recent_run(recording: Recording, known: Evidence) -> None:
    run = known.runs.pop(recording.synced.pk)
    assert run.completed_at
    known.tombstones[run.id] = run.completed_at


def remove_and_keep(recording: Recording, known: Evidence) -> None:
    known.tombstones[recording.past.pk] = known.ended_at - dt.timedelta(days=800)


DEFECTS: dict[str, tuple[str, Plant]] = {
    "a requested run has no row": ("no run is lost", evidence(forget_row)),
    "a run never ends": (
        "no run is lost",
        columns("synced", "status = 'running', outcome = 'pending', completed_at = NULL"),
    ),
    "a run ends long after the last fault": ("every run ends in time", evidence(end_before_faults)),
    "two runs of an identity were active": (
        "one active run per identity",
        columns("slots", "completed_at = completed_at + interval '1 second'"),
    ),
    "two active runs were seen": (
        "one active run per identity",
        evidence(lambda _, known: known.seen_twice.add("1 and 2")),
    ),
    "a run was claimed twice": (
        "a run is claimed once",
        event("exported", "started", at="min(at)"),
    ),
    "a run was taken within its lease": (
        "a lease is respected",
        columns("lost", "heartbeat_at = completed_at - interval '1 second'"),
    ),
    "an item was written after the end": (
        "no late write is accepted",
        sql(
            "UPDATE operation_run_items SET at = at + interval '1 minute' WHERE run_id = %s",
            "exported",
        ),
    ),
    "an event was written after the end": ("no late write is accepted", event("synced", "note")),
    "a heartbeat was written after the end": (
        "no late write is accepted",
        columns("synced", "heartbeat_at = completed_at + interval '1 second'"),
    ),
    "an object was created twice": ("effects happen once", evidence(repeat_effect)),
    "an ended run went on": ("an ended run has no more effects", evidence(add_late_effects)),
    "a policy was restored twice": ("restores write what they record", evidence(double_policy)),
    "a verified policy does not exist": ("restores write what they record", evidence(lose_policy)),
    "a verified policy is different": ("restores write what they record", evidence(change_policy)),
    "a policy was written without a record": (
        "restores write what they record",
        evidence(write_unrecorded_policy),
    ),
    "counts do not add up": (
        "counts match the items",
        columns("synced", """summary_counts = summary_counts || '{"processed": 6}'"""),
    ),
    "an item is not counted": (
        "counts match the items",
        columns("exported", """summary_counts = '{"total": 1, "processed": 1, "succeeded": 1}'"""),
    ),
    "an item has another outcome than was counted": (
        "counts match the items",
        sql(
            "UPDATE operation_run_items SET outcome = 'failed' WHERE run_id = %s AND key = 'a'",
            "exported",
        ),
    ),
    "a run that processed items was blocked": (
        "the outcome follows from the counts",
        columns("partial", "outcome = 'blocked'"),
    ),
    "a failed run has no reason": (
        "the outcome follows from the counts",
        columns("synced", "outcome = 'failed'"),
    ),
    "a run succeeded without attempting everything": (
        "the outcome follows from the counts",
        columns("synced", """summary_counts = summary_counts || '{"total": 9}'"""),
    ),
    "the end is not on the timeline": (
        "every timeline is complete",
        sql(
            "DELETE FROM operation_run_events WHERE run_id = %s AND kind = 'ended'",
            "synced",
        ),
    ),
    "the timeline has a gap": (
        "every timeline is complete",
        sql(
            "UPDATE operation_run_events SET sequence = 7 WHERE run_id = %s AND kind = 'ended'",
            "synced",
        ),
    ),
    "a run could not be dispatched": (
        "every reason is explained",
        columns("lost", """failure_summary = failure_summary || '[{"code": "dispatch_failed"}]'"""),
    ),
    "a slot names a run that had ended": (
        "every reason is explained",
        evidence(block_slot_by_ended_run),
    ),
    "a worker was lost without a fault": ("every reason is explained", evidence(forget_faults)),
    "Graph failed without a fault of this tenant": (
        "every reason is explained",
        evidence(fault_another_tenant),
    ),
    "a lost run has no retry": (
        "a lost run is retried",
        columns("retried", "retry_of_id = NULL"),
    ),
    "a retry has another identity": (
        "a lost run is retried",
        columns("retried", "run_identity_hash = repeat('a', 64)"),
    ),
    "a run was cancelled without a request": (
        "a cancelled run stops",
        columns("cancelled", "cancel_requested_at = NULL"),
    ),
    "a run started after its cancellation": (
        "a cancelled run stops",
        columns("cancelled", "cancel_requested_at = created_at - interval '1 second'"),
    ),
    "an acknowledgment is not on the timeline": (
        "an acknowledgment is recorded once",
        columns("lost", "acknowledged_at = completed_at"),
    ),
    "an acknowledgment is on the timeline twice": (
        "an acknowledgment is recorded once",
        event("partial", "acknowledged"),
    ),
    "a slot has no run": ("every slot is explained", evidence(lose_slot)),
    "an old run has vanished": ("retention removes old runs only", evidence(lose_old_run)),
    "an old run was removed and kept": (
        "retention removes old runs only",
        evidence(remove_and_keep),
    ),
    "a recent run was removed": ("retention removes old runs only", evidence(remove_recent_run)),
    "a worker ended by itself": (
        "no worker ends unexpectedly",
        evidence(lambda _, known: known.unexpected_ends.append("1 ended unexpectedly with 1")),
    ),
    "a request met an unexpected error": (
        "no request fails unexpectedly",
        evidence(lambda _, known: known.request_errors.append("RuntimeError")),
    ),
}


def broken_promises(known: Evidence) -> set[str]:
    """The promises that the judge calls broken, without those of the product's own check."""
    return {
        promise
        for promise, offenders in judge(known).items()
        if offenders and promise != LEDGER_CHECK
    }


def test_a_correct_ledger_breaks_no_promise(recording: Recording) -> None:
    known = recording.evidence()

    assert {name: offenders for name, offenders in judge(known).items() if offenders} == {}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_breaks_exactly_its_promise(recording: Recording, name: str) -> None:
    promise, plant = DEFECTS[name]

    known = plant(recording)

    assert broken_promises(known) == {promise}


def test_a_slot_with_two_runs_starts_twice(recording: Recording) -> None:
    """The database refuses it, so that its guard is removed first."""
    first, second, *_ = recording.slots
    execute_sql("DROP INDEX runs_slot_once")

    execute_sql(
        "UPDATE operation_runs SET context = context || jsonb_build_object('scheduled_for',"
        " (SELECT context->>'scheduled_for' FROM operation_runs WHERE id = %s)) WHERE id = %s",
        first.pk,
        second.pk,
    )

    # The second slot has no run now.
    assert broken_promises(recording.evidence()) == {
        "a slot starts once",
        "every slot is explained",
    }


def test_the_check_of_the_product_is_part_of_the_judgment(recording: Recording) -> None:
    """A restore that stays open after its run is noticed by this check only."""
    execute_sql("UPDATE restore_runs SET execute_run_id = %s", recording.past.pk)

    known = recording.evidence()

    assert {name for name, offenders in judge(known).items() if offenders} == {LEDGER_CHECK}


def test_every_checker_has_a_defect() -> None:
    covered = {promise for promise, _ in DEFECTS.values()} | {LEDGER_CHECK, "a slot starts once"}

    assert covered == set(CHECKERS)


def test_one_call_in_flight_at_the_end_of_a_run_is_allowed(recording: Recording) -> None:
    known = recording.evidence()

    add_effect(known, recording.lost, "export 2 effect 0", late=True)

    assert broken_promises(known) == set()
