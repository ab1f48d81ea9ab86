from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ApiSubmission",
            fields=[
                ("submission_id", models.UUIDField(primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=64)),
                ("run_id", models.BigIntegerField()),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "db_table": "api_submissions",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["created_at"], name="api_submissions_created")
                ],
            },
        ),
    ]
