"""What counts as a slot: settled slots, revisions of the times, and repeated blocked slots."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0002_guards'),
        ('tenancy', '0002_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ScheduleRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('cron', models.CharField(max_length=100)),
                ('timezone', models.CharField(max_length=64)),
                ('rules_version', models.CharField(max_length=10)),
                ('valid_from', models.DateTimeField()),
                ('valid_until', models.DateTimeField(null=True)),
                ('reason', models.CharField(choices=[('created', 'Schedule added'), ('upgraded', 'History begins'), ('times_changed', 'Times changed'), ('paused', 'Paused'), ('resumed', 'Resumed'), ('rules_updated', 'Time zone rules updated'), ('clock_set_back', 'Database clock set back')], max_length=20)),
                ('end_reason', models.CharField(choices=[('created', 'Schedule added'), ('upgraded', 'History begins'), ('times_changed', 'Times changed'), ('paused', 'Paused'), ('resumed', 'Resumed'), ('rules_updated', 'Time zone rules updated'), ('clock_set_back', 'Database clock set back')], db_default='', default='', max_length=20)),
                ('old_next_slot', models.DateTimeField(null=True)),
                ('new_next_slot', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'backup_schedule_revisions',
                'ordering': ('-number',),
            },
        ),
        migrations.CreateModel(
            name='TimeZoneRules',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=10)),
                ('applied_at', models.DateTimeField()),
                ('last_tick_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'backup_time_zone_rules',
            },
        ),
        migrations.AddField(
            model_name='backupschedule',
            name='rules_version',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=10),
        ),
        migrations.AddField(
            model_name='backupschedule',
            name='settled_until',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='schedulerevision',
            name='changed_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='schedulerevision',
            name='ended_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='schedulerevision',
            name='schedule',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='revisions', to='backups.backupschedule'),
        ),
        migrations.AddConstraint(
            model_name='timezonerules',
            constraint=models.CheckConstraint(condition=models.Q(('pk', 1)), name='time_zone_rules_one_row'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.UniqueConstraint(fields=('schedule', 'number'), name='revisions_number_once'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.UniqueConstraint(condition=models.Q(('valid_until', None)), fields=('schedule',), name='revisions_one_open_per_schedule'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__gte', models.F('valid_from'))), name='revisions_end_after_start'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('end_reason', ''), ('valid_until', None)), models.Q(('end_reason__in', ['created', 'upgraded', 'times_changed', 'paused', 'resumed', 'rules_updated', 'clock_set_back']), ('valid_until__isnull', False)), _connector='OR'), name='revisions_end_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['created', 'upgraded', 'times_changed', 'paused', 'resumed', 'rules_updated', 'clock_set_back'])), name='revisions_reason_known'),
        ),
        run_sql_file(__file__, "first_revisions"),
        migrations.AddConstraint(
            model_name='backupschedule',
            constraint=models.CheckConstraint(condition=models.Q(('next_run_at__gt', models.F('settled_until'))), name='schedules_next_after_settled'),
        ),
        run_sql_file(__file__, "revisions"),
        run_sql_file(__file__, "repeated_slots"),
    ]
