"""Helpers of every handler that uses Microsoft Graph."""

from __future__ import annotations

from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.client import SLICE_SECONDS, OnWait, WaitReason
from providers.graph.errors import GraphError
from tenancy.models import Tenant

_WAITS = {
    WaitReason.THROTTLED: "Microsoft Graph is throttling requests",
    WaitReason.UNAVAILABLE: "Microsoft Graph is not responding",
    WaitReason.LIST_EXPIRED: "Microsoft Graph ended a list early, which is read again from its start",
}


def show_waits(run: ActiveRun) -> OnWait:
    """Return a callback that displays waits in place of the run's phase, and on its timeline.

    It also lets a cancellation end them. Waits for the pace of requests are not displayed.
    """
    next_slice = 0.0

    def on_wait(seconds: float, reason: WaitReason) -> None:
        nonlocal next_slice
        if reason in _WAITS:
            if seconds != next_slice:
                run.report_wait(_WAITS[reason], seconds)
            next_slice = seconds - SLICE_SECONDS
            run.set_meta(phase=f"{_WAITS[reason]}: continuing in {max(1, round(seconds))} s")
        run.checkpoint()

    return on_wait


def raise_if_blocking(error: GraphError) -> None:
    """End the run if every further request would fail too, such as after a rejected credential.

    Raises:
        Blocked: the tenant refuses every request of this connection.
    """
    if error.is_blocking_whole_run:
        raise Blocked(error.code, request_id=error.request_id, **error.params) from error


def active_tenant(run: ActiveRun) -> Tenant:
    """Return the tenant of the run.

    Raises:
        Blocked: the tenant is suspended or archived.
    """
    if not run.tenant.is_active:
        raise Blocked(run.tenant.inactive_reason, tenant=run.tenant.name)
    return run.tenant
