"""Plans the past of the fleet: connection checks, backups of every slot, syncs, and one outage."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse

from backups.models import BackupSchedule
from backups.requests import scheduled_request
from backups.slots import slots_between
from dev.demo.fleet import (
    KINDS,
    OUTAGE,
    OUTAGE_NIGHTS_AGO,
    PERMISSION,
    PERMISSION_KINDS,
    FleetTenant,
    Story,
)
from dev.demo.fleet_objects import FleetObject, Seen
from dev.demo.fleet_runs import WORKERS, PastItem, PastRun, PastSet
from inventory.kinds import POLICY_KINDS
from inventory.services import sync_request
from operations.context import format_slot
from operations.counts import COUNT_KEYS
from operations.dispatch import RunRequest
from operations.failures import Failure
from operations.reasons import SafeError, get_reason
from operations.states import Ending, RunOutcome
from operations.types import OperationRunType
from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence
from providers.models import ProviderConnection
from providers.probes import PROBES
from tenancy.models import Tenant, User, Workspace

Json = dict[str, Any]
DAY = dt.timedelta(days=1)
MAX_SLOTS = 500
#: A manager starts the sync of all tenants at this time of day, in UTC.
SYNC_AT = dt.time(5, 40)
#: An operator retries half of the backups that the outage hit.
RETRIED_AT = dt.time(6, 50)


@dataclass
class Member:
    """A tenant of the fleet with everything that belongs to it; `since` is when it was added."""

    plan: FleetTenant
    tenant: Tenant
    connection: ProviderConnection
    since: dt.datetime
    schedule: BackupSchedule | None = None
    objects: Sequence[FleetObject] = ()
    #: The contents that the backups have read so far: True for an edited object.
    read: dict[str, bool] = field(default_factory=dict)
    #: Whether a sync has listed its objects.
    is_synced: bool = False

    @property
    def pace(self) -> float:
        """How slow the tenant is, between 0.6 and 2.2."""
        return 0.6 + self.tenant.pk * 37 % 100 / 62

    def is_in(self, story: Story, at: dt.datetime, cut: dt.datetime) -> bool:
        """Whether a story of the tenant had begun by this time."""
        if self.plan.story is not story:
            return False
        return self.plan.nights_ago is None or at >= self.began_at(cut)

    def began_at(self, cut: dt.datetime) -> dt.datetime:
        """When the story of the tenant began: in the afternoon, some nights ago."""
        if self.plan.nights_ago is None:
            return self.since
        return at_time(cut, self.plan.nights_ago, dt.time(14, 5))


def at_time(cut: dt.datetime, days_ago: int, time: dt.time) -> dt.datetime:
    """Return a time of day in UTC, some days ago."""
    return dt.datetime.combine(cut.date() - days_ago * DAY, time, tzinfo=dt.UTC)


class History:
    """The runs of the fleet up to `cut`; every slot until then has one."""

    def __init__(self, workspace: Workspace, users: Mapping[str, User], cut: dt.datetime) -> None:
        self.workspace, self.users, self.cut = workspace, users, cut
        self.runs: list[PastRun] = []
        self.seen: dict[tuple[int, str], Seen] = {}
        #: The items that need the address of a policy.
        self.changed: list[tuple[PastItem, tuple[int, str]]] = []
        self._chance = random.Random("fleet")  # noqa: S311 - invented data
        began, ended = (at_time(cut, OUTAGE_NIGHTS_AGO, time) for time in OUTAGE)
        self.outage = began, ended

    # --- backups ------------------------------------------------------------------------------

    def back_up(self, member: Member) -> None:
        """Plan a run for each slot of the tenant's schedule."""
        schedule = member.schedule
        if schedule is None:
            return
        slots = slots_between(schedule.cron, schedule.timezone, member.since, self.cut, MAX_SLOTS)
        slots = [slot for slot in slots if not member.is_in(Story.PAUSED, slot, self.cut)]
        suspended = [slot for slot in slots if member.is_in(Story.SUSPENDED, slot, self.cut)]
        request = scheduled_request(schedule, self.cut.replace(second=0, microsecond=0)).row()
        hit: list[PastRun] = []
        for slot in slots[: len(slots) - len(suspended)]:
            row = _with_context(request, scheduled_for=format_slot(slot))
            run = self._backup(member, row, slot + schedule.spread)
            self.runs.append(run)
            if run.outcome == RunOutcome.FAILED:
                hit.append(run)
        if suspended:
            self.runs.append(_suspended(member, request, suspended))
        if hit and member.tenant.pk % 2:
            self._retry(member, hit[-1])

    def _backup(self, member: Member, row: Json, due_at: dt.datetime) -> PastRun:
        created_at = due_at + self._seconds(0.2, 4)
        started_at = created_at + self._seconds(0.3, 18)
        run = PastRun(row, created_at, started_at, started_at, worker=self._worker())
        if member.is_in(Story.EXPIRED, started_at, self.cut):
            _expire(run, KINDS[0])
            return run
        seconds = self._chance.uniform(38, 62) * member.pace
        is_long_ago = self.cut - started_at > dt.timedelta(hours=1)
        if is_long_ago and self._chance.random() < 0.004:
            seconds *= 6
        backup_set = PastSet(member.tenant.pk, _schedule_of(member).pk, list(KINDS))
        if self.outage[0] <= started_at < self.outage[1]:
            error = SafeError("service_unavailable", status=503)
            backup_set.unlisted = dict.fromkeys(KINDS, error)
            seconds = self._chance.uniform(95, 130)
        elif member.is_in(Story.FORBIDDEN, started_at, self.cut):
            backup_set.unlisted = _forbidden(PERMISSION_KINDS)
        elif self._chance.random() < 0.012:
            listed = _listed(member, KINDS, started_at)
            policy = self._chance.choice(listed)
            backup_set.failed = {policy.key: SafeError("throttled")}
        run.completed_at = started_at + dt.timedelta(seconds=seconds)
        _read(member, run, backup_set)
        return run

    def _retry(self, member: Member, failed: PastRun) -> None:
        """Retry a backup of the outage on the next morning, as an operator did."""
        by = self.users["operator"]
        created_at = at_time(self.cut, OUTAGE_NIGHTS_AGO, RETRIED_AT)
        row = failed.row | {
            "type": OperationRunType.BACKUP_SCHEDULE_RETRY.value,
            "user_id": by.pk,
            "initiator_name": by.get_full_name(),
        }
        started_at = created_at + self._seconds(1, 240)
        run = PastRun(row, created_at, started_at, started_at, worker=self._worker())
        run.retry_of = failed
        run.completed_at = started_at + self._seconds(40, 60) * member.pace
        parent = failed.backup_set
        _read(
            member,
            run,
            PastSet(member.tenant.pk, _schedule_of(member).pk, list(KINDS), parent=parent),
        )
        self.runs.append(run)

    # --- connection checks and syncs ------------------------------------------------------------

    def check(self, member: Member) -> None:
        """Plan the connection check after the tenant was added."""
        request = RunRequest(
            type=OperationRunType.PROVIDER_CONNECTION_CHECK,
            workspace=self.workspace,
            tenant=member.tenant,
            by=self.users["manager"],
            inputs={"provider_connection_id": member.connection.pk},
            context={
                "provider_connection_id": member.connection.pk,
                "target_scope": {
                    "tenant_name": member.tenant.name,
                    "tenant_external_id": str(member.tenant.external_id),
                },
            },
        )
        created_at = member.since + self._seconds(60, 900)
        started_at = created_at + self._seconds(0.3, 3)
        run = PastRun(request.row(), created_at, started_at, started_at, worker=self._worker())
        run.completed_at = started_at + self._seconds(2, 5)
        is_forbidden = member.is_in(Story.FORBIDDEN, started_at, self.cut)
        errors = _forbidden(PERMISSION_KINDS if is_forbidden else ())
        run.items = [PastItem(key, label, errors.get(key)) for key, (label, _) in PROBES.items()]
        run.phase = f"Checking: {run.items[-1].label}"
        run.failures = [Failure(errors[key], item=PROBES[key][0]) for key in errors]
        run.counts = _counts(len(run.items), failed=len(errors))
        self.runs.append(run)

    def sync_every_morning(self, members: Sequence[Member]) -> None:
        """Plan the sync of all tenants on each morning, with a child run for each active tenant."""
        by = self.users["manager"]
        requests = {
            member.tenant.pk: sync_request(
                OperationRunType.INVENTORY_SYNC,
                member.tenant,
                by=by,
                initiator_name=by.get_full_name(),
            ).row()
            for member in members
        }
        parent = RunRequest(
            type=OperationRunType.WORKSPACE_INVENTORY_SYNC, workspace=self.workspace, by=by
        ).row()
        first = min(member.since for member in members)
        for days_ago in range((self.cut - first).days, -1, -1):
            at = at_time(self.cut, days_ago, SYNC_AT)
            active = [
                member
                for member in members
                if member.since < at and not member.is_in(Story.SUSPENDED, at, self.cut)
            ]
            if active and at + dt.timedelta(minutes=30) < self.cut:
                self._sync_all(active, at, parent, requests)

    def _sync_all(
        self, members: Sequence[Member], at: dt.datetime, row: Json, requests: Mapping[int, Json]
    ) -> None:
        parent = PastRun(row, at, at, at + self._seconds(0.5, 2), worker=WORKERS[0])
        started_at = at + self._seconds(2, 3)
        total: Counter[str] = Counter()
        children = []
        for number, member in enumerate(members):
            # Eight workers share the child runs.
            start = started_at + dt.timedelta(seconds=number // len(WORKERS) * 4.2)
            child = PastRun(requests[member.tenant.pk], started_at, start, start)
            child.worker, child.parent = WORKERS[number % len(WORKERS)], parent
            child.completed_at = start + self._seconds(1.5, 4)
            self._sync(member, child)
            children.append((member, child))
            total.update({key: child.counts.get(key, 0) for key in COUNT_KEYS})
            if error := _child_error(child):
                parent.failures.append(Failure(error, item=member.tenant.name))
                if not child.counts.get("failed"):
                    total.update(total=1, processed=1, failed=1)
        parent.completed_at = max(child.completed_at for _, child in children) + self._seconds(1, 2)
        parent.counts = {key: count for key in COUNT_KEYS if (count := total[key])}
        parent.phase = f"{len(members)} of {len(members)} tenants"
        parent.items = [
            PastItem("", member.tenant.name, _child_error(child), child=child)
            for member, child in children
        ]
        self.runs += [parent, *(child for _, child in children)]

    def _sync(self, member: Member, run: PastRun) -> None:
        started_at = run.started_at or run.created_at
        if member.is_in(Story.EXPIRED, started_at, self.cut):
            _expire(run, next(iter(POLICY_KINDS)))
            return
        forbidden: Sequence[str] = ()
        if member.is_in(Story.FORBIDDEN, started_at, self.cut):
            forbidden = PERMISSION_KINDS
        changes: Counter[str] = Counter()
        for policy in member.objects:
            if policy.kind in forbidden:
                continue
            if change := self._mirror(member, policy, run):
                changes[change] += 1
        member.is_synced = True
        errors = _forbidden(forbidden)
        for kind, error in errors.items():
            label = KIND[kind].label_plural
            run.items.append(PastItem(f"kind:{kind}", label, error))
            run.failures.append(Failure(error, item=label))
        succeeded = sum(changes.values())
        run.counts = _counts(succeeded + len(errors), failed=len(errors), **changes)
        run.phase = f"Listing {in_sentence(list(POLICY_KINDS.values())[-1].label_plural)}"

    def _mirror(self, member: Member, policy: FleetObject, run: PastRun) -> str:
        """Return how a sync counts an object; empty if Graph did not list it and had not before."""
        started_at, ended_at = run.started_at or run.created_at, run.completed_at
        place = (member.tenant.pk, policy.key)
        seen = self.seen.get(place)
        is_edited = policy.is_edited_by(started_at)
        entry = policy.edited if is_edited and policy.edited else policy.entry
        if not policy.exists_at(started_at):
            if seen is None or seen.missing_since:
                return ""
            seen.missing_since = ended_at
            change, word = "deleted", "Deleted"
        elif seen is None:
            self.seen[place] = Seen(policy, entry, ended_at, ended_at)
            change, word = "created", "New"
        elif seen.entry is entry:
            return "unchanged"
        else:
            seen.entry, seen.changed_at = entry, ended_at
            change, word = "updated", "Changed"
        # The first sync records no items: all objects would be new.
        if member.is_synced:
            item = PastItem(policy.key, f"{word}: {KIND[policy.kind].name_of(entry)}")
            run.items.append(item)
            self.changed.append((item, place))
        return change

    def link_policies(self, ids: Mapping[tuple[int, str], int]) -> None:
        """Link the changes that the syncs found to the stored policies."""
        for item, place in self.changed:
            item.link = reverse("policy_detail", args=[self.workspace.slug, ids[place]])

    # --- chance -------------------------------------------------------------------------------

    def _seconds(self, shortest: float, longest: float) -> dt.timedelta:
        return dt.timedelta(seconds=self._chance.uniform(shortest, longest))

    def _worker(self) -> str:
        return self._chance.choice(WORKERS)


def _schedule_of(member: Member) -> BackupSchedule:
    assert member.schedule
    return member.schedule


def _with_context(row: Json, **values: Any) -> Json:
    return row | {"context": row["context"] | values}


def _expire(run: PastRun, kind: str) -> None:
    """End a run as its first request does with an expired client secret."""
    run.completed_at = (run.started_at or run.created_at) + dt.timedelta(seconds=1.3)
    run.ending = Ending.BLOCKED
    run.phase = f"Listing {in_sentence(KIND[kind].label_plural)}"
    run.failures = [Failure(SafeError("credential_expired"))]


def _suspended(member: Member, request: Json, slots: Sequence[dt.datetime]) -> PastRun:
    """The blocked run that stands for all slots of a suspended tenant."""
    first, last = format_slot(slots[0]), format_slot(slots[-1])
    repeated = {"slots": len(slots), "first": first, "last": last}
    values: Json = {"scheduled_for": first}
    if len(slots) > 1:
        values["repeated"] = repeated
    due_at = slots[0] + _schedule_of(member).spread + dt.timedelta(seconds=2)
    run = PastRun(_with_context(request, **values), due_at, due_at, ending=Ending.BLOCKED)
    run.failures = [Failure(SafeError("tenant_suspended", tenant=member.tenant.name))]
    return run


def _forbidden(kinds: Sequence[str]) -> dict[str, SafeError]:
    """The errors of kinds for which the permission is missing."""
    return {
        kind: SafeError(
            "permission_missing",
            kind=in_sentence(KIND[kind].label_plural),
            permission=PERMISSION,
            status=403,
        )
        for kind in kinds
    }


def _listed(member: Member, kinds: Sequence[str], at: dt.datetime) -> list[FleetObject]:
    existing = [each for each in member.objects if each.exists_at(at)]
    return [each for kind in kinds for each in existing if each.kind == kind]


def _read(member: Member, run: PastRun, backup_set: PastSet) -> None:
    """Set what a backup counted and which failures it found."""
    started_at = run.started_at or run.created_at
    changes: Counter[str] = Counter()
    listed = _listed(member, backup_set.listed_kinds, started_at)
    for policy in listed:
        if policy.key in backup_set.failed:
            run.failures.append(Failure(backup_set.failed[policy.key], item=policy.name))
            continue
        is_edited = policy.is_edited_by(started_at)
        before = member.read.get(policy.key)
        member.read[policy.key] = is_edited
        if before is None:
            changes["created"] += 1
        else:
            changes["unchanged" if before == is_edited else "updated"] += 1
    for kind, error in backup_set.unlisted.items():
        run.failures.append(Failure(error, item=KIND[kind].label_plural))
    failed = len(backup_set.unlisted) + len(backup_set.failed)
    run.counts = _counts(len(listed) + len(backup_set.unlisted), failed=failed, **changes)
    last = listed[-1].kind if listed else KINDS[-1]
    verb = "Reading" if listed else "Listing"
    run.phase = f"{verb} {in_sentence(KIND[last].label_plural)}"
    backup_set.listed_count = len(listed)
    run.backup_set = backup_set


def _counts(total: int, *, failed: int, **changes: int) -> dict[str, int]:
    counts = {"total": total, "processed": total, "succeeded": total - failed, "failed": failed}
    return {key: count for key, count in (counts | changes).items() if count}


def _child_error(child: PastRun) -> SafeError | None:
    """The failure that a sync of all tenants reports for a tenant: see `inventory.fan_out`."""
    if child.outcome == RunOutcome.SUCCEEDED:
        return None
    cause = get_reason(child.failures[0].error.code).label
    return SafeError("tenant_not_synced", outcome=child.outcome.label.lower(), cause=cause)
