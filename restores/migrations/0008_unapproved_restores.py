"""The index of the restores that wait for an approval, whose number every page shows."""

from django.db import migrations, models

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("restores", "0007_approver_role")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "restores_unapproved",
                    "ON restore_runs (workspace_id, created_at, id)"
                    " WHERE status = 'previewed' AND approved_at IS NULL",
                ),
            ],
            [
                migrations.AddIndex(
                    model_name="restorerun",
                    index=models.Index(
                        condition=models.Q(("approved_at__isnull", True), ("status", "previewed")),
                        fields=["workspace", "created_at", "id"],
                        name="restores_unapproved",
                    ),
                ),
            ],
        ),
    ]
