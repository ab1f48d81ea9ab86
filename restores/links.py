"""The link from a run to its restore."""

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
    """Link to the restore that the run previews or executes."""
    restores = RestoreRun.objects.visible_to(user).select_related("workspace")
    restore = restores.filter(workspace=run.workspace_id, tenant=run.tenant_id, pk=value).first()
    if restore is None:
        return None
    return Link(str(restore), restore.get_absolute_url(), "restore_run")
