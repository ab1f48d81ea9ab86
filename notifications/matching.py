"""Turns the events of the outbox into notifications and deliveries, by the rules of their workspaces."""

from __future__ import annotations

import datetime as dt
import uuid
import zoneinfo
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from notifications.descriptions import Description, describe
from notifications.kinds import EventKind
from notifications.models import (
    Frequency,
    Notification,
    NotificationDelivery,
    NotificationEvent,
    NotificationRule,
    NotificationSettings,
)
from tenancy.db import database_now
from tenancy.models import Membership, User
from tenancy.times import display_zone

#: Events of one transaction.
BATCH = 200
#: The hour of the day at which a daily email is sent, in the time zone of the user.
DAILY_HOUR = 7
OF_RUNS = (EventKind.RUN_FAILED, EventKind.RUN_RECOVERED)
#: The message about an incident stands for those about its runs.
INCIDENT_OF = {
    EventKind.RUN_FAILED: EventKind.INCIDENT_OPENED,
    EventKind.RUN_RECOVERED: EventKind.INCIDENT_CLOSED,
}


@dataclass(frozen=True)
class _Member:
    """A member who can receive, and when an email to this member is due; None for never."""

    user: User
    email_due_at: dt.datetime | None


def handle_events(*, hold: dt.timedelta | None = None) -> int:
    """Handle the events of the outbox, oldest first; return their number.

    Events of runs wait for `hold`, by default one and a half ticks: by then the tick of incidents has
    seen the run, and one message about the incident can stand for those about its runs.
    """
    hold = dt.timedelta(seconds=1.5 * settings.TICK_SECONDS) if hold is None else hold
    handled = batch = _handle_batch(hold)
    while batch == BATCH:
        batch = _handle_batch(hold)
        handled += batch
    return handled


@transaction.atomic
def _handle_batch(hold: dt.timedelta) -> int:
    waiting = NotificationEvent.objects.filter(
        ~Q(kind__in=OF_RUNS) | Q(created_at__lte=Now() - hold), handled_at=None
    )
    waiting = waiting.select_for_update(skip_locked=True).order_by("pk")
    events = list(waiting[:BATCH])
    if not events:
        return 0
    descriptions = describe(events)
    workspaces = {event.workspace_id for event in events}
    rules: dict[int, list[NotificationRule]] = defaultdict(list)
    for rule in NotificationRule.objects.filter(workspace__in=workspaces):
        rules[rule.workspace_id].append(rule)
    now = database_now()
    members = _load_members(workspaces, now)
    notifications: list[Notification] = []
    deliveries: list[NotificationDelivery] = []
    for event in events:
        description = descriptions.get(event.pk)
        if description is None:
            continue
        selecting = [
            rule for rule in rules[event.workspace_id] if is_selected(event, description, rule)
        ]
        # One message for each endpoint, however many rules send to it.
        receiving = {rule.endpoint_id for rule in selecting if rule.endpoint_id}
        deliveries += [_webhook(event, endpoint_id, now) for endpoint_id in receiving]
        for member in members[event.workspace_id]:
            user_id = member.user.pk
            if description.users is not None and user_id not in description.users:
                continue
            own = [rule for rule in selecting if rule.owner_id in (None, user_id)]
            scope = {"workspace_id": event.workspace_id, "event": event, "user_id": user_id}
            if any(rule.in_app for rule in own):
                notifications.append(Notification(**scope))
            if member.email_due_at and any(rule.email for rule in own):
                deliveries.append(NotificationDelivery(**scope, due_at=member.email_due_at))
    Notification.objects.bulk_create(notifications, ignore_conflicts=True)
    NotificationDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    _record_handled(events, descriptions, now)
    return len(events)


def _webhook(event: NotificationEvent, endpoint_id: int, now: dt.datetime) -> NotificationDelivery:
    return NotificationDelivery(
        workspace_id=event.workspace_id,
        event=event,
        endpoint_id=endpoint_id,
        message_id=uuid.uuid4(),
        due_at=now,
    )


def is_selected(event: NotificationEvent, description: Description, rule: NotificationRule) -> bool:
    """Return whether the rule selects the event."""
    if event.kind not in rule.events:
        return False
    if rule.schedule_id and description.schedule_id != rule.schedule_id:
        return False
    if rule.tenant_id and rule.tenant_id not in description.tenants:
        return False
    if event.kind not in OF_RUNS:
        return True
    if description.incident_id and INCIDENT_OF[EventKind(event.kind)] in rule.events:
        return False
    if event.kind == EventKind.RUN_RECOVERED:
        return description.in_a_row >= rule.in_a_row
    return rule.in_a_row in (1, description.in_a_row)


def _load_members(workspaces: set[int], now: dt.datetime) -> dict[int, list[_Member]]:
    """Return the members of each workspace who can sign in."""
    members: dict[int, list[_Member]] = defaultdict(list)
    memberships = Membership.objects.of_persons().filter(
        workspace__in=workspaces, user__is_active=True
    )
    rows = list(memberships.select_related("user", "workspace").order_by("pk"))
    frequencies = dict(
        NotificationSettings.objects.filter(
            user__in=[membership.user_id for membership in rows]
        ).values_list("user_id", "frequency")
    )
    for membership in rows:
        frequency = frequencies.get(membership.user_id, Frequency.IMMEDIATELY)
        if not membership.user.email:
            frequency = Frequency.OFF
        zone = display_zone(membership.user, membership.workspace)
        due_at = next_email_at(Frequency(frequency), now, zone)
        members[membership.workspace_id].append(_Member(membership.user, due_at))
    return members


def next_email_at(
    frequency: Frequency, now: dt.datetime, zone: zoneinfo.ZoneInfo
) -> dt.datetime | None:
    """Return when an email about an event of now is sent; None for never."""
    if frequency == Frequency.OFF:
        return None
    if frequency == Frequency.IMMEDIATELY:
        return now
    local = now.astimezone(zone)
    hour = local.replace(minute=0, second=0, microsecond=0)
    if frequency == Frequency.HOURLY:
        # Whole hours of UTC: local hours can be repeated.
        return (hour.astimezone(dt.UTC) + dt.timedelta(hours=1)).astimezone(dt.UTC)
    morning = hour.replace(hour=DAILY_HOUR)
    if morning <= local:
        morning += dt.timedelta(days=1)
    return morning.astimezone(dt.UTC)


def _record_handled(
    events: Sequence[NotificationEvent], descriptions: dict[int, Description], now: dt.datetime
) -> None:
    for event in events:
        event.handled_at = now
        if description := descriptions.get(event.pk):
            event.level = description.level
            event.title = description.title[:300]
            event.detail = description.detail[:500]
            event.path = description.path[:300]
    NotificationEvent.objects.bulk_update(
        events, ["handled_at", "level", "title", "detail", "path"]
    )
