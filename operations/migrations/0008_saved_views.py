"""Saved views of lists, and the columns that a user has chosen."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import web.names
from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0007_archived_tenants'),
        ('tenancy', '0008_sign_in_record_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ListSettings',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('columns', models.CharField(max_length=200)),
                ('density', models.CharField(choices=[('comfortable', 'Comfortable'), ('compact', 'Compact')], max_length=16)),
            ],
            options={
                'verbose_name_plural': 'list settings',
                'db_table': 'list_settings',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_by_name', models.CharField(max_length=150)),
                ('name', models.CharField(max_length=80, validators=[web.names.validate_name])),
                ('parameters', models.JSONField(db_default={}, default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'saved_views',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddConstraint(
            model_name='listsettings',
            constraint=models.CheckConstraint(condition=models.Q(('density__in', ('comfortable', 'compact'))), name='list_settings_density_known'),
        ),
        migrations.AddField(
            model_name='savedview',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='savedview',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='saved_views', to='tenancy.workspace'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(models.F('workspace'), models.F('owner'), django.db.models.functions.text.Lower('name'), condition=models.Q(('owner__isnull', False)), name='saved_views_own_name', violation_error_message='You already have a view with that name.'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(models.F('workspace'), django.db.models.functions.text.Lower('name'), condition=models.Q(('owner__isnull', True)), name='saved_views_shared_name', violation_error_message='The workspace already has a view with that name.'),
        ),
        run_sql_file(__file__, "saved_views"),
    ]
