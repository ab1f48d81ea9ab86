from django.db import migrations


class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("CREATE TABLE altering (id bigint)", "DROP TABLE altering"),
    ]
