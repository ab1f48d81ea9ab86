"""Since when a member has the role."""

import datetime as dt

from django.db import migrations, models
from django.db.models import Value
from django.db.models.functions import Now

from tenancy.db import run_sql_file

#: Before the first installation.
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0010_support_access")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="role_since",
            field=models.DateTimeField(db_default=Value(LONG_AGO), editable=False),
        ),
        migrations.AlterField(
            model_name="membership",
            name="role_since",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        run_sql_file(__file__, "role_since"),
    ]
