"""The index by which retention finds the contents that refer to an encrypted value."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("backups", "0018_change_search_index")]

    operations = [
        # Of profiles with OMA-URI settings, the references to their values.
        create_index_concurrently(
            "versions_secret_references",
            "ON policy_versions USING gin (jsonb_path_query_array(payload,"
            """ '$.omaSettings[*].value ? (@ starts with "encrypted-value:")') jsonb_path_ops)"""
            " WHERE payload ? 'omaSettings'",
        )
    ]
