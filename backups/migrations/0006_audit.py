"""Changes of schedules and deletions of backup sets are recorded."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards"), ("backups", "0005_row_guards")]

    operations = [
        audit_trigger(
            "backup_schedules",
            name="name",
            workspace="workspace_id",
            tenant="tenant_id",
            ignored=(
                "settled_until", "next_run_at", "rules_version", "spread_seconds", "updated_at",
            ),
        ),
        audit_trigger(
            "backup_sets",
            name="name",
            workspace="workspace_id",
            tenant="tenant_id",
            operations=("DELETE",),
        ),
    ]
