"""Requests to switch off the approval of restores, and the guard of the switch."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0004_second_factor_switch"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalOffRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("requested_by_name", models.CharField(max_length=200)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("effective_at", models.DateTimeField(blank=True, null=True)),
                (
                    "confirmed_by_name",
                    models.CharField(blank=True, db_default="", default="", max_length=200),
                ),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "withdrawn_by_name",
                    models.CharField(blank=True, db_default="", default="", max_length=200),
                ),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "withdrawn_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approval_off_requests",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "approval_off_requests",
                "ordering": ("-created_at", "-id"),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("workspace",),
                        name="approval_off_one_open_request",
                    )
                ],
            },
        ),
        run_sql_file(__file__, "approval_off"),
    ]
