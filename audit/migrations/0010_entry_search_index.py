"""The index by which the audit log is searched."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0009_entry_terms")]

    operations = [
        # The model does not declare it: its function is not one of Django's.
        create_index_concurrently(
            "audit_terms",
            "ON audit_entries USING gin (audit_entry_terms(workspace_id, tenant_id, object_type,"
            " action, object_name, part, user_name, address, reference))"
            # Every search reads the list of pending entries.
            " WITH (gin_pending_list_limit = 64)",
        ),
    ]
