"""The indexes by which the records of sign-ins are searched for a part of a name."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tenancy", "0016_labels"),
        ("axes", "0010_accessattemptexpiration"),
        # It created the function that splits a text.
        ("backups", "0017_change_terms"),
    ]

    operations = [
        create_index_concurrently(
            f"{table}_terms",
            # Every search reads the list of pending entries.
            f"ON {table} USING gin (search_trigrams(username)) WITH (gin_pending_list_limit = 64)",
        )
        for table in ("axes_accessfailurelog", "axes_accesslog")
    ]
