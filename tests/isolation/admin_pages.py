"""The pages of Django's admin by model, for the tests that visit all of them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import AccessTokenRate, GroupMembership
from accounts.password_reset.services import request_reset
from accounts.second_factor.services import new_recovery_codes
from accounts.sign_in_links.services import create_link
from api.models import ApiSubmission
from audit.chain import seal_entries
from backups.models import BackupDay, BackupObjective
from backups.redactions import renew_redactions
from backups.time_zone_rules import acquire_rules
from operations.maintenance.integrity import check_ledger
from operations.metrics.counting import record as record_counters
from operations.metrics.counting import update_metrics
from operations.models import ListSettings
from operations.ticks import acquire_tick
from providers.configuration_secrets import ConfigurationSecrets
from providers.models import ConnectionPace, ProviderConnection
from restores.models import Replacement
from tenancy.models import Membership, Tenant, User
from tenancy.roles import Role
from tenancy.staff_changes import record
from tenancy.support_access import open_access
from tests.support.factories import (
    OperationRunEventFactory,
    OperationRunItemFactory,
    UserFactory,
    create_member,
)
from tests.support.factories.accounts import add_app, create_token
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupSetFactory,
    create_change,
    share_items,
)
from tests.support.factories.notifications import create_delivery
from tests.support.factories.operations import create_past_run, prune
from tests.support.sessions import open_session

CANARY = "canary-Xq8~7Q.secret-of-a-connection"
#: The models of this project and of its libraries.
REGISTERED: dict[type[Model], admin.ModelAdmin[Any]] = admin.site._registry


def create_staff(*, view: bool = False, superuser: bool = False) -> User:
    """Create a member of staff with all permissions, with all view permissions, or with none."""
    user: User = UserFactory(is_staff=True, is_superuser=superuser)
    if view:
        user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return user


def populate_admin(tenant: Tenant, connection_id: int) -> None:
    """Create a row of every model of the admin, and a secret that no page may show."""
    ProviderConnection.objects.get(pk=connection_id).set_credential(CANARY)
    ConnectionPace.objects.create(connection_id=connection_id)
    ConfigurationSecrets(tenant).seal("./Vendor/MSFT/Policy", CANARY)
    create_past_run(tenant, 900)
    recent = create_past_run(tenant, 1)
    prune(tenant.workspace)
    OperationRunEventFactory(run=recent, sequence=7)
    OperationRunItemFactory(run=recent)
    ListSettings.objects.create(user=UserFactory(), columns="state", density="compact")
    acquire_tick("relay")
    check_ledger()
    update_metrics()
    record_counters([("graph_requests", {"method": "GET", "status": "200"}, 1)])
    seal_entries()
    acquire_rules()
    BackupObjective.objects.create(workspace=tenant.workspace, tenant=tenant, hours=24)
    create_change(tenant)
    item = BackupItemFactory(backup_set__schedule__tenant=tenant)
    share_items(BackupSetFactory(schedule=item.backup_set.schedule), item)
    Replacement.objects.create(
        workspace=tenant.workspace,
        tenant=tenant,
        kind="groups",
        missing_id="a",
        replacement_id="b",
        name="Sales",
    )
    renew_redactions()
    create_delivery(tenant)
    BackupDay.objects.create(workspace=tenant.workspace, day=dt.date(2026, 6, 1))
    Group.objects.create(name="Support")
    open_session(Client(), UserFactory())
    staff = create_staff()
    record(tenant.workspace, staff, "Added the member as owner.", by=staff)
    open_access(tenant.workspace, by=staff, reason="Ticket 9")
    GroupMembership.objects.create(membership=Membership.objects.all()[0])
    token = create_token(create_member(tenant.workspace, Role.READER), tenant.workspace)
    AccessTokenRate.objects.create(token=token, started_at=token.created_at, requests=1)
    ApiSubmission.objects.create(submission_id=uuid.uuid4(), fingerprint="0" * 64, run_id=recent.pk)
    create_link(UserFactory(), minutes=15)
    request_reset("rita@example.com", "https://runledger.example.com")
    user = UserFactory()
    add_app(user)
    new_recovery_codes(user)
    sign_in = {"username": "rita", "ip_address": "192.0.2.1"}
    AccessAttempt.objects.create(failures_since_start=5, **sign_in)
    AccessLog.objects.create(**sign_in)
    AccessFailureLog.objects.create(**sign_in)


def addresses(model: type[Model]) -> dict[str, str]:
    """Return the address of every page that the admin can have for a model."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.order_by("pk").first()
    assert row is not None, f"{model._meta.label} has no row"
    return {
        "list": reverse(f"{name}_changelist"),
        "detail": reverse(f"{name}_change", args=[row.pk]),
        "history": reverse(f"{name}_history", args=[row.pk]),
        "add": reverse(f"{name}_add"),
        "delete": reverse(f"{name}_delete", args=[row.pk]),
    }
