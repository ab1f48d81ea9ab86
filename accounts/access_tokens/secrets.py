"""The secret of an access token: a mark, 32 random characters, and a checksum.

The mark lets the redaction and scanners of repositories recognize a token anywhere. The checksum
distinguishes a mistyped token from an unknown one without the database.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib

PREFIX = "rlt_"
ALPHABET = string.digits + string.ascii_letters
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
HINT_LENGTH = 6
LENGTH = len(PREFIX) + RANDOM_LENGTH + CHECKSUM_LENGTH


def create_secret() -> str:
    """Return a new secret with 190 random bits."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return PREFIX + random + _checksum(random)


def is_well_formed(text: str) -> bool:
    """Return whether a text can be a secret: its mark, its length, its checksum."""
    random, checksum = text[len(PREFIX) : -CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    return (
        len(text) == LENGTH
        and text.isascii()
        and text.startswith(PREFIX)
        and _checksum(random) == checksum
    )


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hint_of(secret: str) -> str:
    """Return the start of the random characters, which lists show."""
    return secret[len(PREFIX) :][:HINT_LENGTH]


def _checksum(random: str) -> str:
    """Return the CRC-32 of the random characters in the base of the alphabet."""
    number, digits = zlib.crc32(random.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
