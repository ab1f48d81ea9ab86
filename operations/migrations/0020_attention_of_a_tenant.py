"""The index of the runs of a tenant that need attention.

The index of the workspace has those of every tenant.
"""

from django.db import migrations, models

from tenancy.db import create_index_concurrently

_NEEDS_ATTENTION = (
    "outcome IN ('failed', 'partially_succeeded', 'blocked') AND acknowledged_at IS NULL "
    "AND recovered_at IS NULL AND superseded_by_id IS NULL AND NOT (context ? 'parent_run_id')"
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0019_ended_runs_counted")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "runs_tenant_attention",
                    f"ON operation_runs (tenant_id, created_at, id) WHERE {_NEEDS_ATTENTION}",
                )
            ],
            [
                migrations.AddIndex(
                    model_name="operationrun",
                    index=models.Index(
                        condition=models.Q(
                            ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                            ("acknowledged_at__isnull", True),
                            ("recovered_at__isnull", True),
                            ("superseded_by__isnull", True),
                            models.Q(("context__has_key", "parent_run_id"), _negated=True),
                        ),
                        fields=["tenant", "created_at", "id"],
                        name="runs_tenant_attention",
                    ),
                )
            ],
        )
    ]
