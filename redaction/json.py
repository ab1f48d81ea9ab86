"""Conversion of any Python value to JSON without secrets."""

from __future__ import annotations

import base64
import binascii
import codecs
import enum
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from redaction import exact_json
from redaction.graph_secrets import is_secret_property, is_secret_setting, secret_properties
from redaction.marks import TRUNCATED, UNREADABLE, mask
from redaction.naming import is_sensitive_name
from redaction.ordinary import is_hidden, is_message, is_state
from redaction.text import MARGIN, WINDOW, normalize_text, sanitize_text, shorten

KEY_MAX_LENGTH = 200
INTEGER_MAX_BITS = 256
TEXT_MAX_LENGTH = 2000
PAYLOAD_MAX_BYTES = 1024 * 1024

# A value with a name that says it is public: random characters in it are no secret.
_PUBLIC_NAME_AT_END = re.compile(
    r"(?:(?<![a-z])id|Ids?|tag|hash|digest|thumbprint|fingerprint|certificate|checksum|link|cursor"
    r"|serialnumber|version|anchor|uniquetokenidentifier|objectguid|objectsid|changekey|x5t(?:#s256)?)\Z|\A@odata\.",
    re.IGNORECASE,
)
#: The names, in lower case, of what names the value beside it.
_NAME_KEYS = (
    "name", "key", "appconfigkey", "displayname", "settingname", "valuename", "field", "label", "id",
    "k", "property", "propertyname", "parameter", "variable", "setting", "attribute", "question",
    "champ", "campo", "feld", "nom", "nombre", "nome", "naam", "navn", "nazwa",
)  # fmt: skip
#: The names, in lower case, of the value beside it, other than those with `value` in them.
_VALUE_KEYS = (
    "v",
    "val",
    "data",
    "content",
    "answer",
    "from",
    "to",
    "valeur",
    "valor",
    "wert",
    "valore",
    "waarde",
)
#: The types, in lower case, of a credential whose value stands beside it.
_SECRET_TYPES = ("password", "secret")
#: The address of a secret in a vault, which stands beside its value.
_SECRET_ADDRESS = re.compile(r"\Ahttps://[\w.\-]{1,80}/secrets/[\w\-/]{1,160}\Z")
_OPTION = re.compile(r"--?[\w\-]{2,60}")
#: The names, in lower case, of secrets by their names: `"passwords": {"wifi": "x"}`.
_SECRETS_BY_NAME = ("passwords", "passphrases", "secrets")
#: A number of fewer digits is a choice.
_MIN_PIN = 1000
_SETTING_KEYS = ("settingdefinitionid", "omauri", "definitionid")
#: The secret members of a JSON Web Key.
_WEB_KEY_SECRETS = frozenset({"k", "d", "p", "q", "dp", "dq", "qi"})
#: Its members that everybody may know, which look as random.
_WEB_KEY_PUBLIC = frozenset({"n", "e", "x", "y"})
#: The members of a password of Windows LAPS: account, time, and the password `p`.
_LAPS = frozenset({"n", "t", "p"})
#: The members of a `random_password` in the state of Terraform.
_TERRAFORM_PASSWORD = frozenset({"length", "special", "result"})
#: What a role may do with secrets: `"permissions": {"secrets": ["get", "list"]}`.
_PERMISSIONS = ("get", "list", "set", "delete", "recover", "backup", "restore", "purge", "all")
#: What is secret in the settings of SNMP, and beside a question that replaces a password.
_SNMP_SECRETS = frozenset({"community", "communities", "rocommunity", "rwcommunity"})
#: The keys of a service of Azure: `{"key1": "x", "key2": "y"}`.
_NUMBERED_KEYS = ("key1", "key2")
_MIN_KEY = 24
#: The columns that identify a row, and no secret.
_COLUMNS = ("primarykey", "primary_key", "primarykeys")
_ANSWERS = frozenset({"answer", "answers"})
#: `qrPin` of Microsoft Graph, the PIN of a sign-in with a QR code.
_PIN_SECRETS = frozenset({"code"})
_PIN_NAMES = ("pin", "qrpin")
_SECURITY_QUESTION = re.compile(
    r"(?:security|secret|recovery|challenge|reset)[_\-. ]?(?:questions?|answers?|qa)"
)
_PLACEHOLDER = re.compile(r"\{\{[\w.\-]{1,100}\}\}")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]{24,}={0,2}\s{0,2}")
_CONTAINERS = (Mapping, list, tuple, set, frozenset)
# Bytes reserved for the marker, so that it fits when the budget is spent.
_MARKER_SIZE = 32
_OVER_BUDGET = object()


