"""The index by which retention finds the encrypted values that it has to check."""

from django.db import migrations, models

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("providers", "0008_check_secrets")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "configuration_secrets_due", "ON configuration_secrets (check_after)"
                )
            ],
            [
                migrations.AddIndex(
                    "configurationsecret",
                    models.Index(fields=["check_after"], name="configuration_secrets_due"),
                )
            ],
        )
    ]
