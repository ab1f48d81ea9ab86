"""The metrics of backups: slots, and how old the last complete backup of each tenant is.

Series have ids instead of names, because many people can usually read the metrics of all systems.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from backups.fleet import freshness_of_workspaces
from operations.metrics.registry import Counter, Labels, current_values, register
from tenancy.models import Workspace


def _slot_result(labels: Labels) -> Labels:
    results = {"": "fired", "missed": "missed"}
    return {"result": results.get(labels["reason"], "blocked")}


register(
    Counter(
        "slots",
        "runledger_slots",
        "Slots of schedules whose runs have ended or were recorded as missed or blocked.",
        ("result",),
        _slot_result,
        lambda: [("fired",), ("missed",), ("blocked",)],
    ),
    order=20,
)


@current_values(order=20)
def freshness() -> Iterator[Metric]:
    """The numbers of active tenants, and the age of the backups of the stalest ones."""
    slugs = dict(Workspace.objects.values_list("pk", "slug"))
    fleet = freshness_of_workspaces(list(slugs), rows=settings.METRICS_TENANTS)
    counts = {
        "runledger_tenants": ("Active tenants.", fleet.total),
        "runledger_tenants_late": ("Active tenants whose complete backup is late.", fleet.late),
        "runledger_tenants_never_backed_up": (
            "Active tenants without a complete backup.",
            fleet.never,
        ),
        "runledger_tenants_unscheduled": (
            "Active tenants that no schedule backs up.",
            fleet.unscheduled,
        ),
    }
    for name, (text, numbers) in counts.items():
        yield GaugeMetricFamily(name, text, numbers.total())
    labels = ("workspace", "tenant_id")
    ages = GaugeMetricFamily(
        "runledger_backup_age_seconds",
        "Seconds since the last complete backup of a tenant ended, of the stalest tenants.",
        labels=labels,
    )
    late = GaugeMetricFamily(
        "runledger_backup_late",
        "Whether a tenant has no complete backup, or a late one, of the stalest tenants.",
        labels=labels,
    )
    for row in fleet.stalest[: settings.METRICS_TENANTS]:
        key = (slugs[row.tenant.workspace_id], str(row.tenant.pk))
        late.add_metric(key, float(row.is_late))
        if row.age is not None:
            ages.add_metric(key, row.age.total_seconds())
    yield ages
    yield late
