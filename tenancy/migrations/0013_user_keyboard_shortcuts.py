"""Whether a user wants keyboard shortcuts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0012_archived_tenants")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="keyboard_shortcuts",
            field=models.BooleanField(db_default=True, default=True),
        ),
    ]
