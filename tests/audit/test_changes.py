"""Configuration changes through the pages: who, when, from where, what, before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry
from backups.models import BackupSchedule, SetPurpose, SetStatus
from providers.models import ProviderConnection
from restores import services as restore_services
from restores.models import Action, Decision
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role
from tenancy.services import admit
from tests.support.factories import UserFactory, create_member
from tests.support.factories.accounts import add_app
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import create_restore
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db
SECRET = "canary-Vr7~3P.new-secret-of-a-connection"


@dataclass
class World:
    """A workspace with one object of each kind, and its owner's browser."""

    client: Client
    workspace: Workspace
    tenant: Tenant
    schedule: BackupSchedule
    connection: ProviderConnection
    member: Membership

    def post(self, route: str, /, *ids: int, **data: Any) -> None:
        response = self.client.post(
            reverse(route, args=["contoso", *ids]), data, REMOTE_ADDR="192.0.2.7"
        )
        assert response.status_code == 302, response.content.decode()
        self.reference = response["X-Reference"]


@pytest.fixture
def world(client: Client, owner: User, workspace: Workspace, tenant: Tenant) -> World:
    open_session(client, owner)
    return World(
        client,
        workspace,
        tenant,
        BackupScheduleFactory(tenant=tenant, name="Nightly", kinds=["compliance"]),
        ProviderConnectionFactory(tenant=tenant, name="Main", cloud="global", access="read_only"),
        create_member(workspace, Role.READER, username="rita").memberships.get(),
    )


def schedule_form(schedule: BackupSchedule, **changes: Any) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "kinds": schedule.kinds,
        "retention_keep_sets": schedule.retention_keep_sets,
        "retention_keep_days": schedule.retention_keep_days,
        "misfire_policy": schedule.misfire_policy,
        "grace_hours": 12,
        **changes,
    }


def connection_form(connection: ProviderConnection, **changes: Any) -> dict[str, Any]:
    return {
        "name": connection.name,
        "cloud": connection.cloud,
        "client_id": str(connection.client_id),
        "access": connection.access,
        **changes,
    }


