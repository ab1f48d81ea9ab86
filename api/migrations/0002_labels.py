"""Labels of the administration that Django derived wrongly from names."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='apisubmission',
            options={'default_permissions': (), 'verbose_name': 'API submission'},
        ),
    ]
