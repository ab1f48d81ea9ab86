import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from tenancy.db import composite_tenant_fk


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("backups", "0001_initial"),
        ("operations", "0001_initial"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="RestoreRun",
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
                            ("previewing", "Previewing"),
                            ("previewed", "Previewed"),
                            ("executing", "Executing"),
                            ("ended", "Ended"),
                        ],
                        default="previewing",
                        max_length=16,
                    ),
                ),
                (
                    "assignments",
                    models.CharField(
                        choices=[
                            ("keep", "Keep current"),
                            ("backup", "From backup"),
                            ("none", "No assignments"),
                        ],
                        default="keep",
                        max_length=8,
                    ),
                ),
                (
                    "access_state",
                    models.CharField(
                        choices=[
                            ("report_only", "Report-only"),
                            ("as_backed_up", "As in the backup"),
                        ],
                        default="report_only",
                        max_length=16,
                    ),
                ),
                ("is_dry_run", models.BooleanField(default=True)),
                ("preview_digest", models.CharField(blank=True, default="", max_length=64)),
                ("requested_by_name", models.CharField(max_length=200)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("previewed_at", models.DateTimeField(blank=True, null=True)),
                ("approved_at", models.DateTimeField(blank=True, null=True)),
                ("executed_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "backup_set",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="restores",
                        to="backups.backupset",
                    ),
                ),
                (
                    "before_set",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="taken_before",
                        to="backups.backupset",
                    ),
                ),
                (
                    "execute_run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="operations.operationrun",
                    ),
                ),
                (
                    "preview_run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="operations.operationrun",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
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
                        to="restores.restorerun",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="restores",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="restores",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "restore_runs",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "created_at", "id"], name="restores_ws")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("id", "tenant", "workspace"), name="restores_id_scope"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "executing")),
                        fields=("tenant",),
                        name="restores_one_active_per_tenant",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["previewing", "previewed", "executing", "ended"])
                        ),
                        name="restores_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("assignments__in", ["keep", "backup", "none"]),
                            ("access_state__in", ["report_only", "as_backed_up"]),
                        ),
                        name="restores_options_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", False), ("status", "ended")),
                            models.Q(
                                models.Q(("status", "ended"), _negated=True),
                                ("ended_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="restores_ended_has_an_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "executing"), _negated=True),
                            models.Q(
                                ("executed_at__isnull", False),
                                ("is_dry_run", False),
                                models.Q(("preview_digest", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="restores_executed_as_previewed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RestoreItem",
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
                (
                    "action",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not previewed yet"),
                            ("create", "Create"),
                            ("update", "Update"),
                            ("unchanged", "Unchanged"),
                            ("conflict", "Conflict"),
                            ("blocked", "Blocked"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("reason_code", models.CharField(blank=True, default="", max_length=64)),
                ("message", models.TextField(blank=True, default="")),
                ("changes", models.JSONField(default=list)),
                ("target_id", models.CharField(blank=True, default="", max_length=200)),
                ("live_hash", models.CharField(blank=True, default="", max_length=64)),
                ("expected_hash", models.CharField(blank=True, default="", max_length=64)),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Undecided"),
                            ("keep", "Keep current"),
                            ("take", "Use backup"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("intent", "Pending write"),
                            ("applied", "Written"),
                            ("verified", "Written and verified"),
                            ("differs", "Written, but different"),
                            ("unknown", "Unknown: verify manually"),
                            ("failed", "Not written"),
                            ("skipped", "Skipped"),
                        ],
                        default="planned",
                        max_length=16,
                    ),
                ),
                ("outcome_code", models.CharField(blank=True, default="", max_length=64)),
                ("outcome_message", models.TextField(blank=True, default="")),
                ("before_hash", models.CharField(blank=True, default="", max_length=64)),
                ("after_hash", models.CharField(blank=True, default="", max_length=64)),
                ("result_id", models.CharField(blank=True, default="", max_length=200)),
                ("intent_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "backup_item",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="backups.backupitem",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="backups.policyversion",
                    ),
                ),
                (
                    "restore",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="restores.restorerun",
                    ),
                ),
                ("next_step", models.TextField(blank=True, default="")),
                ("outcome_next_step", models.TextField(blank=True, default="")),
                ("warning", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "restore_items",
                "ordering": ("restore", "id"),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("restore", "kind", "graph_id"), name="restore_items_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                ["", "create", "update", "unchanged", "conflict", "blocked"],
                            ),
                            ("decision__in", ["", "keep", "take"]),
                        ),
                        name="restore_items_action_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "planned",
                                    "intent",
                                    "applied",
                                    "verified",
                                    "differs",
                                    "unknown",
                                    "failed",
                                    "skipped",
                                ],
                            )
                        ),
                        name="restore_items_state_known",
                    ),
                ],
            },
        ),
        composite_tenant_fk("restore_runs"),
    ]
