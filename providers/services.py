"""What a person or a check does with a connection. Pages and admin are thin doors to these."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from operations.dispatch import RunRequest
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from operations.types import OperationRunType
from providers.models import ConnectionStatus, CredentialKind, ProviderConnection
from tenancy.models import Tenant, User

log = logging.getLogger(__name__)


@transaction.atomic
def save_connection(connection: ProviderConnection) -> None:
    """Store a new or changed connection, checked; a tenant's first one becomes its default.

    Another client id or cloud forgets what the last check found.

    Raises:
        ValidationError: a value cannot be, or the tenant has a connection of that name.
    """
    Tenant.objects.select_for_update().get(pk=connection.tenant_id)
    known = ProviderConnection.objects.filter(pk=connection.pk).first()
    if known is None:
        others = ProviderConnection.objects.defaults().filter(tenant=connection.tenant_id)
        connection.is_default = not others.exists()
    elif (known.client_id, known.cloud) != (connection.client_id, connection.cloud):
        connection.forget_check()
    connection.full_clean()
    if known is None:
        connection.save()
        return
    fields = ["name", "client_id", "cloud", "access", "updated_at"]
    if connection.status == ConnectionStatus.UNCHECKED:
        fields += ["status", "checked_at", "check_reason_code", "check_results"]
    connection.save(update_fields=fields)


@transaction.atomic
def rotate_credential(
    connection: ProviderConnection,
    *,
    kind: CredentialKind,
    plaintext: str,
    expires_on: dt.date | None,
) -> None:
    """Replace the credential; the old one is gone, and so is what the last check found."""
    locked = ProviderConnection.objects.select_for_update().get(pk=connection.pk)
    locked.credential_kind = kind
    locked.set_credential(plaintext, expires_on=expires_on)


@transaction.atomic
def make_default(connection: ProviderConnection) -> None:
    """Use this connection for the tenant from now on; of two who choose, the later one wins."""
    Tenant.objects.select_for_update().get(pk=connection.tenant_id)
    of_tenant = ProviderConnection.objects.filter(tenant=connection.tenant_id)
    of_tenant.filter(is_default=True).exclude(pk=connection.pk).update(is_default=False)
    of_tenant.filter(pk=connection.pk).update(is_default=True)


@transaction.atomic
def remove_connection(connection: ProviderConnection, *, by: User) -> None:
    """Forget a connection and its credential. What it has read stays.

    Raises:
        ValidationError: its tenant uses it and has others, of which one is to be chosen first.
    """
    Tenant.objects.select_for_update().get(pk=connection.tenant_id)
    of_tenant = ProviderConnection.objects.filter(tenant=connection.tenant_id)
    others = of_tenant.exclude(pk=connection.pk)
    if of_tenant.defaults().filter(pk=connection.pk).exists() and others.exists():
        raise ValidationError("The tenant uses this connection. Choose another one for it first.")
    of_tenant.filter(pk=connection.pk).delete()
    log.info("connection %s of tenant %s removed by %s", connection, connection.tenant_id, by)


def start_check(
    connection: ProviderConnection, *, by: User, submission: uuid.UUID | None = None
) -> DispatchResult:
    """Check a connection, or join the check that is active.

    Raises:
        Blocked: the tenant is suspended.
    """
    tenant = connection.tenant
    if not tenant.is_active:
        raise Blocked("tenant_suspended", tenant=tenant.name)
    request = RunRequest(
        type=OperationRunType.PROVIDER_CONNECTION_CHECK,
        workspace=connection.workspace,
        tenant=tenant,
        by=by,
        inputs={"provider_connection_id": connection.pk},
        context={
            "provider_connection_id": connection.pk,
            "target_scope": {
                "tenant_name": tenant.name,
                "tenant_external_id": str(tenant.external_id),
            },
        },
        submission=submission,
    )
    return OperationRunService().dispatch_many([request])[0]


@dataclass(frozen=True)
class Finding:
    """What a check found: a status, the results by kind, and a reason where something is wrong."""

    status: ConnectionStatus
    results: dict[str, str]
    reason_code: str = ""


def record_check(checked: ProviderConnection, finding: Finding) -> bool:
    """Keep what a check of `checked` found, as it was read when the check began.

    False: its credential, client id, cloud or tenant id has changed since; nothing was kept.
    """
    unchanged = ProviderConnection.objects.filter(
        pk=checked.pk,
        client_id=checked.client_id,
        cloud=checked.cloud,
        credential_set_at=checked.credential_set_at,
        tenant__external_id=checked.tenant.external_id,
    )
    return bool(
        unchanged.update(
            status=finding.status,
            check_results=finding.results,
            check_reason_code=finding.reason_code,
            checked_at=timezone.now(),
        )
    )
