"""Who sends a request of the API: the access token of its `Authorization` header.

`authenticate` returns the user as whom the token acts, with the limit of the token: whatever selects
rows with `visible_to`, asks `capabilities_of` or dispatches a run applies it, so that no view can
forget it.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from accounts.access_tokens import secrets
from accounts.access_tokens.models import AccessToken
from tenancy import lockout
from tenancy.clock import DatabaseTime, keep_request_now
from tenancy.db import IsReadOnly
from tenancy.limits import AccessLimit
from tenancy.models import Membership, User
from tenancy.roles import Role

#: The use of a token is recorded at most once in this time, so that most requests cost no write.
USE_SECONDS = 60
#: The time in which the requests of a token are counted.
WINDOW_SECONDS = 60


class Refusal(Enum):
    """Why a request is refused: a message for the developer of the client.

    Only who has the secret of a token learns that it has expired, was revoked, or lost its user.
    """

    MISSING = "Send an access token in the header “Authorization: Bearer …”."
    MALFORMED = "This is not an access token: it is incomplete or mistyped."
    UNKNOWN = "This access token is not known."
    EXPIRED = "This access token has expired. Create a new one."
    REVOKED = "This access token has been revoked."
    NOT_A_MEMBER = "The user of this access token is no longer a member of the workspace."
    ADDRESS_LOCKED = "Too many unknown access tokens were sent from this address. Try again later."
    RATE_LIMITED = "This access token has sent too many requests. Try again later."

    @property
    def status(self) -> int:
        """The status of the response: 401, or 429 for a request that can be sent again later."""
        return 429 if self in (Refusal.ADDRESS_LOCKED, Refusal.RATE_LIMITED) else 401


@dataclass(frozen=True)
class Rate:
    """The rate limit of a token, for the headers of a response."""

    #: Requests in a window.
    limit: int
    #: Further requests in the current window.
    remaining: int
    #: Seconds until the next window begins.
    reset: int


class TokenRefused(Exception):
    """A request is not accepted; `retry_after` is in seconds, with the status 429 only."""

    def __init__(
        self, refusal: Refusal, *, retry_after: int | None = None, rate: Rate | None = None
    ) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.retry_after = retry_after
        #: The rate limit of the token, if that is why.
        self.rate = rate


@dataclass(frozen=True)
class Access:
    """An accepted request: its token, the limited user as whom it acts, and its rate limit."""

    token: AccessToken
    user: User
    rate: Rate


def authenticate(header: str | None, address: str | None) -> Access:
    """Return whose request this is, and count it.

    A token is looked up by its hash, so that no time depends on how much of it is right. An accepted
    request takes three statements, and a fourth one once a minute, which records the use.

    Args:
        header: the value of the header `Authorization`, None without it.
        address: of the client, as `web.client_address.client_address` returns it.

    Raises:
        TokenRefused: the request is refused, and nothing else may be done for it.
    """
    secret = _secret_of(header)
    if remaining := lockout.token_lock(address):
        raise TokenRefused(Refusal.ADDRESS_LOCKED, retry_after=_seconds(remaining))
    token = _find(secret)
    if token is None:
        lockout.count_unknown_token(address)
        raise TokenRefused(Refusal.UNKNOWN)
    if refusal := _refusal(token):
        raise TokenRefused(refusal)
    rate = _count_request(token)
    _record_use(token, address)
    keep_request_now(token.now)  # type: ignore[attr-defined]
    return Access(token, _limited_user(token), rate)


def _secret_of(header: str | None) -> str:
    """Return the secret of the header; a mistyped one needs no look into the database."""
    scheme, _, secret = (header or "").strip().partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        raise TokenRefused(Refusal.MISSING)
    if not secrets.is_well_formed(secret):
        raise TokenRefused(Refusal.MALFORMED)
    return secret


def _find(secret: str) -> AccessToken | None:
    members = Membership.objects.filter(user=OuterRef("user"), workspace=OuterRef("workspace"))
    due = Q(last_used_at=None) | Q(last_used_at__lt=Now() - dt.timedelta(seconds=USE_SECONDS))
    tokens = AccessToken.objects.annotate(
        has_member=Exists(members.filter(user__is_active=True)),
        has_expired=Q(expires_at__lte=Now()),
        use_is_due=due,
        now=DatabaseTime(),
        is_read_only=IsReadOnly(),
    )
    tokens = tokens.select_related("user", "workspace")
    return tokens.filter(secret_hash=secrets.hash_secret(secret)).first()


def _refusal(token: AccessToken) -> Refusal | None:
    if token.revoked_by_name:
        return Refusal.REVOKED
    if token.revoked_at or not token.has_member:  # type: ignore[attr-defined]
        return Refusal.NOT_A_MEMBER
    return Refusal.EXPIRED if token.has_expired else None  # type: ignore[attr-defined]


# The table is not logged, so that a commit does not wait for the disk.
_COUNT_REQUEST = """
INSERT INTO access_token_rates AS rate (token_id, started_at, requests)
VALUES (%(token)s, clock_timestamp(), 1)
ON CONFLICT (token_id) DO UPDATE SET
    requests = CASE WHEN rate.started_at <= clock_timestamp() - %(window)s
        THEN 1 ELSE rate.requests + 1 END,
    started_at = CASE WHEN rate.started_at <= clock_timestamp() - %(window)s
        THEN clock_timestamp() ELSE rate.started_at END
RETURNING requests, started_at + %(window)s - clock_timestamp()
"""


def _count_request(token: AccessToken) -> Rate:
    """Count a request; a database that is read only counts none.

    Raises:
        TokenRefused: the token has sent its requests of this window.
    """
    limit = settings.API_REQUESTS_PER_MINUTE
    if token.is_read_only:  # type: ignore[attr-defined]
        return Rate(limit=limit, remaining=limit, reset=WINDOW_SECONDS)
    window: Any = dt.timedelta(seconds=WINDOW_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_REQUEST, {"token": token.pk, "window": window})
        requests, remaining = cursor.fetchone()
    rate = Rate(limit=limit, remaining=max(limit - requests, 0), reset=_seconds(remaining))
    if requests > limit:
        raise TokenRefused(Refusal.RATE_LIMITED, retry_after=rate.reset, rate=rate)
    return rate


def _record_use(token: AccessToken, address: str | None) -> None:
    if token.use_is_due and not token.is_read_only:  # type: ignore[attr-defined]
        AccessToken.objects.filter(pk=token.pk).update(
            last_used_at=Now(), last_used_address=address
        )


def _limited_user(token: AccessToken) -> User:
    """Return the user of the token with its limit, and without the rights of staff."""
    user = token.user
    assert user is not None
    user.is_staff = user.is_superuser = False
    user.limit = AccessLimit(
        workspace_id=token.workspace_id,
        role=Role(token.role),
        operation_types=None if token.operation_types is None else frozenset(token.operation_types),
        origin=f"token {token.name} ({token.hint})",
    )
    return user


def _seconds(duration: dt.timedelta) -> int:
    return max(math.ceil(duration.total_seconds()), 1)
