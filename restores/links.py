"""From a run to the restore that it belongs to; the restore's page leads back."""

from __future__ import annotations

from typing import Any

from operations.context import register_context_key
from operations.links import Link, related_link
from operations.models import OperationRun
from restores.models import RestoreRun
from tenancy.models import User

register_context_key("restore_run_id", "Restore", int)


@related_link("restore_run_id")
def restore_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The restore of the run: what was to change, and what became of it."""
    found = RestoreRun.objects.visible_to(user).filter(
        workspace=run.workspace_id, tenant=run.tenant_id, pk=value
    )
    restore = found.select_related("workspace").first()
    return Link(str(restore), restore.get_absolute_url(), "restore_run") if restore else None
