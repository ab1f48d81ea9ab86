"""Approval rules that a restore keeps, qualified approvers, and expiry."""

from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("restores", "0005_audit")]

    operations = [
        migrations.AddField(
            model_name="restorerun",
            name="approval_expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="restorerun",
            name="approval_required",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="restorerun",
            name="preview_expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        run_sql_file(__file__, "approvals"),
    ]
