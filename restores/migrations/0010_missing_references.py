"""The preview of an object lists the objects that it refers to and the tenant lacks."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('restores', '0009_decision_create'),
    ]

    operations = [
        migrations.AddField(
            model_name='restoreitem',
            name='missing',
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
