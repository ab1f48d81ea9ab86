"""The last set of a schedule comes from an index instead of all of its sets."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import create_index_concurrently, drop_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("backups", "0021_fewer_item_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "sets_schedule", "ON backup_sets (schedule_id, started_at, id)"
                ),
                drop_index_concurrently(
                    "backup_sets_schedule_id_8562d250", "ON backup_sets (schedule_id)"
                ),
            ],
            [
                migrations.AlterField(
                    "backupset",
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="sets",
                        to="backups.backupschedule",
                    ),
                ),
                migrations.AddIndex(
                    "backupset",
                    models.Index(fields=["schedule", "started_at", "id"], name="sets_schedule"),
                ),
            ],
        )
    ]
