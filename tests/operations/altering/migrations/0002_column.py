from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("altering", "0001_table")]

    operations = [
        migrations.RunSQL("ALTER TABLE altering ADD name text", "ALTER TABLE altering DROP name"),
    ]
