"""The index by which objects of restores are searched for a text."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("restores", "0012_approvals_by_persons"),
        # It created the function that splits a name and an id.
        ("backups", "0026_item_terms"),
    ]

    operations = [
        # The model does not declare it: its function is not one of Django's.
        create_index_concurrently(
            "restore_items_terms",
            "ON restore_items USING gin (backup_item_terms(name, graph_id))"
            # Every search reads the list of pending entries.
            " WITH (gin_pending_list_limit = 64)",
        ),
    ]
