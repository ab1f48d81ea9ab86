"""The filtered list as CSV."""

from __future__ import annotations

from django.http import StreamingHttpResponse

from operations.models import OperationRun
from operations.splits import Selection
from web import csv_export
from web.csv_export import moment_cell
from web.keyset import Order

HEADINGS = (
    "id", "type", "label", "workspace", "tenant", "status", "outcome", "initiator", "total",
    "processed", "succeeded", "failed", "skipped", "created_at", "started_at", "completed_at",
    "cause", "recovered_by",
)  # fmt: skip


def csv_response(selection: Selection, order: Order) -> StreamingHttpResponse:
    """The runs of a selection in this order."""
    return csv_export.csv_response(
        selection.runs.with_scope(),
        file_name="runs.csv",
        headings=HEADINGS,
        cells=_cells,
        order=order,
        fetch=selection.fetch,
    )


def _cells(run: OperationRun) -> list[object]:
    counts = run.counts
    return [
        run.pk, run.type, run.label, run.workspace.name, run.tenant.name if run.tenant else "",
        run.status, run.outcome, run.initiator_name, counts.total, counts.processed,
        counts.succeeded, counts.failed, counts.skipped,
        *(moment_cell(at) for at in (run.created_at, run.started_at, run.completed_at)),
        run.cause_text, run.recovered_by_id or "",
    ]  # fmt: skip
