"""The newest backups of each tenant, which pages read for all tenants of a workspace."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0029_rare_terms"),
        ("tenancy", "0017_sign_in_search_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="TenantFreshness",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="backup_freshness",
                        serialize=False,
                        to="tenancy.tenant",
                    ),
                ),
                ("last_complete_at", models.DateTimeField(blank=True, null=True)),
                (
                    "latest_status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("building", "Building"),
                            ("complete", "Complete"),
                            ("incomplete", "Incomplete"),
                            ("failed", "Failed"),
                        ],
                        db_default="",
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "verbose_name": "freshness of a tenant",
                "verbose_name_plural": "freshness of tenants",
                "db_table": "backup_freshness",
                "default_permissions": ("view",),
            },
        ),
        run_sql_file(__file__, "tenant_freshness"),
    ]
