"""Sets of selected policies, and archives of them to download."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

from tenancy.db import composite_tenant_fk

# A set of selected policies may be added to; what was read completely is history all the same.
HISTORY = """
DROP TRIGGER sets_finished_is_history ON backup_sets;
CREATE TRIGGER sets_finished_is_history BEFORE UPDATE ON backup_sets FOR EACH ROW
    WHEN (OLD.status <> 'building' AND
          (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.purpose, OLD.name, OLD.started_at)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.purpose, NEW.name, NEW.started_at)
          OR OLD.status <> 'building' AND OLD.purpose = 'schedule' AND
          (OLD.status, OLD.kinds, OLD.listed_kinds, OLD.unlisted, OLD.item_count,
           OLD.incomplete_count, OLD.finished_at)
          IS DISTINCT FROM
          (NEW.status, NEW.kinds, NEW.listed_kinds, NEW.unlisted, NEW.item_count,
           NEW.incomplete_count, NEW.finished_at))
    EXECUTE FUNCTION backups_refuse('a finished set is never changed');
CREATE TRIGGER items_complete_is_history BEFORE UPDATE ON backup_items FOR EACH ROW
    WHEN (OLD.complete) EXECUTE FUNCTION backups_refuse('what was read is never changed');
"""

BEFORE = """
DROP TRIGGER items_complete_is_history ON backup_items;
DROP TRIGGER sets_finished_is_history ON backup_sets;
CREATE TRIGGER sets_finished_is_history BEFORE UPDATE ON backup_sets FOR EACH ROW
    WHEN (OLD.status <> 'building' AND
          (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.status, OLD.kinds, OLD.listed_kinds,
           OLD.unlisted, OLD.item_count, OLD.incomplete_count, OLD.started_at, OLD.finished_at)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.status, NEW.kinds, NEW.listed_kinds,
           NEW.unlisted, NEW.item_count, NEW.incomplete_count, NEW.started_at, NEW.finished_at))
    EXECUTE FUNCTION backups_refuse('a finished set is never changed');
"""


class Migration(migrations.Migration):
    dependencies = [("backups", "0002_guards"), ("operations", "0004_parts")]

    operations = [
        migrations.AddField(
            "backupset",
            "purpose",
            models.CharField(
                choices=[("schedule", "Schedule"), ("selection", "Selection")],
                db_default="schedule",
                default="schedule",
                max_length=16,
            ),
        ),
        migrations.AddField(
            "backupset",
            "name",
            models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.RemoveIndex("backupset", "sets_complete"),
        migrations.AddIndex(
            "backupset",
            models.Index(
                condition=models.Q(status="complete", purpose="schedule"),
                fields=["workspace", "tenant", "finished_at"],
                name="sets_complete",
            ),
        ),
        migrations.AddConstraint(
            "backupset",
            models.CheckConstraint(
                condition=models.Q(purpose="schedule", name="")
                | models.Q(purpose="selection", schedule__isnull=True) & ~models.Q(name=""),
                name="sets_selection_has_a_name",
            ),
        ),
        migrations.AddConstraint(
            "backupset",
            models.UniqueConstraint(
                condition=models.Q(purpose="selection"),
                fields=("tenant", "name"),
                name="sets_selection_once_per_name",
            ),
        ),
        migrations.RunSQL(HISTORY, BEFORE),
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
                ("created_at", models.DateTimeField(db_default=Now())),
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
                        condition=models.Q(archive__isnull=False),
                        fields=["expires_at"],
                        name="exports_expiring",
                    ),
                ],
            },
        ),
        composite_tenant_fk("policy_exports"),
    ]
