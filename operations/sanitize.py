"""Nothing secret leaves: what every text passes before it is stored, logged or shown.

Four defences, in this order: values that are known to be secret (`register_secret`), the shapes
secrets have (`RULES`), randomness for what is left, and a cap on the length. What support needs
stays: GUIDs, AADSTS and HTTP codes, checksums, permission and policy names, timestamps.
"""

from __future__ import annotations

import base64
import binascii
import enum
import html
import json
import math
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
TRUNCATED = "[truncated]"
UNREADABLE = "[unreadable]"
ELLIPSIS = "…"

WINDOW = 20_000
ROUNDS = 8

# --- Known values ---------------------------------------------------------------------------

KNOWN_MIN_LENGTH = 6
KNOWN_MAX_COUNT = 2_000
# Long values (tokens) are kept in text encodings only: base64 and hex of each would fill memory.
KNOWN_BINARY_MAX_LENGTH = 512
# A value broken over lines is still found, if it is too long to be spread over words by chance.
KNOWN_WRAPPED_MIN_LENGTH = 12


class _KnownSecrets:
    """The values that must never be shown, found by their last characters in linear time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._by_ending: dict[str, frozenset[str]] = {}

    def add(self, value: str) -> None:
        with self._lock:
            if value in self._forms:
                self._forms.move_to_end(value)
                return
            self._forms[value] = frozenset(_forms(value))
            self._index(self._forms[value])
            if len(self._forms) > KNOWN_MAX_COUNT:
                self._forget(self._forms.popitem(last=False)[1])

    def _index(self, forms: Iterable[str]) -> None:
        for form in forms:
            ending = form[-KNOWN_MIN_LENGTH:]
            self._by_ending[ending] = self._by_ending.get(ending, frozenset()) | {form}

    def _forget(self, forms: Iterable[str]) -> None:
        for form in forms:
            ending = form[-KNOWN_MIN_LENGTH:]
            left = self._by_ending.get(ending, frozenset()) - {form}
            if left:
                self._by_ending[ending] = left
            else:
                self._by_ending.pop(ending, None)

    def mask(self, text: str) -> str:
        if not self._by_ending:
            return text
        return _mask_spans(text, [*self._spans(text), *self._wrapped_spans(text)])

    def _spans(self, text: str, min_length: int = 0) -> Iterator[tuple[int, int]]:
        for end in range(KNOWN_MIN_LENGTH, len(text) + 1):
            for form in self._by_ending.get(text[end - KNOWN_MIN_LENGTH : end], ()):
                if len(form) >= min_length and text.endswith(form, 0, end):
                    yield end - len(form), end

    def _wrapped_spans(self, text: str) -> Iterator[tuple[int, int]]:
        places = [place for place, char in enumerate(text) if not char.isspace()]
        if len(places) == len(text):
            return
        squeezed = "".join(text[place] for place in places)
        for start, end in self._spans(squeezed, KNOWN_WRAPPED_MIN_LENGTH):
            yield places[start], places[end - 1] + 1


def _mask_spans(text: str, spans: list[tuple[int, int]]) -> str:
    parts, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]])


def _forms(value: str) -> Iterator[str]:
    """Every way in which the value may appear in a text."""
    plain = {value, value.strip(), "".join(value.split())}
    texts = set(plain).union(*(set(_escaped(text)) for text in plain))
    binary = _binary_forms(value) if len(value) <= KNOWN_BINARY_MAX_LENGTH else ()
    for form in {*texts, *binary}:
        if len(form) >= KNOWN_MIN_LENGTH:
            yield form


def _escaped(value: str) -> Iterator[str]:
    for once in (*_quoted(value), *_json_escaped(value), *_html_escaped(value)):
        yield once
        yield quote(once, safe="")
        yield from _json_escaped(once)
    yield repr(value)[1:-1]


def _quoted(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "replace")
    for safe in ("", "/", "/:@!$'()*,;=~", "!*'()"):
        for encoded in (quote(raw, safe=safe), quote_plus(raw, safe=safe)):
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


def _json_escaped(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        encoded = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield encoded
        yield encoded.replace("/", "\\/")


def _html_escaped(value: str) -> Iterator[str]:
    yield html.escape(value, quote=False)
    escaped = html.escape(value)
    yield escaped
    yield escaped.replace("&#x27;", "&#39;")
    yield escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield escaped.replace("&#x27;", "&apos;")


def _binary_forms(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "replace")
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode()
        for offset, skip in enumerate((0, 2, 3)):
            # Whatever stands before and after shares its first and last characters: they go.
            whole = encode(b"\0" * offset + raw).decode().rstrip("=")
            yield whole[skip:-1] if (offset + len(raw)) % 3 else whole[skip:]


_known = _KnownSecrets()


def register_secret(value: str) -> None:
    """From now on mask this value, in every usual encoding, wherever this process writes a text.

    Values under six characters are ignored; the 2,000 most recently registered are remembered.
    """
    if len(value.strip()) >= KNOWN_MIN_LENGTH:
        _known.add(value)


# --- Shapes ---------------------------------------------------------------------------------

GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

# What may stand around a name and its value: plain, escaped (nested JSON), HTML- or URL-encoded.
_QUOTE = r"(?:\\{0,7}[\"'`]|&(?:amp;)?(?:quot|apos|#0?3[49]|#x2[27]);|%(?:25){0,2}2[27])"
_GAP = r"(?:\s|%(?:25){0,2}20|\+){0,8}"
_EQUALS = rf"{_GAP}(?::=|=>|==|[:=]|%(?:25){{0,2}}3[AD]|&(?:amp;)?(?:#61|equals);){_GAP}"
_SEPARATOR = rf"(?:{_QUOTE}?{_EQUALS}|\)\s?=\s?\()"

# A name whose value is secret. It is the end of the name that counts: `db_password` is one,
# `password_policy_name`, `token_type` and `secretReferenceValueId` are not.
_KEY = r"""(?:
    (?: pass(?:word|wd|phrase|code) | pwd | (?<![a-z])pass
      | secret(?:[_\-. ]?(?:text|value|key(?:[_-]?base)?|access[_\-. ]?key))?
      | (?<!skip)(?<!delta)(?<!continuation)(?<!next)(?<!page)(?<!next_)(?<!page_)token
      | (?:api|access|account|private|encryption|signing|master|subscription|functions?|fernet
          |credential|storage|recovery|host|service|deploy|ssh|hmac|shared)[_\-. ]?key
      | connection[_\-. ]?string | assertion | saml[_-]?response | code[_-]?verifier
      | device[_-]?code | (?<![a-z0-9])(?:x-amz-)?sig(?:nature)? | authorization | credential
      | cookie | estsauth[a-z]{0,20} | sessionid | otp | totp[_-]?seed
    )s?(?:[_-]?\d{1,3})?
)"""

# An unquoted value ends at blank space, and at punctuation only where something else begins.
_STOP = r"""(?: \s | \Z | ["'`,;)}\]&]
    | (?:amp;)?[\w.\- ]{1,40}(?:=|%3D)
    | (?:amp;)?(?:quot|apos|\#\d{1,3}|lt|gt|\#x\w{1,3});(?:\s|\Z|[,;)}\]&])
    | /?[a-z]{1,10}\s?/?> )"""
_BARE = rf"""(?: \[redacted\] | [^\s"'`<>&,;(){{}}\[\]\\] | ["'`<>&,;(){{}}\[\]\\](?!{_STOP}) )+"""
# A long value may go on, alone, on the next lines.
_WRAPPED = r"""(?: (?<=\S{20})\n[ \t]*(?=\S*\d)[A-Za-z0-9+/_~.\-]{8,}={0,2}
    (?=[ \t]*(?:\n|\Z|["'&,;}])) )*"""

# Words that follow "password:" in plain sentences.
_HARMLESS = re.compile(
    rf"""(?: null | none | nil | true | false | yes | no | on | off | not | is | was | were | must
    | too | the | a | an | and | or | for | of | to | in | str | int | bool | bytes | undefined
    | required | optional | enabled | disabled | expired | invalid | missing | unknown | empty
    | set | unset | blocked | failed | reset | changed | policy | policies | \*+
    | AADSTS\d+:? | \d{{4}}-\d\d-\d\dT[\d:.]+Z? | {re.escape(MASK)} )[.:!?]?""",
    re.IGNORECASE | re.VERBOSE,
)
# Names which are followed by their value even in a sentence: "password: letmein".
_CERTAIN = re.compile(r"pass|pwd|client[_\-. ]?secret", re.IGNORECASE)
_SECRET_LIKE = re.compile(r"(?=.*\d).{8,}", re.DOTALL)

Replacement = str | Callable[[re.Match[str]], str]


def _mask_named(found: re.Match[str]) -> str:
    """Mask the value of a sensitive name, unless it is a plain word of a sentence."""
    value, sentence = found["value"], not found["open"] and ":" in found["sep"]
    certain = _CERTAIN.match(found["before"][-7:] + found["key"]) or _CERTAIN.match(found["key"])
    if _HARMLESS.fullmatch(value):
        return found[0]
    if sentence and not certain and not _SECRET_LIKE.match(value):
        return found[0]
    return found[0].replace(value, MASK) if False else _splice(found, "value")


def _splice(found: re.Match[str], group: str) -> str:
    start, end = found.start(group) - found.start(), found.end(group) - found.start()
    return found[0][:start] + MASK + found[0][end:]
