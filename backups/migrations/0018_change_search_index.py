"""The index by which changes are searched for a text."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("backups", "0017_change_terms")]

    operations = [
        # The model does not declare it: its function is not one of Django's.
        create_index_concurrently(
            "changes_terms",
            "ON policy_changes USING gin (policy_change_terms(workspace_id, name, author, graph_id))"
            # Every search reads the list of pending entries.
            " WITH (gin_pending_list_limit = 64)",
        ),
    ]
