"""Labels of the administration that Django derived wrongly from names."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0024_fewer_candidates'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='timezonerules',
            options={'verbose_name': 'version of the time-zone rules', 'verbose_name_plural': 'versions of the time-zone rules'},
        ),
        migrations.AlterField(
            model_name='backupitem',
            name='graph_id',
            field=models.CharField(max_length=200, verbose_name='Graph ID'),
        ),
        migrations.AlterField(
            model_name='policychange',
            name='graph_id',
            field=models.CharField(max_length=200, verbose_name='Graph ID'),
        ),
        migrations.AlterField(
            model_name='policyexport',
            name='sha256',
            field=models.CharField(max_length=64, verbose_name='SHA-256'),
        ),
    ]
