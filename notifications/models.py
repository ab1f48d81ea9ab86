"""Rules, the events that they select, and what is sent about them.

The triggers in `migrations/sql/events.sql` write an event in the transaction of the ledger that makes
it true, if a rule of the workspace selects its kind. A tick turns each event into the notifications
and deliveries of its rules (`notifications.matching`), and sends the deliveries.
"""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from backups.models import BackupSchedule
from notifications.kinds import EVENT_KINDS, EndpointFormat, EventKind, Level
from redaction.known_secrets import register_secret
from tenancy.crypto import ENVELOPE_PATTERN, Place, key_ring
from tenancy.models import Tenant, User, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from web.names import validate_name

#: The most problems in a row that a rule can wait for.
MAX_IN_A_ROW = 50


class WebhookEndpoint(models.Model):
    """Where webhooks of a workspace are sent, and in which format.

    The address and the secrets are stored encrypted and bound to this row: the address of Slack or
    Teams is itself a secret. Pages show only the host.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="webhook_endpoints", db_index=False
    )
    name = models.CharField(max_length=100, validators=[validate_name])
    format = models.CharField(
        max_length=16, choices=EndpointFormat.choices, default=EndpointFormat.STANDARD
    )
    #: The host of the address, with its port.
    host = models.CharField(max_length=300, editable=False)
    encrypted_url = models.TextField(editable=False)
    #: Empty for formats without signatures.
    encrypted_secret = models.TextField(default="", editable=False)
    #: The secret before the last rotation, which signs as well until `previous_until`.
    encrypted_previous_secret = models.TextField(default="", editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())
    #: A person stopped it: deliveries wait.
    paused_at = models.DateTimeField(null=True, blank=True)
    #: The first failure since the last success, and when the next attempt is allowed.
    failing_since = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    #: Runledger stopped it: deliveries are given up.
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = WorkspaceScopedQuerySet["WebhookEndpoint"].as_manager()

    class Meta:
        db_table = "webhook_endpoints"
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("workspace", "name"),
                name="webhook_endpoints_name_once",
                violation_error_message="There is already an endpoint with this name.",
            ),
            models.UniqueConstraint(fields=("id", "workspace"), name="webhook_endpoints_id_ws"),
            models.CheckConstraint(
                condition=models.Q(format__in=EndpointFormat.values),
                name="webhook_endpoints_format_known",
            ),
            models.CheckConstraint(
                condition=models.Q(encrypted_url__regex=ENVELOPE_PATTERN),
                name="webhook_endpoints_url_is_encrypted",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    format=EndpointFormat.STANDARD, encrypted_secret__regex=ENVELOPE_PATTERN
                )
                | (~models.Q(format=EndpointFormat.STANDARD) & models.Q(encrypted_secret="")),  # nosec B106
                name="webhook_endpoints_secret_is_encrypted",
            ),
            models.CheckConstraint(
                condition=models.Q(encrypted_previous_secret="", previous_until__isnull=True)  # nosec B106
                | models.Q(
                    encrypted_previous_secret__regex=ENVELOPE_PATTERN, previous_until__isnull=False
                ),
                name="webhook_endpoints_previous_is_encrypted",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("webhook_endpoint_detail", args=[self.workspace.slug, self.pk])

    @property
    def is_signed(self) -> bool:
        """Whether its webhooks have signatures; Slack and Teams check none."""
        return self.format == EndpointFormat.STANDARD

    def encrypt(self, plaintext: str, field: str) -> str:
        """Encrypt the address or a secret for this row, which must have its id."""
        register_secret(plaintext)
        return key_ring().encrypt(plaintext, self.place(field))

    def decrypt(self, envelope: str, field: str) -> str:
        """Decrypt the address or a secret of this row.

        Raises:
            CredentialUnreadable: it cannot be decrypted.
        """
        plaintext = key_ring().decrypt(envelope, self.place(field))
        register_secret(plaintext)
        return plaintext

    def place(self, field: str) -> Place:
        """Return the place that an encryption is bound to: `url` or `secret` of this row."""
        return Place(self.workspace_id, self.pk, f"webhook {field}")


class NotificationRuleQuerySet(WorkspaceScopedQuerySet["NotificationRule"]):
    def usable_by(self, user: User) -> Self:
        """The user's own rules and those of the workspace, in the workspaces of the user."""
        return self.visible_to(user).filter(models.Q(owner=user) | models.Q(owner=None))

    def with_scope(self) -> Self:
        return self.select_related("workspace", "tenant", "schedule", "owner", "endpoint")


