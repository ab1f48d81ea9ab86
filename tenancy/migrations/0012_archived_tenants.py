"""Tenants can be archived; who changed the status, when and why is kept."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0011_role_since'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='tenant',
            name='tenants_status_known',
        ),
        migrations.AddField(
            model_name='tenant',
            name='status_changed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='status_changed_by_name',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=150),
        ),
        migrations.AddField(
            model_name='tenant',
            name='status_reason',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=300),
        ),
        migrations.AlterField(
            model_name='tenant',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended'), ('archived', 'Archived')], default='active', max_length=20),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['active', 'suspended', 'archived'])), name='tenants_status_known'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'archived'), _negated=True), models.Q(('status_changed_at__isnull', False), ('status_reason__regex', '\\S')), _connector='OR'), name='tenants_archived_for_a_reason'),
        ),
    ]
