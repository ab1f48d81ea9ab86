"""Set how old the last complete backup may be, for a workspace or for one tenant."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from backups.models import BackupObjective
from tenancy.models import Tenant, Workspace


@transaction.atomic
def set_objective(workspace: Workspace, tenant: Tenant | None, hours: int | None) -> None:
    """Set the objective in hours; None removes it, so that the more general one counts.

    The later of two concurrent calls wins.
    """
    # Two first calls would both insert.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    existing = BackupObjective.objects.filter(workspace=workspace, tenant=tenant)
    if hours is None:
        existing.delete()
    elif not existing.update(hours=hours, updated_at=Now()):
        BackupObjective.objects.create(workspace=workspace, tenant=tenant, hours=hours)


def objective_of(workspace: Workspace, tenant: Tenant | None) -> int | None:
    """Return the objective in hours, if this workspace or this tenant has its own."""
    rows = BackupObjective.objects.filter(workspace=workspace, tenant=tenant)
    return rows.values_list("hours", flat=True).first()
