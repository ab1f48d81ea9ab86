"""Adds the events that no change of a row makes true: they become true with time, or in several steps.

The rows of the product say whether they are true, so that a tick which did not run loses nothing: the
next one adds the event. Its key makes it one event for as long as it stays true.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from backups.freshness import TOLERANCE, Freshness, freshness_of_tenants
from notifications.kinds import EventKind
from notifications.models import NotificationEvent, NotificationRule
from providers.models import EXPIRES_SOON_DAYS, ProviderConnection
from restores.models import Action, Decision, RestoreItem, RestoreRun, RestoreStatus
from tenancy.db import database_now
from tenancy.models import Tenant

#: A credential is sent this many days before it expires, and on the day after it.
EXPIRY_DAYS = (EXPIRES_SOON_DAYS, 7, 1)


def add_approvals() -> None:
    """Add the restores that wait for an approval: previewed, decided and not expired."""
    undecided = RestoreItem.objects.filter(
        restore=OuterRef("pk"), action=Action.CONFLICT, decision=Decision.OPEN
    )
    waiting = RestoreRun.objects.filter(
        Q(approval_required=True) | Q(workspace__restores_need_approval=True),
        Q(preview_expires_at=None) | Q(preview_expires_at__gt=Now()),
        ~Exists(undecided),
        status=RestoreStatus.PREVIEWED,
        approved_at=None,
        requested_by__isnull=False,
        workspace__in=_workspaces_with(EventKind.APPROVAL_WANTED),
    )
    _add(
        EventKind.APPROVAL_WANTED,
        [
            (workspace_id, tenant_id, restore_id, str(restore_id))
            for restore_id, workspace_id, tenant_id in waiting.values_list(
                "pk", "workspace_id", "tenant_id"
            )
        ],
    )


def add_late_backups() -> None:
    """Add the active tenants whose backup is late, once for each last complete backup."""
    tenants = Tenant.objects.active().filter(workspace__in=_workspaces_with(EventKind.BACKUP_LATE))
    late = [row for row in freshness_of_tenants(tenants) if _is_due(row)]
    _add(
        EventKind.BACKUP_LATE,
        [(row.tenant.workspace_id, row.tenant.pk, row.tenant.pk, _late_key(row)) for row in late],
    )


def _is_due(row: Freshness) -> bool:
    """Whether the backup is late; without any backup, a new tenant has the time of its objective."""
    if row.is_never:
        began = row.tenant.created_at + row.objective + TOLERANCE
        return not row.is_unscheduled and began < row.now
    return row.is_late


def _late_key(row: Freshness) -> str:
    since = int(row.last_complete_at.timestamp()) if row.last_complete_at else "never"
    return f"{row.tenant.pk}:{since}"


def add_expiring_credentials() -> None:
    """Add the credentials that expire in 30, 7 or 1 days, or have expired: once for each of these."""
    today = database_now().date()
    latest = today + dt.timedelta(days=EXPIRY_DAYS[0])
    expiring = ProviderConnection.objects.filter(
        credential_expires_on__lte=latest,
        workspace__in=_workspaces_with(EventKind.CREDENTIAL_EXPIRES),
    ).exclude(encrypted_credential="")
    columns = ("pk", "workspace_id", "tenant_id", "credential_expires_on")
    _add(
        EventKind.CREDENTIAL_EXPIRES,
        [
            (workspace_id, tenant_id, pk, f"{pk}:{day}:{_stage((day - today).days)}")
            for pk, workspace_id, tenant_id, day in expiring.values_list(*columns)
        ],
    )


def _stage(days: int) -> str:
    """Return the last of the announced days that has come."""
    if days < 0:
        return "expired"
    return str(min(each for each in EXPIRY_DAYS if days <= each))


def _workspaces_with(kind: EventKind) -> QuerySet[NotificationRule, Any]:
    """Return the workspaces in which a rule selects the kind."""
    return NotificationRule.objects.filter(events__contains=[kind]).values("workspace_id")


def _add(kind: EventKind, rows: list[tuple[int, int | None, int, str]]) -> None:
    """Add events; one that exists is left as it is."""
    known = set(
        NotificationEvent.objects.filter(
            kind=kind, workspace__in={row[0] for row in rows}, key__in=[row[3] for row in rows]
        ).values_list("workspace_id", "key")
    )
    NotificationEvent.objects.bulk_create(
        [
            NotificationEvent(
                workspace_id=workspace_id,
                tenant_id=tenant_id,
                kind=kind,
                subject_id=subject_id,
                key=key,
            )
            for workspace_id, tenant_id, subject_id, key in rows
            if (workspace_id, key) not in known
        ],
        ignore_conflicts=True,
    )
