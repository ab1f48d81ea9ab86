"""Generates secrets for development and tests."""

import base64
import secrets


def new_secret_key() -> str:
    """Return a new value for SECRET_KEY."""
    return secrets.token_urlsafe(50)


def new_credential_keys() -> str:
    """Return a new value for CREDENTIAL_KEYS: one key of 32 bytes, named v1."""
    return "v1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
