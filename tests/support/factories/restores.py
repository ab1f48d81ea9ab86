"""One call, one valid restore."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from django.utils import timezone

from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from tests.support.factories.backups import BackupItemFactory, BackupSetFactory

DIFFERENCE = {"path": "description", "difference": "changed", "before": "there", "after": "backup"}


class RestoreRunFactory(factory.django.DjangoModelFactory[RestoreRun]):
    """A restore that is being previewed."""

    backup_set = factory.SubFactory(BackupSetFactory)
    tenant = factory.SelfAttribute("backup_set.tenant")
    workspace = factory.SelfAttribute("backup_set.workspace")
    requested_by_name = "Marc"

    class Meta:
        model = RestoreRun


class RestoreItemFactory(factory.django.DjangoModelFactory[RestoreItem]):
    """An item that would be updated."""

    restore = factory.SubFactory(RestoreRunFactory)
    backup_item = factory.LazyAttribute(
        lambda made: BackupItemFactory(backup_set=made.restore.backup_set)
    )
    version = factory.SelfAttribute("backup_item.version")
    kind = factory.SelfAttribute("backup_item.kind")
    graph_id = factory.SelfAttribute("backup_item.graph_id")
    name = factory.SelfAttribute("backup_item.name")
    action = Action.UPDATE
    target_id = factory.SelfAttribute("graph_id")
    live_hash = "a" * 64
    wanted_hash = "b" * 64
    changes = factory.LazyFunction(lambda: [dict(DIFFERENCE)])

    class Meta:
        model = RestoreItem


def a_restore(
    tenant: Any, *items: dict[str, Any], executing: bool = False, **more: Any
) -> RestoreRun:
    """A restore that was previewed, or is being executed: of one item, or of the passed items."""
    backup_set = BackupSetFactory(
        schedule__tenant=tenant, started_at=timezone.now() - dt.timedelta(days=1)
    )
    made: RestoreRun = RestoreRunFactory(backup_set=backup_set, **more)
    for item in items or ({},):
        RestoreItemFactory(restore=made, **item)
    # What is asked for is complete before anything is said about it; so it goes its way in order.
    made.status, made.preview_digest = RestoreStatus.PREVIEWED, "d" * 64
    made.previewed_at = timezone.now()
    made.save()
    if executing:
        made.status, made.is_dry_run, made.executed_at = (
            RestoreStatus.EXECUTING,
            False,
            timezone.now(),
        )
        made.save()
    return made
