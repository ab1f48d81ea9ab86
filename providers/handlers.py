"""What a worker does for the check of a connection."""

from __future__ import annotations

import datetime as dt

from operations.handlers import operation
from operations.models import EventLevel
from operations.reasons import Blocked
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import graph_client
from providers.handling import active_tenant, telling_waits
from providers.models import ConnectionStatus, ProviderConnection
from providers.probes import Prober
from providers.services import Finding, record_check
from tenancy.roles import Capability


@operation(
    OperationRunType.PROVIDER_CONNECTION_CHECK,
    label="Connection check",
    description="Signs in, compares the tenant, and tries every permission once.",
    required_capability=Capability.CHECK_CONNECTION,
    expected_duration=dt.timedelta(seconds=10),
    time_limit=dt.timedelta(minutes=10),
)
def check_connection(run: ActiveRun) -> None:
    """Sign in, see that the tenant is the right one, and try every permission once.

    A missing permission is a failed item that names the permission, so a run that found some
    missing is partially succeeded; a missing license is skipped; everything granted is succeeded.
    A refused sign-in or another tenant blocks the run. The connection keeps what was found unless
    it was changed meanwhile. Writing is not tried; whether it is permitted is read from the token,
    on a connection that may write.
    """
    connection = _connection_of(run)
    try:
        with graph_client(connection, on_wait=telling_waits(run)) as client:
            finding = Prober(run, client, connection).probe_all()
    except Blocked as blocked:
        _keep(run, connection, Finding(ConnectionStatus.FAILING, {}, blocked.code))
        raise
    _keep(run, connection, finding)


def _connection_of(run: ActiveRun) -> ProviderConnection:
    connections = ProviderConnection.objects.select_related("tenant", "workspace")
    connection_id = int(run.inputs["provider_connection_id"])
    found = connections.filter(tenant=active_tenant(run), pk=connection_id).first()
    if found is None:
        raise Blocked("connection_gone")
    return found


def _keep(run: ActiveRun, connection: ProviderConnection, finding: Finding) -> None:
    if not record_check(connection, finding):
        run.add_note(
            "The connection was changed during the check, so what was found was discarded.",
            EventLevel.WARNING,
        )
