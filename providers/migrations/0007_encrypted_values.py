"""A connection can read encrypted values of configurations, which are stored encrypted again."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

from tenancy.db import composite_tenant_fk, run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ("providers", "0006_pace_guards"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="providerconnection",
            name="reads_encrypted_values",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Backups then contain them, encrypted, and restores write them. This "
                "requires the permission DeviceManagementConfiguration.ReadWrite.All.",
                verbose_name="read encrypted OMA-URI values",
            ),
        ),
        migrations.CreateModel(
            name="ConfigurationSecret",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("setting", models.TextField()),
                ("encrypted_value", models.TextField(editable=False)),
                ("created_at", models.DateTimeField(db_default=Now())),
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
                "db_table": "configuration_secrets",
                "ordering": ("created_at", "id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["tenant"], name="configuration_secrets_tenant")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(encrypted_value__regex=r"^rl1\.[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{39,}$"),
                        name="configuration_secrets_are_encrypted",
                    )
                ],
            },
        ),
        composite_tenant_fk("configuration_secrets"),
        run_sql_file(__file__, "secret_guards"),
    ]
