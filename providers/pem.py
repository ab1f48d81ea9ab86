"""Checks the private key and certificate in a PEM text, and reads when they expire."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tenancy.clock import request_now


class InvalidPem(ValueError):
    """The PEM is not usable; the message is for the form and contains no part of the PEM."""


def expiry_of(pem: str) -> dt.date:
    """Return the last day (UTC) of the certificate in a PEM with its RSA private key.

    Raises:
        InvalidPem: the key or certificate is missing, the key is encrypted, they do not belong
            together, or the certificate has expired.
    """
    key = _load_key(pem.encode())
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise InvalidPem("It contains no readable certificate.") from None
    if certificate.public_key() != key.public_key():
        raise InvalidPem("The certificate does not belong to the private key.")
    expires_at = certificate.not_valid_after_utc
    if expires_at < request_now():
        raise InvalidPem(f"The certificate expired on {expires_at:%Y-%m-%d}.")
    return expires_at.date()


def _load_key(pem: bytes) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise InvalidPem("The private key is encrypted. Enter it without a passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidPem("It contains no readable private key.") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidPem("The private key is not an RSA key.")
    return key