def sanitize_json(
    value: object,
    *,
    max_depth: int = 32,
    max_bytes: int = 65536,
    max_text: int = TEXT_MAX_LENGTH,
    guess: bool = True,
    exact: bool = False,
) -> Any:
    """Return the value as JSON without secrets, safe for a `jsonb` column and for a page.

    Texts and keys pass `sanitize_text`, also those in base64. A text is masked completely if its key
    ("client_secret"), the name beside it, or the schema of Graph (`graph_secrets`) says that it is
    secret. Dates become UTC ISO texts, sets sorted lists, NaN and infinity null. Values deeper
    than `max_depth` or beyond `max_bytes` (as ASCII JSON) are replaced by "[truncated]". Without
    `guess`, a token is not masked only because it looks random. A `Decimal` becomes a text, or with
    `exact` stays what it is, for `exact_json.dumps`. Never raises.
    """
    try:
        sanitizer = _JsonSanitizer(max_depth, max_bytes - _MARKER_SIZE, max_text, guess, exact)
        cleaned = sanitizer.sanitize(value)
    except Exception:  # noqa: BLE001 - any object may raise anything when it is read
        return UNREADABLE
    fits = cleaned is not _OVER_BUDGET and len(exact_json.dumps(cleaned)) <= max_bytes
    return cleaned if fits else TRUNCATED


def sanitize_payload(payload: object, *, guess: bool = True) -> Any:
    """Return the content of a policy without secrets, with texts and numbers of any length."""
    return sanitize_json(
        payload, max_bytes=PAYLOAD_MAX_BYTES, max_text=PAYLOAD_MAX_BYTES, guess=guess, exact=True
    )


class _Hidden(enum.Enum):
    """How much of a value is secret by its name: nothing, its texts and `value`s, or all texts."""

    NOTHING = enum.auto()
    VALUES = enum.auto()
    ALL = enum.auto()


