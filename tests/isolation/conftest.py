"""Two workspaces with the same things in them, and every sort of person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.backups.factories import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
)
from tests.factories import (
    OperationRunFactory,
    TenantFactory,
    UserFactory,
    WorkspaceFactory,
    member,
)
from tests.inventory.factories import (
    DirectoryGroupFactory,
    PolicyFactory,
    RoleDefinitionFactory,
)
from tests.isolation.admin_pages import populate
from tests.isolation.routes import Route
from tests.legacy_runs.factories import a_row_of_every_kind
from tests.providers.factories import ProviderConnectionFactory
from tests.restores.factories import a_restore

Ids = dict[str, Any]
MISSING: Ids = {"slug": "no-such-workspace"}
NOWHERE = 2**40


def things_of(workspace: Workspace) -> Ids:
    """One of everything in a workspace, by the names that addresses use."""
    tenant = TenantFactory(workspace=workspace)
    schedule = BackupScheduleFactory(tenant=tenant)
    backup_set = BackupSetFactory(schedule=schedule)
    restore = a_restore(tenant)
    return {
        "slug": workspace.slug,
        "run_id": OperationRunFactory(tenant=tenant, failed=True).pk,
        "schedule_id": schedule.pk,
        "set_id": backup_set.pk,
        "item_id": BackupItemFactory(backup_set=backup_set).pk,
        "tenant_id": tenant.pk,
        "membership_id": member(workspace, Role.READER).memberships.get().pk,
        "export_id": PolicyExportFactory(tenant=tenant).pk,
        "connection_id": ProviderConnectionFactory(tenant=tenant).pk,
        "legacy_id": a_row_of_every_kind(tenant),
        "restore_id": restore.pk,
        "restore_item_id": restore.items.get().pk,
        "policy_id": PolicyFactory(tenant=tenant).pk,
        "group_id": DirectoryGroupFactory(tenant=tenant).pk,
        "role_definition_id": RoleDefinitionFactory(tenant=tenant).pk,
    }


@dataclass
class World:
    """What the person of a walk owns, what belongs to others, and who there is."""

    own: Ids
    foreign: Ids
    people: dict[str, User | None]

    def url(self, route: Route, ids: Ids) -> str:
        return reverse(route.name, kwargs={name: ids.get(name, NOWHERE) for name in route.ids})


@pytest.fixture
def world(db: None) -> World:
    ours, theirs = WorkspaceFactory(slug="ours"), WorkspaceFactory(slug="theirs")
    people: dict[str, User | None] = {role.value: member(ours, role) for role in Role}
    people["staff"] = UserFactory(is_staff=True, is_superuser=True)
    people["stranger"] = member(theirs, Role.OWNER)
    people["inactive"] = member(ours, Role.OWNER, is_active=False)
    people["anonymous"] = None
    return World(things_of(ours), things_of(theirs), people)


@pytest.fixture
def populated(world: World, settings: Any) -> World:
    """Every model that the admin shows has a row."""
    settings.RUN_KEEP_LAST = 1
    populate(Tenant.objects.get(pk=world.own["tenant_id"]), world.own["connection_id"])
    return world


SignIn = Callable[[User | None], Client]


@pytest.fixture
def sign_in() -> SignIn:
    def client_of(person: User | None) -> Client:
        client = Client()
        if person:
            client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return client_of
