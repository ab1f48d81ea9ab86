"""The indexes by which the list of runs is filtered, searched and sorted, whatever its length."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from tenancy.db import create_index_concurrently, drop_index_concurrently

_NOT_SUCCEEDED = "outcome IN ('failed', 'partially_succeeded', 'blocked', 'cancelled')"
_ENDED = "completed_at IS NOT NULL"
_STARTED = "completed_at IS NOT NULL AND started_at IS NOT NULL"


def _on(columns: str, condition: str = "") -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"ON operation_runs ({columns}){where}"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("operations", "0010_search_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # The runs of a schedule that are not of a slot; those of slots have a unique index. The
        # model does not declare it, because only the app of backups knows schedules.
        create_index_concurrently(
            "runs_of_schedule",
            _on(
                "(context->>'backup_schedule_id'), created_at, id",
                "type IN ('backup_schedule.run_now', 'backup_schedule.retry')",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "runs_ws_outcome", _on("workspace_id, outcome, created_at, id", _NOT_SUCCEEDED)
                ),
                create_index_concurrently(
                    "runs_ws_type_outcome",
                    _on("workspace_id, type, outcome, created_at, id", _NOT_SUCCEEDED),
                ),
                create_index_concurrently(
                    "runs_ws_initiator_outcome",
                    _on("workspace_id, initiator_name, outcome, created_at, id", _NOT_SUCCEEDED),
                ),
                create_index_concurrently(
                    "runs_tenant_outcome", _on("tenant_id, outcome, created_at, id", _NOT_SUCCEEDED)
                ),
                create_index_concurrently(
                    "runs_ws_outcome_ended",
                    _on("workspace_id, outcome, completed_at, id", _NOT_SUCCEEDED),
                ),
                create_index_concurrently(
                    "runs_ws_outcome_duration",
                    _on(
                        "workspace_id, outcome, (completed_at - started_at), id",
                        f"{_NOT_SUCCEEDED} AND started_at IS NOT NULL",
                    ),
                ),
                create_index_concurrently(
                    "runs_ws_initiator", _on("workspace_id, initiator_name, type, created_at, id")
                ),
                create_index_concurrently(
                    "runs_ws_type_ended", _on("workspace_id, type, completed_at, id", _ENDED)
                ),
                create_index_concurrently(
                    "runs_ws_type_duration",
                    _on("workspace_id, type, (completed_at - started_at), id", _STARTED),
                ),
                create_index_concurrently(
                    "runs_user", _on("user_id, created_at, id", "user_id IS NOT NULL")
                ),
                create_index_concurrently(
                    "runs_retry_of", _on("retry_of_id", "retry_of_id IS NOT NULL")
                ),
                # The new indexes take the place of these.
                drop_index_concurrently(
                    "runs_ws_ended", _on("workspace_id, completed_at, id", _ENDED)
                ),
                drop_index_concurrently(
                    "runs_ws_duration",
                    _on("workspace_id, (completed_at - started_at), id", _STARTED),
                ),
                drop_index_concurrently("operation_runs_user_id_b7eb508c", _on("user_id")),
                drop_index_concurrently("operation_runs_retry_of_id_1c8c8c3d", _on("retry_of_id")),
            ],
            [
        migrations.RemoveIndex(
            model_name='operationrun',
            name='runs_ws_ended',
        ),
        migrations.RemoveIndex(
            model_name='operationrun',
            name='runs_ws_duration',
        ),
        migrations.AlterField(
            model_name='operationrun',
            name='retry_of',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='retries', to='operations.operationrun'),
        ),
        migrations.AlterField(
            model_name='operationrun',
            name='user',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='operation_runs', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['workspace', 'type', 'completed_at', 'id'], name='runs_ws_type_ended'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(models.F('workspace'), models.F('type'), django.db.models.expressions.CombinedExpression(models.F('completed_at'), '-', models.F('started_at')), models.F('id'), condition=models.Q(('completed_at__isnull', False), ('started_at__isnull', False)), name='runs_ws_type_duration'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(fields=['workspace', 'initiator_name', 'type', 'created_at', 'id'], name='runs_ws_initiator'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('user__isnull', False)), fields=['user', 'created_at', 'id'], name='runs_user'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('retry_of__isnull', False)), fields=['retry_of'], name='runs_retry_of'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('outcome__in', ('failed', 'partially_succeeded', 'blocked', 'cancelled'))), fields=['workspace', 'outcome', 'created_at', 'id'], name='runs_ws_outcome'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('outcome__in', ('failed', 'partially_succeeded', 'blocked', 'cancelled'))), fields=['workspace', 'type', 'outcome', 'created_at', 'id'], name='runs_ws_type_outcome'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('outcome__in', ('failed', 'partially_succeeded', 'blocked', 'cancelled'))), fields=['workspace', 'initiator_name', 'outcome', 'created_at', 'id'], name='runs_ws_initiator_outcome'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('outcome__in', ('failed', 'partially_succeeded', 'blocked', 'cancelled'))), fields=['tenant', 'outcome', 'created_at', 'id'], name='runs_tenant_outcome'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(condition=models.Q(('outcome__in', ('failed', 'partially_succeeded', 'blocked', 'cancelled'))), fields=['workspace', 'outcome', 'completed_at', 'id'], name='runs_ws_outcome_ended'),
        ),
        migrations.AddIndex(
            model_name='operationrun',
            index=models.Index(models.F('workspace'), models.F('outcome'), django.db.models.expressions.CombinedExpression(models.F('completed_at'), '-', models.F('started_at')), models.F('id'), condition=models.Q(('outcome__in', ('failed', 'partially_succeeded', 'blocked', 'cancelled')), ('started_at__isnull', False)), name='runs_ws_outcome_duration'),
        ),
            ],
        ),
    ]
