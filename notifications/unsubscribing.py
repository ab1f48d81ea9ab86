"""The links with which a mail program or a user stops the emails, without signing in."""

from __future__ import annotations

from django.core import signing

from notifications.models import Frequency, NotificationSettings
from tenancy.models import User

_SALT = "notifications.unsubscribe"


def unsubscribe_token(user: User) -> str:
    """Return the token of the user's link. It does not expire: old messages have it, too."""
    return signing.dumps(user.pk, salt=_SALT)


def user_of_token(token: str) -> User | None:
    """Return the user of a link; None if the token is not one of ours."""
    try:
        user_id = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return None
    return User.objects.filter(pk=user_id).first()


def set_frequency(user: User, frequency: Frequency) -> None:
    """Set how often the user gets email."""
    NotificationSettings.objects.update_or_create(user=user, defaults={"frequency": frequency})
