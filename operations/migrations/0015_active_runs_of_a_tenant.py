"""The few active runs of a tenant are read from the index of their identities, which begins with it."""

from django.db import migrations

from tenancy.db import drop_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0014_short_conditions")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                drop_index_concurrently(
                    "runs_tenant_active",
                    "ON operation_runs (tenant_id, created_at, id)"
                    " WHERE status IN ('queued', 'running')",
                ),
            ],
            [
                migrations.RemoveIndex(model_name="operationrun", name="runs_tenant_active"),
            ],
        ),
    ]
