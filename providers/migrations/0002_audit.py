"""Changes of connections are recorded."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards"), ("providers", "0001_initial")]

    operations = [
        audit_trigger(
            "provider_connections",
            name="name",
            workspace="workspace_id",
            tenant="tenant_id",
            secrets=("encrypted_credential",),
            ignored=("status", "checked_at", "check_reason_code", "check_results", "updated_at"),
        ),
    ]
