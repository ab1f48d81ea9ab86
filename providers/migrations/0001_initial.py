import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import composite_tenant_fk


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderConnection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "cloud",
                    models.CharField(
                        choices=[
                            ("global", "Global (and GCC)"),
                            ("gcc_high", "US Government L4 (GCC High)"),
                            ("dod", "US Government L5 (DoD)"),
                            ("china", "China (21Vianet)"),
                            ("sandbox", "Graph sandbox"),
                        ],
                        default="global",
                        max_length=20,
                    ),
                ),
                ("client_id", models.UUIDField(verbose_name="application (client) id")),
                (
                    "access",
                    models.CharField(
                        choices=[("read_only", "Read-only"), ("read_write", "Read and write")],
                        default="read_only",
                        max_length=20,
                    ),
                ),
                ("is_default", models.BooleanField(default=False)),
                (
                    "credential_kind",
                    models.CharField(
                        choices=[("secret", "Client secret"), ("certificate", "Certificate")],
                        default="secret",
                        max_length=20,
                    ),
                ),
                ("encrypted_credential", models.TextField(blank=True, default="", editable=False)),
                ("credential_set_at", models.DateTimeField(editable=False, null=True)),
                ("credential_expires_on", models.DateField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("unchecked", "Not checked yet"),
                            ("ready", "Ready"),
                            ("limited", "Permissions missing"),
                            ("failing", "Failing"),
                        ],
                        default="unchecked",
                        max_length=20,
                    ),
                ),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("check_reason_code", models.CharField(blank=True, default="", max_length=64)),
                ("check_results", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="connections",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="connections",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "provider_connections",
                "ordering": ("name", "id"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("tenant",),
                        name="connections_one_default_per_tenant",
                    ),
                    models.UniqueConstraint(
                        fields=("workspace", "tenant", "name"),
                        name="connections_name_once_per_tenant",
                    ),
                    models.UniqueConstraint(
                        fields=("id", "workspace"), name="connections_id_workspace"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("encrypted_credential", ""),
                            (
                                "encrypted_credential__regex",
                                "^rl1\\.[A-Za-z0-9_-]{1,32}\\.[A-Za-z0-9_-]{39,}$",
                            ),
                            _connector="OR",
                        ),
                        name="connections_credential_is_encrypted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cloud__in", ["global", "gcc_high", "dod", "china", "sandbox"])
                        ),
                        name="connections_cloud_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("credential_kind__in", ["secret", "certificate"])),
                        name="connections_credential_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("access__in", ["read_only", "read_write"])),
                        name="connections_access_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["unchecked", "ready", "limited", "failing"])
                        ),
                        name="connections_status_known",
                    ),
                ],
            },
        ),
        composite_tenant_fk("provider_connections"),
    ]
