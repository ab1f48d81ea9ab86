"""The metrics of Microsoft Graph."""

from __future__ import annotations

from operations.metrics.registry import Counter, register

register(
    Counter(
        "graph_requests",
        "runledger_graph_requests",
        "Requests to Microsoft Graph; a batch is one. The status is none without a response.",
        ("method", "status"),
    ),
    Counter(
        "graph_throttled",
        "runledger_graph_throttled",
        "Requests that Microsoft Graph throttled, alone or in a batch.",
    ),
    Counter(
        "graph_wait_seconds",
        "runledger_graph_wait_seconds",
        "Seconds that requests waited before they were sent, by the reason.",
        ("reason",),
    ),
    order=30,
)
