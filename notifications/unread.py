"""The number of unread notifications, which every page shows."""

from __future__ import annotations

from django.db.models import OuterRef
from django.db.models.expressions import Combinable

from notifications.models import Notification
from tenancy.models import User
from tenancy.querysets import CappedCount
from tenancy.waiting import register_unread

#: More are not counted.
MAX_COUNTED = 100


@register_unread
def notifications(user: User) -> Combinable:
    """Return the number of unread notifications of a user in a workspace."""
    rows = Notification.objects.filter(user=user.pk, workspace=OuterRef("pk"), read_at=None)
    return CappedCount(rows.order_by().values("pk")[:MAX_COUNTED])
