"""The indexes with which the search finds runs by a reference or by a request ID."""

from django.db import migrations, models

from tenancy.db import create_index_concurrently

_REFERENCE = r"substring(failure_summary::text from '\(reference ([0-9a-f]{12})\)')"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0009_sort_indexes")]

    operations = [
        # Models cannot declare the index of this expression.
        create_index_concurrently(
            "runs_reference", f"ON operation_runs (({_REFERENCE})) WHERE {_REFERENCE} IS NOT NULL"
        ),
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "run_items_by_request",
                    "ON operation_run_items (request_id) WHERE NOT (request_id = '')",
                )
            ],
            [
                migrations.AddIndex(
                    model_name="operationrunitem",
                    index=models.Index(
                        condition=models.Q(("request_id", ""), _negated=True),
                        fields=["request_id"],
                        name="run_items_by_request",
                    ),
                ),
            ],
        ),
    ]
