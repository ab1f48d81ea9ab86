"""Requests to switch off the approval of restores are recorded."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_email_addresses"), ("tenancy", "0005_approval_off")]

    operations = [
        audit_trigger("approval_off_requests", name="requested_by_name", workspace="workspace_id"),
    ]
