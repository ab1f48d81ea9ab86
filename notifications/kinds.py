"""The kinds of events that a rule can select."""

from __future__ import annotations

from django.db import models


class EventKind(models.TextChoices):
    """What happened. The values are stored and never renamed."""

    RUN_FAILED = "run_failed", "Run failed, partially succeeded or was blocked"
    RUN_RECOVERED = "run_recovered", "Run recovered"
    INCIDENT_OPENED = "incident_opened", "Incident opened"
    INCIDENT_CLOSED = "incident_closed", "Incident closed"
    BACKUP_LATE = "backup_late", "Backup later than its objective"
    CREDENTIAL_EXPIRES = "credential_expires", "Credential or certificate expires soon"
    APPROVAL_WANTED = "approval_wanted", "Restore waits for an approval"
    POLICIES_CHANGED = "policies_changed", "Policies changed unexpectedly"


class SystemEventKind(models.TextChoices):
    """What Runledger sends without a rule. The values are stored and never renamed."""

    ENDPOINT_DISABLED = "endpoint_disabled", "Webhook endpoint disabled"
    TEST = "test", "Test of a webhook endpoint"


#: The kinds of all events, with their labels.
EVENT_KINDS = [*EventKind.choices, *SystemEventKind.choices]
#: The kinds that a rule of one schedule can select.
OF_SCHEDULE = (EventKind.RUN_FAILED, EventKind.RUN_RECOVERED, EventKind.POLICIES_CHANGED)


class EndpointFormat(models.TextChoices):
    """What a receiver of webhooks understands. The values are stored and never renamed."""

    STANDARD = "standard", "Standard Webhooks (JSON, signed)"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"


class Level(models.TextChoices):
    """How urgent an event is, which decides its color."""

    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
