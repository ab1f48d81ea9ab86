"""The ended runs of the last two days are counted, after the function of 0016 counts new ones.

In its own transaction: a tick that waited for that of 0016 would go on with the earlier function,
which takes increments without counting their runs.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("operations", "0018_rules_hold_for_old_runs")]

    operations = [
        migrations.RunSQL("SELECT operation_run_counts_rebuild()", migrations.RunSQL.noop),
    ]
