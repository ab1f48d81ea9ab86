"""The codes of an authenticator app (TOTP, RFC 6238): six digits that change every 30 seconds."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import secrets
from urllib.parse import quote, urlencode

from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

ISSUER = "Runledger"
SECRET_BYTES = 20
STEP_SECONDS = 30
#: The codes of the previous and of the next step are accepted too: the clock of a phone is not exact.
TOLERANCE = 1


def new_secret() -> str:
    """Return a random secret as an app expects it, in base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def step_at(moment: dt.datetime) -> int:
    """Return the number of the time step."""
    return int(moment.timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, *, now: dt.datetime) -> int | None:
    """Return the time step whose code this is; None for a wrong code."""
    current = step_at(now)
    for step in range(current - TOLERANCE, current + TOLERANCE + 1):
        if hmac.compare_digest(format_hotp_value(hotp_value(secret, step)).encode(), code.encode()):
            return step
    return None


def app_address(secret: str, username: str) -> str:
    """Return the address that an app reads from the QR code."""
    query = urlencode({"secret": secret, "issuer": ISSUER}, quote_via=quote)
    return f"otpauth://totp/{ISSUER}:{quote(username)}?{query}"


def qr_code(text: str) -> str:
    """Return a QR code as the address of an SVG image, which the content security policy allows."""
    image = get_adapter().build_totp_svg(text).encode()
    return f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"
