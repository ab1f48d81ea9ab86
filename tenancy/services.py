"""What a person does with a tenant. Pages and admin are thin doors to these."""

from __future__ import annotations

from django.db import transaction

from tenancy.models import Tenant, TenantStatus


@transaction.atomic
def save_tenant(tenant: Tenant) -> Tenant:
    """Store a new or changed tenant, checked.

    Raises:
        ValidationError: a field has a value that cannot be, or the workspace has the tenant
            already; nothing was stored.
    """
    tenant.full_clean()
    tenant.save()
    return tenant


def suspend(tenant: Tenant) -> None:
    """Let nothing run on the tenant any more; what is running ends as it would have."""
    Tenant.objects.filter(pk=tenant.pk).update(status=TenantStatus.SUSPENDED)


def resume(tenant: Tenant) -> None:
    """Let operations run on the tenant again."""
    Tenant.objects.filter(pk=tenant.pk).update(status=TenantStatus.ACTIVE)
