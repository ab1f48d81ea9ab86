"""Objects that restores of a tenant refer to in place of missing ones."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from audit.db import audit_trigger
from tenancy.db import composite_tenant_fk


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_guards'),
        ('restores', '0010_missing_references'),
        ('tenancy', '0013_user_keyboard_shortcuts'),
    ]

    operations = [
        migrations.CreateModel(
            name='Replacement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=64)),
                ('missing_id', models.CharField(max_length=200)),
                ('replacement_id', models.CharField(max_length=200)),
                ('name', models.CharField(max_length=300)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='replacements', to='tenancy.tenant')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'db_table': 'restore_replacements',
                'ordering': ('kind', 'name', 'id'),
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('tenant', 'kind', 'missing_id'), name='replacements_one_per_object'), models.CheckConstraint(condition=models.Q(models.Q(('missing_id', models.F('replacement_id')), _negated=True), models.Q(('missing_id', ''), _negated=True), models.Q(('replacement_id', ''), _negated=True)), name='replacements_of_another_object')],
            },
        ),
        composite_tenant_fk("restore_replacements"),
        audit_trigger(
            "restore_replacements",
            name="name",
            workspace="workspace_id",
            tenant="tenant_id",
        ),
    ]
