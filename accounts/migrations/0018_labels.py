"""Labels of the administration that Django derived wrongly from names."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0017_access_token_guards'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='codeattempts',
            options={'verbose_name_plural': 'code attempts'},
        ),
        migrations.AlterModelOptions(
            name='signinlink',
            options={'verbose_name': 'sign-in link'},
        ),
    ]
