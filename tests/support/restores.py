"""A tenant in the Graph sandbox with a backup of everything, and restores of it, executed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backups.models import BackupItem, BackupSchedule, BackupSet
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from operations.testing import run_now
from providers.graph.kinds import KIND
from providers.models import Access, ProviderConnection
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
    """A tenant with one backup set, and everything one does with them."""

    tenant: Tenant
    graph: SandboxControl
    backup_set: BackupSet
    schedule: BackupSchedule
    person: User
    back_up: Callable[[BackupSchedule], OperationRun]

    def items(self, kind: str = "") -> list[BackupItem]:
        found = self.backup_set.items.order_by("kind", "name", "pk")
        return list(found.filter(kind=kind) if kind else found)

    def objects(self, kind: str) -> dict[str, dict[str, Any]]:
        """What the Graph sandbox has now, by id."""
        return {entry["id"]: entry for entry in self.graph.objects(self.tenant.external_id, kind)}

    def change(self, item: BackupItem, **columns: Any) -> None:
        """Somebody changes an object in the tenant."""
        entry = self.objects(item.kind)[item.graph_id]
        self.graph.put_object(self.tenant.external_id, item.kind, {**entry, **columns})

    def delete(self, item: BackupItem) -> None:
        self.graph.delete_object(self.tenant.external_id, item.kind, item.graph_id)

    def back_up_again(self, item: BackupItem) -> BackupItem:
        """Back everything up once more; the object's item in the new set."""
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
        """Confirm a restore; its run, which nobody has executed yet."""
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
        """Preview, let the backup win every conflict, and write."""
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
    """By name, what became of each item."""
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
    """A change that somebody makes in the admin center; locations and policies of conditional
    access have no description."""
    if item.kind in ("named_location", "conditional_access"):
        return {"displayName": f"{item.name} changed"}
    return {"description": "changed"}


# --- the preview ------------------------------------------------------------------------------------


def changed(place: Place, kind: str = "compliance") -> BackupItem:
    item = place.items(kind)[0]
    place.change(item, **a_change(item))
    return item