@dataclass
class _JsonSanitizer:
    """Walks a value until its byte budget is spent, and marks the place where it stopped once."""

    max_depth: int
    budget: int
    max_text: int
    guess: bool
    exact: bool
    is_marked: bool = False

    def sanitize(
        self, value: object, depth: int = 0, hidden: _Hidden = _Hidden.NOTHING, key: str = ""
    ) -> Any:
        """Return the value as JSON, or `_OVER_BUDGET` if it exceeds the remaining budget."""
        if not isinstance(value, _CONTAINERS):
            return self._scalar(value, hidden, key)
        if depth >= self.max_depth:
            return TRUNCATED if self._spend(_cost(TRUNCATED)) else _OVER_BUDGET
        if not self._spend(4):
            return _OVER_BUDGET
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1, hidden, key)
        items = self._items(value, depth + 1, hidden, key)
        if isinstance(value, (set, frozenset)):
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return items

    def _scalar(self, value: object, hidden: _Hidden, key: str) -> Any:
        cleaned: Any
        if self.exact and isinstance(value, Decimal):
            cleaned = value
        elif hidden is not _Hidden.NOTHING and _becomes_text(value):
            cleaned = _mask_text(value)
        else:
            cleaned = _clean_scalar(value, self.max_text, guess=self.guess and not _is_public(key))
        cost = _cost(cleaned)
        if isinstance(value, (str, bytes)):
            # Sanitizing a long text takes time, even if most of it is cut.
            cost = max(cost, min(len(value), WINDOW) // 20)
        return cleaned if self._spend(cost) else _OVER_BUDGET

    def _items(self, values: Iterable[object], depth: int, hidden: _Hidden, key: str) -> list[Any]:
        cleaned: list[Any] = []
        previous: object = None
        for value in values:
            is_argument = hidden is _Hidden.NOTHING and _is_secret_argument(previous, value)
            item = self.sanitize(value, depth, _Hidden.VALUES if is_argument else hidden, key)
            previous = value
            if item is not _OVER_BUDGET:
                cleaned.append(item)
            if self.budget < 0:
                return cleaned + self._marker()
        return cleaned

    def _mapping(
        self, mapping: Mapping[Any, object], depth: int, hidden: _Hidden, parent: str
    ) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        secret = secret_properties(mapping.get("@odata.type"))
        if "kty" in mapping or mapping.get("use") in ("sig", "enc"):
            secret |= _WEB_KEY_SECRETS
        if _LAPS.issubset(mapping):
            secret |= {"p"}
        if _TERRAFORM_PASSWORD.issubset(mapping):
            secret |= {"result"}
        secret |= _secrets_of_parent(parent)
        names_secret, setting_is_secret = _named_secret(mapping)
        for key, value in mapping.items():
            text = str(key)
            name = sanitize_text(str(_clean_scalar(key)), KEY_MAX_LENGTH)
            self._spend(_cost(name))
            lowered = text[-KEY_MAX_LENGTH:].lower()
            is_secret = lowered in secret or is_secret_property(lowered)
            is_secret |= lowered in _SECRETS_BY_NAME and isinstance(value, Mapping)
            is_column = lowered in _COLUMNS and isinstance(value, list)
            if hidden is _Hidden.ALL or is_secret:
                inner = _Hidden.ALL
            elif (
                (_is_sensitive(text[-KEY_MAX_LENGTH:]) and not is_column)
                or (lowered in _NUMBERED_KEYS and _is_long_key(value))
                or ((hidden is _Hidden.VALUES or names_secret) and _is_value(lowered))
                or (setting_is_secret and lowered.startswith(("value", "simplesetting")))
            ):
                inner = _Hidden.VALUES
                if setting_is_secret and _is_pin(value):
                    value = str(value)  # noqa: PLW2901 - a number becomes a text with a mask
            else:
                inner = _Hidden.NOTHING
            is_public = "kty" in mapping and lowered in _WEB_KEY_PUBLIC
            item = self.sanitize(value, depth, inner, "public_id" if is_public else text)
            if item is not _OVER_BUDGET:
                cleaned[name] = item
            if self.budget < 0:
                return cleaned | dict.fromkeys(self._marker(), TRUNCATED)
        return cleaned

    def _spend(self, size: int) -> bool:
        self.budget -= size
        return self.budget >= 0

    def _marker(self) -> list[str]:
        if self.is_marked:
            return []
        self.is_marked = True
        return [TRUNCATED]


def _cost(value: str | float | bool | Decimal | None) -> int:
    """Return the bytes of a scalar and of the separator after it."""
    text = encode_basestring_ascii(value) if isinstance(value, str) else exact_json.dumps(value)
    return len(text) + 2


def _named_secret(mapping: Mapping[Any, object]) -> tuple[bool, bool]:
    """Return whether the mapping names its value as secret, and whether it is a secret setting."""
    names_secret = setting_is_secret = False
    for key, value in mapping.items():
        if not isinstance(key, str):
            continue
        lowered = key.lower()
        if lowered == "presentation" and isinstance(value, Mapping):
            # What a group policy asks for; its answer stands beside it.
            names_secret = names_secret or _is_sensitive(str(value.get("label"))[-KEY_MAX_LENGTH:])
        if not isinstance(value, str):
            continue
        if lowered in _NAME_KEYS or (lowered == "type" and value.lower() in _SECRET_TYPES):
            names_secret = names_secret or (
                _is_sensitive(value[-KEY_MAX_LENGTH:]) or _SECRET_ADDRESS.search(value) is not None
            )
        elif lowered in _SETTING_KEYS:
            setting_is_secret = setting_is_secret or is_secret_setting(value)
    return names_secret, setting_is_secret


@lru_cache(maxsize=4096)
def _secrets_of_parent(name: str) -> frozenset[str]:
    """Return the members, in lower case, that are secret in an object with this name."""
    lowered = name[-KEY_MAX_LENGTH:].lower()
    if "snmp" in lowered:
        return _SNMP_SECRETS
    if lowered in _PIN_NAMES:
        return _PIN_SECRETS
    return _ANSWERS if _SECURITY_QUESTION.search(lowered) else frozenset()


def _is_value(name: str) -> bool:
    """Return whether a property, in lower case, is the value that another one names."""
    return ("value" in name and name not in _NAME_KEYS) or name in _VALUE_KEYS


def _is_secret_argument(option: object, value: object) -> bool:
    """Return whether a text of a command's arguments follows an option such as `--password`."""
    return (
        isinstance(option, str)
        and isinstance(value, str)
        and _OPTION.fullmatch(option) is not None
        and not value.startswith("-")
        and _is_sensitive(option)
    )


def _is_long_key(value: object) -> bool:
    if not isinstance(value, str) or len(value) < _MIN_KEY or " " in value:
        return False
    return any(map(str.isdigit, value))


def _is_pin(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _MIN_PIN


def _mask_text(value: object) -> str:
    """Return the mask of a secret, or the value if it is none, such as a placeholder or a message."""
    text = _describe(value) if not isinstance(value, str) else value
    is_public = (
        is_hidden(text) or is_state(text) or is_message(text) or text.lower() in _PERMISSIONS
    )
    return text if is_public or _PLACEHOLDER.fullmatch(text) else mask(text)


@lru_cache(maxsize=4096)
def _is_public(name: str) -> bool:
    return _PUBLIC_NAME_AT_END.search(name[-KEY_MAX_LENGTH:]) is not None


@lru_cache(maxsize=4096)
def _is_sensitive(name: str) -> bool:
    return is_sensitive_name(unicodedata.normalize("NFKC", name))


def _becomes_text(value: object) -> bool:
    """Return whether the value becomes a JSON text; flags, numbers, containers and None do not."""
    return bool(value) and not isinstance(value, (*_CONTAINERS, int, float))


def _clean_scalar(
    value: object, max_text: int = TEXT_MAX_LENGTH, *, guess: bool = True
) -> str | int | float | bool | None:
    if isinstance(value, enum.Enum):
        return _clean_scalar(value.value, max_text, guess=guess)
    if isinstance(value, str):
        return _clean_text(str(value), max_text, guess=guess)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= INTEGER_MAX_BITS else TRUNCATED
    if value is None:
        return None
    return sanitize_text(_describe(value), max_text, keep_newlines=True, guess=guess)


def _clean_text(text: str, max_text: int, *, guess: bool) -> str:
    """Sanitize a text; one in base64 is decoded, sanitized, and encoded again."""
    decoded, encoding = (_BASE64.fullmatch(text) and _decode(text)) or ("", "")
    if not decoded:
        return sanitize_text(text, max_text, keep_newlines=True, guess=guess)
    cleaned = sanitize_text(decoded, len(decoded) * 2, keep_newlines=True, guess=guess)
    if cleaned != normalize_text(decoded):
        text = base64.b64encode(cleaned.encode(encoding)).decode()
    return shorten(normalize_text(text), max_text)


def _decode(text: str) -> tuple[str, str] | None:
    """Return the text that is in base64, such as a script, and its encoding; None if it is none."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
        is_wide = raw[1:2] == b"\0" or raw[:2] == codecs.BOM_UTF16_LE
        encoding = "utf-16-le" if is_wide else "utf-8"
        decoded = raw.decode(encoding)
    except (binascii.Error, ValueError):
        return None
    is_text = all(
        character.isprintable() or character.isspace() for character in decoded.lstrip("\ufeff")
    )
    return (decoded, encoding) if is_text and re.search(r"[\s<]", decoded) else None


def _describe(value: object) -> str:
    """Return a text for a type that JSON lacks; never the text of an exception."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[: WINDOW + MARGIN]).decode("utf-8", "replace")
    if isinstance(value, datetime):
        return _utc_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, BaseException):
        return type(value).__name__
    return str(value)


def _utc_text(value: datetime) -> str:
    """Return ISO text in UTC; a time without zone counts as UTC."""
    try:
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return value.isoformat()
