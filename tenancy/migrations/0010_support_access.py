"""Read-only access of staff to a workspace, with its guards."""

import datetime
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import web.names
from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0009_user_time_zone'),
    ]

    operations = [
        migrations.CreateModel(
            name='SupportAccess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_name', models.CharField(max_length=150)),
                ('reason', models.CharField(max_length=300, validators=[web.names.validate_name])),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by_name', models.CharField(blank=True, db_default='', default='', max_length=150)),
                ('ended_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='support_accesses', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='support_accesses', to='tenancy.workspace')),
            ],
            options={
                'verbose_name': 'support access',
                'verbose_name_plural': 'support accesses',
                'db_table': 'support_accesses',
                'ordering': ('-created_at', '-id'),
                'default_permissions': ('add', 'view'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('user', 'workspace'), name='support_accesses_one_open'), models.CheckConstraint(condition=models.Q(('reason__regex', '\\S')), name='support_accesses_have_a_reason'), models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at')), ('expires_at__lte', django.db.models.expressions.CombinedExpression(models.F('created_at'), '+', models.Value(datetime.timedelta(days=1))))), name='support_accesses_end_within_a_day')],
            },
        ),
        run_sql_file(__file__, "support_access"),
    ]
