"""The handler of the connection check."""

from __future__ import annotations

import datetime as dt

from operations.handlers import operation
from operations.models import EventLevel
from operations.reasons import Blocked
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import graph_client
from providers.handling import active_tenant, show_waits
from providers.models import ConnectionStatus, ProviderConnection
from providers.probes import Prober
from providers.services import Finding, record_check
from tenancy.roles import Capability


@operation(
    OperationRunType.PROVIDER_CONNECTION_CHECK,
    label="Connection check",
    description="Signs in, verifies the tenant, and checks every permission.",
    required_capability=Capability.CHECK_CONNECTION,
    expected_duration=dt.timedelta(seconds=10),
    time_limit=dt.timedelta(minutes=10),
)
def check_connection(run: ActiveRun) -> None:
    """Sign in, verify the tenant, and check every permission.

    A missing permission is a failed item that names the permission; the run then succeeds
    partially. A missing license is a skipped item. A refused sign-in or a wrong tenant blocks the
    run. The result is stored on the connection unless the connection was changed during the check.
    Write permissions are not tried but read from the token, on a connection with write access.
    """
    connections = ProviderConnection.objects.select_related("tenant", "workspace")
    connection_id = int(run.inputs["provider_connection_id"])
    connection = connections.filter(tenant=active_tenant(run), pk=connection_id).first()
    if connection is None:
        raise Blocked("connection_gone")
    try:
        with graph_client(connection, on_wait=show_waits(run)) as client:
            finding = Prober(run, client, connection).probe_all()
    except Blocked as blocked:
        _record(run, connection, Finding(ConnectionStatus.FAILING, {}, blocked.code))
        raise
    _record(run, connection, finding)


def _record(run: ActiveRun, connection: ProviderConnection, finding: Finding) -> None:
    if not record_check(connection, finding):
        run.add_note(
            "The connection was changed during the check, so the result was discarded.",
            EventLevel.WARNING,
        )
