"""What changed from one backup set to the next: counts on each set, and a row per change."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from tenancy.db import composite_tenant_fk, run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0008_objectives_and_days'),
        ('operations', '0006_incidents'),
        ('tenancy', '0008_sign_in_record_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='PolicyChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('change', models.CharField(choices=[('created', 'Created'), ('changed', 'Changed'), ('removed', 'Removed')], max_length=16)),
                ('kind', models.CharField(max_length=64)),
                ('graph_id', models.CharField(max_length=200)),
                ('name', models.CharField(max_length=300)),
                ('fields', models.JSONField(blank=True, db_default=[], default=list)),
                ('field_count', models.PositiveIntegerField(db_default=0, default=0)),
                ('content_hash', models.CharField(blank=True, db_default='', default='', max_length=64)),
                ('author', models.CharField(blank=True, db_default='', default='', max_length=300)),
                ('changed_at', models.DateTimeField(blank=True, null=True)),
                ('author_gap', models.CharField(blank=True, choices=[('permission', 'The connection may not read the audit log.'), ('not_logged', 'The audit log has no entry for it.'), ('unreadable', 'The audit log could not be read.'), ('not_read', 'The audit log was not read.')], db_default='not_read', default='not_read', max_length=16)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'policy_changes',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='backupset',
            name='changed_count',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='backupset',
            name='compared_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='backupset',
            name='compared_with',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='compared_by', to='backups.backupset'),
        ),
        migrations.AddField(
            model_name='backupset',
            name='created_count',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='backupset',
            name='removed_count',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name='backupset',
            index=models.Index(condition=models.Q(('compared_at', None), ('purpose', 'schedule'), models.Q(('status', 'building'), _negated=True)), fields=['started_at', 'id'], name='sets_uncompared'),
        ),
        migrations.AddConstraint(
            model_name='backupset',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('changed_count', None), ('compared_with', None), ('created_count', None), ('removed_count', None)), models.Q(('changed_count__isnull', False), ('compared_at__isnull', False), ('created_count__isnull', False), ('removed_count__isnull', False)), _connector='OR'), name='sets_changes_counted_together'),
        ),
        migrations.AddConstraint(
            model_name='backupset',
            constraint=models.CheckConstraint(condition=models.Q(('created_count', None), ('item_count__gte', django.db.models.expressions.CombinedExpression(models.F('created_count'), '+', models.F('changed_count'))), _connector='OR'), name='sets_changes_within_items'),
        ),
        migrations.AddConstraint(
            model_name='backupset',
            constraint=models.CheckConstraint(condition=models.Q(('compared_at', None), models.Q(('purpose', 'schedule'), models.Q(('status', 'building'), _negated=True)), _connector='OR'), name='sets_compared_when_finished'),
        ),
        migrations.AddField(
            model_name='policychange',
            name='backup_set',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='changes', to='backups.backupset'),
        ),
        migrations.AddField(
            model_name='policychange',
            name='before',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='backups.backupitem'),
        ),
        migrations.AddField(
            model_name='policychange',
            name='item',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='backups.backupitem'),
        ),
        migrations.AddField(
            model_name='policychange',
            name='previous_set',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='backups.backupset'),
        ),
        migrations.AddField(
            model_name='policychange',
            name='tenant',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.tenant'),
        ),
        migrations.AddField(
            model_name='policychange',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.workspace'),
        ),
        migrations.AddIndex(
            model_name='policychange',
            index=models.Index(fields=['workspace', 'created_at', 'id'], name='changes_ws'),
        ),
        migrations.AddIndex(
            model_name='policychange',
            index=models.Index(fields=['tenant', 'created_at', 'id'], name='changes_tenant'),
        ),
        migrations.AddIndex(
            model_name='policychange',
            index=models.Index(fields=['tenant', 'kind', 'graph_id', 'created_at', 'id'], name='changes_of_object'),
        ),
        migrations.AddConstraint(
            model_name='policychange',
            constraint=models.UniqueConstraint(fields=('backup_set', 'kind', 'graph_id'), name='changes_once_per_object'),
        ),
        migrations.AddConstraint(
            model_name='policychange',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('before', None), ('change', 'created'), ('item__isnull', False)), models.Q(('before__isnull', False), ('change', 'changed'), ('item__isnull', False)), models.Q(('before__isnull', False), ('change', 'removed'), ('item', None)), _connector='OR'), name='changes_have_their_items'),
        ),
        migrations.AddConstraint(
            model_name='policychange',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('change', 'removed'), ('content_hash', '')), models.Q(models.Q(('change', 'removed'), _negated=True), models.Q(('content_hash', ''), _negated=True)), _connector='OR'), name='changes_have_a_content'),
        ),
        migrations.AddConstraint(
            model_name='policychange',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('author', ''), ('author_gap__in', ['permission', 'not_logged', 'unreadable', 'not_read']), ('changed_at', None)), models.Q(models.Q(('author', ''), _negated=True), ('author_gap', ''), ('changed_at__isnull', False)), _connector='OR'), name='changes_author_or_gap'),
        ),
        composite_tenant_fk("policy_changes"),
        run_sql_file(__file__, "changes"),
    ]
