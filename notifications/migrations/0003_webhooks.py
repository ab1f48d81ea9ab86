"""Endpoints of webhooks, and deliveries to them."""

import django.db.models.deletion
import django.db.models.functions.datetime
import web.names
from django.conf import settings
from django.db import migrations, models

from audit.db import audit_trigger
from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_guards'),
        ('backups', '0015_change_indexes'),
        ('notifications', '0002_guards'),
        ('tenancy', '0013_user_keyboard_shortcuts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, validators=[web.names.validate_name])),
                ('format', models.CharField(choices=[('standard', 'Standard Webhooks (JSON, signed)'), ('slack', 'Slack'), ('teams', 'Microsoft Teams')], default='standard', max_length=16)),
                ('host', models.CharField(editable=False, max_length=300)),
                ('encrypted_url', models.TextField(editable=False)),
                ('encrypted_secret', models.TextField(default='', editable=False)),
                ('encrypted_previous_secret', models.TextField(default='', editable=False)),
                ('previous_until', models.DateTimeField(editable=False, null=True)),
                ('created_by_name', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('paused_at', models.DateTimeField(blank=True, null=True)),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('retry_at', models.DateTimeField(blank=True, null=True)),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'db_table': 'webhook_endpoints',
                'default_permissions': ('view',),
            },
        ),
        migrations.RemoveConstraint(
            model_name='notificationevent',
            name='notification_events_kind_known',
        ),
        migrations.RemoveConstraint(
            model_name='notificationrule',
            name='notification_rules_have_a_channel',
        ),
        migrations.AddField(
            model_name='notificationdelivery',
            name='repetition',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='notificationdelivery',
            name='user',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='notificationevent',
            name='kind',
            field=models.CharField(choices=[('run_failed', 'Run failed, partially succeeded or was blocked'), ('run_recovered', 'Run recovered'), ('incident_opened', 'Incident opened'), ('incident_closed', 'Incident closed'), ('backup_late', 'Backup later than its objective'), ('credential_expires', 'Credential or certificate expires soon'), ('approval_wanted', 'Restore waits for an approval'), ('policies_changed', 'Policies changed unexpectedly'), ('endpoint_disabled', 'Webhook endpoint disabled'), ('test', 'Test of a webhook endpoint')], max_length=32),
        ),
        migrations.AddConstraint(
            model_name='notificationevent',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['run_failed', 'run_recovered', 'incident_opened', 'incident_closed', 'backup_late', 'credential_expires', 'approval_wanted', 'policies_changed', 'endpoint_disabled', 'test'])), name='notification_events_kind_known'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='webhook_endpoints', to='tenancy.workspace'),
        ),
        migrations.AddField(
            model_name='notificationdelivery',
            name='endpoint',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='deliveries', to='notifications.webhookendpoint'),
        ),
        migrations.AddField(
            model_name='notificationrule',
            name='endpoint',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rules', to='notifications.webhookendpoint'),
        ),
        migrations.AddIndex(
            model_name='notificationdelivery',
            index=models.Index(condition=models.Q(('endpoint__isnull', False)), fields=['endpoint', 'created_at', 'id'], name='deliveries_of_endpoint'),
        ),
        migrations.AddConstraint(
            model_name='notificationdelivery',
            constraint=models.UniqueConstraint(fields=('event', 'endpoint', 'repetition'), name='notification_deliveries_sent_once'),
        ),
        migrations.AddConstraint(
            model_name='notificationdelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('endpoint__isnull', True), ('repetition', 0), ('user__isnull', False)), models.Q(('endpoint__isnull', False), ('message_id__isnull', False), ('user__isnull', True)), _connector='OR'), name='notification_deliveries_one_receiver'),
        ),
        migrations.AddConstraint(
            model_name='notificationrule',
            constraint=models.CheckConstraint(condition=models.Q(('in_app', True), ('email', True), ('endpoint__isnull', False), _connector='OR'), name='notification_rules_have_a_channel'),
        ),
        migrations.AddConstraint(
            model_name='notificationrule',
            constraint=models.CheckConstraint(condition=models.Q(('endpoint__isnull', True), ('owner__isnull', True), _connector='OR'), name='notification_rules_webhooks_are_shared'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.UniqueConstraint(fields=('workspace', 'name'), name='webhook_endpoints_name_once', violation_error_message='There is already an endpoint with this name.'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.UniqueConstraint(fields=('id', 'workspace'), name='webhook_endpoints_id_ws'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(('format__in', ['standard', 'slack', 'teams'])), name='webhook_endpoints_format_known'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(('encrypted_url__regex', '^rl1\\.[A-Za-z0-9_-]{1,32}\\.[A-Za-z0-9_-]{39,}$')), name='webhook_endpoints_url_is_encrypted'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('encrypted_secret__regex', '^rl1\\.[A-Za-z0-9_-]{1,32}\\.[A-Za-z0-9_-]{39,}$'), ('format', 'standard')), models.Q(models.Q(('format', 'standard'), _negated=True), ('encrypted_secret', '')), _connector='OR'), name='webhook_endpoints_secret_is_encrypted'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('encrypted_previous_secret', ''), ('previous_until__isnull', True)), models.Q(('encrypted_previous_secret__regex', '^rl1\\.[A-Za-z0-9_-]{1,32}\\.[A-Za-z0-9_-]{39,}$'), ('previous_until__isnull', False)), _connector='OR'), name='webhook_endpoints_previous_is_encrypted'),
        ),
        run_sql_file(__file__, "webhooks"),
        audit_trigger(
            "webhook_endpoints",
            name="name",
            workspace="workspace_id",
            secrets=["encrypted_url", "encrypted_secret", "encrypted_previous_secret"],
            ignored=["failing_since", "retry_at"],
        ),
    ]
