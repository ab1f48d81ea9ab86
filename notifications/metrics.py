"""The metrics of notifications: the deliveries."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from operations.metrics.registry import Counter, current_values, register

register(
    Counter(
        "delivery_attempts",
        "runledger_delivery_attempts",
        "Attempts to deliver a notification.",
    ),
    Counter("deliveries_made", "runledger_deliveries_made", "Delivered notifications."),
    Counter(
        "deliveries_failed",
        "runledger_deliveries_failed",
        "Notifications whose delivery was given up.",
    ),
    order=40,
)

_PENDING = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
FROM notification_deliveries
WHERE delivered_at IS NULL AND failed_at IS NULL AND due_at <= clock_timestamp()
"""


@current_values(order=40)
def deliveries() -> Iterator[Metric]:
    """The deliveries that are due."""
    with connection.cursor() as cursor:
        cursor.execute(_PENDING)
        count, age = cursor.fetchone()
    yield GaugeMetricFamily("runledger_deliveries_due", "Deliveries that are due.", count)
    yield GaugeMetricFamily(
        "runledger_deliveries_oldest_seconds", "Age of the oldest delivery that is due.", age
    )
