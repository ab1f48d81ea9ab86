"""Rules, and what is sent by them."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone

from notifications.endpoints import create_endpoint
from notifications.kinds import EndpointFormat, EventKind, Level
from notifications.models import (
    Notification,
    NotificationDelivery,
    NotificationEvent,
    NotificationRule,
    NotificationSettings,
    WebhookEndpoint,
)
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import create_member

EVENTS = [kind.value for kind in EventKind]


def create_rule(workspace: Workspace, **columns: Any) -> NotificationRule:
    """Create a rule for all members about the whole workspace that selects every kind."""
    return NotificationRule.objects.create(
        **{"workspace": workspace, "events": EVENTS, "created_by_name": "owen"} | columns
    )


def create_event(tenant: Tenant, **columns: Any) -> NotificationEvent:
    """Create an event about a late backup of the tenant, as a tick has handled it."""
    number = NotificationEvent.objects.count()
    return NotificationEvent.objects.create(
        **{
            "workspace": tenant.workspace,
            "tenant": tenant,
            "kind": EventKind.BACKUP_LATE,
            "subject_id": tenant.pk,
            "key": f"{tenant.pk}:{number}",
            "handled_at": timezone.now(),
            "level": Level.WARNING,
            "title": f"The backup of {tenant.name} is late.",
            "detail": "The objective is 24 hours, with a tolerance of 2 hours.",
            "path": tenant.get_absolute_url(),
        }
        | columns
    )


def create_notifications(tenant: Tenant, user: User) -> list[Notification]:
    """Create a notification of the user for each level; the first one has been read."""
    return [
        Notification.objects.create(
            workspace=tenant.workspace,
            user=user,
            event=create_event(tenant, level=level),
            read_at=timezone.now() if level == Level.INFO else None,
        )
        for level in Level
    ]


def create_delivery(
    tenant: Tenant, user: User | None = None, **columns: Any
) -> NotificationDelivery:
    """Create an email that is due, with a rule, settings and a notification of its member."""
    user = user or create_member(tenant.workspace)
    create_rule(tenant.workspace, owner=user, email=True)
    NotificationSettings.objects.get_or_create(user=user)
    event = create_event(tenant)
    Notification.objects.create(workspace=tenant.workspace, user=user, event=event)
    return NotificationDelivery.objects.create(
        **{
            "workspace": tenant.workspace,
            "event": event,
            "user": user,
            "due_at": timezone.now(),
        }
        | columns
    )


def add_endpoint(
    workspace: Workspace,
    url: str = "https://hooks.example.com/runledger?token=secret-of-the-url",
    format: str = EndpointFormat.STANDARD,  # noqa: A002 - the name of the column
    **columns: Any,
) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint of the workspace; return it with its secret."""
    number = WebhookEndpoint.objects.count()
    endpoint = WebhookEndpoint(
        **{"name": f"Tickets {number}", "created_by_name": "owen"} | columns,
        workspace=workspace,
        format=format,
    )
    return endpoint, create_endpoint(endpoint, url=url)


def create_webhook(
    tenant: Tenant, endpoint: WebhookEndpoint | None = None, **columns: Any
) -> NotificationDelivery:
    """Create a webhook that is due, to an endpoint of the tenant's workspace."""
    if endpoint is None:
        endpoint, _ = add_endpoint(tenant.workspace)
    return NotificationDelivery.objects.create(
        **{
            "workspace": tenant.workspace,
            "event": create_event(tenant),
            "endpoint": endpoint,
            "message_id": uuid.uuid4(),
            "due_at": timezone.now(),
        }
        | columns
    )
