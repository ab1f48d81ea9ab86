"""Creates, changes and deletes rules, and marks notifications as read."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.functions import Now

from notifications.models import Notification, NotificationRule
from tenancy.models import User

#: Own rules of a member, and shared rules of a workspace.
MAX_RULES = 50


def save_rule(rule: NotificationRule) -> None:
    """Create or change a rule.

    Raises:
        ValidationError: there are too many rules.
    """
    others = NotificationRule.objects.filter(workspace=rule.workspace, owner=rule.owner)
    if others.exclude(pk=rule.pk).count() >= MAX_RULES:
        raise ValidationError(f"There are already {MAX_RULES} rules. Delete one first.")
    rule.save()


def unread_of(user: User) -> QuerySet[Notification]:
    """Return the unread notifications of the user."""
    return Notification.objects.of(user).unread()


def mark_read(user: User, *, up_to: int, only: bool = False) -> int:
    """Mark the unread notifications with ids up to `up_to` as read, or `only` that one.

    Returns:
        How many this call marked.
    """
    lookup = "pk" if only else "pk__lte"
    return unread_of(user).filter(**{lookup: up_to}).update(read_at=Now())
