"""PostgreSQL reads all runs once, while others write, and knows that the rules of 0017 hold."""

from django.db import migrations

CONSTRAINTS = (
    "runs_status_known",
    "runs_outcome_known",
    "runs_completed_means_ended",
    "runs_running_has_lease",
    "runs_counts_valid",
)


class Migration(migrations.Migration):
    dependencies = [("operations", "0017_run_rules")]

    operations = [
        # One statement, because each one reads the table.
        migrations.RunSQL(
            "ALTER TABLE operation_runs "
            + ", ".join(f"VALIDATE CONSTRAINT {name}" for name in CONSTRAINTS),
            migrations.RunSQL.noop,
        ),
    ]
