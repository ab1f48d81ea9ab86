"""A tenant in the Graph sandbox with a complete backup, and restores executed in the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
from restores.missing import Choices, list_missing, resolve_missing
from restores.models import Decision, Replacement, RestoreItem, RestoreRun
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
class RestoreScenario:
    """A tenant with a backup set, and the steps of a restore."""

    tenant: Tenant
    graph: SandboxControl
    backup_set: BackupSet
    schedule: BackupSchedule
    operator: User
    back_up: Callable[[BackupSchedule], OperationRun]

    def items(self, kind: str = "") -> list[BackupItem]:
        items = self.backup_set.items.order_by("kind", "name", "pk")
        return list(items.filter(kind=kind) if kind else items)

    def objects(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the current objects in the Graph sandbox by id."""
        return {entry["id"]: entry for entry in self.graph.objects(self.tenant.external_id, kind)}

    def change(self, item: BackupItem, **columns: Any) -> None:
        """Change an object in the tenant, outside Runledger."""
        entry = self.objects(item.kind)[item.graph_id]
        self.graph.put_object(self.tenant.external_id, item.kind, {**entry, **columns})

    def delete(self, item: BackupItem) -> None:
        self.graph.delete_object(self.tenant.external_id, item.kind, item.graph_id)

    def back_up_again(self, item: BackupItem) -> BackupItem:
        """Run another backup; return the item of the object in the new set."""
        self.backup_set = self.back_up(self.schedule).backup_set
        return self.backup_set.items.get(kind=item.kind, graph_id=item.graph_id)

    def preview(self, items: list[BackupItem], **options: str) -> RestoreRun:
        restore, result = services.start_preview(
            self.backup_set, items, Options(**options), by=self.operator
        )
        run = run_now(result.run)
        assert run.outcome in ("succeeded", "partially_succeeded"), run.failures
        return RestoreRun.objects.with_scope().get(pk=restore.pk)

    def preview_again(
        self,
        restore: RestoreRun,
        *,
        added: Iterable[BackupItem] = (),
        replacements: Mapping[tuple[str, str], str] | None = None,
        removed: Iterable[Replacement] = (),
    ) -> RestoreRun:
        """Resolve missing objects, and preview again; replacements are by kind and id."""
        choices = Choices(
            [item.pk for item in added],
            {"/".join(key): text for key, text in (replacements or {}).items()},
            [replacement.pk for replacement in removed],
        )
        again, result = resolve_missing(restore, choices, by=self.operator)
        run_now(result.run)
        return RestoreRun.objects.with_scope().get(pk=again.pk)

    def use_backup_for_all(self, restore: RestoreRun) -> None:
        services.decide(restore, {item.pk: Decision.TAKE for item in restore.items.all()})

    def start(self, restore: RestoreRun) -> OperationRun:
        """Confirm a restore without executing its run."""
        fresh = RestoreRun.objects.with_scope().get(pk=restore.pk)
        return services.execute(
            fresh,
            by=self.operator,
            decision_digest=services.decision_digest_of(fresh),
            tenant_name=self.tenant.name,
        ).run

    def execute(self, restore: RestoreRun) -> OperationRun:
        return run_now(self.start(restore))

    def restore(self, items: list[BackupItem], **options: str) -> tuple[RestoreRun, OperationRun]:
        """Preview, use the backup in every conflict, and execute."""
        restore = self.preview(items, **options)
        self.use_backup_for_all(restore)
        run = self.execute(restore)
        return RestoreRun.objects.with_scope().get(pk=restore.pk), run


@pytest.fixture
def scenario(
    tenant: Tenant,
    graph: SandboxControl,
    add_to_graph: Callable[..., ProviderConnection],
    back_up: Callable[[BackupSchedule], OperationRun],
    manager: User,
) -> RestoreScenario:
    connection = add_to_graph(tenant)
    connection.access = Access.READ_WRITE
    connection.save()
    schedule = BackupScheduleFactory(tenant=tenant, kinds=KINDS)
    run = back_up(schedule)
    assert run.outcome == "succeeded", run.failures
    return RestoreScenario(tenant, graph, run.backup_set, schedule, manager, back_up)


def states_by_name(restore: RestoreRun) -> dict[str, str]:
    """Return the state of each item by name."""
    return dict(restore.items.values_list("name", "state"))


def only_item(restore: RestoreRun) -> RestoreItem:
    """Return the only item of a restore."""
    item: RestoreItem = restore.items.get()
    return item


def offered_items(restore: RestoreRun) -> list[BackupItem]:
    """Return the missing objects that a preview offers to restore from its set."""
    missing = list_missing(restore, list(restore.items.all()))
    return [each.item for each in missing if each.item]


def assignment_target(target_type: str, **properties: str) -> dict[str, dict[str, str]]:
    return {"target": {"@odata.type": f"#microsoft.graph.{target_type}", **properties}}


def objects_named(scenario: RestoreScenario, item: BackupItem) -> list[dict[str, Any]]:
    """Return the current objects with the name of the item."""
    kind = KIND[item.kind]
    return [
        entry for entry in scenario.objects(item.kind).values() if kind.name_of(entry) == item.name
    ]


def changed_properties(item: BackupItem) -> dict[str, str]:
    """Return properties as an administrator would change them.

    Named locations and conditional access policies have no description.
    """
    if item.kind in ("named_location", "conditional_access"):
        return {"displayName": f"{item.name} changed"}
    return {"description": "changed"}


def change_object(scenario: RestoreScenario, kind: str = "compliance") -> BackupItem:
    item = scenario.items(kind)[0]
    scenario.change(item, **changed_properties(item))
    return item
