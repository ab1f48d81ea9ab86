"""The indexes by which events are searched for their subject and for a part of their title."""

from django.db import migrations, models

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifications", "0004_metrics"),
        # It created the function that splits a text.
        ("backups", "0017_change_terms"),
    ]

    operations = [
        # The model does not declare it: its function is not one of Django's.
        create_index_concurrently(
            "notification_events_terms",
            # Every search reads the list of pending entries.
            "ON notification_events USING gin (search_trigrams(title)) WITH (gin_pending_list_limit = 64)",
        ),
        migrations.SeparateDatabaseAndState(
            [
                create_index_concurrently(
                    "notification_events_subject", "ON notification_events (subject_id)"
                )
            ],
            [
                migrations.AddIndex(
                    "notificationevent",
                    models.Index(fields=["subject_id"], name="notification_events_subject"),
                )
            ],
        ),
    ]
