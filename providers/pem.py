"""Is this PEM a private key and the certificate that belongs to it?"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class NotUsable(ValueError):
    """Why it is not; the text is fit for the form and holds nothing of the PEM."""


def require_key_and_certificate(pem: str) -> None:
    """Let a PEM pass that holds an RSA private key, not encrypted, and its certificate.

    Raises:
        NotUsable: it does not.
    """
    key, certificate = _key(pem.encode()), _certificate(pem.encode())
    if certificate.public_key() != key.public_key():
        raise NotUsable("The certificate does not belong to the private key.")


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
