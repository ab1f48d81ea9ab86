"""Schedules can be deleted; those of archived tenants are paused."""

from django.conf import settings
from django.db import migrations, models

from tenancy.db import run_sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0009_changes'),
        ('tenancy', '0012_archived_tenants'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='backupschedule',
            name='schedules_name_once_per_tenant',
        ),
        migrations.RemoveConstraint(
            model_name='schedulerevision',
            name='revisions_end_has_reason',
        ),
        migrations.RemoveConstraint(
            model_name='schedulerevision',
            name='revisions_reason_known',
        ),
        migrations.AddField(
            model_name='backupschedule',
            name='deleted_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='backupschedule',
            name='deleted_by_name',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=150),
        ),
        migrations.AddField(
            model_name='backupschedule',
            name='deletion_reason',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=300),
        ),
        migrations.AlterField(
            model_name='schedulerevision',
            name='end_reason',
            field=models.CharField(choices=[('created', 'Schedule added'), ('upgraded', 'History begins'), ('times_changed', 'Times changed'), ('paused', 'Paused'), ('deleted', 'Schedule deleted'), ('resumed', 'Resumed'), ('rules_updated', 'Time zone rules updated'), ('clock_set_back', 'Database clock set back')], db_default='', default='', max_length=20),
        ),
        migrations.AlterField(
            model_name='schedulerevision',
            name='reason',
            field=models.CharField(choices=[('created', 'Schedule added'), ('upgraded', 'History begins'), ('times_changed', 'Times changed'), ('paused', 'Paused'), ('deleted', 'Schedule deleted'), ('resumed', 'Resumed'), ('rules_updated', 'Time zone rules updated'), ('clock_set_back', 'Database clock set back')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='backupschedule',
            constraint=models.UniqueConstraint(condition=models.Q(('deleted_at', None)), fields=('tenant', 'name'), name='schedules_name_once_per_tenant', violation_error_message='This tenant already has a schedule with this name.'),
        ),
        migrations.AddConstraint(
            model_name='backupschedule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('deleted_at', None), ('deleted_by_name', ''), ('deletion_reason', '')), models.Q(('deleted_at__isnull', False), ('paused_at__isnull', False), ('deletion_reason__regex', '\\S')), _connector='OR'), name='schedules_deleted_are_paused'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('end_reason', ''), ('valid_until', None)), models.Q(('end_reason__in', ['created', 'upgraded', 'times_changed', 'paused', 'deleted', 'resumed', 'rules_updated', 'clock_set_back']), ('valid_until__isnull', False)), _connector='OR'), name='revisions_end_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='schedulerevision',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['created', 'upgraded', 'times_changed', 'paused', 'deleted', 'resumed', 'rules_updated', 'clock_set_back'])), name='revisions_reason_known'),
        ),
        run_sql_file(__file__, "deleted_schedules"),
    ]
