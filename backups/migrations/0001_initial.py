import datetime

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import backups.kinds
import backups.slots
import tenancy.models
from tenancy.db import composite_tenant_fk


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("operations", "0001_initial"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="BackupSchedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "cron",
                    models.CharField(
                        help_text="Minute, hour, day of month, month, day of week: 30 2 * * * is daily at 02:30.",
                        max_length=100,
                        validators=[backups.slots.validate_cron],
                    ),
                ),
                (
                    "timezone",
                    models.CharField(
                        default="UTC", max_length=64, validators=[tenancy.models.validate_timezone]
                    ),
                ),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        size=None,
                        validators=[backups.kinds.validate_kinds],
                    ),
                ),
                (
                    "retention_keep_sets",
                    models.PositiveIntegerField(
                        default=30,
                        help_text="The newest complete sets are always kept.",
                        verbose_name="keep sets",
                    ),
                ),
                (
                    "retention_keep_days",
                    models.PositiveIntegerField(
                        default=90,
                        help_text="Newer sets are always kept.",
                        verbose_name="keep days",
                    ),
                ),
                (
                    "misfire_policy",
                    models.CharField(
                        choices=[
                            ("fire_latest", "Run the latest missed slot within the grace period"),
                            ("skip", "Skip missed slots"),
                        ],
                        default="fire_latest",
                        max_length=20,
                    ),
                ),
                (
                    "misfire_grace",
                    models.DurationField(
                        default=datetime.timedelta(seconds=43200),
                        help_text="The longest delay after which the latest missed slot still runs.",
                    ),
                ),
                ("next_run_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "spread_seconds",
                    models.PositiveIntegerField(db_default=0, default=0, editable=False),
                ),
                ("paused_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "pause_reason",
                    models.CharField(blank=True, default="", editable=False, max_length=300),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "paused_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backup_schedules",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backup_schedules",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "backup_schedules",
                "ordering": ("name", "id"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("paused_at__isnull", True)),
                        fields=["next_run_at"],
                        name="schedules_due",
                    ),
                    models.Index(fields=["workspace", "name", "id"], name="schedules_ws_name"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "name"),
                        name="schedules_name_once_per_tenant",
                        violation_error_message="This tenant already has a schedule with this name.",
                    ),
                    models.UniqueConstraint(fields=("id", "tenant"), name="schedules_id_tenant"),
                    models.CheckConstraint(
                        condition=models.Q(("misfire_policy__in", ["fire_latest", "skip"])),
                        name="schedules_misfire_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("retention_keep_days__gte", 1), ("retention_keep_sets__gte", 1)
                        ),
                        name="schedules_retention_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("misfire_grace__gte", datetime.timedelta(0))),
                        name="schedules_grace_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kinds__len__gte", 1)), name="schedules_have_kinds"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("next_run_at__isnull", False),
                                ("paused_at__isnull", True),
                                ("pause_reason", ""),
                                ("paused_by__isnull", True),
                            ),
                            models.Q(
                                ("next_run_at__isnull", True),
                                ("paused_at__isnull", False),
                                models.Q(("pause_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="schedules_paused_or_due",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BackupSet",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("building", "Building"),
                            ("complete", "Complete"),
                            ("incomplete", "Incomplete"),
                            ("failed", "Failed"),
                        ],
                        default="building",
                        max_length=16,
                    ),
                ),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), size=None
                    ),
                ),
                (
                    "listed_kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                ("unlisted", models.JSONField(db_default={}, default=dict)),
                ("item_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("incomplete_count", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "operation_run",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="backup_set",
                        to="operations.operationrun",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="continued_by",
                        to="backups.backupset",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="sets",
                        to="backups.backupschedule",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backup_sets",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backup_sets",
                        to="tenancy.workspace",
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[("schedule", "Schedule"), ("selection", "Selection")],
                        db_default="schedule",
                        default="schedule",
                        max_length=16,
                    ),
                ),
                ("name", models.CharField(blank=True, db_default="", default="", max_length=200)),
            ],
            options={
                "db_table": "backup_sets",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "started_at", "id"], name="sets_ws"),
                    models.Index(fields=["tenant", "started_at", "id"], name="sets_tenant"),
                    models.Index(
                        condition=models.Q(("purpose", "schedule"), ("status", "complete")),
                        fields=["workspace", "tenant", "ended_at"],
                        name="sets_complete",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("id", "tenant", "workspace"), name="sets_id_scope"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["building", "complete", "incomplete", "failed"])
                        ),
                        name="sets_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("status", "building")),
                            models.Q(
                                models.Q(("status", "building"), _negated=True),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="sets_building_or_finished",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "complete"), _negated=True),
                            models.Q(
                                ("incomplete_count", 0),
                                ("listed_kinds__contains", models.F("kinds")),
                            ),
                            _connector="OR",
                        ),
                        name="sets_complete_covers_kinds",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), ("purpose", "schedule")),
                            models.Q(
                                ("purpose", "selection"),
                                ("schedule__isnull", True),
                                models.Q(("name", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="sets_selection_has_a_name",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("purpose", "selection")),
                        fields=("tenant", "name"),
                        name="sets_selection_once_per_name",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicyVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("content_hash", models.CharField(max_length=64)),
                ("normalized_hash", models.CharField(max_length=64)),
                ("payload", models.JSONField()),
                ("size", models.PositiveIntegerField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="policy_versions",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "policy_versions",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "content_hash"), name="versions_once_per_content"
                    ),
                    models.UniqueConstraint(
                        fields=("id", "workspace"), name="versions_id_workspace"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BackupItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=64)),
                ("graph_id", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=300)),
                ("complete", models.BooleanField(default=False)),
                ("missing", models.JSONField(db_default=[], default=list)),
                ("reason_code", models.CharField(blank=True, default="", max_length=64)),
                ("captured_at", models.DateTimeField(blank=True, null=True)),
                ("last_modified_at", models.DateTimeField(blank=True, null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
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
                (
                    "backup_set",
                    models.ForeignKey(
                        db_column="set_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="backups.backupset",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="backups.policyversion",
                    ),
                ),
            ],
            options={
                "db_table": "backup_items",
                "ordering": ("kind", "name", "id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["tenant", "kind", "graph_id", "id"], name="items_of_object"
                    ),
                    models.Index(fields=["backup_set", "kind", "name", "id"], name="items_of_set"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("backup_set", "kind", "graph_id"), name="items_once_per_object"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("complete", False),
                            models.Q(
                                ("captured_at__isnull", False),
                                ("missing", []),
                                ("reason_code", ""),
                                ("version__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="items_complete_has_content",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("complete", True),
                            models.Q(("reason_code", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="items_incomplete_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicyExport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("file_name", models.CharField(max_length=200)),
                ("archive", models.BinaryField(null=True)),
                ("size", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("item_count", models.PositiveIntegerField()),
                ("incomplete_count", models.PositiveIntegerField(default=0)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires_at", models.DateTimeField()),
                (
                    "operation_run",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="policy_export",
                        to="operations.operationrun",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
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
                "db_table": "policy_exports",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "created_at", "id"], name="exports_ws"),
                    models.Index(
                        condition=models.Q(("archive__isnull", False)),
                        fields=["expires_at"],
                        name="exports_expiring",
                    ),
                ],
            },
        ),
        composite_tenant_fk("backup_schedules"),
        composite_tenant_fk("backup_sets"),
        composite_tenant_fk("backup_items"),
        composite_tenant_fk("policy_exports"),
    ]
