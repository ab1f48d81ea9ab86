"""What staff changed about owners and members, for the owners to see."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0006_visible_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="StaffChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("user_name", models.CharField(max_length=150)),
                ("changed_by_name", models.CharField(max_length=150)),
                ("text", models.CharField(max_length=300)),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="staff_changes",
                        to="tenancy.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "staff_changes",
                "ordering": ("-at", "-id"),
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["workspace", "at"], name="staff_changes_ws")],
            },
        ),
        run_sql_file(__file__, "staff_changes"),
    ]
