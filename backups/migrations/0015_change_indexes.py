"""The indexes by which the list of changes is filtered by kind and by change."""

from django.db import migrations, models

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("backups", "0014_redactions")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "changes_kind",
                    "ON policy_changes (workspace_id, kind, created_at, id)",
                ),
                create_index_concurrently(
                    "changes_change",
                    "ON policy_changes (workspace_id, change, created_at, id)",
                ),
            ],
            [
                migrations.AddIndex(
                    "policychange",
                    models.Index(
                        fields=["workspace", "kind", "created_at", "id"], name="changes_kind"
                    ),
                ),
                migrations.AddIndex(
                    "policychange",
                    models.Index(
                        fields=["workspace", "change", "created_at", "id"], name="changes_change"
                    ),
                ),
            ],
        )
    ]
