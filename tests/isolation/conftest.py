"""Two workspaces with the same objects, and one user of each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from django.template import Template
from django.test import Client, override_settings
from django.test import utils as test_utils
from django.urls import reverse

from accounts.identity_providers import ENTRA
from accounts.models import GroupRole
from operations.models import SavedView
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tenancy.support_access import open_access
from tests.isolation.admin_pages import populate_admin
from tests.support.database import SharedRows
from tests.support.factories import (
    OperationRunFactory,
    TenantFactory,
    UserFactory,
    WorkspaceFactory,
    create_approval_off_request,
    create_member,
)
from tests.support.factories.accounts import create_invitation, create_token
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
)
from tests.support.factories.incidents import create_incident
from tests.support.factories.inventory import (
    DirectoryGroupFactory,
    PolicyFactory,
    RoleDefinitionFactory,
)
from tests.support.factories.legacy_runs import create_legacy_runs_of_every_kind
from tests.support.factories.notifications import create_rule, create_webhook
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import create_restore
from tests.support.routes import Route
from tests.support.sessions import open_session

Ids = dict[str, Any]
MISSING: Ids = {"slug": "no-such-workspace"}
MISSING_ID = 2**40
#: A statement that writes, also within a WITH.
WRITE = re.compile(
    r"\s*((WITH\b.*)?(INSERT\s+INTO|UPDATE\s|DELETE\s+FROM|MERGE\s+INTO)|TRUNCATE)", re.DOTALL
)


def create_objects(workspace: Workspace) -> Ids:
    """Create one object of every kind in a workspace; return their ids by the names in addresses."""
    tenant = TenantFactory(workspace=workspace)
    schedule = BackupScheduleFactory(tenant=tenant)
    backup_set = BackupSetFactory(schedule=schedule)
    restore = create_restore(tenant)
    webhook = create_webhook(tenant)
    return {
        "request_id": create_approval_off_request(workspace).pk,
        "access_id": open_access(workspace, by=UserFactory(is_staff=True), reason="Ticket 7").pk,
        "slug": workspace.slug,
        "run_id": OperationRunFactory(tenant=tenant, failed=True).pk,
        "schedule_id": schedule.pk,
        "set_id": backup_set.pk,
        "item_id": BackupItemFactory(backup_set=backup_set).pk,
        "tenant_id": tenant.pk,
        "group_role_id": GroupRole.objects.create(
            workspace=workspace, provider=ENTRA, group="operators"
        ).pk,
        "token_id": create_token(create_member(workspace, Role.READER), workspace).pk,
        "invitation_id": create_invitation(workspace)[0].pk,
        "membership_id": create_member(workspace, Role.READER).memberships.get().pk,
        "export_id": PolicyExportFactory(tenant=tenant).pk,
        "connection_id": ProviderConnectionFactory(tenant=tenant).pk,
        "legacy_id": create_legacy_runs_of_every_kind(tenant),
        "restore_id": restore.pk,
        "restore_item_id": restore.items.get().pk,
        "incident_id": create_incident(tenant).pk,
        "view_id": SavedView.objects.create(workspace=workspace, name="Failed").pk,
        "rule_id": create_rule(workspace).pk,
        "endpoint_id": webhook.endpoint_id,
        "delivery_id": webhook.pk,
        "policy_id": PolicyFactory(tenant=tenant).pk,
        "group_id": DirectoryGroupFactory(tenant=tenant).pk,
        "role_definition_id": RoleDefinitionFactory(tenant=tenant).pk,
    }


@dataclass
class World:
    """The ids of the own and of a foreign workspace, and the users by kind."""

    own_ids: Ids
    foreign_ids: Ids
    users: dict[str, User | None]

    def url(self, route: Route, ids: Ids) -> str:
        return reverse(route.name, kwargs={name: ids.get(name, MISSING_ID) for name in route.ids})


@pytest.fixture(autouse=True, scope="module")
def _templates_are_not_recorded() -> Iterator[None]:
    """Render templates as in production; no test here reads `response.context`.

    For `response.context` Django copies the context of every template, and each choice of a select
    is one: a quarter of the time of these tests.
    """
    plain = test_utils._TestState.saved_data.template_render  # type: ignore[attr-defined]
    with mock.patch.object(Template, "_render", plain):
        yield


@pytest.fixture(scope="module")
def shared_world(shared_rows: SharedRows) -> World:
    """The shared rows; every model of the admin has one."""
    with shared_rows(), override_settings(RUN_KEEP_LAST=1):
        ours, theirs = WorkspaceFactory(slug="ours"), WorkspaceFactory(slug="theirs")
        users: dict[str, User | None] = {role.value: create_member(ours, role) for role in Role}
        users["staff"] = UserFactory(is_staff=True, is_superuser=True)
        # This member of staff has support access to our workspace, and is no member of any.
        support = UserFactory(is_staff=True, is_superuser=True)
        open_access(ours, by=support, reason="Ticket 8")
        users["support"] = support
        users["stranger"] = create_member(theirs, Role.OWNER)
        users["inactive"] = create_member(ours, Role.OWNER, is_active=False)
        users["anonymous"] = None
        world = World(create_objects(ours), create_objects(theirs), users)
        populate_admin(
            Tenant.objects.get(pk=world.own_ids["tenant_id"]), world.own_ids["connection_id"]
        )
    return world


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return shared_world


SignIn = Callable[[User | None], Client]


@pytest.fixture
def sign_in() -> SignIn:
    def open_client(user: User | None) -> Client:
        client = Client()
        if user:
            open_session(client, user)
        return client

    return open_client
