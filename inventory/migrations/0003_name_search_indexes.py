"""The indexes by which the administration searches the names of objects of all tenants."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("inventory", "0002_graph_id_indexes"),
        # It created the function that splits a text.
        ("backups", "0017_change_terms"),
    ]

    operations = [
        # The models do not declare them: their function is not one of Django's.
        create_index_concurrently(
            f"{table}_terms",
            # Every search reads the list of pending entries.
            f"ON {table} USING gin (search_trigrams(name)) WITH (gin_pending_list_limit = 64)",
        )
        for table in ("policies", "directory_groups", "directory_role_definitions")
    ]
