"""Looks for many secrets in a text at once, in the forms in which a text can have them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

#: White space and backslashes are left out of the text and of what is looked for: a secret may be
#: broken over lines, and texts within texts escape it again at each level.
_LEFT_OUT = re.compile(r"[\s\\]+")
#: So many characters lead to what may be at a position. Shorter texts occur by chance.
KEY_LENGTH = 8
#: From this length on, each half of a secret is a secret: the other one may have been cut off.
DIVIDED_LENGTH = 24
PIECE_LENGTH = 24


class Canaries:
    """Secrets by their shape; one pass over a text looks for all of them in all forms."""

    def __init__(self, shapes: dict[str, str]) -> None:
        self.shapes = shapes
        #: What contains a key: where it begins before the key, the form, and the secret's shape.
        self._forms: dict[str, set[tuple[int, str, str]]] = defaultdict(set)
        for secret, shape in shapes.items():
            for form in {form for piece in _pieces(secret) for form in _forms_of(piece)}:
                start = (len(form) - KEY_LENGTH) // 2
                self._forms[form[start : start + KEY_LENGTH]].add((start, form, shape))

    def leaks(self, place: str, text: str) -> list[str]:
        """Return where and what leaks, by the shapes of the secrets."""
        text = _LEFT_OUT.sub("", text)
        shapes = {
            shape
            for at in range(len(text) - KEY_LENGTH + 1)
            if text[at : at + KEY_LENGTH] in self._forms
            for before, form, shape in self._forms[text[at : at + KEY_LENGTH]]
            if at >= before and text.startswith(form, at - before)
        }
        return [f"{place}: {shape}" for shape in sorted(shapes)]


def _pieces(secret: str) -> Iterator[str]:
    """Yield the secret, or as much of each half as is in it only: their ends can be fixed texts."""
    if len(secret) < DIVIDED_LENGTH:
        yield secret
        return
    half = len(secret) // 2
    size = min(half, PIECE_LENGTH)
    yield secret[half - size : half]
    start = half + (len(secret) - half - size) // 2
    yield secret[start : start + size]


def _forms_of(piece: str) -> Iterator[str]:
    """Yield the piece as texts, addresses, pages, JSON, base64 and hexadecimal digits have it."""
    once = {piece, *_text_forms(piece)}
    twice = {again for form in once for again in _text_forms(form)}
    raw = piece.encode()
    for form in {*once, *twice, raw.hex(), raw.hex().upper(), *_base64_forms(raw)}:
        compact = _LEFT_OUT.sub("", form)
        if len(compact) >= KEY_LENGTH:
            yield compact


def _text_forms(text: str) -> Iterator[str]:
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    for safe in ("", "/", "/:@!$'()*,;=~", "!*'()"):
        for encoded in (quote(text, safe=safe), quote_plus(text, safe=safe)):
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    yield html.escape(text, quote=False)
    escaped = html.escape(text)
    for quotes in ("&#x27;", "&#39;", "&apos;"):
        yield escaped.replace("&#x27;", quotes)
        yield escaped.replace("&#x27;", quotes).replace("&quot;", "&#34;")


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield the digits that only these bytes decide, wherever they begin within a group of three."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before, shared in enumerate((0, 2, 3)):
            digits = encode(b"\0" * before + raw).decode().rstrip("=")
            yield digits[shared : len(digits) - ((before + len(raw)) % 3 != 0)]
