"""Connections store the links of delta queries, which are not recorded as changes."""

from django.db import migrations, models

from audit.db import audit_trigger

OPTIONS = {
    "name": "name",
    "workspace": "workspace_id",
    "tenant": "tenant_id",
    "secrets": ("encrypted_credential",),
}
IGNORED = ("status", "checked_at", "check_reason_code", "check_results", "updated_at")


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0003_visible_names"),
        ("audit", "0002_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="providerconnection",
            name="delta_links",
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.RunSQL(
            "DROP TRIGGER audited ON provider_connections",
            audit_trigger("provider_connections", **OPTIONS, ignored=IGNORED).sql,
        ),
        audit_trigger(
            "provider_connections",
            **OPTIONS,
            ignored=(*IGNORED[:-1], "delta_links", IGNORED[-1]),
        ),
    ]
