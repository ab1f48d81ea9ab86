"""Factories that create a valid restore in one call."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from django.utils import timezone

from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from tests.support.factories import UserFactory
from tests.support.factories.backups import BackupItemFactory, BackupSetFactory

DIFFERENCE = {"path": "description", "difference": "changed", "before": "there", "after": "backup"}


class RestoreRunFactory(factory.django.DjangoModelFactory[RestoreRun]):
    """A restore whose preview is running."""

    backup_set = factory.SubFactory(BackupSetFactory)
    tenant = factory.SelfAttribute("backup_set.tenant")
    workspace = factory.SelfAttribute("backup_set.workspace")
    requested_by = factory.SubFactory(UserFactory)
    requested_by_name = "Marc"

    class Meta:
        model = RestoreRun


class RestoreItemFactory(factory.django.DjangoModelFactory[RestoreItem]):
    """An item with the action “update”."""

    restore = factory.SubFactory(RestoreRunFactory)
    backup_item = factory.LazyAttribute(
        lambda item: BackupItemFactory(backup_set=item.restore.backup_set)
    )
    version = factory.SelfAttribute("backup_item.version")
    kind = factory.SelfAttribute("backup_item.kind")
    graph_id = factory.SelfAttribute("backup_item.graph_id")
    name = factory.SelfAttribute("backup_item.name")
    action = Action.UPDATE
    target_id = factory.SelfAttribute("graph_id")
    live_hash = "a" * 64
    expected_hash = "b" * 64
    changes = factory.LazyFunction(lambda: [dict(DIFFERENCE)])

    class Meta:
        model = RestoreItem


def create_restore(
    tenant: Any,
    *items: dict[str, Any],
    executing: bool = False,
    expires_in: dt.timedelta = dt.timedelta(days=3),
    **columns: Any,
) -> RestoreRun:
    """Create a previewed or executing restore with one item or with `items`."""
    backup_set = BackupSetFactory(
        schedule__tenant=tenant, started_at=timezone.now() - dt.timedelta(days=1)
    )
    restore: RestoreRun = RestoreRunFactory(backup_set=backup_set, **columns)
    for item in items or ({},):
        RestoreItemFactory(restore=restore, **item)
    # The database guards accept the statuses only in their order.
    restore.status, restore.preview_digest = RestoreStatus.PREVIEWED, "d" * 64
    restore.previewed_at = timezone.now()
    restore.preview_expires_at = timezone.now() + expires_in
    restore.save()
    if executing:
        restore.status, restore.is_dry_run = RestoreStatus.EXECUTING, False
        restore.executed_at = timezone.now()
        restore.save()
    return restore
