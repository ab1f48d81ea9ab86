"""The preview of a restore: read the current objects and plan each one. It writes nothing to them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from backups.models import BackupItem
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError
from providers.graph.kinds import KIND
from providers.graph.policy_kind import Capture, PolicyKind, Restore, in_sentence
from providers.handling import raise_if_blocking, read_many
from restores import bodies, planning
from restores.loading import (
    NewIds,
    existing_ids,
    load_items,
    merged,
    options_of,
    replaced_ids,
    restorable_items,
    restored_ids,
)
from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from restores.planning import LiveObject, Plan, References
from restores.reading import LiveTenant
from restores.target import Target

Missing = Mapping[str, str]
MissingKey = tuple[str, str]


class Preview:
    """One run's preview of one restore."""

    def __init__(self, run: ActiveRun, restore: RestoreRun, client: GraphClient) -> None:
        self._run = run
        self._restore = restore
        self._client = client
        self._live = LiveTenant(client, restore.tenant_id, run.checkpoint)
        self._options = options_of(restore)
        self._items: list[RestoreItem] = []
        #: Objects that this restore creates or takes over, by their ids in the backup.
        self._planned: set[str] = set()
        #: The current ids of objects that exist under another id.
        self._new_ids: NewIds = {}
        #: What missing objects lack in turn, by their kind and id.
        self._needs: dict[MissingKey, Sequence[Missing]] = {}

    def build(self) -> None:
        """Compare every item, store its plan, and finish the preview."""
        items = self._items = load_items(self._restore)
        self._run.expect(len(items))
        self._live.load_hashes(items)
        known = [self._target_with_id(item) for item in items]
        captures = (partial(_capture, *each) for each in known if each)
        with read_many(self._run, self._client, captures) as outcomes:
            for item, each in zip(items, known, strict=True):
                self._run.checkpoint()
                if each:
                    self._live.note_read(*each, next(outcomes))
                self._compare(item)
        finish_preview(self._restore)

    def _target_with_id(self, item: RestoreItem) -> tuple[Target, str] | None:
        """The target of an item with its latest known id; None if it need not be read."""
        if item.kind not in KIND or item.version is None:
            return None
        target = Target.of(item, self._options)
        return target, self._live.ids_of(item.kind, item.graph_id)[-1]

    def _compare(self, item: RestoreItem) -> None:
        kind = KIND.get(item.kind)
        label = in_sentence(kind.label_plural) if kind else item.kind
        self._run.set_phase(f"Comparing {label}")
        try:
            plan = self._plan(item)
        except GraphError as error:
            raise_if_blocking(error)
            plan = Plan(Action.BLOCKED, error)
            self._run.report_failure(item.key, error, label=item.name)
        else:
            self._run.report_success(item.key, label=item.name)
        self._note(item, plan)
        RestoreItem.objects.filter(pk=item.pk).update(**planning.as_columns(plan))

    def _plan(self, item: RestoreItem) -> Plan:
        if item.kind not in KIND:
            return Plan(Action.BLOCKED, SafeError("restore_kind_unknown", kind=item.kind))
        target = Target.of(item, self._options)
        live = self._live.find(target) if target.is_backup_available else LiveObject()
        references = self._resolve_references(target)
        may_write = self._may_write(target.kind)
        plan = planning.plan(
            target,
            live,
            references,
            may_write=may_write,
            reads_values=self._client.reads_encrypted_values,
        )
        return replace(plan, missing=self._all_missing(plan.missing))

    def _all_missing(self, missing: Sequence[Missing]) -> Sequence[Missing]:
        """These missing objects, and those that a restore of them from the set would lack in turn.

        A person then sees at once all objects to restore or to replace.
        """
        known = {_key(each): each for each in missing}
        unread = list(known)
        while unread:
            self._load_needs(unread)
            needs = {_key(each): each for key in unread for each in self._needs[key]}
            unread = [key for key in needs if key not in known]
            known |= {key: needs[key] for key in unread}
        return list(known.values())

    def _load_needs(self, keys: Iterable[MissingKey]) -> None:
        new = [key for key in keys if key not in self._needs]
        self._needs |= dict.fromkeys(new, ())
        for key, item in restorable_items(self._restore.backup_set, new).items():
            # What cannot be read is seen by the preview that restores the object.
            with contextlib.suppress(GraphError):
                self._needs[key] = self._needs_of(item)

    def _needs_of(self, item: BackupItem) -> Sequence[Missing]:
        """What the tenant lacks of the objects that an object of the set refers to."""
        row = RestoreItem(version=item.version, kind=item.kind, graph_id=item.graph_id)
        target = Target.of(row, self._options)
        references = self._resolve_references(target)
        expected = bodies.replace_ids(target.kind, target.expected_state, references.new_ids)
        missing = planning.missing_objects(
            bodies.references(target.kind, expected), references.existing_ids
        )
        return [each | {"needed_by": item.name} for each in missing]

    def _may_write(self, kind: PolicyKind) -> bool:
        """False where the access token shows that the permission to write is missing.

        What the token does not show, the write itself will.
        """
        if kind.restore is not Restore.FULL:
            return True
        return self._client.has_permission(kind.write_permission) is not False

    def _resolve_references(self, target: Target) -> References:
        """Look up the objects that the target refers to, and no others."""
        references = bodies.references(target.kind, target.expected_state)
        replaced = replaced_ids(self._live, self._restore.tenant_id, references, self._items)
        new_ids = merged(replaced, self._new_ids, restored_ids(self._live, references))
        current_ids = {new for ids in new_ids.values() for new in ids.values()}
        created = frozenset(self._planned | current_ids)
        return References(existing_ids(self._live, references, created), new_ids)

    def _note(self, item: RestoreItem, plan: Plan) -> None:
        """Let later items of this restore refer to an object that it restores or that exists."""
        if plan.target_id == item.graph_id:
            return
        if plan.action == Action.UNCHANGED:
            self._new_ids.setdefault(item.kind, {})[item.graph_id] = plan.target_id
        elif plan.action in (Action.CREATE, Action.CONFLICT):
            self._planned.add(item.graph_id)


def _key(missing: Missing) -> MissingKey:
    return missing["kind"], missing["id"]


def _capture(target: Target, graph_id: str, client: GraphClient) -> Capture:
    return target.kind.capture_one(client, graph_id, target.object_type)


@transaction.atomic
def finish_preview(restore: RestoreRun) -> None:
    """Store the digest of the preview: from now on, it is exactly what an execution writes."""
    items = list(restore.items.all())
    RestoreRun.objects.filter(pk=restore.pk, status=RestoreStatus.PREVIEWING).update(
        status=RestoreStatus.PREVIEWED,
        preview_digest=planning.digest(items, options_of(restore)),
        previewed_at=Now(),
        preview_expires_at=Now() + dt.timedelta(hours=settings.RESTORE_PREVIEW_HOURS),
    )
