"""A recorded ledger: every promise is kept in it, and every checker has something to look at."""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction

from backups.models import BackupSchedule
from dev.chaos.faults import Record
from dev.chaos.ledger import CaseFacts, Effect, Evidence, Policy, load_tables
from dev.chaos.load import Change
from dev.chaos.restores import ORIGINAL
from inventory.services import sync_request
from operations.dispatch import RunRequest
from operations.models import OperationRun
from operations.progress import ItemResult, Progress
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import Ending, ItemOutcome
from operations.types import OperationRunType
from operations.worker.retrying import retry_after_loss
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.operations import build_slot_request, create_past_run
from tests.support.factories.restores import create_restore

SERVICE = OperationRunService()
MINUTE = dt.timedelta(minutes=1)


def execute_sql(sql: str, *values: int | str) -> None:
    """Run SQL as an owner who has disabled the guards."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


class Recording:
    """The rows of a campaign with one run of each sort, and what is known besides."""

    def __init__(self, tenant: Tenant, user: User) -> None:
        self._tenant, self._user = tenant, user
        minute = database_now().replace(second=0, microsecond=0)
        #: The minutes at which the schedule was due.
        self._slot_times = [minute - number * MINUTE for number in (5, 4, 3, 2)]
        self.schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant, cron="* * * * *")
        self.exported = self._export(1)
        self.synced = self._sync()
        self.lost, self.retried = self._lose()
        self.cancelled = self._cancel()
        self.partial = self._acknowledge()
        self.slots = self._start_slots()
        self.past = create_past_run(tenant, 800)
        self.restore = create_restore(tenant, {"action": "create"}, executing=True)
        self.item = self.restore.items.get()
        for table in ("events", "items"):
            execute_sql(f"DELETE FROM operation_run_{table} WHERE run_id = %s", self.past.pk)
        execute_sql("UPDATE backup_schedules SET next_run_at = now() + interval '1 minute'")
        for state in ("intent", "applied", "verified"):
            execute_sql(
                "UPDATE restore_items SET state = %s, intent_at = now() WHERE id = %s",
                state,
                self.item.pk,
            )

    def run(self, number: int) -> OperationRun:
        """Start an export."""
        request = RunRequest(
            type=OperationRunType.POLICY_EXPORT,
            workspace=self._tenant.workspace,
            tenant=self._tenant,
            by=self._user,
            inputs={"number": number},
        )
        run = SERVICE.claim(SERVICE.ensure_run(request).run.pk, "host:1")
        assert run
        return run

    def _export(self, number: int) -> OperationRun:
        run = self.run(number)
        self._report(run, "a", "b")
        return SERVICE.complete(run.pk)

    def _report(self, run: OperationRun, *keys: str, failed: str = "") -> None:
        items = [ItemResult(key, ItemOutcome.SUCCEEDED, label=key) for key in keys]
        counts = {"succeeded": len(keys)}
        if failed:
            error = SafeError("throttled")
            items.append(ItemResult(failed, ItemOutcome.FAILED, label=failed, error=error))
            counts["failed"] = 1
        counts |= {"total": len(items), "processed": len(items)}
        SERVICE.record_progress(run.pk, Progress(increments=counts, items=items))

    def _sync(self) -> OperationRun:
        """A sync counts unchanged objects without an item."""
        request = sync_request(OperationRunType.DIRECTORY_GROUPS_SYNC, self._tenant, by=self._user)
        run = SERVICE.claim(SERVICE.ensure_run(request).run.pk, "host:1")
        assert run
        SERVICE.increment_summary_counts(run.pk, total=5, processed=5, succeeded=5)
        return SERVICE.complete(run.pk)

    def _lose(self) -> tuple[OperationRun, OperationRun]:
        """A run that lost its worker, and its retry."""
        run = self.run(2)
        execute_sql(
            "UPDATE operation_runs SET heartbeat_at = heartbeat_at - interval '10 seconds'"
            " WHERE id = %s",
            run.pk,
        )
        lost = SERVICE.end_lost_run(run, error=SafeError("worker_lost", worker="host:1", seconds=5))
        retry_after_loss(lost)
        retried = OperationRun.objects.get(retry_of=lost)
        SERVICE.claim(retried.pk, "host:2")
        self._report(retried, "a")
        return lost, SERVICE.complete(retried.pk)

    def _cancel(self) -> OperationRun:
        run = self.run(3)
        SERVICE.request_cancel(run, by=self._user)
        return SERVICE.complete(run.pk, ending=Ending.CANCELLED)

    def _acknowledge(self) -> OperationRun:
        run = self.run(4)
        self._report(run, "a", failed="b")
        SERVICE.record_progress(run.pk, Progress())
        failed = SERVICE.complete(run.pk, error=None)
        execute_sql(
            "UPDATE operation_runs SET failure_summary = %s::jsonb WHERE id = %s",
            '[{"code": "throttled", "message": "", "next_step": "", "count": 1}]',
            failed.pk,
        )
        return SERVICE.acknowledge(SERVICE._load(failed.pk), by=self._user)

    def _start_slots(self) -> list[OperationRun]:
        """The runs of the last five minutes of the schedule."""
        runs = []
        for slot in self._slot_times:
            request = build_slot_request(self._tenant, self.schedule.pk, f"{slot:%Y-%m-%dT%H:%MZ}")
            run = SERVICE.claim(SERVICE.ensure_run(request).run.pk, "host:1")
            assert run
            runs.append(SERVICE.complete(run.pk))
        return runs

    def evidence(self) -> Evidence:
        """Load the rows, with what is known besides."""
        now = database_now()
        tenant = str(self._tenant.external_id)
        first, *_, last = self._slot_times
        changes = [
            Change(self.schedule.pk, first - MINUTE, first - MINUTE / 2, "* * * * *"),
            Change(self.schedule.pk, last + MINUTE / 2, last + MINUTE * 0.6, ""),
        ]
        begin, end = (now - 10 * MINUTE).timestamp(), now.timestamp()
        evidence = Evidence(
            last_fault_at=now,
            ended_at=now + MINUTE,
            past_ids={self.past.pk},
            changes=changes,
            tenants={self._tenant.pk: tenant},
            faults=[
                Record("worker killed", "worker", begin, end),
                Record("Graph throttles", "graph", begin, end, subject=tenant),
            ],
            cases=[CaseFacts("Case 0", tenant, self.item.graph_id, True, True)],
            policies=[Policy(tenant, "new", "Case 0", ORIGINAL)],
        )
        load_tables(evidence)
        evidence.created_ids = set(evidence.runs)
        evidence.effects = [
            Effect(
                f"export {number} effect 0", run.pk, run.started_at + dt.timedelta(milliseconds=1)
            )
            for number, run in enumerate([self.exported, self.retried], start=1)
            if run.started_at
        ]
        return evidence
