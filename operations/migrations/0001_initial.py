import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from tenancy.db import composite_tenant_fk


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="OperationRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("initiator_name", models.CharField(max_length=200)),
                ("type", models.CharField(max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("completed", "Completed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("succeeded", "Succeeded"),
                            ("partially_succeeded", "Partially succeeded"),
                            ("failed", "Failed"),
                            ("blocked", "Blocked"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="pending",
                        max_length=24,
                    ),
                ),
                ("run_identity_hash", models.CharField(max_length=64)),
                ("summary_counts", models.JSONField(db_default={}, default=dict)),
                ("failure_summary", models.JSONField(db_default=[], default=list)),
                ("context", models.JSONField(db_default={}, default=dict)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
                ("next_publish_at", models.DateTimeField(blank=True, null=True)),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("publish_attempts", models.PositiveIntegerField(db_default=0, default=0)),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True)),
                ("worker", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "cancel_requested_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "retry_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="retries",
                        to="operations.operationrun",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operation_runs",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="operation_runs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operation_runs",
                        to="tenancy.workspace",
                    ),
                ),
                ("submission_id", models.UUIDField(blank=True, null=True)),
                ("details_removed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "operation run",
                "db_table": "operation_runs",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["workspace", "type", "created_at", "id"], name="runs_ws_type"
                    ),
                    models.Index(fields=["workspace", "created_at", "id"], name="runs_ws"),
                    models.Index(
                        fields=["tenant", "type", "created_at", "id"], name="runs_tenant_type"
                    ),
                    models.Index(fields=["tenant", "created_at", "id"], name="runs_tenant"),
                    models.Index(
                        condition=models.Q(("status__in", ("queued", "running"))),
                        fields=["workspace", "created_at", "id"],
                        name="runs_ws_active",
                    ),
                    models.Index(
                        condition=models.Q(("status__in", ("queued", "running"))),
                        fields=["tenant", "created_at", "id"],
                        name="runs_tenant_active",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("acknowledged_at__isnull", True),
                            ("outcome__in", ("failed", "partially_succeeded", "blocked")),
                        ),
                        fields=["workspace", "created_at", "id"],
                        name="runs_ws_attention",
                    ),
                    models.Index(
                        condition=models.Q(("status", "queued")),
                        fields=["next_publish_at"],
                        name="runs_relay",
                    ),
                    models.Index(
                        condition=models.Q(("status", "running")),
                        fields=["id"],
                        name="runs_running",
                    ),
                    models.Index(
                        models.F("context__parent_run_id"),
                        condition=models.Q(("context__has_key", "parent_run_id")),
                        name="runs_by_parent",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("details_removed_at__isnull", True), ("status", "completed")
                        ),
                        fields=["workspace", "created_at", "id"],
                        name="runs_ws_details",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("tenant__isnull", False), ("status__in", ("queued", "running"))
                        ),
                        fields=("tenant", "run_identity_hash"),
                        name="runs_one_active_per_tenant_identity",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("tenant__isnull", True), ("status__in", ("queued", "running"))
                        ),
                        fields=("workspace", "run_identity_hash"),
                        name="runs_one_active_per_workspace_identity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["queued", "running", "completed"])),
                        name="runs_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "outcome__in",
                                [
                                    "pending",
                                    "succeeded",
                                    "partially_succeeded",
                                    "failed",
                                    "blocked",
                                    "cancelled",
                                ],
                            )
                        ),
                        name="runs_outcome_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("completed_at__isnull", False),
                                ("status", "completed"),
                                models.Q(("outcome", "pending"), _negated=True),
                            ),
                            models.Q(
                                models.Q(("status", "completed"), _negated=True),
                                ("completed_at__isnull", True),
                                ("outcome", "pending"),
                            ),
                            _connector="OR",
                        ),
                        name="runs_completed_means_ended",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "running"), _negated=True),
                            models.Q(
                                ("heartbeat_at__isnull", False), ("started_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="runs_running_has_lease",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("submission_id__isnull", False)),
                        fields=("submission_id", "run_identity_hash"),
                        name="runs_submission_starts_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OperationRunEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sequence", models.PositiveIntegerField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("kind", models.CharField(max_length=40)),
                (
                    "level",
                    models.CharField(
                        choices=[("info", "Info"), ("warning", "Warning"), ("error", "Error")],
                        default="info",
                        max_length=10,
                    ),
                ),
                ("message", models.TextField()),
                ("data", models.JSONField(db_default={}, default=dict)),
                ("actor", models.CharField(blank=True, db_default="", default="", max_length=200)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="operations.operationrun",
                    ),
                ),
            ],
            options={
                "verbose_name": "run event",
                "db_table": "operation_run_events",
                "ordering": ("run", "sequence"),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("run"), models.F("sequence"), name="run_events_sequence"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OperationRunItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=300)),
                ("label", models.CharField(blank=True, default="", max_length=300)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason_code", models.CharField(blank=True, default="", max_length=64)),
                ("message", models.TextField(blank=True, default="")),
                ("request_id", models.CharField(blank=True, default="", max_length=100)),
                ("link", models.CharField(blank=True, default="", max_length=300)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="operations.operationrun",
                    ),
                ),
            ],
            options={
                "verbose_name": "run item",
                "db_table": "operation_run_items",
                "ordering": ("run", "id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["run", "outcome", "id"], name="run_items_by_outcome")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "key"), name="run_items_once"),
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["succeeded", "failed", "skipped"])),
                        name="run_items_outcome_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OperationRunTombstone",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("succeeded", "Succeeded"),
                            ("partially_succeeded", "Partially succeeded"),
                            ("failed", "Failed"),
                            ("blocked", "Blocked"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=24,
                    ),
                ),
                ("counts", models.JSONField(db_default={}, default=dict)),
                ("created_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField()),
                (
                    "pruned_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "verbose_name": "run tombstone",
                "db_table": "operation_run_tombstones",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["workspace", "pruned_at"], name="tombstones_ws")],
            },
        ),
        migrations.CreateModel(
            name="InvariantResult",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("checked_at", models.DateTimeField()),
                ("count", models.PositiveIntegerField(default=0)),
                ("offenders", models.JSONField(default=list)),
                ("error", models.CharField(blank=True, default="", max_length=300)),
            ],
            options={
                "db_table": "operation_invariants",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="OperationTick",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "operation_ticks",
                "default_permissions": (),
            },
        ),
        composite_tenant_fk("operation_runs"),
        composite_tenant_fk("operation_run_tombstones"),
    ]
