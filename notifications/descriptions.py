"""What an event says, and whom it concerns, as its rows are when the tick handles it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse

from backups.freshness import TOLERANCE, freshness_of_tenants
from backups.models import BackupSet, PolicyChange
from notifications.kinds import EventKind, Level
from notifications.models import MAX_IN_A_ROW, NotificationEvent
from operations.models import PROBLEM, UNRECOVERED, Incident, OperationRun
from operations.presentation.summary import subject, summarize
from providers.models import ProviderConnection
from restores.models import ItemState, RestoreItem, RestoreRun
from tenancy.models import Membership, Tenant
from tenancy.querysets import CappedCount
from tenancy.roles import Capability, roles_with
from tenancy.times import day_text, exact_text


@dataclass(frozen=True)
class Description:
    """An event as it is sent, and what rules need to know about it.

    `tenants` are the ids of the concerned tenants, `in_a_row` is the number of problems in a row,
    `users` are the only members who get it; None for all.
    """

    level: Level
    title: str
    detail: str
    path: str
    tenants: Collection[int | None] = ()
    schedule_id: int | None = None
    incident_id: int | None = None
    in_a_row: int = 1
    users: Collection[int] | None = None


Descriptions = dict[int, Description]


def describe(events: Sequence[NotificationEvent]) -> Descriptions:
    """Return the descriptions by the ids of the events; none for what is no longer worth sending."""
    described: Descriptions = {}
    for kind in EventKind:
        if of_kind := [event for event in events if event.kind == kind]:
            described |= _DESCRIBE[kind](of_kind)
    return described


def _by_subject(events: Iterable[NotificationEvent], rows: Any) -> list[tuple[int, Any]]:
    """Return the id of each event with the row it is about, if that still exists."""
    subjects = rows.in_bulk([event.subject_id for event in events])
    return [
        (event.pk, subjects[event.subject_id]) for event in events if event.subject_id in subjects
    ]


def _schedule_of(run: OperationRun) -> int | None:
    schedule_id = run.context.get("backup_schedule_id")
    return schedule_id if isinstance(schedule_id, int) else None


def _problems(events: Sequence[NotificationEvent]) -> Descriptions:
    alike = OperationRun.objects.filter(
        UNRECOVERED,
        workspace=OuterRef("workspace_id"),
        run_identity_hash=OuterRef("run_identity_hash"),
        pk__lte=OuterRef("pk"),
    )
    # No rule waits for more.
    in_a_row = CappedCount(alike.order_by().values("pk")[: MAX_IN_A_ROW + 1])
    runs = OperationRun.objects.with_scope().annotate(in_a_row=in_a_row)
    described = {}
    for event_id, run in _by_subject(events, runs):
        summary = summarize(run)
        described[event_id] = Description(
            Level.WARNING if run.outcome == "partially_succeeded" else Level.ERROR,
            summary.headline,
            " ".join(filter(None, (summary.detail, summary.next_step))),
            run.get_absolute_url(),
            tenants=(run.tenant_id,),
            schedule_id=_schedule_of(run),
            incident_id=run.incident_id,
            # A run that has recovered in the meantime ends no series.
            in_a_row=1 if run.recovered_at else run.in_a_row,
        )
    return described


def _recoveries(events: Sequence[NotificationEvent]) -> Descriptions:
    runs = _by_subject(events, OperationRun.objects.with_scope())
    lengths = _lengths_of_series([run for _, run in runs])
    described = {}
    for event_id, run in runs:
        described[event_id] = Description(
            Level.INFO,
            f"{subject(run)} recovered.",
            f"Run #{run.recovered_by_id} succeeded after the problem of run #{run.pk}.",
            run.get_absolute_url(),
            tenants=(run.tenant_id,),
            schedule_id=_schedule_of(run),
            incident_id=run.incident_id,
            in_a_row=lengths[run.recovered_by_id, run.run_identity_hash],
        )
    return described


def _lengths_of_series(runs: Sequence[OperationRun]) -> dict[tuple[int | None, str], int]:
    """Return how many problems each success recovered, by its id and the identity."""
    # The indexes of problems begin with the tenant or the workspace, not with the success.
    tenants = Q(tenant__in={run.tenant_id for run in runs if run.tenant_id})
    if any(run.tenant_id is None for run in runs):
        tenants |= Q(tenant=None)
    series = OperationRun.objects.filter(
        PROBLEM,
        tenants,
        workspace__in={run.workspace_id for run in runs},
        recovered_by__in={run.recovered_by_id for run in runs},
    )
    counts = series.order_by().values("recovered_by_id", "run_identity_hash")
    return {
        (row["recovered_by_id"], row["run_identity_hash"]): row["number"]
        for row in counts.annotate(number=Count("pk"))
    }


def _tenants_of(incident: Incident) -> set[int | None]:
    runs = OperationRun.objects.filter(incident=incident).order_by()
    return set(runs.values_list("tenant_id", flat=True).distinct())


def _opened_incidents(events: Sequence[NotificationEvent]) -> Descriptions:
    described = {}
    for event_id, incident in _by_subject(events, Incident.objects.select_related("workspace")):
        verb = "Incident" if incident.number == 1 else "Incident returned"
        described[event_id] = Description(
            Level.ERROR,
            f"{verb}: {incident.cause_text}",
            f"{_count(incident.runs, 'run')} of {_count(incident.tenants, 'tenant')} have this cause.",
            incident.get_absolute_url(),
            tenants=_tenants_of(incident),
        )
    return described


def _closed_incidents(events: Sequence[NotificationEvent]) -> Descriptions:
    described = {}
    for event_id, incident in _by_subject(events, Incident.objects.select_related("workspace")):
        described[event_id] = Description(
            Level.INFO,
            f"Incident closed: {incident.cause_text}",
            f"{_count(incident.recovered_runs, 'run')} of {incident.runs:,} recovered.",
            incident.get_absolute_url(),
            tenants=_tenants_of(incident),
        )
    return described


def _late_backups(events: Sequence[NotificationEvent]) -> Descriptions:
    tenants = Tenant.objects.select_related("workspace")
    rows = freshness_of_tenants(tenants.filter(pk__in=[event.subject_id for event in events]))
    late = {row.tenant.pk: row for row in rows if row.is_late}
    described = {}
    for event in events:
        if (row := late.get(event.subject_id)) is None:
            continue
        hours = row.objective // dt.timedelta(hours=1)
        last = "There is no complete backup."
        if row.last_complete_at:
            last = f"The last complete backup ended on {exact_text(row.last_complete_at, dt.UTC)}."
        described[event.pk] = Description(
            Level.WARNING,
            f"The backup of {row.tenant.name} is late.",
            f"{last} The objective is {_count(hours, 'hour')}, with a tolerance of "
            f"{_count(TOLERANCE // dt.timedelta(hours=1), 'hour')}.",
            row.tenant.get_absolute_url(),
            tenants=(row.tenant.pk,),
        )
    return described


def _credentials(events: Sequence[NotificationEvent]) -> Descriptions:
    described = {}
    connections = ProviderConnection.objects.select_related("workspace", "tenant")
    for event_id, connection in _by_subject(events, connections):
        expires_on: dt.date | None = connection.credential_expires_on
        is_near = connection.credential_expires_soon or connection.credential_has_expired
        if expires_on is None or not is_near:
            continue
        kind = connection.get_credential_kind_display()
        verb = "has expired" if connection.credential_has_expired else "expires soon"
        described[event_id] = Description(
            Level.ERROR if connection.credential_has_expired else Level.WARNING,
            f"{kind} of {connection.name} {verb}.",
            f"Tenant {connection.tenant}, {day_text(expires_on)}. Enter a new one before that day, "
            "or no operation can sign in.",
            connection.get_absolute_url(),
            tenants=(connection.tenant_id,),
        )
    return described


def _approvals(events: Sequence[NotificationEvent]) -> Descriptions:
    described = {}
    for event_id, restore in _by_subject(events, RestoreRun.objects.with_scope()):
        if not (restore.is_previewed and restore.needs_approval):
            continue
        approvers = (
            Membership.objects.of_persons()
            .filter(workspace=restore.workspace_id, role__in=roles_with(Capability.RESTORE))
            .exclude(user=restore.requested_by_id)
        )
        described[event_id] = Description(
            Level.WARNING,
            f"A restore for {restore.tenant} waits for an approval.",
            f"Requested by {restore.requested_by_name}.",
            restore.get_absolute_url(),
            tenants=(restore.tenant_id,),
            users=set(approvers.values_list("user_id", flat=True)),
        )
    return described


def _changes(events: Sequence[NotificationEvent]) -> Descriptions:
    """Leave out what a restore of Runledger wrote after the set before."""
    described = {}
    for event_id, backup_set in _by_subject(
        events, BackupSet.objects.select_related("workspace", "tenant")
    ):
        written = RestoreItem.objects.filter(
            Q(graph_id=OuterRef("graph_id")) | Q(target_id=OuterRef("graph_id")),
            kind=OuterRef("kind"),
            state__in=(ItemState.APPLIED, ItemState.VERIFIED, ItemState.DIFFERS),
            restore__tenant=backup_set.tenant_id,
            restore__executed_at__gt=OuterRef("previous_set__started_at"),
        )
        changes = PolicyChange.objects.filter(backup_set=backup_set).exclude(Exists(written))
        names = list(changes.order_by("pk").values_list("name", flat=True)[:3])
        if not names:
            continue
        number = changes.count()
        more = f" and {number - len(names):,} more" if number > len(names) else ""
        described[event_id] = Description(
            Level.WARNING,
            f"{_count(number, 'policy', 'policies')} of {backup_set.tenant} changed.",
            f"{', '.join(names)}{more}.",
            reverse("backup_set_changes", args=[backup_set.workspace.slug, backup_set.pk]),
            tenants=(backup_set.tenant_id,),
            schedule_id=backup_set.schedule_id,
        )
    return described


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


_DESCRIBE: dict[EventKind, Callable[[Sequence[NotificationEvent]], Descriptions]] = {
    EventKind.RUN_FAILED: _problems,
    EventKind.RUN_RECOVERED: _recoveries,
    EventKind.INCIDENT_OPENED: _opened_incidents,
    EventKind.INCIDENT_CLOSED: _closed_incidents,
    EventKind.BACKUP_LATE: _late_backups,
    EventKind.CREDENTIAL_EXPIRES: _credentials,
    EventKind.APPROVAL_WANTED: _approvals,
    EventKind.POLICIES_CHANGED: _changes,
}
