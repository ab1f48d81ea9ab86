"""Labels of the administration that Django derived wrongly from names."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('legacy_runs', '0003_import_function'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='entragroupsyncrun',
            options={'default_permissions': ('view',), 'ordering': ('-created_at', '-id'), 'verbose_name': 'Entra group sync run'},
        ),
    ]