class NotificationRule(models.Model):
    """Which events are sent, about what, to whom and how.

    A rule with an owner is for this member; one without is for all members of the workspace. It
    concerns the whole workspace, one tenant, or one schedule.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="notification_rules", db_index=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
    )
    schedule = models.ForeignKey(
        BackupSchedule,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
    )
    events = ArrayField(models.CharField(max_length=32))
    #: A problem is sent when it is the nth in a row of its identity.
    in_a_row = models.PositiveSmallIntegerField(default=1, db_default=1)
    in_app = models.BooleanField(default=True, db_default=True)
    email = models.BooleanField(default=False, db_default=False)
    #: In addition, where the events are sent; only for a rule of the workspace.
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.PROTECT,
        related_name="rules",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())

    objects = NotificationRuleQuerySet.as_manager()

    class Meta:
        db_table = "notification_rules"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "id"), name="notification_rules_ws"),
            # A membership that is deleted looks for its rows here, and in the tables below.
            models.Index(fields=("owner", "workspace"), name="notification_rules_of_member"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(events__len__gt=0, events__contained_by=list(EventKind.values)),
                name="notification_rules_events_known",
            ),
            models.CheckConstraint(
                condition=models.Q(in_a_row__gte=1, in_a_row__lte=MAX_IN_A_ROW),
                name="notification_rules_in_a_row",
            ),
            models.CheckConstraint(
                condition=models.Q(schedule__isnull=True) | models.Q(tenant__isnull=False),
                name="notification_rules_schedule_of_tenant",
            ),
            models.CheckConstraint(
                condition=models.Q(in_app=True)
                | models.Q(email=True)
                | models.Q(endpoint__isnull=False),
                name="notification_rules_have_a_channel",
            ),
            models.CheckConstraint(
                condition=models.Q(endpoint__isnull=True) | models.Q(owner__isnull=True),
                name="notification_rules_webhooks_are_shared",
            ),
        )

    def __str__(self) -> str:
        return f"Notifications about {self.subject}"

    def get_absolute_url(self) -> str:
        return reverse("notification_rule_edit", args=[self.workspace.slug, self.pk])

    @property
    def subject(self) -> str:
        """What the rule concerns: a schedule, a tenant, or the workspace."""
        return str(self.schedule or self.tenant or self.workspace)

    @property
    def event_labels(self) -> list[str]:
        """The labels of the selected kinds, in the order of the form."""
        return [label for value, label in EventKind.choices if value in self.events]

    @property
    def is_shared(self) -> bool:
        return self.owner_id is None


class NotificationEvent(models.Model):
    """One event that at least one rule of its workspace selects; the outbox of notifications.

    `key` makes it unique: what happens once is an event once. Title, detail and path are set when
    the tick handles the event, and never change.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(max_length=32, choices=EVENT_KINDS)
    #: The id of the run, incident, tenant, connection, restore, backup set or endpoint, by the kind.
    subject_id = models.BigIntegerField()
    key = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True, blank=True)
    level = models.CharField(
        max_length=10, choices=Level.choices, default=Level.INFO, db_default=Level.INFO
    )
    title = models.CharField(max_length=300, default="", db_default="", blank=True)
    detail = models.CharField(max_length=500, default="", db_default="", blank=True)
    #: The path of the page about it.
    path = models.CharField(max_length=300, default="", db_default="", blank=True)

    objects = WorkspaceScopedQuerySet["NotificationEvent"].as_manager()

    class Meta:
        db_table = "notification_events"
        default_permissions = ("view",)
        indexes = (
            models.Index(
                fields=("id",),
                name="notification_events_waiting",
                condition=models.Q(handled_at__isnull=True),
            ),
            models.Index(fields=("created_at",), name="notification_events_age"),
            models.Index(fields=("subject_id",), name="notification_events_subject"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("workspace", "kind", "key"), name="notification_events_once"
            ),
            models.UniqueConstraint(fields=("id", "workspace"), name="notification_events_id_ws"),
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind for kind, _ in EVENT_KINDS]),
                name="notification_events_kind_known",
            ),
            models.CheckConstraint(
                condition=models.Q(level__in=Level.values), name="notification_events_level_known"
            ),
        )

    def __str__(self) -> str:
        return self.title or f"{self.kind} {self.key}"


