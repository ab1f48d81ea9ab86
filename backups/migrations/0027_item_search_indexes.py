"""The indexes by which backup items are searched for a text.

An item that is being read is not in the index of terms: most are replaced by a shared item.
"""

from django.db import migrations, models

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("backups", "0026_item_terms")]

    operations = [
        # The model does not declare it: its function is not one of Django's.
        create_index_concurrently(
            "items_terms",
            "ON backup_items USING gin (backup_item_terms(name, graph_id)) WITH (gin_pending_list_limit = 64)"
            " WHERE complete",
        ),
        migrations.SeparateDatabaseAndState(
            [create_index_concurrently("items_incomplete", "ON backup_items (id) WHERE NOT complete")],
            [
                migrations.AddIndex(
                    "backupitem",
                    models.Index(
                        fields=["id"], name="items_incomplete", condition=models.Q(complete=False)
                    ),
                )
            ],
        ),
    ]
