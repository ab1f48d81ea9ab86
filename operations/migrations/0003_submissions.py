"""A form that is posted twice starts one run, for ever."""

from django.db import migrations, models

FIXED = """
CREATE TRIGGER runs_submission_is_fixed BEFORE UPDATE OF submission_id ON operation_runs
    FOR EACH ROW WHEN (OLD.submission_id IS DISTINCT FROM NEW.submission_id)
    EXECUTE FUNCTION operation_runs_refuse('the form that started it is written once');
"""


class Migration(migrations.Migration):
    dependencies = [("operations", "0002_guards")]

    operations = [
        migrations.AddField(
            "operationrun", "submission_id", models.UUIDField(blank=True, null=True)
        ),
        migrations.AddConstraint(
            "operationrun",
            models.UniqueConstraint(
                condition=models.Q(submission_id__isnull=False),
                fields=("submission_id", "run_identity_hash"),
                name="runs_submission_starts_once",
            ),
        ),
        migrations.RunSQL(FIXED, "DROP TRIGGER runs_submission_is_fixed ON operation_runs"),
    ]
