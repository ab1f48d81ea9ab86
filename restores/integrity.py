"""The invariant of restores for the integrity check."""

from django.conf import settings
from django.urls import reverse

from operations.maintenance.integrity import Invariant, register_invariant

register_invariant(
    Invariant(
        "restores_are_closed",
        "No restore stays open after its run has ended.",
        "SELECT restore.id FROM restore_runs restore JOIN operation_runs run"
        " ON run.id = COALESCE(restore.execute_run_id, restore.preview_run_id)"
        " WHERE restore.status IN ('previewing', 'executing') AND run.status = 'completed'"
        " AND run.completed_at < clock_timestamp() - make_interval(secs => %(slack)s)",
        noun="Restore",
        address=lambda pk: reverse("admin:restores_restorerun_change", args=[pk]),
        parameters=lambda: {"slack": 3 * settings.TICK_SECONDS},
    )
)