Change = Callable[[World], None]
#: What a person changes, the table and action of the entry, and a column with both values.
CHANGES: dict[str, tuple[Change, str, str, dict[str, Any]]] = {
    "retention shortened": (
        lambda world: world.post(
            "schedule_edit",
            world.schedule.pk,
            **schedule_form(world.schedule, retention_keep_sets=3),
        ),
        "backup_schedules",
        "updated",
        {"retention_keep_sets": [30, 3]},
    ),
    "scope of a schedule": (
        lambda world: world.post(
            "schedule_edit",
            world.schedule.pk,
            **schedule_form(world.schedule, kinds=["conditional_access"]),
        ),
        "backup_schedules",
        "updated",
        {"kinds": [["compliance"], ["conditional_access"]]},
    ),
    "connection made read-write": (
        lambda world: world.post(
            "connection_edit",
            world.connection.pk,
            **connection_form(world.connection, access="read_write"),
        ),
        "provider_connections",
        "updated",
        {"access": ["read_only", "read_write"]},
    ),
    "tenant suspended": (
        lambda world: world.post("tenant_suspend", world.tenant.pk, reason="Ended"),
        "tenants",
        "updated",
        {
            "status": ["active", "suspended"],
            "status_reason": ["", "Ended"],
            "status_changed_at": [None, ANY],
            "status_changed_by_name": ["", "owen"],
        },
    ),
    "tenant renamed": (
        lambda world: world.post(
            "tenant_edit",
            world.tenant.pk,
            name="100% “Fab'rikam”\\",
            external_id=str(world.tenant.external_id),
        ),
        "tenants",
        "updated",
        {"name": ["Fabrikam", "100% “Fab'rikam”\\"]},
    ),
    "approval required": (
        lambda world: world.post(
            "workspace_edit", name="Contoso Services", timezone="UTC", restores_need_approval="on"
        ),
        "workspaces",
        "updated",
        {"restores_need_approval": [False, True]},
    ),
    "role changed": (
        lambda world: world.post("member_role", world.member.pk, role="manager"),
        "memberships",
        "updated",
        {"role": ["reader", "manager"]},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_has_an_entry_with_everything(world: World, owner: User, name: str) -> None:
    change, table, action, columns = CHANGES[name]
    seen = set(AuditEntry.objects.values_list("pk", flat=True))

    change(world)

    entry = AuditEntry.objects.exclude(pk__in=seen).get()
    assert (entry.object_type, entry.action, entry.changes) == (table, action, columns)
    assert (entry.user_id, entry.user_name, entry.origin) == (owner.pk, "owen", "page")
    assert (entry.address, entry.reference) == ("192.0.2.7", world.reference)
    assert entry.workspace_id == world.workspace.pk


def new_entries(change: Callable[[], object]) -> list[AuditEntry]:
    """Return the entries that a change adds, oldest first."""
    seen = set(AuditEntry.objects.values_list("pk", flat=True))
    change()
    return list(AuditEntry.objects.exclude(pk__in=seen).order_by("pk"))


def test_a_new_credential_is_recorded_without_its_value(world: World) -> None:
    (entry,) = new_entries(
        lambda: world.post(
            "connection_credential", world.connection.pk, kind="secret", secret=SECRET
        )
    )

    assert entry.changes["encrypted_credential"] == "changed"
    world.connection.refresh_from_db()
    stored = world.connection.encrypted_credential
    everything = str(list(AuditEntry.objects.values()))
    assert SECRET not in everything
    assert stored not in everything


def test_a_schedule_that_is_paused_and_resumed(world: World, owner: User) -> None:
    (paused,) = new_entries(
        lambda: world.post("schedule_pause", world.schedule.pk, reason="Migration")
    )
    (resumed,) = new_entries(lambda: world.post("schedule_resume", world.schedule.pk))

    assert paused.changes["paused_by_id"] == [None, owner.pk]
    assert resumed.changes["paused_by_id"] == [owner.pk, None]


def test_the_tick_of_a_schedule_is_no_entry(world: World) -> None:
    assert new_entries(lambda: BackupSchedule.objects.update(spread_seconds=7)) == []


def test_the_result_of_a_check_is_no_entry(world: World) -> None:
    assert new_entries(lambda: ProviderConnection.objects.update(status="failing")) == []


def test_an_added_and_removed_member(world: World, owner: User) -> None:
    nora = UserFactory(username="nora")
    (added,) = new_entries(lambda: admit(world.workspace, nora, Role.OPERATOR, by=owner))
    member = Membership.objects.get(user__username="nora")
    (removed,) = new_entries(lambda: world.post("member_remove", member.pk, reason="Left"))

    assert (added.action, added.object_name) == ("created", "nora")
    assert added.changes["role"] == [None, "operator"]
    assert (removed.action, removed.object_name) == ("deleted", "nora")
    assert removed.changes["role"] == ["operator", None]
    assert {added.workspace_id, removed.workspace_id} == {world.workspace.pk}


def test_an_invitation_without_its_link(world: World) -> None:
    created, *_ = new_entries(
        lambda: world.post("invitation_create", email="new@example.com", role="manager")
    )

    assert (created.action, created.object_name) == ("created", "new@example.com")
    assert created.changes["role"] == [None, "manager"]
    assert created.changes["link_hash"] == "changed"
    assert created.user_name == "owen"


def test_a_removed_connection(world: World) -> None:
    other = ProviderConnectionFactory(tenant=world.tenant, name="Other", is_default=False)
    (removed,) = new_entries(lambda: world.post("connection_remove", other.pk, reason="Replaced"))

    assert (removed.action, removed.object_name) == ("deleted", "Other")
    assert removed.tenant_id == world.tenant.pk
    assert removed.details == {"reason": "Replaced"}


def test_a_deleted_backup_set(world: World) -> None:
    backup_set = BackupSetFactory(
        schedule=None, tenant=world.tenant, workspace=world.workspace, kinds=["compliance"],
        purpose=SetPurpose.SELECTION, name="Before the change",
    )  # fmt: skip
    item = BackupItemFactory(backup_set=backup_set)
    finish(item.backup_set, SetStatus.COMPLETE)
    entries = new_entries(lambda: world.post("backup_set_delete", backup_set.pk))

    assert [entry.object_type for entry in entries] == ["backup_sets"]
    assert entries[0].object_name == backup_set.name
    assert entries[0].user_name == "owen"


def test_the_decisions_and_the_approval_of_a_restore(world: World, owner: User) -> None:
    conflict = {"action": Action.CONFLICT, "name": "Require MFA"}
    restore = create_restore(world.tenant, conflict, requested_by=world.member.user)
    item = restore.items.get()
    field = {f"decision-{item.pk}": Decision.TAKE}

    (decided,) = new_entries(lambda: world.post("restore_decide", restore.pk, **field))
    digest = restore_services.decision_digest_of(restore)
    (approved,) = new_entries(
        lambda: world.post("restore_approve", restore.pk, decision_digest=digest)
    )

    assert (decided.object_type, decided.object_id) == ("restore_runs", str(restore.pk))
    assert (decided.action, decided.part) == ("updated", "Require MFA")
    assert decided.changes == {"decision": ["", "take"]}
    assert approved.changes["approved_by_id"] == [None, owner.pk]
    assert {entry.workspace_id for entry in (decided, approved)} == {world.workspace.pk}
    assert {entry.tenant_id for entry in (decided, approved)} == {world.tenant.pk}


# --- users and the administration site ------------------------------------------------------------


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    return open_session(client, UserFactory(username="ada", is_staff=True, is_superuser=True))


def test_an_edited_user_has_an_entry_in_each_of_their_workspaces(
    admin: Client, owner: User, stranger: User
) -> None:
    """Support staff cannot take over an owner unseen."""
    elsewhere = stranger.memberships.get().workspace
    Membership.objects.create(user=owner, workspace=elsewhere, role=Role.READER)
    path = reverse("admin:auth_user_password_change", args=[owner.pk])
    password = "an entirely new passphrase"

    entries = new_entries(
        lambda: admin.post(
            path, {"password1": password, "password2": password, "usable_password": "true"}
        )
    )

    assert [entry.changes for entry in entries] == [{"password": "changed"}] * 2
    assert {entry.workspace_id for entry in entries} == {
        owner.memberships.get(role=Role.OWNER).workspace_id,
        elsewhere.pk,
    }
    assert {(entry.user_name, entry.origin) for entry in entries} == {("ada", "administration")}


def test_permissions_are_recorded_as_changes_of_their_user(owner: User) -> None:
    group = Group.objects.create(name="Support")
    permission = Permission.objects.get(codename="view_tenant")

    def grant() -> None:
        owner.groups.add(group)
        owner.user_permissions.add(permission)
        group.permissions.add(permission)

    entries = new_entries(grant)

    assert [(entry.object_type, entry.object_name, entry.part) for entry in entries] == [
        ("users", "owen", "Support"),
        ("users", "owen", "view_tenant"),
        ("auth_group", "Support", "view_tenant"),
    ]
    assert {entry.action for entry in entries} == {"updated"}


def test_a_deleted_workspace_keeps_its_entries(workspace: Workspace) -> None:
    pk = workspace.pk
    workspace.delete()

    assert [
        entry.action for entry in AuditEntry.objects.filter(workspace_id=pk).order_by("pk")
    ] == [
        "created",
        "deleted",
    ]


def test_a_second_factor_that_is_changed_with_sql_is_recorded_and_its_use_is_not(
    owner: User,
) -> None:
    add_app(owner)
    Authenticator.objects.create(
        user=owner, type="webauthn", data={"name": "Laptop", "credential": {}, "counter": 5}
    )
    count = AuditEntry.objects.filter(object_type="mfa_authenticator").count()
    changes = {
        "last_used_at = now()": 0,
        "data = jsonb_set(data, '{counter}', '6')": 0,
        "data = jsonb_set(data, '{counter}', '1')": 1,
        "data = jsonb_set(data, '{secret}', '\"other\"')": 1,
    }

    for assignment, added in changes.items():
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE mfa_authenticator SET {assignment} WHERE data ? 'counter'", None
            )
        entries = AuditEntry.objects.filter(object_type="mfa_authenticator").order_by("-pk")
        assert entries.count() == count + added, assignment
        count += added
        if added:
            assert entries[0].changes == {"data": "changed"}
