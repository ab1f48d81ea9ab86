"""Names without invisible characters."""

from django.db import migrations, models

from tenancy.db import run_sql_file
from web.names import validate_name


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0006_audit"),
        ("tenancy", "0006_visible_names"),
    ]

    operations = [
        migrations.AlterField(
            model_name="backupschedule",
            name="name",
            field=models.CharField(max_length=200, validators=[validate_name]),
        ),
        run_sql_file(__file__, "visible_names"),
    ]
