from datetime import UTC, datetime

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import composite_tenant_fk, run_sql_file

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def range_checks(model):
    """Ids fit the keys of the lists, and creation times can be sorted."""
    return (
        migrations.AddConstraint(
            model_name=model,
            constraint=models.CheckConstraint(
                condition=models.Q(id__gte=0, id__lte=2**61 - 1),
                name=f"{model}_id_range",
            ),
        ),
        migrations.AddConstraint(
            model_name=model,
            constraint=models.CheckConstraint(
                condition=models.Q(created_at__gte=FIRST, created_at__lt=LAST),
                name=f"{model}_created_at_range",
            ),
        ),
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("operations", "0001_initial"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="LegacyRunEntry",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=32)),
                ("own_id", models.BigIntegerField()),
                ("type", models.CharField(max_length=64)),
                ("status", models.CharField(max_length=64)),
                ("outcome", models.CharField(max_length=24)),
                ("operation_run_id", models.BigIntegerField(null=True)),
                ("was_operation_run_id", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "legacy_run_entries",
                "abstract": False,
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="RunEntry",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=32)),
                ("own_id", models.BigIntegerField()),
                ("type", models.CharField(max_length=64)),
                ("status", models.CharField(max_length=64)),
                ("outcome", models.CharField(max_length=24)),
                ("operation_run_id", models.BigIntegerField(null=True)),
                ("was_operation_run_id", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "run_entries",
                "abstract": False,
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="BackupScheduleRun",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("was_operation_run_id", models.BigIntegerField(blank=True, null=True)),
                ("status", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("backup_schedule_id", models.BigIntegerField()),
                ("scheduled_for", models.DateTimeField()),
                ("summary", models.JSONField(blank=True, null=True)),
                ("error_code", models.CharField(blank=True, default="", max_length=200)),
                ("error_message", models.CharField(blank=True, default="", max_length=2000)),
                ("backup_set_id", models.BigIntegerField(blank=True, null=True)),
                (
                    "operation_run",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
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
                ("updated_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "backup_schedule_runs",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "created_at", "id"], name="legacy_bsr_ws"),
                    models.Index(fields=["tenant", "created_at", "id"], name="legacy_bsr_tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="EntraGroupSyncRun",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("was_operation_run_id", models.BigIntegerField(blank=True, null=True)),
                ("status", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("selection_key", models.CharField(max_length=200)),
                ("slot_key", models.CharField(blank=True, default="", max_length=200)),
                ("error_code", models.CharField(blank=True, default="", max_length=200)),
                ("error_category", models.CharField(blank=True, default="", max_length=200)),
                ("error_summary", models.CharField(blank=True, default="", max_length=2000)),
                ("pages_fetched", models.PositiveBigIntegerField(default=0)),
                ("items_observed_count", models.PositiveBigIntegerField(default=0)),
                ("items_upserted_count", models.PositiveBigIntegerField(default=0)),
                ("error_count", models.PositiveBigIntegerField(default=0)),
                (
                    "operation_run",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
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
                ("updated_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "entra_group_sync_runs",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "created_at", "id"], name="legacy_grp_ws"),
                    models.Index(fields=["tenant", "created_at", "id"], name="legacy_grp_tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="InventorySyncRun",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("was_operation_run_id", models.BigIntegerField(blank=True, null=True)),
                ("status", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("selection_hash", models.CharField(max_length=64)),
                ("selection_payload", models.JSONField(blank=True, null=True)),
                ("items_observed_count", models.PositiveBigIntegerField(default=0)),
                ("items_upserted_count", models.PositiveBigIntegerField(default=0)),
                ("errors_count", models.PositiveBigIntegerField(default=0)),
                (
                    "operation_run",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
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
                ("updated_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "inventory_sync_runs",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "created_at", "id"], name="legacy_inv_ws"),
                    models.Index(fields=["tenant", "created_at", "id"], name="legacy_inv_tenant"),
                ],
            },
        ),
        *range_checks("backupschedulerun"),
        *range_checks("entragroupsyncrun"),
        *range_checks("inventorysyncrun"),
        composite_tenant_fk("inventory_sync_runs"),
        composite_tenant_fk("entra_group_sync_runs"),
        composite_tenant_fk("backup_schedule_runs"),
        run_sql_file(__file__, "views"),
    ]
