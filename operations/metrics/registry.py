"""What `/metrics` shows: counters from the table `operation_metrics`, and values of the moment.

Apps register theirs in `<app>/metrics.py`, a module that is discovered by its name. Everything comes
from the database, so that every process answers the same, also after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from operations.metrics.counting import BOUNDS
from web.registry import OrderedRegistry

Labels = Mapping[str, str]
Rows = list[tuple[Labels, float]]


def same_labels(labels: Labels) -> Labels | None:
    """Return the labels as they are stored."""
    return labels


@dataclass(frozen=True)
class Counter:
    """A counter: `stored` is its name in the table, `name` that of its series without `_total`.

    `translate` returns the labels of the series of stored ones; None leaves them out. `initial`
    returns the values of the labels of series that exist from the start: Prometheus does not notice
    the first increase of one that starts above zero.
    """

    stored: str
    name: str
    text: str
    labels: tuple[str, ...] = ()
    translate: Callable[[Labels], Labels | None] = same_labels
    initial: Callable[[], Iterable[tuple[str, ...]]] = tuple

    def families(self, rows: Mapping[str, Rows]) -> Iterator[Metric]:
        """Yield the series; a counter without labels is 0 until something happens."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        totals = dict.fromkeys(self.initial() if self.labels else [()], 0.0)
        for stored, value in rows.get(self.stored, []):
            labels = self.translate(stored)
            if labels is not None:
                key = tuple(labels.get(name, "") for name in self.labels)
                totals[key] = totals.get(key, 0.0) + value
        for key, value in sorted(totals.items()):
            family.add_metric(key, value)
        yield family


@dataclass(frozen=True)
class Histogram:
    """A histogram of seconds, stored as a counter for each bucket and one of their sum."""

    stored: str
    name: str
    text: str
    labels: tuple[str, ...] = ()

    def families(self, rows: Mapping[str, Rows]) -> Iterator[Metric]:
        """Yield the series, with cumulative buckets."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        sums = {self._key(labels): value for labels, value in rows.get(f"{self.stored}_sum", [])}
        buckets: dict[tuple[str, ...], dict[float, float]] = {key: {} for key in sums}
        for labels, value in rows.get(self.stored, []):
            buckets.setdefault(self._key(labels), {})[float(labels["le"])] = value
        for key, counts in sorted(buckets.items()):
            total, cumulative = 0.0, []
            # Buckets of another version stay.
            for bound in sorted({*BOUNDS, math.inf, *counts}):
                total += counts.get(bound, 0.0)
                cumulative.append(("+Inf" if bound == math.inf else str(bound), total))
            family.add_metric(key, cumulative, sums.get(key, 0.0))
        yield family

    def _key(self, labels: Labels) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in self.labels)


counted_metrics: OrderedRegistry[Counter | Histogram] = OrderedRegistry()
#: Functions that return values of the moment, each in a bounded number of statements.
current_metrics: OrderedRegistry[Callable[[], Iterable[Metric]]] = OrderedRegistry()


def register(*counted: Counter | Histogram, order: int) -> None:
    """Add counters and histograms that are stored in the table."""
    for each in counted:
        counted_metrics.add(each, order=order)


def current_values(
    *, order: int
) -> Callable[[Callable[[], Iterable[Metric]]], Callable[[], Iterable[Metric]]]:
    """Register the decorated function, which returns values of the moment."""
    return current_metrics.register(order=order)
