"""The spans of a run: what describes it in a trace, without a name."""

from __future__ import annotations

from collections.abc import Sequence

from operations.dispatch import RunRequest
from operations.models import OperationRun
from telemetry.spans import Attribute, Span
from telemetry.tracing import start_span


def describe_run(run: OperationRun) -> dict[str, Attribute | None]:
    """Return the attributes of a span of a run."""
    return {
        "runledger.run.id": run.pk,
        "runledger.run.type": run.type,
        "runledger.workspace.id": run.workspace_id,
        "runledger.tenant.id": run.tenant_id,
    }


def start_dispatch_spans(requests: Sequence[RunRequest]) -> list[Span]:
    """Start the span of each request, in which the trace of its run begins or continues.

    A retry is another trace that refers to that of the run before.
    """
    return [
        start_span(
            f"dispatch {request.type}",
            {
                "runledger.run.type": request.type.value,
                "runledger.workspace.id": request.workspace.pk,
                "runledger.tenant.id": request.tenant.pk if request.tenant else None,
            },
            link=request.retry_of.trace_parent if request.retry_of else "",
        )
        for request in requests
    ]
