from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("altering", "0002_column")]

    operations = [create_index_concurrently("altering_by_name", "ON altering (name)")]
