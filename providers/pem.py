"""Is this PEM a private key and the certificate that belongs to it, and until when?"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class NotUsable(ValueError):
    """Why it is not; the text is fit for the form and holds nothing of the PEM."""


def expiry_of(pem: str) -> dt.date:
    """The last day (UTC) of the certificate in a PEM that holds it and its RSA private key.

    Raises:
        NotUsable: it does not hold both, the key is encrypted, or the certificate has expired.
    """
    key, certificate = _key(pem.encode()), _certificate(pem.encode())
    if certificate.public_key() != key.public_key():
        raise NotUsable("The certificate does not belong to the private key.")
    expires_at = certificate.not_valid_after_utc
    if expires_at < dt.datetime.now(dt.UTC):
        raise NotUsable(f"The certificate expired on {expires_at:%Y-%m-%d}.")
    return expires_at.date()


def _key(pem: bytes) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise NotUsable("The private key is encrypted. Enter it without a passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise NotUsable("There is no readable private key in it.") from None
    if not isinstance(key, RSAPrivateKey):
        raise NotUsable("The private key is not an RSA key.")
    return key


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise NotUsable("There is no readable certificate in it.") from None
