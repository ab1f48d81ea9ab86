"""Finds the connection of a tenant and creates its Graph client."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import Error

from operations.metrics.counting import record
from operations.reasons import Blocked
from providers.clouds import Cloud, hosts_of
from providers.configuration_secrets import ConfigurationSecrets
from providers.graph.client import GraphClient, OnWait
from providers.graph.http import Http
from providers.graph.pacing import Pacer, configured_quotas
from providers.graph.tokens import MsalTokens, SignIn
from providers.graph.usage import Counted, Usage
from providers.models import Access, CredentialKind, ProviderConnection
from providers.shared_pace import SharedPace
from tenancy.crypto import CredentialUnreadable
from tenancy.models import Tenant

log = logging.getLogger(__name__)


def graph_client_for(
    tenant: Tenant, *, on_wait: OnWait | None = None, client: type[GraphClient] = GraphClient
) -> GraphClient:
    """Return a client of the tenant's default connection; use it in a `with` block.

    No request is sent yet. `on_wait` is called with (seconds, reason) before and during each wait
    and can raise to stop. `client` is the class of the client.

    Raises:
        Blocked: `connection_missing`, `credential_missing`, `credential_unreadable`,
            `cloud_not_available`, `ca_bundle_unreadable`.
    """
    return graph_client(default_connection(tenant), on_wait=on_wait, client=client)


def default_connection(tenant: Tenant) -> ProviderConnection:
    """Return the default connection of a tenant.

    Raises:
        Blocked: `connection_missing`.
    """
    connections = ProviderConnection.objects.defaults().select_related("tenant")
    connection = connections.filter(tenant=tenant).first()
    if connection is None:
        raise Blocked("connection_missing", tenant=tenant.name)
    return connection


def writable_connection(tenant: Tenant) -> ProviderConnection:
    """Return the default connection of a tenant if its access is read and write.

    Raises:
        Blocked: `connection_missing`, `connection_read_only`.
    """
    connection = default_connection(tenant)
    if connection.access != Access.READ_WRITE:
        raise Blocked("connection_read_only")
    return connection


def graph_client(
    connection: ProviderConnection,
    *,
    on_wait: OnWait | None = None,
    client: type[GraphClient] = GraphClient,
) -> GraphClient:
    """Return a client of this connection; see `graph_client_for`."""
    sign_in = _sign_in(connection)
    try:
        http = Http(ca_bundle=sign_in.ca_bundle, trust_env=sign_in.trust_env)
    except OSError:
        raise Blocked("ca_bundle_unreadable") from None
    return client(
        base_url=hosts_of(connection.cloud).graph,
        tokens=MsalTokens(sign_in),
        http=http,
        pacer=Pacer(configured_quotas(), SharedPace(connection.pk)),
        on_wait=on_wait,
        usage=Usage(_record_usage),
        secrets=ConfigurationSecrets(connection.tenant),
        reads_encrypted_values=connection.reads_encrypted_values,
    )


def _record_usage(counted: Iterable[Counted]) -> None:
    """Record what a client has counted; a run never fails because of that."""
    try:
        record(counted)
    except Error as error:
        log.warning("requests were not counted: %s", type(error).__name__)


def _sign_in(connection: ProviderConnection) -> SignIn:
    hosts = hosts_of(connection.cloud)
    return SignIn(
        connection=connection.pk,
        authority=f"{hosts.login}/{connection.tenant.external_id}",
        client_id=str(connection.client_id),
        scope=hosts.scope,
        credential=_credential(connection),
        is_certificate=connection.credential_kind == CredentialKind.CERTIFICATE,
        ca_bundle=settings.GRAPH_CA_BUNDLE,
        # The Graph sandbox runs on this machine, which a proxy does not reach.
        trust_env=connection.cloud != Cloud.SANDBOX,
    )


def _credential(connection: ProviderConnection) -> str:
    if not connection.has_credential:
        raise Blocked("credential_missing", connection=connection.name)
    try:
        return connection.credential()
    except CredentialUnreadable:
        raise Blocked("credential_unreadable", connection=connection.name) from None
