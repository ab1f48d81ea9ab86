"""Helpers of every handler that uses Microsoft Graph."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from typing import TypeVar

from django.conf import settings

from operations.models import OperationRun
from operations.reasons import Blocked
from operations.states import RunStatus
from operations.worker.active_run import ActiveRun
from providers.graph.client import SLICE_SECONDS, GraphClient, OnWait, WaitReason
from providers.graph.errors import GraphError
from providers.graph.many import ManyReads, Outcome
from tenancy.models import Tenant

T = TypeVar("T")
#: How often a run counts the runs that share the requests of its tenant, in seconds.
SHARE_SECONDS = 2.0
#: The most requests under way at the same time; the pool of connections is as large.
MAX_PARALLEL = 8
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


def read_many(
    run: ActiveRun, client: GraphClient, functions: Iterable[Callable[[GraphClient], T]]
) -> AbstractContextManager[Iterator[Outcome[T]]]:
    """Return an iterator of the outcome of each read in order, as `ManyReads` does.

    At the end of the `with` block, nothing more is sent. A cancellation or a lost lease ends it.
    The requests under way are divided among the running runs of the tenant, whichever worker they
    are in.

    Raises:
        Blocked: there is no token.
        StopRun: the run must stop.
    """
    counted_at = -math.inf

    def on_tick() -> None:
        nonlocal counted_at
        run.checkpoint()
        if time.monotonic() - counted_at >= SHARE_SECONDS:
            many.share = _running_runs(run.tenant)
            counted_at = time.monotonic()

    parallel = min(max(1, settings.GRAPH_PARALLEL_REQUESTS), MAX_PARALLEL)
    many = ManyReads(client, on_tick=on_tick, parallel=parallel)
    return closing(many.outcomes(functions))


def _running_runs(tenant: Tenant) -> int:
    count = OperationRun.objects.filter(tenant=tenant, status=RunStatus.RUNNING).count()
    return max(1, count)


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
