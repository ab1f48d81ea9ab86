"""The audit log records support access."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_approval_off"), ("tenancy", "0010_support_access")]

    operations = [
        audit_trigger("support_accesses", name="user_name", workspace="workspace_id"),
    ]
