"""The keys and triggers of notifications, and the audit of their rules."""

from django.db import migrations

from audit.db import audit_trigger
from tenancy.db import composite_tenant_fk, run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0001_initial'),
        ('audit', '0002_guards'),
        ('operations', '0011_read_indexes'),
        ('backups', '0011_version_candidates'),
    ]

    operations = [
        composite_tenant_fk("notification_rules"),
        composite_tenant_fk("notification_events"),
        run_sql_file(__file__, "members"),
        run_sql_file(__file__, "events"),
        audit_trigger("notification_rules", workspace="workspace_id", tenant="tenant_id"),
    ]
