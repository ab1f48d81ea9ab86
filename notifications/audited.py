"""What the audit log records of notifications: their rules."""

from audit.registry import audit_table, exclude
from notifications.forms import EndpointForm, RuleForm
from notifications.kinds import EventKind

_EVENTS = dict(EventKind.choices)

audit_table(
    "notification_rules",
    label="Notification rule",
    workspace="workspace_id",
    tenant="tenant_id",
    form=RuleForm,
    labels={
        "owner": "Member",
        "tenant": "Tenant",
        "schedule": "Schedule",
        "endpoint": "Webhook endpoint",
    },
    texts={"events": lambda kinds: ", ".join(_EVENTS.get(kind, kind) for kind in kinds)},
)
audit_table(
    "webhook_endpoints",
    label="Webhook endpoint",
    name="name",
    workspace="workspace_id",
    secrets=["encrypted_url", "encrypted_secret", "encrypted_previous_secret"],
    ignored=["failing_since", "retry_at"],
    form=EndpointForm,
    labels={
        "host": "Host",
        "encrypted_url": "Address",
        "encrypted_secret": "Secret",  # nosec B105
        "encrypted_previous_secret": "Previous secret",  # nosec B105
        "previous_until": "Previous secret signs until",
        "paused_at": "Paused",
        "disabled_at": "Disabled",
    },
)
exclude("notification_events", "The ledger writes them by itself.")
exclude("notification_deliveries", "What was sent, which its page shows.")
exclude("notifications", "What members have read; it configures nothing.")
exclude("notification_settings", "How often members get email; it configures nothing else.")
