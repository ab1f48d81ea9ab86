"""A tenant in the Graph sandbox with a backup of all objects, and restores executed in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backups.models import BackupItem, BackupSchedule, BackupSet
from operations.models import OperationRun
from operations.testing import run_now
from providers.graph.kinds import KIND
from providers.models import Access, ProviderConnection
from providers.sandbox.control import SandboxControl
from restores import services
from restores.bodies import Options
from restores.models import Choice, RestoreItem, RestoreRun
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory

KINDS = [
    "settings_catalog",
    "device_configuration",
    "compliance",
    "named_location",
    "conditional_access",
]


@dataclass
class Place:
    """A tenant with one backup set, and the actions on them."""

    tenant: Tenant
    graph: SandboxControl
    backup_set: BackupSet
    schedule: BackupSchedule
    person: User
    back_up: Callable[[BackupSchedule], OperationRun]

    def items(self, kind: str = "") -> list[BackupItem]:
        items = self.backup_set.items.order_by("kind", "name", "pk")
        return list(items.filter(kind=kind) if kind else items)

    def objects(self, kind: str) -> dict[str, dict[str, Any]]:
        """The current objects of the Graph sandbox, by id."""
        return {entry["id"]: entry for entry in self.graph.objects(self.tenant.external_id, kind)}

    def change(self, item: BackupItem, **columns: Any) -> None:
        """Change an object in the tenant, as an administrator does."""
        entry = self.objects(item.kind)[item.graph_id]
        self.graph.put_object(self.tenant.external_id, item.kind, {**entry, **columns})

    def delete(self, item: BackupItem) -> None:
        self.graph.delete_object(self.tenant.external_id, item.kind, item.graph_id)

    def back_up_again(self, item: BackupItem) -> BackupItem:
        """Back up all objects again; returns the object's item in the new set."""
        self.backup_set = self.back_up(self.schedule).backup_set
        return self.backup_set.items.get(kind=item.kind, graph_id=item.graph_id)

    def preview(self, items: list[BackupItem], **options: str) -> RestoreRun:
        restore, result = services.start_preview(
            self.backup_set, items, Options(**options), by=self.person
        )
        run = run_now(result.run)
        assert run.outcome in ("succeeded", "partially_succeeded"), run.failures
        return RestoreRun.objects.with_scope().get(pk=restore.pk)

    def take_all(self, restore: RestoreRun) -> None:
        services.choose(restore, {item.pk: Choice.TAKE for item in restore.items.all()})

    def start(self, restore: RestoreRun) -> OperationRun:
        """Confirm a restore; returns its queued run."""
        fresh = RestoreRun.objects.with_scope().get(pk=restore.pk)
        return services.execute(
            fresh,
            by=self.person,
            decided=services.decided_of(fresh),
            tenant_name=self.tenant.name,
        ).run

    def execute(self, restore: RestoreRun) -> OperationRun:
        return run_now(self.start(restore))

    def restore(self, items: list[BackupItem], **options: str) -> tuple[RestoreRun, OperationRun]:
        """Preview, decide every conflict for the backup, and write."""
        restore = self.preview(items, **options)
        self.take_all(restore)
        run = self.execute(restore)
        return RestoreRun.objects.with_scope().get(pk=restore.pk), run


@pytest.fixture
def place(
    tenant: Tenant,
    graph: SandboxControl,
    add_to_graph: Callable[..., ProviderConnection],
    back_up: Callable[[BackupSchedule], OperationRun],
    manager: User,
) -> Place:
    connection = add_to_graph(tenant)
    connection.access = Access.READ_WRITE
    connection.save()
    schedule = BackupScheduleFactory(tenant=tenant, kinds=KINDS)
    run = back_up(schedule)
    assert run.outcome == "succeeded", run.failures
    return Place(tenant, graph, run.backup_set, schedule, manager, back_up)


def state_of(restore: RestoreRun) -> dict[str, str]:
    """The state of each item, by name."""
    return dict(restore.items.values_list("name", "state"))


def only(restore: RestoreRun) -> RestoreItem:
    """The one item of a restore."""
    item: RestoreItem = restore.items.get()
    return item


def a_target(what: str, **more: str) -> dict[str, dict[str, str]]:
    return {"target": {"@odata.type": f"#microsoft.graph.{what}", **more}}


def written(place: Place, item: BackupItem) -> list[dict[str, Any]]:
    """The objects of the item's name."""
    kind = KIND[item.kind]
    return [
        entry for entry in place.objects(item.kind).values() if kind.name_of(entry) == item.name
    ]


def a_change(item: BackupItem) -> dict[str, str]:
    """A change made in the admin center; locations and policies of conditional
    access have no description."""
    if item.kind in ("named_location", "conditional_access"):
        return {"displayName": f"{item.name} changed"}
    return {"description": "changed"}


# --- the preview ------------------------------------------------------------------------------------


def changed(place: Place, kind: str = "compliance") -> BackupItem:
    item = place.items(kind)[0]
    place.change(item, **a_change(item))
    return item
