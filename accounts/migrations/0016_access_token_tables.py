"""Changes of access tokens are recorded; their counters are not written to the log of the database."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_access_tokens"), ("audit", "0002_guards")]

    operations = [
        audit_trigger(
            "access_tokens",
            name="name",
            workspace="workspace_id",
            secrets=("secret_hash",),
            ignored=(
                *("last_used_at", "last_used_address"),
                *("user_name", "created_by_name", "revoked_by_name"),
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE access_token_rates SET UNLOGGED",
            "ALTER TABLE access_token_rates SET LOGGED",
        ),
    ]
