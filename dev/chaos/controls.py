"""Negative controls: each breaks one promise on purpose, and the judge must notice.

They prove that the checkers can fail: every checker has a control that only it notices. Guards of
the database are removed with SQL, those of the processes by `dev.chaos.sabotage`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True)
class Control:
    """One promise that is broken.

    `faults` are the only faults, `rate` of them per second in each lane. The faults end after
    `seconds`, or when the checker notices; `shows_at_end` says that it can notice only at the end.
    `sql` runs before the campaign and `plant` before the judgment. `also_red` are promises that break
    with this one. `lease` is that of runs: a long one where none may end without a fault, however
    busy the machine is. Runs that end later than `within` seconds are late, and after `patience`
    seconds they are lost.
    """

    caught_by: str
    faults: frozenset[str] = frozenset()
    rate: float = 0.6
    seconds: float = 60.0
    shows_at_end: bool = False
    sql: str = ""
    plant: str = ""
    also_red: frozenset[str] = frozenset()
    lease: int = 20
    within: float = 90.0
    patience: float = 90.0


_CHILD_KILLED = frozenset({"worker's child killed"})
_TAKEN = frozenset({"run taken from a live worker"})
CONTROLS = {
    "relay": Control(
        "no run is lost",
        frozenset({"broker killed, all lost", "messages lost in the broker"}),
        seconds=15,
        shows_at_end=True,
    ),
    "reconciler": Control(
        "every run ends in time",
        _CHILD_KILLED,
        lease=5,
        within=25.0,
        rate=1.5,
        seconds=12,
        shows_at_end=True,
        patience=90,
    ),
    "identity": Control(
        "one active run per identity", sql="DROP INDEX runs_one_active_per_tenant_identity"
    ),
    "claim": Control("a run is claimed once"),
    "fence": Control(
        "effects happen once",
        frozenset({"messages doubled", "message for an ended run"}),
        rate=2.0,
        sql="DROP TRIGGER runs_state_is_valid ON operation_runs",
        # A run that is executed twice breaks whatever belongs to one execution.
        also_red=frozenset(
            {
                *("a run is claimed once", "an ended run has no more effects"),
                *("no late write is accepted", "counts match the items"),
                *("the outcome follows from the counts", "every timeline is complete"),
                *("every reason is explained", "one active run per identity"),
                *("a cancelled run stops", "a lost run is retried", "no run is lost"),
                *("no request fails unexpectedly", "an acknowledgment is recorded once"),
                *("every run ends in time", "retention removes old runs only"),
                *("restores write what they record", "a lease is respected"),
                *("every slot is explained",),
            }
        ),
    ),
    "lease": Control("a lease is respected", _CHILD_KILLED, lease=5, rate=2.0),
    "late write": Control("no late write is accepted", _TAKEN, lease=5),
    "effects": Control("effects happen once"),
    "late effects": Control("an ended run has no more effects", _TAKEN, lease=5, rate=1.0),
    "restores": Control("restores write what they record", seconds=150),
    "counts": Control("counts match the items"),
    "outcome": Control("the outcome follows from the counts"),
    "timeline": Control("every timeline is complete"),
    "reasons": Control("every reason is explained"),
    "retry": Control("a lost run is retried", _CHILD_KILLED, lease=5, rate=1.0, seconds=120),
    "cancel": Control("a cancelled run stops"),
    "acknowledgment": Control(
        "an acknowledgment is recorded once", _CHILD_KILLED, lease=5, seconds=120
    ),
    "slot": Control(
        "a slot starts once",
        frozenset({"schedules set back"}),
        seconds=200,
        sql="DROP INDEX runs_slot_once",
    ),
    "missed slot": Control("every slot is explained", seconds=170),
    "retention": Control(
        "retention removes old runs only",
        seconds=150,
        # The database checks the age of runs itself, so this check is removed too.
        sql="CREATE OR REPLACE FUNCTION operation_runs_removable(run_ids bigint[])"
        " RETURNS SETOF bigint LANGUAGE sql STABLE AS"
        " $$ SELECT id FROM public.operation_runs"
        "    WHERE id = ANY (run_ids) AND status = 'completed' $$",
    ),
    "worker": Control("no worker ends unexpectedly"),
    "request": Control("no request fails unexpectedly", seconds=90),
    "ledger": Control(
        "the product's check of the ledger reports nothing",
        seconds=5,
        plant="ALTER TABLE backup_schedules DISABLE TRIGGER USER;"
        " UPDATE backup_schedules SET cron = '1 1 1 1 *' WHERE paused_at IS NULL",
    ),
}


def break_database(sql: str) -> None:
    """Run the SQL that removes a guard or plants a defect."""
    if sql:
        with connection.cursor() as cursor:
            cursor.execute(sql)
