"""The pace of a connection names its tenant and workspace, and the database holds it to them."""

import django.db.models.deletion
from django.db import migrations, models

from tenancy.db import composite_tenant_fk, run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ("providers", "0005_connection_paces"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        # What was sent in the last seconds; the next request adds the row again.
        migrations.RunSQL("DELETE FROM connection_paces", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="connectionpace",
            name="workspace",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tenancy.workspace",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="connectionpace",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tenancy.tenant",
            ),
            preserve_default=False,
        ),
        composite_tenant_fk("connection_paces"),
        run_sql_file(__file__, "pace_guards"),
    ]
