"""The indexes by which the runs of an account are found when the account is deleted.

Without them, each reference reads the whole table, twice. Few runs have either.
"""

from django.db import migrations, models

from tenancy.db import create_index_concurrently

INDEXES = {
    "runs_acknowledged_by": "acknowledged_by",
    "runs_cancel_requested_by": "cancel_requested_by",
}


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0022_counted_once")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    name, f"ON operation_runs ({field}_id) WHERE {field}_id IS NOT NULL"
                )
                for name, field in INDEXES.items()
            ],
            [
                migrations.AddIndex(
                    model_name="operationrun",
                    index=models.Index(
                        condition=models.Q((f"{field}__isnull", False)), fields=[field], name=name
                    ),
                )
                for name, field in INDEXES.items()
            ],
        )
    ]
