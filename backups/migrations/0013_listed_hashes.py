"""Items store what their list showed, so that unchanged objects are not read again."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0012_left_out'),
    ]

    operations = [
        migrations.AddField(
            model_name='backupitem',
            name='listed_hash',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
    ]
