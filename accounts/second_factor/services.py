"""Second factors of a user: an authenticator app, passkeys, and recovery codes.

A code is checked under a lock of the row of its user, by the clock of the database. Five wrong codes
lock the codes of the user for 15 minutes, from every address; passkeys cannot be guessed and are not
locked. Neither further attempts nor the right code change the end of a lock.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import logging
import secrets
from collections import Counter
from enum import StrEnum

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.second_factor import totp
from accounts.second_factor.models import CodeAttempts, RecoveryCode
from audit.events import record
from tenancy.crypto import Place, key_ring
from tenancy.db import database_now
from tenancy.models import User
from tenancy.rotation import RotationResult, encrypt_again

log = logging.getLogger(__name__)

MAX_FAILURES = 5
LOCK = dt.timedelta(minutes=15)
RECOVERY_CODES = 10
#: 120 random bits: too many to guess, so that a fast hash is enough.
RECOVERY_BYTES = 15
_GROUP = 6


class CodeRefused(Exception):
    """The code is wrong, has been used, or codes of the user are locked."""

    def __init__(self, *, locked: bool) -> None:
        super().__init__("locked" if locked else "wrong")
        self.locked = locked


class CodeKind(StrEnum):
    APP = "totp"
    RECOVERY = "recovery_code"


def second_factors(user: User) -> QuerySet[Authenticator]:
    """Return the authenticator app and the passkeys of a user; the oldest first."""
    types = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(user=user, type__in=types)
    return factors.order_by("type", "pk")


def has_second_factor(user: User) -> bool:
    """Return whether a password alone does not sign the user in."""
    return second_factors(user).exists()


def add_app(user: User, secret: str, code: str) -> None:
    """Add the authenticator app that shows this code; it replaces a previous one.

    Raises:
        CodeRefused: the code is not the current code of this secret.
    """
    with transaction.atomic():
        attempts = _lock_attempts(user)
        now = database_now()
        locked = _is_locked(attempts, now)
        step = None if locked else totp.matching_step(secret, code, now=now)
        if step is None:
            _count_failure(attempts, now)
        else:
            envelope = key_ring().encrypt(secret, _place(user))
            # A new row, so that the audit log has an entry.
            apps = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP)
            apps.delete()
            apps.create(user=user, type=Authenticator.Type.TOTP, data={"secret": envelope})
            # The code that proves the app cannot be used again to sign in.
            _accept(attempts, step)
    if step is None:
        raise CodeRefused(locked=locked)
    log.info("%s added an authenticator app", user)


def use_code(user: User, code: str) -> CodeKind:
    """Accept a code of the authenticator app or a recovery code, once.

    Raises:
        CodeRefused: the code is wrong or has been used, or too many codes were wrong.
    """
    with transaction.atomic():
        attempts = _lock_attempts(user)
        now = database_now()
        locked = _is_locked(attempts, now)
        kind = None if locked else _use(user, code, attempts, now)
        if kind is None:
            _count_failure(attempts, now)
    if kind is None:
        log.warning("%s entered a wrong code%s", user, " while locked" if locked else "")
        if not locked:
            # The begin of a lock is an event. Tries during it could fill the log.
            record("second_factor_refused", user=user)
        raise CodeRefused(locked=locked)
    return kind


def new_recovery_codes(user: User) -> list[str]:
    """Replace the recovery codes of a user; return the new ones, which are shown only now."""
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        # Two requests at the same time would leave twenty codes.
        User.objects.select_for_update(of=("self",)).get(pk=user.pk)
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, code_hash=hash_code(code)) for code in codes
        )
        record("recovery_codes_created", user=user)
    log.info("%s created recovery codes", user)
    return codes


def unused_recovery_codes(user: User) -> int:
    """Return how many recovery codes are left."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


@transaction.atomic
def remove_factor(user: User, authenticator: Authenticator) -> None:
    """Remove the authenticator app or a passkey; without a second factor, no recovery code is left."""
    authenticator.delete()
    if not has_second_factor(user):
        RecoveryCode.objects.filter(user=user).delete()
    log.info("%s removed a second factor: %s", user, authenticator.type)


@transaction.atomic
def reset(user: User) -> int:
    """Remove every second factor and recovery code of a user who has lost them.

    Returns:
        How many second factors were removed.
    """
    removed, _ = second_factors(user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    record("second_factors_reset", user=user, details={"removed": removed})
    log.warning("%s: %s second factors were reset", user, removed)
    return removed


def rotate_secrets() -> Counter[RotationResult]:
    """Encrypt the secret of every authenticator app with the first key of the ring."""
    results: Counter[RotationResult] = Counter()
    apps = Authenticator.objects.filter(type=Authenticator.Type.TOTP)
    for pk in list(apps.values_list("pk", flat=True)):
        with transaction.atomic():
            app = apps.select_for_update(of=("self",)).filter(pk=pk).first()
            if app is not None:
                owner = f"the authenticator app of {app.user.username}"
                result, envelope = encrypt_again(app.data["secret"], _place(app.user), owner)
                app.data = {"secret": envelope}
                app.save(update_fields=["data"])
                results[result] += 1
    return results


def hash_code(code: str) -> str:
    """Return the hash under which a recovery code is stored; hyphens, spaces and case do not count."""
    plain = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(plain.encode()).hexdigest()


def _use(user: User, code: str, attempts: CodeAttempts, now: dt.datetime) -> CodeKind | None:
    """Use up the code if it is valid."""
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if app is not None:
        secret = key_ring().decrypt(app.data["secret"], _place(user))
        step = totp.matching_step(secret, "".join(code.split()), now=now)
        if step is not None and step > attempts.last_step:
            _accept(attempts, step)
            app.record_usage()
            return CodeKind.APP
    unused = RecoveryCode.objects.filter(user=user, code_hash=hash_code(code), used_at=None)
    if unused.update(used_at=Now()):
        _accept(attempts, attempts.last_step)
        record("recovery_code_used", user=user)
        return CodeKind.RECOVERY
    return None


def _lock_attempts(user: User) -> CodeAttempts:
    CodeAttempts.objects.bulk_create([CodeAttempts(user=user)], ignore_conflicts=True)
    return CodeAttempts.objects.select_for_update().get(user=user)


def _is_locked(attempts: CodeAttempts, now: dt.datetime) -> bool:
    return attempts.locked_until is not None and attempts.locked_until > now


def _accept(attempts: CodeAttempts, step: int) -> None:
    attempts.failures, attempts.last_step = 0, step
    attempts.save(update_fields=["failures", "last_step"])


def _count_failure(attempts: CodeAttempts, now: dt.datetime) -> None:
    """Count a wrong code; during a lock nothing counts, so that the lock ends at its time."""
    if _is_locked(attempts, now):
        return
    attempts.failures += 1
    if attempts.failures >= MAX_FAILURES:
        attempts.failures, attempts.locked_until = 0, now + LOCK
        record("second_factor_locked", user=attempts.user)
    attempts.save(update_fields=["failures", "locked_until"])


def _place(user: User) -> Place:
    return Place(0, user.pk, "authenticator")


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
