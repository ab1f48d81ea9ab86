"""Adding selected policies to a set of that name, however often it is asked for."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from backups import sets
from backups.models import BackupItem, BackupSet, BackupSetQuerySet, SetPurpose, SetStatus
from backups.selections import captures, key_of, selected_of
from inventory.models import Policy
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.kinds import KINDS
from providers.graph.policy_kind import Captured, PolicyKind
from tenancy.models import Tenant


class Adding:
    """One run's additions to one set.

    Each policy comes in by a transaction of its own that leaves the set finished and true, so
    that several runs may add to it at once and a worker that dies leaves nothing half done.
    """

    def __init__(self, run: ActiveRun, name: str) -> None:
        self._run = run
        self._name = name

    def add(self, client: GraphClient) -> None:
        """Read and add what the run selected; what the set holds already is skipped."""
        policies = selected_of(self._run)
        self._run.expect(len(policies))
        wanted = [policy for policy in policies if self._is_wanted(policy)]
        for policy, kind, captured in captures(self._run, client, wanted):
            self._keep(policy, kind, captured)

    def _is_wanted(self, policy: Policy) -> bool:
        if policy.kind not in KINDS:
            self._skip(policy, SafeError("kind_not_backed_up", kind=policy.kind_label))
            return False
        held = BackupItem.objects.filter(
            backup_set__in=_named(self._run.tenant, self._name),
            kind=policy.kind,
            graph_id=policy.graph_id,
            complete=True,
        )
        if held.exists():
            self._skip(policy, SafeError("already_in_set", name=self._name))
            return False
        return True

    def _skip(self, policy: Policy, reason: SafeError) -> None:
        link = policy.get_absolute_url()
        self._run.report_skip(key_of(policy), reason, label=policy.name, link=link)

    def _keep(self, policy: Policy, kind: PolicyKind, captured: Captured) -> None:
        item, change = self._store(kind, policy.graph_id, captured)
        link = item.get_absolute_url()
        if change is None:
            self._skip(policy, SafeError("already_in_set", name=self._name))
        elif captured.complete:
            self._run.report_success(key_of(policy), label=policy.name, link=link, **{change: 1})
        else:
            error = SafeError("incomplete_capture", missing=", ".join(captured.missing))
            self._run.report_failure(key_of(policy), error, label=policy.name, link=link)

    @transaction.atomic
    def _store(
        self, kind: PolicyKind, graph_id: str, captured: Captured
    ) -> tuple[BackupItem, str | None]:
        """The item, and what is different about it; None where another run was faster.

        It is the object that was asked for, whatever id the answer has.
        """
        backup_set = self._opened(kind)
        held = backup_set.items.filter(kind=kind.key, graph_id=graph_id).first()
        if held and held.complete:
            change = None
        else:
            if held is None:
                sets.add_listed(backup_set, kind, [{**captured.payload, "id": graph_id}])
            held = backup_set.items.get(kind=kind.key, graph_id=graph_id)
            change = sets.store(held, kind, captured)
        sets.finish(backup_set)
        return held, change

    def _opened(self, kind: PolicyKind) -> BackupSet:
        """The set, locked and building, with this kind among its kinds."""
        backup_set = self._locked()
        kinds = sorted({*backup_set.kinds, kind.key})
        backup_set.status, backup_set.finished_at = SetStatus.BUILDING, None
        backup_set.kinds = backup_set.listed_kinds = kinds
        backup_set.save()
        return backup_set

    def _locked(self) -> BackupSet:
        """The set of that name, made if there is none.

        What its first run was is on its row; each later one names it in its own inputs.
        """
        named = _named(self._run.tenant, self._name)
        if not named.exists():
            try:
                with transaction.atomic():
                    self._make()
            except IntegrityError:
                pass  # another run has just made it
        return named.with_scope().select_for_update(of=("self",)).get()

    def _make(self) -> None:
        BackupSet.objects.create(
            workspace=self._run.workspace,
            tenant=self._run.tenant,
            operation_run=self._run.run,
            purpose=SetPurpose.SELECTION,
            name=self._name,
            kinds=[],
            started_at=timezone.now(),
        )


def _named(tenant: Tenant, name: str) -> BackupSetQuerySet:
    """The selection of that name, if there is one."""
    return BackupSet.objects.filter(tenant=tenant, purpose=SetPurpose.SELECTION, name=name)
