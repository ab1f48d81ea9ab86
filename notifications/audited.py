"""What the audit log records of notifications: their rules."""

from audit.registry import audit_table, exclude
from notifications.forms import RuleForm

audit_table(
    "notification_rules",
    label="Notification rule",
    workspace="workspace_id",
    tenant="tenant_id",
    form=RuleForm,
    labels={"owner": "Member", "tenant": "Tenant", "schedule": "Schedule"},
)
exclude("notification_events", "The ledger writes them by itself.")
exclude("notification_deliveries", "What was sent, which its page shows.")
exclude("notifications", "What members have read; it configures nothing.")
exclude("notification_settings", "How often members get email; it configures nothing else.")
