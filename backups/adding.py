"""Add selected policies to a named backup set."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from backups import sets
from backups.models import BackupItem, BackupSet, BackupSetQuerySet, SetPurpose, SetStatus
from backups.selections import captures, key_of, selected_of
from inventory.models import Policy
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.kinds import KINDS
from providers.graph.policy_kind import Capture, PolicyKind
from tenancy.models import Tenant


class Adding:
    """The additions of one run to one backup set.

    Each policy is added in a separate transaction that leaves the set finished and consistent, so
    that several runs can add to it at once and a worker that dies leaves no partial write.
    """

    def __init__(self, run: ActiveRun, name: str) -> None:
        self._run = run
        self._name = name

    def add(self, client: GraphClient) -> None:
        """Read and add the selected policies; skip those that the set already contains."""
        policies = selected_of(self._run)
        self._run.expect(len(policies))
        to_add = [policy for policy in policies if self._is_missing(policy)]
        for policy, kind, captured in captures(self._run, client, to_add):
            self._store_and_report(policy, kind, captured)

    def _is_missing(self, policy: Policy) -> bool:
        """Whether the set lacks the policy; reports it as skipped if not."""
        if policy.kind not in KINDS:
            self._skip(policy, SafeError("kind_not_backed_up", kind=policy.kind_label))
            return False
        backup_set = _sets_named(self._run.tenant, self._name).first()
        same_object = {"kind": policy.kind, "graph_id": policy.graph_id}
        if backup_set and backup_set.items.filter(**same_object, complete=True).exists():
            self._skip(policy, SafeError("already_in_set", name=self._name))
            return False
        return True

    def _skip(self, policy: Policy, reason: SafeError) -> None:
        link = policy.get_absolute_url()
        self._run.report_skip(key_of(policy), reason, label=policy.name, link=link)

    def _store_and_report(self, policy: Policy, kind: PolicyKind, captured: Capture) -> None:
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
        self, kind: PolicyKind, graph_id: str, captured: Capture
    ) -> tuple[BackupItem, str | None]:
        """Store one object; return its item and its change, None if another run stored it first.

        The item gets the requested Graph id, whatever id the response contains.
        """
        backup_set = self._lock_and_reopen(kind)
        item = backup_set.items.filter(kind=kind.key, graph_id=graph_id).first()
        if item and item.complete:
            change = None
        else:
            if item is None:
                sets.add_listed(backup_set, kind, [{**captured.payload, "id": graph_id}])
            item = backup_set.items.get(kind=kind.key, graph_id=graph_id)
            change = sets.store(item, kind, captured)
        sets.finish(backup_set)
        return item, change

    def _lock_and_reopen(self, kind: PolicyKind) -> BackupSet:
        """Lock the set, creating it if needed; set it to building and add the kind to its kinds.

        Its row names the run that created it; each later run names the set in its inputs.
        """
        named = _sets_named(self._run.tenant, self._name)
        if not named.exists():
            try:
                with transaction.atomic():
                    self._create_set()
            except IntegrityError:
                pass  # Another run has just created it.
        backup_set = named.with_scope().select_for_update(of=("self",)).get()
        backup_set.status, backup_set.ended_at = SetStatus.BUILDING, None
        backup_set.kinds = backup_set.listed_kinds = sorted({*backup_set.kinds, kind.key})
        backup_set.save()
        return backup_set

    def _create_set(self) -> None:
        BackupSet.objects.create(
            workspace=self._run.workspace,
            tenant=self._run.tenant,
            operation_run=self._run.run,
            purpose=SetPurpose.SELECTION,
            name=self._name,
            kinds=[],
        )


def _sets_named(tenant: Tenant, name: str) -> BackupSetQuerySet:
    """The tenant's selection with this name, if there is one."""
    return BackupSet.objects.filter(tenant=tenant, purpose=SetPurpose.SELECTION, name=name)
