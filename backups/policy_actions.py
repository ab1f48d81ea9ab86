"""The backup actions on selected policies, and the backup panel of a policy's page."""

from __future__ import annotations

from backups.models import BackupItem, SetItem
from inventory.actions import PolicyAction, register_policy_action
from inventory.models import Policy
from inventory.panels import Panel, policy_panel
from tenancy.http import Request
from tenancy.roles import Capability

PANEL_ROWS = 20

register_policy_action(
    PolicyAction(
        "Add to backup set", "policies_back_up", Capability.START_BACKUP, "archive", order=10
    )
)
register_policy_action(
    PolicyAction(
        "Export policies", "policies_export", Capability.EXPORT_POLICIES, "download", order=20
    )
)


@policy_panel(order=10)
def sets_of(request: Request, policy: Policy) -> Panel:
    """The backup sets that contain the policy, newest first."""
    items = BackupItem.objects.visible_to(request.user).filter(
        tenant=policy.tenant_id, kind=policy.kind, graph_id=policy.graph_id
    )
    sets = SetItem.objects.of(items)
    newest = sets.select_related("item", "backup_set__workspace").order_by("-backup_set_id")
    return "backups/_policy_sets.html", {"members": newest[:PANEL_ROWS]}
