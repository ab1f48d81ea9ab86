"""One call, one valid restore."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from django.utils import timezone

from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from tests.backups.factories import BackupItemFactory, BackupSetFactory

DIFFERENCE = {"path": "description", "difference": "changed", "before": "there", "after": "backup"}


class RestoreRunFactory(factory.django.DjangoModelFactory[RestoreRun]):
    """A restore that was previewed; `executing=True` for one that is being written."""

    backup_set = factory.SubFactory(BackupSetFactory)
    tenant = factory.SelfAttribute("backup_set.tenant")
    workspace = factory.SelfAttribute("backup_set.workspace")
    requested_by_name = "Marc"
    status = RestoreStatus.PREVIEWED
    preview_digest = "d" * 64
    previewed_at = factory.LazyFunction(timezone.now)

    class Meta:
        model = RestoreRun

    class Params:
        executing = factory.Trait(
            status=RestoreStatus.EXECUTING,
            is_dry_run=False,
            executed_at=factory.LazyFunction(timezone.now),
        )


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


def a_restore(tenant: Any, **more: Any) -> RestoreRun:
    """A previewed restore of one item of a tenant."""
    backup_set = BackupSetFactory(
        schedule__tenant=tenant, started_at=timezone.now() - dt.timedelta(days=1)
    )
    made: RestoreRun = RestoreRunFactory(backup_set=backup_set, **more)
    RestoreItemFactory(restore=made)
    return made
