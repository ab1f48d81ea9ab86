"""The service of connections. Pages, admin and the check change connections only through it."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from operations.dispatch import RunRequest
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from operations.types import OperationRunType
from providers.models import ConnectionStatus, CredentialKind, ProviderConnection
from tenancy.db import record_reason
from tenancy.models import Tenant, User
from tenancy.services import clean_reason

log = logging.getLogger(__name__)


@transaction.atomic
def save_connection(connection: ProviderConnection) -> None:
    """Validate and save a connection. The first connection of a tenant becomes its default.

    A change of the client id or cloud clears the result of the last check.

    Raises:
        ValidationError: a value is invalid, or the tenant has a connection with this name.
    """
    Tenant.objects.select_for_update().get(pk=connection.tenant_id)
    stored = ProviderConnection.objects.filter(pk=connection.pk).first()
    if stored is None:
        others = ProviderConnection.objects.defaults().filter(tenant=connection.tenant_id)
        connection.is_default = not others.exists()
    elif (stored.client_id, stored.cloud) != (connection.client_id, connection.cloud):
        connection.clear_check()
    connection.full_clean()
    if stored is None:
        connection.save()
        return
    fields = ["name", "client_id", "cloud", "access", "reads_encrypted_values", "updated_at"]
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
    """Replace the credential and clear the result of the last check."""
    locked = ProviderConnection.objects.select_for_update().get(pk=connection.pk)
    locked.credential_kind = kind
    locked.set_credential(plaintext, expires_on=expires_on)


@transaction.atomic
def make_default(connection: ProviderConnection) -> None:
    """Make this the default connection of its tenant. The later of two concurrent calls wins."""
    Tenant.objects.select_for_update().get(pk=connection.tenant_id)
    of_tenant = ProviderConnection.objects.filter(tenant=connection.tenant_id)
    of_tenant.filter(is_default=True).exclude(pk=connection.pk).update(is_default=False)
    of_tenant.filter(pk=connection.pk).update(is_default=True)


@transaction.atomic
def remove_connection(connection: ProviderConnection, *, by: User, reason: str) -> None:
    """Delete a connection and its credential. Inventory and backups stay.

    Raises:
        ValidationError: the reason is empty or too long, or it is the default of a tenant that has
            other connections.
    """
    record_reason(clean_reason(reason))
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
    """Start a check of a connection. A request during an active check leads to that check.

    Raises:
        Blocked: the tenant is suspended or archived.
    """
    tenant = connection.tenant
    if not tenant.is_active:
        raise Blocked(tenant.inactive_reason, tenant=tenant.name)
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
    """The result of a check: a status, the results by kind, and the reason of a problem."""

    status: ConnectionStatus
    results: dict[str, str]
    reason_code: str = ""


def record_check(checked: ProviderConnection, finding: Finding) -> bool:
    """Store the result of a check. `checked` is the connection as of the start of the check.

    Return False, and store nothing, if its credential, client id, cloud or tenant id has changed.
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
            checked_at=Now(),
        )
    )
