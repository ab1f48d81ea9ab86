"""What the rows of runs show, as values from which a version of a page is computed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from operations.models import OperationRun
from operations.states import RunStatus
from tenancy.clock import DatabaseTime
from tenancy.versions import column_names

#: The fields of a run that no row shows. The heartbeat counts only when the lease has ended.
NOT_SHOWN = frozenset(
    {
        *("heartbeat_at", "updated_at", "published_at", "publish_attempts", "next_publish_at"),
        *("run_identity_hash", "submission_id", "details_removed_at", "acknowledgment_note"),
        *("acknowledged_by", "cancel_requested_by", "retry_of", "user", "incident"),
    }
)
_SHOWN = column_names(OperationRun, without=NOT_SHOWN)
_NAMES = ("tenant__name", "workspace__name", "workspace__slug", "assigned_to__username")


def shown_values(runs: QuerySet[OperationRun]) -> QuerySet[OperationRun, Any]:
    """Return the values of the runs that rows show, in the order of the runs."""
    lease = dt.timedelta(seconds=settings.RUN_LEASE_SECONDS)
    is_silent = Q(status=RunStatus.RUNNING, heartbeat_at__lt=DatabaseTime() - lease)
    rows = runs.annotate(is_silent=ExpressionWrapper(is_silent, BooleanField()))
    return rows.values_list(*_SHOWN, *_NAMES, "is_silent")
