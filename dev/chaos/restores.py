"""Restores under faults: each case restores one object that nothing else touches.

A case adds a policy to the Graph sandbox, waits for its backup, deletes or changes the policy,
previews its restore and executes it. So the policies that exist at the end are known exactly.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from backups import services as backups
from backups.models import BackupItem, BackupSchedule, SetItem
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.states import RunStatus
from restores import services
from restores.bodies import Options
from restores.models import Decision, RestoreRun, RestoreStatus
from tenancy.models import Tenant, User

KIND = "compliance"
#: What the policy of a case says before and after someone changes it.
ORIGINAL, CHANGED = "as backed up", "changed since"
MAX_ATTEMPTS = 3


@dataclass
class Case:
    """One policy and its restore. `step` says what happens next."""

    name: str
    tenant: Tenant
    is_deleted: bool
    graph_id: str = ""
    was_changed: bool = False
    step: str = "back up"
    backup_run_id: int = 0
    #: The set with the policy as it was before the change.
    backup_set_id: int = 0
    restore_id: int = 0
    attempts: int = 1


class RestoreCases:
    """Advances one case of each tenant."""

    def __init__(self, tenants: list[Tenant], user: User, graph: SandboxControl) -> None:
        self.cases: list[Case] = []
        self.counts: Counter[str] = Counter()
        self._user = user
        self._graph = graph
        self._tenants = tenants
        self._current: dict[int, Case] = {}
        self._schedules: dict[int, BackupSchedule] = {}
        self._turn = 0

    def advance(self) -> list[int]:
        """Do the next step of the next tenant's case; return the ids of runs that it started."""
        tenant = self._tenants[self._turn % len(self._tenants)]
        self._turn += 1
        case = self._current.get(tenant.pk)
        if case is None or case.step == "end":
            case = self._add_case(tenant)
        try:
            return self._advance(case)
        except (ValidationError, Blocked):
            # For example, the backup of the case was lost. The case ends as it is.
            case.step = "end"
            self.counts["cases given up"] += 1
        return []

    def _add_case(self, tenant: Tenant) -> Case:
        number = len(self.cases)
        case = Case(f"Case {number}", tenant, is_deleted=number % 2 == 0)
        sample = copy.deepcopy(self._graph.objects(tenant.external_id, KIND)[0])
        del sample["id"]
        sample |= {"displayName": case.name, "description": ORIGINAL, "assignments": []}
        case.graph_id = self._graph.put_object(tenant.external_id, KIND, sample)
        self.cases.append(case)
        self._current[tenant.pk] = case
        return case

    def _advance(self, case: Case) -> list[int]:
        match case.step:
            case "back up":
                return self._back_up(case)
            case "change":
                self._change(case)
            case "preview":
                return self._preview(case)
            case "execute":
                return self._execute(case)
            case "wait":
                return self._wait(case)
        return []

    def _back_up(self, case: Case) -> list[int]:
        run = backups.run_now(self._schedule(case.tenant), self._user).run
        case.backup_run_id, case.step = run.pk, "change"
        return [run.pk]

    def _schedule(self, tenant: Tenant) -> BackupSchedule:
        """Return the paused schedule of a tenant, whose backups are started by the cases only."""
        if tenant.pk not in self._schedules:
            schedule = BackupSchedule(
                workspace=tenant.workspace,
                tenant=tenant,
                name="Restores",
                cron="0 0 1 1 *",
                kinds=[KIND],
                retention_keep_sets=1000,
            )
            existing = BackupSchedule.objects.filter(tenant=tenant, name=schedule.name)
            if not existing.exists():
                backups.save(schedule)
            self._schedules[tenant.pk] = BackupSchedule.objects.with_scope().get(
                tenant=tenant, name=schedule.name
            )
        return self._schedules[tenant.pk]

    def _change(self, case: Case) -> None:
        """Delete or change the policy once its backup has ended; back up again if that failed."""
        run = OperationRun.objects.get(pk=case.backup_run_id)
        if run.status != RunStatus.COMPLETED:
            return
        item = self._item(case)
        if item is None:
            case.step = "back up"
            return
        # A lost backup is retried, so that a newer set can have the policy as it is afterwards.
        case.backup_set_id = item.backup_set_id
        if case.is_deleted:
            self._graph.delete_object(case.tenant.external_id, KIND, case.graph_id)
            case.was_changed, case.step = True, "preview"
        else:
            entry = self._object(case)
            changed = {**entry, "description": CHANGED}
            self._graph.put_object(case.tenant.external_id, KIND, changed)
            case.was_changed, case.step = True, "preview"

    def _object(self, case: Case) -> dict[str, Any]:
        objects = self._graph.objects(case.tenant.external_id, KIND)
        return next(entry for entry in objects if entry["id"] == case.graph_id)

    def _item(self, case: Case) -> SetItem | None:
        """Return the policy in its backup set, or in the newest completed one that contains it."""
        items = BackupItem.objects.filter(
            tenant=case.tenant, kind=KIND, graph_id=case.graph_id, complete=True
        )
        sets = SetItem.objects.of(items).filter(backup_set__ended_at__isnull=False)
        if case.backup_set_id:
            sets = sets.filter(backup_set=case.backup_set_id)
        return sets.select_related("item", "backup_set").order_by("-backup_set_id").first()

    def _preview(self, case: Case) -> list[int]:
        item = self._item(case)
        if item is None:
            raise ValidationError("The backup set has been removed.")
        restore, result = services.start_preview(
            item.backup_set, [item.item], Options(), by=self._user
        )
        case.restore_id, case.step = restore.pk, "execute"
        self.counts["previews started"] += 1
        return [result.run.pk]

    def _execute(self, case: Case) -> list[int]:
        """Execute the restore once it was previewed; preview again if the preview was lost."""
        restore = RestoreRun.objects.with_scope().get(pk=case.restore_id)
        if restore.status == RestoreStatus.ENDED:
            case.step = "preview"
            return []
        if restore.status != RestoreStatus.PREVIEWED:
            return []
        services.decide(restore, {item.pk: Decision.TAKE for item in restore.items.all()})
        result = services.execute(
            restore,
            by=self._user,
            decision_digest=services.decision_digest_of(restore),
            tenant_name=restore.tenant.name,
        )
        case.step = "wait"
        self.counts["restores executed"] += 1
        return [result.run.pk]

    def _wait(self, case: Case) -> list[int]:
        """End the case with its restore; retry what was not certainly written."""
        restore = RestoreRun.objects.with_scope().get(pk=case.restore_id)
        if restore.status != RestoreStatus.ENDED:
            return []
        remains = any(item.is_remaining for item in restore.items.all())
        if not remains or case.attempts == MAX_ATTEMPTS:
            case.step = "end"
            self.counts["cases ended"] += 1
            return []
        retried, result = services.retry(restore, by=self._user)
        case.restore_id, case.step = retried.pk, "execute"
        case.attempts += 1
        self.counts["restores retried"] += 1
        return [result.run.pk]
