"""Registered secrets: values of this process that must never be written."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from redaction.marks import mask

MIN_LENGTH = 6
MAX_COUNT = 2_000
# Long values (tokens) are kept in text encodings only: base64 and hex of each would fill memory.
BINARY_MAX_LENGTH = 512
# A value broken over lines is masked too, if it is too long to be spread over words by chance.
WRAPPED_MIN_LENGTH = 12


def register_secret(value: str) -> None:
    """Mask this value, in every usual encoding, in all texts that this process writes from now on.

    Values under six characters are ignored. The 2,000 most recently registered are remembered.
    """
    if len(value.strip()) >= MIN_LENGTH:
        _registry.add(value)


def mask_known_secrets(text: str) -> str:
    """Return the text with every registered secret masked."""
    return _registry.mask(text)


def has_known_secret(text: str) -> bool:
    """Return whether a registered secret is in the text, in any usual encoding."""
    return _registry.is_in(text)


def secrets_generation() -> int:
    """Return a number that is another one after every newly registered secret."""
    return _registry.generation


_generations = itertools.count()


class KnownSecrets:
    """Registered values, looked up by their last characters so that masking takes linear time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._encodings: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._by_ending: dict[str, frozenset[str]] = {}
        #: Another number after every new value: a text that was clean may not be clean any more.
        self.generation = next(_generations)

    def add(self, value: str) -> None:
        """Remember a value as the most recent one, and forget the oldest beyond `MAX_COUNT`."""
        with self._lock:
            if value in self._encodings:
                self._encodings.move_to_end(value)
                return
            self._encodings[value] = frozenset(_encodings(value))
            self._index(self._encodings[value])
            self.generation = next(_generations)
            if len(self._encodings) > MAX_COUNT:
                _, oldest = self._encodings.popitem(last=False)
                self._remove_from_index(oldest)

    def is_in(self, text: str) -> bool:
        """Return whether `mask` would change the text; much faster if no value is in it."""
        squeezed = "".join(text.split())
        endings = list(self._by_ending)
        if not any(ending in text or ending in squeezed for ending in endings):
            return False
        return self.mask(text) != text

    def mask(self, text: str) -> str:
        """Return the text with every known value masked, also where it is broken over lines."""
        if not self._by_ending or not any(map(self._has_ending, {text, "".join(text.split())})):
            return text
        return _mask_spans(text, [*self._spans(text), *self._wrapped_spans(text)])

    def _has_ending(self, text: str) -> bool:
        """Return whether the end of a value is in the text: most texts have none."""
        starts = range(len(text) - MIN_LENGTH + 1)
        parts = [text[start : start + MIN_LENGTH] for start in starts]
        return not self._by_ending.keys().isdisjoint(parts)

    def _index(self, encodings: Iterable[str]) -> None:
        for encoded in encodings:
            ending = encoded[-MIN_LENGTH:]
            self._by_ending[ending] = self._by_ending.get(ending, frozenset()) | {encoded}

    def _remove_from_index(self, encodings: Iterable[str]) -> None:
        for encoded in encodings:
            ending = encoded[-MIN_LENGTH:]
            others = self._by_ending.get(ending, frozenset()) - {encoded}
            if others:
                self._by_ending[ending] = others
            else:
                self._by_ending.pop(ending, None)

    def _spans(self, text: str, min_length: int = 0) -> Iterator[tuple[int, int]]:
        """Yield start and end of every known value of at least `min_length` characters."""
        for end in range(MIN_LENGTH, len(text) + 1):
            for encoded in self._by_ending.get(text[end - MIN_LENGTH : end], ()):
                if len(encoded) >= min_length and text.endswith(encoded, 0, end):
                    yield end - len(encoded), end

    def _wrapped_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of every long known value with white space inside."""
        positions = [index for index, character in enumerate(text) if not character.isspace()]
        if len(positions) == len(text):
            return
        squeezed = "".join(text[position] for position in positions)
        for start, end in self._spans(squeezed, WRAPPED_MIN_LENGTH):
            yield positions[start], positions[end - 1] + 1


_registry = KnownSecrets()


def _mask_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """Replace every span by one mask; overlapping spans share theirs."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    parts: list[str] = []
    position = 0
    for start, end in merged:
        parts += [text[position:start], mask(text[start:end])]
        position = end
    return "".join([*parts, text[position:]])


def _encodings(value: str) -> Iterator[str]:
    """Yield every form in which the value may appear in a text."""
    originals = {value, value.strip(), "".join(value.split())}
    encodings = set(originals)
    for original in originals:
        encodings.update(_text_encodings(original))
    if len(value) <= BINARY_MAX_LENGTH:
        encodings.update(_binary_encodings(value))
    for encoded in encodings:
        if len(encoded) >= MIN_LENGTH:
            yield encoded


def _text_encodings(value: str) -> Iterator[str]:
    for encoded in (*_url_encodings(value), *_json_encodings(value), *_html_encodings(value)):
        yield encoded
        yield quote(encoded, safe="")
        yield from _json_encodings(encoded)
    yield repr(value)[1:-1]


def _url_encodings(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "replace")
    for safe in ("", "/", "/:@!$'()*,;=~", "!*'()"):
        for encoded in (quote(raw, safe=safe), quote_plus(raw, safe=safe)):
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)


def _json_encodings(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        encoded = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield encoded
        yield encoded.replace("/", "\\/")


def _html_encodings(value: str) -> Iterator[str]:
    yield html.escape(value, quote=False)
    escaped = html.escape(value)
    yield escaped
    yield escaped.replace("&#x27;", "&#39;")
    yield escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield escaped.replace("&#x27;", "&apos;")


def _binary_encodings(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "replace")
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode()
        for offset, shared in enumerate((0, 2, 3)):
            # The first and last characters also encode the bytes around the value: leave them out.
            encoded = encode(b"\0" * offset + raw).decode().rstrip("=")
            is_last_shared = (offset + len(raw)) % 3 != 0
            yield encoded[shared:-1] if is_last_shared else encoded[shared:]
