"""Items have no index by name: a page of a set reads all of its items to count them anyway."""

from django.db import migrations

from tenancy.db import drop_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("backups", "0020_unneeded_secrets")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [drop_index_concurrently("items_of_set", "ON backup_items (set_id, kind, name, id)")],
            [migrations.RemoveIndex("backupitem", "items_of_set")],
        )
    ]
