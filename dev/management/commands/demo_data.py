"""`manage.py demo_data`: create a demo workspace. Safe to repeat; not allowed in production."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backups import services
from backups.models import BackupSchedule
from dev.demo.scenario import MEMBERS, STAFF, TENANTS, WORKSPACE, DemoTenant
from dev.graph_sandbox.control import SandboxControl, SandboxError
from dev.graph_sandbox.resources import ALL_PERMISSIONS, READ_PERMISSIONS
from inventory.services import start_sync, start_workspace_sync
from notifications.kinds import EventKind
from notifications.models import NotificationRule
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.types import OperationRunType
from providers.clouds import Cloud
from providers.connections import default_connection
from providers.models import Access, ProviderConnection
from providers.services import start_check
from tenancy.crypto import CredentialUnreadable
from tenancy.models import Membership, Tenant, User, Workspace

WHOLE_INVENTORY = OperationRunType.WORKSPACE_INVENTORY_SYNC
DIRECTORY = (
    OperationRunType.DIRECTORY_GROUPS_SYNC,
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
)
NAMESPACE = uuid.UUID("9c1d8a52-6f0e-4f1c-9a53-5a4bb1f5d0aa")


class Command(BaseCommand):
    help = "Create a demo workspace with users, tenants and schedules, and print the sign-ins."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEMO_DATA_ALLOWED:
            raise CommandError(
                "demo_data creates users with known passwords; it is allowed only in development."
            )
        logins = Logins(Path(settings.BASE_DIR) / ".dev" / "demo-logins.json")
        with transaction.atomic():
            workspace = get_or_create_workspace()
            users = get_or_create_users(workspace, logins)
            get_or_create_rule(workspace, by=users["owner"])
            tenants = [
                get_or_create_tenant(workspace, demo_tenant, by=users["owner"])
                for demo_tenant in TENANTS
            ]
        logins.save()
        for line in register_tenants_in_sandbox(tenants):
            self.stdout.write(line)
        self.start_first_syncs(workspace, users["operator"])
        self.start_first_backups(workspace, users["operator"])
        for role, user in users.items():
            self.stdout.write(f"{role}  {user.username}  {logins.password(user.username)}")

    def start_first_syncs(self, workspace: Workspace, by: User) -> None:
        """Sync everything once, so that the pages have content."""
        if OperationRun.objects.filter(workspace=workspace, type=WHOLE_INVENTORY).exists():
            return
        start_workspace_sync(workspace, by=by)
        for tenant in workspace.tenants.active():
            start_check(default_connection(tenant), by=by)
            for run_type in DIRECTORY:
                start_sync(run_type, tenant, by=by)

    def start_first_backups(self, workspace: Workspace, by: User) -> None:
        """Run every schedule once, so that the pages have content."""
        schedules = BackupSchedule.objects.with_scope().filter(workspace=workspace)
        for schedule in schedules.filter(paused_at=None, sets=None):
            runs = schedule.tenant.operation_runs.filter(type__startswith="backup_schedule.")
            if schedule.cron == "* * * * *" or runs.exists():
                continue
            try:
                services.run_now(schedule, by=by)
            except Blocked as blocked:
                self.stdout.write(f"{schedule.tenant}: {blocked.message}")


class Logins:
    """The generated passwords, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passwords: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def password(self, username: str) -> str:
        """Return the password of a user; the first call generates it."""
        return self._passwords.setdefault(username, f"{secrets.token_urlsafe(9)}-demo")

    def save(self) -> None:
        """Write the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(self._passwords, file, indent=2)


def get_or_create_workspace() -> Workspace:
    """Return the demo workspace."""
    name, slug, timezone = WORKSPACE
    workspace, _ = Workspace.objects.get_or_create(
        slug=slug, defaults={"name": name, "timezone": timezone}
    )
    return workspace


def get_or_create_rule(workspace: Workspace, *, by: User) -> None:
    """Notify all members of every kind of event."""
    NotificationRule.objects.get_or_create(
        workspace=workspace,
        owner=None,
        defaults={"events": EventKind.values, "created_by_name": by.username},
    )


def get_or_create_users(workspace: Workspace, logins: Logins) -> dict[str, User]:
    """Return the members by role, and the staff user, who has no workspace."""
    users = {}
    for username, name, role in MEMBERS:
        user = users[role.value] = get_or_create_user(username, name, logins)
        Membership.objects.get_or_create(user=user, workspace=workspace, defaults={"role": role})
    users["staff"] = get_or_create_user(*STAFF, logins, is_staff=True, is_superuser=True)
    return users


def get_or_create_user(username: str, name: str, logins: Logins, **flags: bool) -> User:
    """Return a user, with the password of the file."""
    first, _, last = name.partition(" ")
    names = {"first_name": first, "last_name": last, "email": f"{username}@alpine.example"}
    user, _ = User.objects.get_or_create(username=username, defaults=names | flags)
    if not user.check_password(logins.password(username)):
        user.set_password(logins.password(username))
        user.save()
    return user


def get_or_create_tenant(
    workspace: Workspace, demo_tenant: DemoTenant, *, by: User
) -> tuple[DemoTenant, Tenant]:
    """Return a tenant with its connection and its schedule; existing rows are not changed."""
    tenant, _ = Tenant.objects.get_or_create(
        workspace=workspace,
        external_id=uuid.uuid5(NAMESPACE, demo_tenant.name),
        defaults={"name": demo_tenant.name},
    )
    access = Access.READ_WRITE if demo_tenant.may_write else Access.READ_ONLY
    connection, is_new = ProviderConnection.objects.get_or_create(
        workspace=workspace,
        tenant=tenant,
        name="Graph sandbox",
        defaults={
            "cloud": Cloud.SANDBOX,
            "client_id": uuid.uuid4(),
            "is_default": True,
            "access": access,
        },
    )
    if is_new:
        connection.set_credential(secrets.token_urlsafe(24))
    if not tenant.backup_schedules.exists():
        create_schedule(tenant, demo_tenant, by=by)
    return demo_tenant, tenant


def create_schedule(tenant: Tenant, demo_tenant: DemoTenant, *, by: User) -> None:
    """Create the schedule of a tenant; some are paused."""
    schedule = BackupSchedule(
        workspace=tenant.workspace,
        tenant=tenant,
        name=demo_tenant.schedule,
        cron=demo_tenant.cron,
        timezone=tenant.workspace.timezone,
        kinds=list(demo_tenant.kinds),
        retention_keep_sets=demo_tenant.keep_sets,
        retention_keep_days=demo_tenant.keep_days,
    )
    services.save(schedule)
    if demo_tenant.paused:
        services.pause(schedule, by=by, reason=demo_tenant.paused)


def register_tenants_in_sandbox(tenants: list[tuple[DemoTenant, Tenant]]) -> list[str]:
    """Add the tenants to the Graph sandbox; return a message if there is none."""
    try:
        control = SandboxControl.at(
            settings.GRAPH_SANDBOX_URL,
            settings.GRAPH_CA_BUNDLE,
            os.environ.get("GRAPH_SANDBOX_TOKEN", ""),
        )
        for demo_tenant, tenant in tenants:
            register(control, demo_tenant, tenant)
    except SandboxError as error:
        return [f"The tenants were not added to a Graph sandbox: {error}"]
    return []


def register(control: SandboxControl, demo_tenant: DemoTenant, tenant: Tenant) -> None:
    """Add a tenant with its objects, its app registration and its faults to the Graph sandbox."""
    connection = ProviderConnection.objects.get(tenant=tenant, name="Graph sandbox")
    permissions = ALL_PERMISSIONS if demo_tenant.may_write else READ_PERMISSIONS
    granted = [name for name in permissions if name != demo_tenant.without_permission]
    control.add_tenant(
        tenant.external_id,
        connection.client_id,
        secret_of(connection),
        name=tenant.name,
        sizes=demo_tenant.sizes,
        permissions=granted,
    )
    control.clear(tenant.external_id)
    for name, options in demo_tenant.faults.items():
        control.fault(tenant.external_id, name, **options)


def secret_of(connection: ProviderConnection) -> str:
    """Return the secret of a connection; create a new one if the encryption key was lost."""
    try:
        return connection.credential()
    except CredentialUnreadable:
        connection.set_credential(secrets.token_urlsafe(24))
        return connection.credential()
