"""The indexes by which the list of runs is sorted."""

import django.db.models.expressions
from django.db import migrations, models

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0008_saved_views")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "runs_ws_ended",
                    "ON operation_runs (workspace_id, completed_at, id)"
                    " WHERE completed_at IS NOT NULL",
                ),
                create_index_concurrently(
                    "runs_ws_duration",
                    "ON operation_runs (workspace_id, (completed_at - started_at), id)"
                    " WHERE completed_at IS NOT NULL AND started_at IS NOT NULL",
                ),
            ],
            [
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['workspace', 'completed_at', 'id'], name='runs_ws_ended'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(models.F('workspace'), django.db.models.expressions.CombinedExpression(models.F('completed_at'), '-', models.F('started_at')), models.F('id'), condition=models.Q(('completed_at__isnull', False), ('started_at__isnull', False)), name='runs_ws_duration'),
        ),
            ],
        ),
    ]
