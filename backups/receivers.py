"""What happens to the schedules of a tenant whose status changes."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from backups import services
from tenancy.models import Tenant, TenantStatus, User
from tenancy.signals import tenant_status_changed


@receiver(tenant_status_changed)
def follow_archive(
    sender: Any, tenant: Tenant, before: TenantStatus, by: User, **_: object
) -> None:
    """Stop the schedules of an archived tenant, and start them again when it is brought back."""
    if tenant.is_archived:
        services.pause_for_archive(tenant, by=by)
    elif before == TenantStatus.ARCHIVED:
        services.resume_after_archive(tenant, by=by)
