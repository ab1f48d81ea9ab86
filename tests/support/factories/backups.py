"""Factories of schedules, backup sets, versions, items and exports."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import factory
from django.db import transaction
from django.utils import timezone

from backups import retention, slots
from backups.models import (
    BackupItem,
    BackupSchedule,
    BackupSet,
    PolicyChange,
    PolicyExport,
    PolicyVersion,
    RevisionReason,
    SetStatus,
    SharedItems,
)
from backups.recording import record_changes
from backups.revisions import record_revisions
from tenancy.models import Tenant
from tests.support.database import without_guards
from tests.support.factories import TenantFactory

MINUTE = dt.timedelta(minutes=1)
FAR = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc,arg-type]


class BackupScheduleFactory(factory.django.DjangoModelFactory[BackupSchedule]):
    """A daily schedule at 02:30 UTC with the next slot `due`; `paused=True` for a paused one.

    Every slot before `due` is settled.
    """

    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    name = factory.Sequence(lambda n: f"Nightly {n}")
    cron = "30 2 * * *"
    kinds = factory.LazyFunction(lambda: ["settings_catalog", "conditional_access"])
    next_run_at = factory.SelfAttribute("due")
    settled_until = factory.LazyAttribute(
        lambda row: min((row.next_run_at or FAR) - MINUTE, timezone.now())
    )
    rules_version = factory.LazyFunction(slots.rules_version)

    class Meta:
        model = BackupSchedule

    @classmethod
    def _create(
        cls, model_class: type[BackupSchedule], *args: Any, **values: Any
    ) -> BackupSchedule:
        with transaction.atomic():
            schedule = super()._create(model_class, *args, **values)
            record_revisions([schedule], RevisionReason.CREATED)
        return schedule

    class Params:
        due = FAR
        paused = factory.Trait(
            paused_at=factory.LazyFunction(timezone.now),
            pause_reason="Migration",
            next_run_at=None,
        )


class BackupSetFactory(factory.django.DjangoModelFactory[BackupSet]):
    """A building set; call `finish` after its items were added."""

    schedule = factory.SubFactory(BackupScheduleFactory)
    tenant = factory.SelfAttribute("schedule.tenant")
    workspace = factory.SelfAttribute("schedule.workspace")
    kinds = factory.LazyAttribute(lambda row: list(row.schedule.kinds))
    listed_kinds = factory.LazyAttribute(lambda row: list(row.kinds))
    started_at = factory.LazyFunction(timezone.now)

    class Meta:
        model = BackupSet


class PolicyVersionFactory(factory.django.DjangoModelFactory[PolicyVersion]):
    payload = factory.Sequence(lambda n: {"id": f"object-{n}", "displayName": f"Policy {n}"})
    content_hash = factory.LazyAttribute(
        lambda row: hashlib.sha256(repr(row.payload).encode()).hexdigest()
    )
    normalized_hash = factory.SelfAttribute("content_hash")
    size = 100

    class Meta:
        model = PolicyVersion
        django_get_or_create = ("workspace", "content_hash")


class BackupItemFactory(factory.django.DjangoModelFactory[BackupItem]):
    """A complete item; `missed=True` for one that was not read."""

    backup_set = factory.SubFactory(BackupSetFactory)
    tenant = factory.SelfAttribute("backup_set.tenant")
    workspace = factory.SelfAttribute("backup_set.workspace")
    kind = "conditional_access"
    graph_id = factory.Sequence(lambda n: f"object-{n}")
    name = factory.Sequence(lambda n: f"Policy {n}")
    version = factory.SubFactory(
        PolicyVersionFactory, workspace=factory.SelfAttribute("..workspace")
    )
    complete = True
    captured_at = factory.LazyFunction(timezone.now)

    class Meta:
        model = BackupItem

    class Params:
        missed = factory.Trait(
            complete=False, version=None, captured_at=None, reason_code="not_attempted_in_set"
        )


def share_items(backup_set: BackupSet, *items: BackupItem, is_read: bool = False) -> SharedItems:
    """Let a building set share items of one kind."""
    return SharedItems.objects.create(
        workspace=backup_set.workspace,
        tenant=backup_set.tenant,
        backup_set=backup_set,
        kind=items[0].kind,
        is_read=is_read,
        item_ids=[item.pk for item in items],
    )


def delete_expired(backup_set: BackupSet) -> None:
    """Delete a finished set of a schedule as retention does when it is too old."""
    keep = {"retention_keep_sets": 1, "retention_keep_days": 1}
    BackupSchedule.objects.filter(sets=backup_set).update(**keep)
    with without_guards("backup_sets"):
        BackupSet.objects.filter(pk=backup_set.pk).update(
            ended_at=timezone.now() - dt.timedelta(days=4000)
        )
    assert retention.delete_set(backup_set)


class PolicyExportFactory(factory.django.DjangoModelFactory[PolicyExport]):
    """An export that can be downloaded; `expired=True` for an expired one."""

    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    file_name = factory.Sequence(lambda n: f"Policies {n}.zip")
    archive = b"PK"
    size = 2
    sha256 = hashlib.sha256(b"PK").hexdigest()
    item_count = 1
    expires_at = FAR

    class Meta:
        model = PolicyExport

    class Params:
        expired = factory.Trait(
            expires_at=factory.LazyFunction(lambda: timezone.now() - dt.timedelta(days=1))
        )


def finish(
    backup_set: BackupSet, status: SetStatus = SetStatus.COMPLETE, **extra: Any
) -> BackupSet:
    """Finish a set and return it."""
    counts = {
        "item_count": backup_set.items.count(),
        "incomplete_count": backup_set.items.incomplete().count(),
    }
    changes = {"status": status, "ended_at": timezone.now()} | counts | extra
    BackupSet.objects.filter(pk=backup_set.pk).update(**changes)
    backup_set.refresh_from_db()
    return backup_set


def create_change(tenant: Tenant) -> PolicyChange:
    """Create two sets of a tenant whose policy differs, and record the change."""
    schedule = BackupScheduleFactory(tenant=tenant)
    for hours_ago, state in ((2, "enabled"), (1, "disabled")):
        at = timezone.now() - dt.timedelta(hours=hours_ago)
        backup_set = BackupSetFactory(schedule=schedule, started_at=at)
        version = PolicyVersionFactory(workspace=tenant.workspace, payload={"state": state})
        BackupItemFactory(backup_set=backup_set, graph_id="mfa", name="MFA", version=version)
        record_changes(finish(backup_set, ended_at=at))
    return backup_set.changes.get()
