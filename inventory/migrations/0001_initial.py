import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from tenancy.db import composite_tenant_fk


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DirectoryGroup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("graph_id", models.CharField(max_length=200, verbose_name="Graph ID")),
                ("name", models.CharField(max_length=300)),
                ("description", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "first_seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "changed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("missing_since", models.DateTimeField(blank=True, null=True)),
                (
                    "group_type",
                    models.CharField(
                        choices=[
                            ("security", "Security"),
                            ("microsoft_365", "Microsoft 365"),
                            ("mail_security", "Mail-enabled security"),
                            ("distribution", "Distribution"),
                        ],
                        max_length=20,
                    ),
                ),
                ("is_dynamic", models.BooleanField(default=False)),
                ("membership_rule", models.CharField(blank=True, default="", max_length=4000)),
                (
                    "is_synced",
                    models.BooleanField(default=False, verbose_name="synced from on-premises"),
                ),
                ("is_assignable_to_role", models.BooleanField(default=False)),
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
                "db_table": "directory_groups",
                "ordering": ("name", "id"),
                "abstract": False,
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "name", "id"], name="groups_by_name")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("graph_id", ""), _negated=True),
                        name="directorygroup_has_an_id",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("missing_since__isnull", True),
                            ("missing_since__gte", models.F("first_seen_at")),
                            _connector="OR",
                        ),
                        name="directorygroup_missing_after_seen",
                    ),
                    models.UniqueConstraint(
                        fields=("tenant", "graph_id"), name="groups_once_per_object"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "group_type__in",
                                ["security", "microsoft_365", "mail_security", "distribution"],
                            )
                        ),
                        name="groups_type_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Policy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("graph_id", models.CharField(max_length=200, verbose_name="Graph ID")),
                ("name", models.CharField(max_length=300)),
                ("description", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "first_seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "changed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("missing_since", models.DateTimeField(blank=True, null=True)),
                ("kind", models.CharField(max_length=64)),
                ("object_type", models.CharField(blank=True, default="", max_length=200)),
                ("platform", models.CharField(blank=True, default="", max_length=100)),
                ("state", models.CharField(blank=True, default="", max_length=64)),
                ("is_assigned", models.BooleanField(blank=True, null=True)),
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
            ],
            options={
                "verbose_name_plural": "policies",
                "db_table": "policies",
                "ordering": ("name", "id"),
                "abstract": False,
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["workspace", "name", "id"], name="policies_by_name"),
                    models.Index(
                        fields=["workspace", "kind", "name", "id"], name="policies_by_kind"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("graph_id", ""), _negated=True), name="policy_has_an_id"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("missing_since__isnull", True),
                            ("missing_since__gte", models.F("first_seen_at")),
                            _connector="OR",
                        ),
                        name="policy_missing_after_seen",
                    ),
                    models.UniqueConstraint(
                        fields=("tenant", "kind", "graph_id"), name="policies_once_per_object"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RoleDefinition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("graph_id", models.CharField(max_length=200, verbose_name="Graph ID")),
                ("name", models.CharField(max_length=300)),
                ("description", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "first_seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "changed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("missing_since", models.DateTimeField(blank=True, null=True)),
                ("template_id", models.CharField(blank=True, default="", max_length=200)),
                ("is_built_in", models.BooleanField(default=False)),
                ("is_enabled", models.BooleanField(default=True)),
                (
                    "actions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300),
                        blank=True,
                        default=list,
                        size=None,
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
                "db_table": "directory_role_definitions",
                "ordering": ("name", "id"),
                "abstract": False,
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["workspace", "name", "id"], name="roles_by_name")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("graph_id", ""), _negated=True),
                        name="roledefinition_has_an_id",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("missing_since__isnull", True),
                            ("missing_since__gte", models.F("first_seen_at")),
                            _connector="OR",
                        ),
                        name="roledefinition_missing_after_seen",
                    ),
                    models.UniqueConstraint(
                        fields=("tenant", "graph_id"), name="roles_once_per_object"
                    ),
                ],
            },
        ),
        composite_tenant_fk("policies"),
        composite_tenant_fk("directory_groups"),
        composite_tenant_fk("directory_role_definitions"),
    ]
