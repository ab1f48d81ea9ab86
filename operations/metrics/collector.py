"""Collects the metrics from the database and writes them in the format of Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.utils.module_loading import autodiscover_modules
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from operations.metrics import ledger  # noqa: F401 - it registers the metrics of the ledger
from operations.metrics.registry import Rows, counted_metrics, current_metrics


class DatabaseCollector(Collector):
    """Collects everything that is registered from the database."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        rows = _load_counters()
        for counted in counted_metrics:
            yield from counted.families(rows)
        for current in current_metrics:
            yield from current()

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the names are known without reading the database."""
        return iter(())


def render_metrics(accept: str) -> tuple[bytes, str]:
    """Return all metrics in the format that an Accept header asks for, and the type of the content.

    Raises:
        django.db.Error: the database does not answer.
    """
    autodiscover_modules("metrics")
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:
        # It asks for a version that is no number.
        encode, content_type = choose_encoder("")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DatabaseCollector())
    return encode(registry), content_type


def _load_counters() -> dict[str, Rows]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, labels, value FROM operation_metrics")
        loaded: list[tuple[str, Any, float]] = cursor.fetchall()
    rows: dict[str, Rows] = {}
    for name, labels, value in loaded:
        rows.setdefault(name, []).append((json.loads(labels), value))
    return rows
