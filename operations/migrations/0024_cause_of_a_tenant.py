"""Indexes of a tenant's problems by cause, and of a user's runs that did not succeed.

Two larger indexes were intersected instead, which takes as long as the ledger is.
"""

from django.db import migrations, models

from tenancy.db import create_index_concurrently

_NOT_SUCCEEDED = "outcome IN ('failed', 'partially_succeeded', 'blocked', 'cancelled')"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0023_persons_of_runs")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "runs_user_outcome",
                    "ON operation_runs (user_id, outcome, created_at, id)"
                    f" WHERE {_NOT_SUCCEEDED} AND user_id IS NOT NULL",
                ),
                create_index_concurrently(
                    "runs_tenant_cause",
                    "ON operation_runs (tenant_id, cause, created_at, id) WHERE NOT (cause = '')",
                ),
            ],
            [
                migrations.AddIndex(
                    model_name="operationrun",
                    index=models.Index(
                        condition=models.Q(
                            (
                                "outcome__in",
                                ("failed", "partially_succeeded", "blocked", "cancelled"),
                            ),
                            ("user__isnull", False),
                        ),
                        fields=["user", "outcome", "created_at", "id"],
                        name="runs_user_outcome",
                    ),
                ),
                migrations.AddIndex(
                    model_name="operationrun",
                    index=models.Index(
                        condition=models.Q(("cause", ""), _negated=True),
                        fields=["tenant", "cause", "created_at", "id"],
                        name="runs_tenant_cause",
                    ),
                ),
            ],
        )
    ]
