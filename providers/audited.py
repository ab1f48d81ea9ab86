"""What the audit log records of connections: not the results of their checks."""

from audit.registry import audit_table, exclude
from providers.forms import ConnectionForm

audit_table(
    "provider_connections",
    label="Connection",
    name="name",
    workspace="workspace_id",
    tenant="tenant_id",
    secrets=["encrypted_credential"],
    ignored=[
        "status",
        "checked_at",
        "check_reason_code",
        "check_results",
        "delta_links",
        "updated_at",
    ],
    form=ConnectionForm,
    labels={"is_default": "Default connection", "encrypted_credential": "Credential"},
)
exclude("configuration_secrets", "Values that backups read; a run says which objects it read.")
exclude("connection_paces", "What workers have sent recently, for a few seconds.")
