"""Labels of the administration that Django derived wrongly from names."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0015_service_account_guards'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='approvaloffrequest',
            options={'default_permissions': ('view',), 'ordering': ('-created_at', '-id'), 'verbose_name': 'request to switch off approvals', 'verbose_name_plural': 'requests to switch off approvals'},
        ),
    ]
