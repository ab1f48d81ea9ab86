"""`manage.py demo_data`: a workspace to try everything in. Safe to run again; never in production."""

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
from dev.demo.scenario import PEOPLE, STAFF, TENANTS, WORKSPACE, DemoTenant
from dev.graph_sandbox.control import SandboxControl, SandboxError
from dev.graph_sandbox.resources import ALL_PERMISSIONS, READ_PERMISSIONS
from inventory.services import start_sync, start_workspace_sync
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.types import OperationRunType
from providers.clouds import Cloud
from providers.connections import default_connection
from providers.crypto import CredentialUnreadable
from providers.models import Access, ProviderConnection
from providers.services import start_check
from tenancy.models import Membership, Tenant, User, Workspace

WHOLE_INVENTORY = OperationRunType.WORKSPACE_INVENTORY_SYNC
DIRECTORY = (
    OperationRunType.DIRECTORY_GROUPS_SYNC,
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
)
NAMESPACE = uuid.UUID("9c1d8a52-6f0e-4f1c-9a53-5a4bb1f5d0aa")


class Command(BaseCommand):
    help = "Fill the database with a workspace to try everything in, and print its logins."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEMO_DATA_ALLOWED:
            raise CommandError("demo_data makes users with known passwords: only in development.")
        logins = Logins(Path(settings.BASE_DIR) / ".dev" / "demo-logins.json")
        with transaction.atomic():
            workspace = the_workspace()
            roles = people(workspace, logins)
            made = [a_tenant(workspace, wish, by=roles["owner"]) for wish in TENANTS]
        logins.save()
        for line in register_tenants_in_sandbox(made):
            self.stdout.write(line)
        self.first_syncs(workspace, roles["operator"])
        self.first_backups(roles["operator"])
        for role, user in roles.items():
            self.stdout.write(f"{role}  {user.username}  {logins.password(user.username)}")

    def first_syncs(self, workspace: Workspace, by: User) -> None:
        """One inventory of everything, if there is none, so that there is something to look at."""
        if OperationRun.objects.filter(workspace=workspace, type=WHOLE_INVENTORY).exists():
            return
        start_workspace_sync(workspace, by=by)
        for tenant in workspace.tenants.active():
            start_check(default_connection(tenant), by=by)
            for run_type in DIRECTORY:
                start_sync(run_type, tenant, by=by)

    def first_backups(self, by: User) -> None:
        """One backup of everything that has never run, so that there is something to see."""
        for schedule in BackupSchedule.objects.with_scope().filter(paused_at=None, sets=None):
            if schedule.cron == "* * * * *" or has_run(schedule):
                continue
            try:
                services.run_now(schedule, by=by)
            except Blocked as blocked:
                self.stdout.write(f"{schedule.tenant}: {blocked.message}")


class Logins:
    """The passwords, made once and kept in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passwords: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def password(self, username: str) -> str:
        """The password of a user, made up the first time."""
        return self._passwords.setdefault(username, f"{secrets.token_urlsafe(9)}-demo")

    def save(self) -> None:
        """Write the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(self._passwords, file, indent=2)


def the_workspace() -> Workspace:
    """The demo's workspace."""
    name, slug, timezone = WORKSPACE
    found, _ = Workspace.objects.get_or_create(
        slug=slug, defaults={"name": name, "timezone": timezone}
    )
    return found


def people(workspace: Workspace, logins: Logins) -> dict[str, User]:
    """Everybody by role; the administration's user has no workspace."""
    found = {}
    for username, name, role in PEOPLE:
        found[role.value] = a_user(username, name, logins)
        Membership.objects.get_or_create(
            user=found[role.value], workspace=workspace, defaults={"role": role}
        )
    found["staff"] = a_user(*STAFF, logins, is_staff=True, is_superuser=True)
    return found


def a_user(username: str, name: str, logins: Logins, **more: bool) -> User:
    """The user, with the password that the file says."""
    first, _, last = name.partition(" ")
    names = {"first_name": first, "last_name": last, "email": f"{username}@alpine.example"}
    user, _ = User.objects.get_or_create(username=username, defaults=names | more)
    if not user.check_password(logins.password(username)):
        user.set_password(logins.password(username))
        user.save()
    return user


def a_tenant(workspace: Workspace, wish: DemoTenant, *, by: User) -> tuple[DemoTenant, Tenant]:
    """The tenant with its connection and its schedule; what is there already is left alone."""
    tenant, _ = Tenant.objects.get_or_create(
        workspace=workspace,
        external_id=uuid.uuid5(NAMESPACE, wish.name),
        defaults={"name": wish.name},
    )
    connection, made = ProviderConnection.objects.get_or_create(
        workspace=workspace,
        tenant=tenant,
        name="Graph sandbox",
        defaults={
            "cloud": Cloud.SANDBOX,
            "client_id": uuid.uuid4(),
            "is_default": True,
            "access": Access.READ_WRITE if wish.may_write else Access.READ_ONLY,
        },
    )
    if made:
        connection.set_credential(secrets.token_urlsafe(24))
    if not tenant.backup_schedules.exists():
        a_schedule(tenant, wish, by=by)
    return wish, tenant


def a_schedule(tenant: Tenant, wish: DemoTenant, *, by: User) -> None:
    """The tenant's schedule, paused if the demo wants it so."""
    schedule = BackupSchedule(
        workspace=tenant.workspace,
        tenant=tenant,
        name=wish.schedule,
        cron=wish.cron,
        timezone=tenant.workspace.timezone,
        kinds=list(wish.kinds),
        retention_keep_sets=wish.keep_sets,
        retention_keep_days=wish.keep_days,
    )
    services.save(schedule)
    if wish.paused:
        services.pause(schedule, by=by, reason=wish.paused)


def has_run(schedule: BackupSchedule) -> bool:
    """Whether the tenant has any run of a backup."""
    return bool(schedule.tenant.operation_runs.filter(type__startswith="backup_schedule.").exists())


def register_tenants_in_sandbox(made: list[tuple[DemoTenant, Tenant]]) -> list[str]:
    """Let the Graph sandbox know the tenants; what there is to say about it."""
    try:
        address = (settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE)
        control = SandboxControl.at(*address, os.environ.get("GRAPH_SANDBOX_TOKEN", ""))
        for wish, tenant in made:
            register(control, wish, tenant)
    except SandboxError as error:
        return [f"The tenants are not in a Graph sandbox: {error}"]
    return []


def register(control: SandboxControl, wish: DemoTenant, tenant: Tenant) -> None:
    """One tenant, its objects, its app and what goes wrong with it."""
    connection = ProviderConnection.objects.get(tenant=tenant, name="Graph sandbox")
    permissions = ALL_PERMISSIONS if wish.may_write else READ_PERMISSIONS
    granted = [name for name in permissions if name != wish.without_permission]
    control.add_tenant(
        tenant.external_id,
        connection.client_id,
        secret_of(connection),
        name=tenant.name,
        sizes=wish.sizes,
        permissions=granted,
    )
    control.clear(tenant.external_id)
    for name, options in wish.faults.items():
        control.fault(tenant.external_id, name, **options)


def secret_of(connection: ProviderConnection) -> str:
    """The connection's secret; a new one if it was stored with a key that is gone."""
    try:
        return connection.credential()
    except CredentialUnreadable:
        connection.set_credential(secrets.token_urlsafe(24))
        return connection.credential()
