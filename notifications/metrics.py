"""The metrics of notifications: the deliveries."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from django.db import connection
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from notifications.delivering import MAX_ATTEMPTS, wait_after
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

#: How long a delivery has waited since its first attempt, when its next attempt is due; by the number
#: of its attempts. After all of them it was given up, and a person has sent it again.
_WAITED = list(itertools.accumulate(map(wait_after, range(1, MAX_ATTEMPTS))))

# An email waits between its attempts because of our mail server, and counts from the first of them.
# A webhook waits because of a server that its workspace chose, and counts only while a worker is late.
_WAITING = """
SELECT count(*) FILTER (WHERE due_at <= clock_timestamp()),
       coalesce(extract(epoch FROM clock_timestamp() - min(due_since)), 0)::float8
FROM (
    SELECT due_at, CASE WHEN user_id IS NULL THEN greatest(due_at, retry_at)
                   ELSE due_at - coalesce((%s::interval[])[attempts], '0') END AS due_since
    FROM notification_deliveries LEFT JOIN webhook_endpoints ON webhook_endpoints.id = endpoint_id
    WHERE delivered_at IS NULL AND failed_at IS NULL AND paused_at IS NULL AND disabled_at IS NULL
) waiting
WHERE due_since <= clock_timestamp()
"""


@current_values(order=40)
def deliveries() -> Iterator[Metric]:
    """The deliveries that are due."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [_WAITED])
        count, age = cursor.fetchone()
    yield GaugeMetricFamily("runledger_deliveries_due", "Deliveries that are due.", count)
    yield GaugeMetricFamily(
        "runledger_deliveries_oldest_seconds",
        "How long the oldest delivery has been due, with its failed attempts if it is an email.",
        age,
    )
