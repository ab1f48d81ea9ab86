"""The indexes by which the administration finds an object of any tenant by its Graph ID."""

from django.db import migrations, models

from tenancy.db import create_index_concurrently


def graph_id_index(model: str, table: str, name: str) -> migrations.SeparateDatabaseAndState:
    return migrations.SeparateDatabaseAndState(
        [create_index_concurrently(name, f"ON {table} (graph_id)")],
        [migrations.AddIndex(model, models.Index(fields=["graph_id"], name=name))],
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("inventory", "0001_initial")]

    operations = [
        graph_id_index("policy", "policies", "policies_by_graph_id"),
        graph_id_index("directorygroup", "directory_groups", "groups_by_graph_id"),
        graph_id_index("roledefinition", "directory_role_definitions", "roles_by_graph_id"),
    ]
