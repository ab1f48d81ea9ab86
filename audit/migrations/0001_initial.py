"""The entries of the audit log, and the chain of hashes over them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenancy', '0003_fixed_search_path'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditLink',
            fields=[
                ('position', models.BigIntegerField(primary_key=True, serialize=False)),
                ('entry_id', models.BigIntegerField(unique=True)),
                ('previous_hash', models.BinaryField()),
                ('hash', models.BinaryField()),
            ],
            options={
                'db_table': 'audit_links',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField()),
                ('action', models.CharField(max_length=40)),
                ('object_type', models.CharField(blank=True, max_length=63)),
                ('object_id', models.CharField(blank=True, max_length=40)),
                ('object_name', models.CharField(blank=True, max_length=300)),
                ('part', models.CharField(blank=True, max_length=300)),
                ('tenant_id', models.BigIntegerField(null=True)),
                ('user_id', models.BigIntegerField(null=True)),
                ('user_name', models.CharField(blank=True, max_length=150)),
                ('origin', models.CharField(max_length=100)),
                ('address', models.GenericIPAddressField(null=True)),
                ('reference', models.CharField(blank=True, max_length=40)),
                ('database_role', models.CharField(max_length=63)),
                ('changes', models.JSONField(default=dict)),
                ('details', models.JSONField(default=dict)),
                ('workspace', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenancy.workspace')),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'db_table': 'audit_entries',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['workspace', 'created_at', 'id'], name='audit_ws'), models.Index(fields=['object_type', 'object_id', 'created_at', 'id'], name='audit_object'), models.Index(fields=['created_at', 'id'], name='audit_newest')],
            },
        ),
    ]