class NotificationQuerySet(WorkspaceScopedQuerySet["Notification"]):
    def of(self, user: User) -> Self:
        """The notifications of the user, in the workspaces of the user."""
        return self.visible_to(user).filter(user=user.pk)

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)


class Notification(models.Model):
    """An event on the page of notifications of one member."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # A member who leaves loses them: see `migrations/sql/members.sql`.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    event = models.ForeignKey(
        NotificationEvent,
        on_delete=models.DO_NOTHING,
        related_name="notifications",
        db_constraint=False,
        db_index=False,
    )
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "notifications"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("user", "created_at", "id"), name="notifications_of_user"),
            models.Index(fields=("user", "workspace"), name="notifications_of_member"),
            models.Index(
                fields=("user", "workspace"),
                name="notifications_unread",
                condition=models.Q(read_at__isnull=True),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("event", "user"), name="notifications_once"),
        )

    def __str__(self) -> str:
        return f"{self.event} for {self.user}"


class Frequency(models.TextChoices):
    """When the emails of a user are sent."""

    IMMEDIATELY = "immediately", "Immediately"
    HOURLY = "hourly", "Once an hour"
    DAILY = "daily", "Once a day, at 07:00"
    OFF = "off", "Never"


class NotificationSettings(models.Model):
    """How often a user gets email. Without a row, the user gets it immediately."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    frequency = models.CharField(
        max_length=16, choices=Frequency.choices, default=Frequency.IMMEDIATELY
    )

    class Meta:
        db_table = "notification_settings"
        verbose_name_plural = "notification settings"
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(frequency__in=Frequency.values),
                name="notification_settings_frequency_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.frequency}"


class NotificationDelivery(models.Model):
    """An event on its way to a member by email, or to an endpoint: attempts, the last answer, the end.

    `message_id` names the message: every attempt sends the same one. What is due for a member at the
    same time is one message. A trigger refuses to change a delivery that has arrived; to send it
    again is another delivery, with a `repetition` and the same message.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    event = models.ForeignKey(
        NotificationEvent,
        on_delete=models.DO_NOTHING,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.DO_NOTHING,
        related_name="deliveries",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    #: How often a person had sent it again before.
    repetition = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    message_id = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    attempted_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=300, default="", db_default="", blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    #: When it was given up.
    failed_at = models.DateTimeField(null=True, blank=True)

    objects = WorkspaceScopedQuerySet["NotificationDelivery"].as_manager()

    class Meta:
        db_table = "notification_deliveries"
        default_permissions = ("view",)
        verbose_name_plural = "notification deliveries"
        indexes = (
            models.Index(
                fields=("due_at",),
                name="notification_deliveries_due",
                condition=models.Q(delivered_at__isnull=True, failed_at__isnull=True),
            ),
            models.Index(
                fields=("workspace", "created_at", "id"), name="notification_deliveries_ws"
            ),
            models.Index(fields=("user", "workspace"), name="deliveries_of_member"),
            models.Index(
                fields=("endpoint", "created_at", "id"),
                name="deliveries_of_endpoint",
                condition=models.Q(endpoint__isnull=False),
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("event", "user"), name="notification_deliveries_email_once"
            ),
            models.UniqueConstraint(
                fields=("event", "endpoint", "repetition"), name="notification_deliveries_sent_once"
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, endpoint__isnull=True, repetition=0)
                | models.Q(user__isnull=True, endpoint__isnull=False, message_id__isnull=False),
                name="notification_deliveries_one_receiver",
            ),
            models.CheckConstraint(
                condition=models.Q(delivered_at__isnull=True) | models.Q(failed_at__isnull=True),
                name="notification_deliveries_end_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint or self.user}"

    @property
    def may_be_repeated(self) -> bool:
        """Whether a person can send it again: a webhook that has ended, an email that was given up."""
        return bool(self.failed_at or (self.endpoint_id and self.delivered_at))
