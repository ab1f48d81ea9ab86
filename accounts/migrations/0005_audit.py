"""Changes of invitations are recorded."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_invitation_guards"), ("audit", "0002_guards")]

    operations = [
        audit_trigger(
            "invitations",
            name="email",
            workspace="workspace_id",
            secrets=("link_hash",),
            ignored=("is_sent",),
        ),
    ]
