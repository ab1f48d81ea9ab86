"""What every handler that talks to Microsoft Graph needs."""

from __future__ import annotations

from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.client import OnWait, WaitReason
from providers.graph.errors import GraphError
from tenancy.models import Tenant

_WAITS = {
    WaitReason.THROTTLED: "Microsoft Graph asked to wait",
    WaitReason.UNAVAILABLE: "Microsoft Graph does not answer",
    WaitReason.PACING: "Waiting for a place in line at Microsoft Graph",
}


def telling_waits(run: ActiveRun) -> OnWait:
    """Show every wait for Microsoft as the run's phase, and let a cancellation end it."""

    def on_wait(seconds: float, reason: WaitReason) -> None:
        if reason != WaitReason.PACING:
            run.set_phase(f"{_WAITS[reason]}: going on in {max(1, round(seconds))} s")
        run.checkpoint()

    return on_wait


def raise_if_blocking(error: GraphError) -> None:
    """End the run where nothing more can come of it, such as after a rejected credential.

    Raises:
        Blocked: the tenant lets nothing of this connection in.
    """
    if error.is_blocking_whole_run:
        raise Blocked(error.code, request_id=error.request_id, **error.params) from error


def active_tenant(run: ActiveRun) -> Tenant:
    """The tenant of the run, if operations may run on it.

    Raises:
        Blocked: it is suspended.
    """
    if not run.tenant.is_active:
        raise Blocked("tenant_suspended", tenant=run.tenant.name)
    return run.tenant
