"""Nothing secret leaves: what every text passes before it is stored, logged or shown.

Four defences, in this order: values that are known to be secret (`register_secret`), the shapes
secrets have (`RULES`), randomness for what is left, and a cap on the length. What support needs
stays: GUIDs, AADSTS and HTTP codes, checksums, permission and policy names, timestamps.
"""

from __future__ import annotations

import base64
import binascii
import enum
import functools
import html
import json
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
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
# All patterns are verbose and ignore case; every repetition is bounded or cannot overlap with
# what follows it, so that no input takes more than linear time.

# What may stand around a name and its value: plain, escaped (nested JSON), HTML- or URL-encoded.
_QUOTE = r"""(?: \\{0,7}["'`] | &(?:amp;)?(?:quot|apos|\#0?3[49]|\#x2[27]); | %(?:25){0,2}2[27] )"""
_SPACE = r"(?: \s | \+ | %(?:25){0,2}(?:20|0[AD]) | \\{1,7}[rnt] )"
_CLOSED = r"(?<!\\)(?<!%5C)(?<!%255C)"
_GAP = rf"{_SPACE}{{0,8}}"
_SLASH = r"(?: / | %(?:25){0,2}2F )"
_LESS, _MORE = r"(?: < | &lt; | %(?:25){0,2}3C )", r"(?: > | &gt; | %(?:25){0,2}3E )"
_START = r"(?: (?<![a-z0-9]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) )"
_EQUALS = rf"""{_GAP}
    (?: := | => | == | [:=] | %(?:25){{0,2}}3[AD] | &(?:amp;)?(?:\#61|equals); ) {_GAP}"""
_SEPARATOR = rf"(?: {_QUOTE}?{_EQUALS} | \)\s?=\s?\( )"

# A name whose value is secret. It is the end of the name that counts: `db_password` is one,
# `password_policy_name`, `token_type` and `secretReferenceValueId` are not.
_KEY = r"""(?:
    (?: pass(?:word|wd|phrase|code) | pwd | (?<![a-z])pass
      | client[_\-. ]?secret
      | secret(?:[_\-. ]?(?:text|value|key(?:[_\-]?base)?|access[_\-. ]?key))?
      | (?<!skip)(?<!delta)(?<!continuation)(?<!next)(?<!page)(?<!next_)(?<!page_)token
      | (?:api|access|account|private|encryption|signing|master|subscription|functions?|fernet
          |credential|storage|recovery|host|service|deploy|ssh|hmac|shared)[_\-. ]?key
      | connection[_\-. ]?string | assertion | saml[_\-]?response | code[_\-]?verifier
      | device[_\-]?code | (?<![a-z0-9])sig(?:nature)? | authorization | credential
      | cookie | estsauth[a-z]{0,20} | sessionid | (?<![a-z])otp
    )s?(?:[_\-]?\d{1,3})?
)"""

# An unquoted value ends at blank space, and at punctuation only where something else begins.
_STOP = r"""(?: [\\"'`,;)}\]&.:!?]{0,8}(?:\s|\Z)
    | [\\"'`)}\]]{0,4}[,:]\\{0,7}["'{\[]
    | (?:amp;)?[\w.\- ]{1,40}(?:=|%3D)
    | (?:amp;)?(?:quot|apos|\#\d{1,3}|lt|gt|\#x\w{1,3});(?:\s|\Z|[,;)}\]&])
    | /?[a-z]{1,10}\s?/?> )"""
_BARE = rf"""(?: \[redacted\]
    | [^\s"'`<>&,;()\[\]{{}}\\]
    | ["'`<>&,;()\[\]{{}}\\](?!{_STOP}) )+"""
# A long value may go on, alone, on the next lines.
_WRAPPED = r"""(?: (?<=\S{20})\n[ \t]*(?=\S*\d)[a-z0-9+/_~.\-]{8,}={0,2}
    (?=[ \t]*(?:\n|\Z|["'&,;}])) )*"""

# Words that follow "password:" in plain sentences.
_HARMLESS = re.compile(
    r"""(?: null | none | nil | true | false | yes | no | on | off | not | is | was | were | must
    | too | the | a | an | and | or | for | of | to | in | str | int | bool | bytes | undefined
    | required | optional | enabled | disabled | expired | invalid | missing | unknown | empty
    | set | unset | blocked | failed | reset | changed | policy | policies | \*+ | \d{1,3}
    | AADSTS\d+ | \d{4}-\d\d-\d\dT[\d:.]+Z? )[.:!?]?""",
    re.IGNORECASE | re.VERBOSE,
)
# Names that are followed by their value even in a sentence: "password: letmein".
_CERTAIN = re.compile(r"pass(?:word|wd|phrase|code)|pwd|client[_\-. ]?secret", re.IGNORECASE)
_SECRET_LIKE = re.compile(r"(?=.*\d).{8}", re.DOTALL)

Replacement = str | Callable[[re.Match[str]], str]


def _mask_named(found: re.Match[str]) -> str:
    """Mask the value of a sensitive name, unless it is a plain word of a sentence."""
    value = found["value"]
    if not value or _HARMLESS.fullmatch(value):
        return found[0]
    in_sentence = ":" in found["sep"] and not found["open"]
    if in_sentence and not _CERTAIN.match(found["key"]) and not _SECRET_LIKE.match(value):
        return found[0]
    return _mask_value(found)


def _mask_value(found: re.Match[str]) -> str:
    start, end = found.start("value") - found.start(), found.end("value") - found.start()
    return found[0][:start] + MASK + found[0][end:]


def _mask_basic(found: re.Match[str]) -> str:
    """Mask what decodes to `name:password`; "Basic authentication" does not."""
    value = found["value"]
    try:
        decoded = base64.b64decode(value[: len(value) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return found[0]
    return _mask_value(found) if b":" in decoded or value.endswith("=") else found[0]


def _mask_opaque(found: re.Match[str]) -> str:
    """Mask what is too long or too mixed to be the heading "1.AndroidEnterprise"."""
    return MASK if len(found[0]) >= 60 or _looks_random(found[0]) else found[0]


@dataclass(frozen=True)
class Rule:
    """One shape of secret: tried where one of the `hints` (lower case) stands in the text."""

    name: str
    hints: tuple[str, ...]
    pattern: str
    replacement: Replacement
    why: str

    def apply(self, text: str, lowered: str) -> str:
        """The text without this shape; `lowered` is the text in small letters."""
        if not any(hint in lowered for hint in self.hints):
            return text
        return _compiled(self.pattern).sub(self.replacement, text)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL)


_KEY_HINTS = (
    "pass", "pwd", "secret", "token", "key", "string", "assertion", "saml", "verifier", "device",
    "sig", "authorization", "credential", "cookie", "estsauth", "sessionid", "otp",
)  # fmt: skip

RULES = (
    Rule(
        "private key",
        ("-----begin",),
        r"""-----BEGIN (?:[ +]|%20)(?:[A-Z0-9]{1,20}(?:[ +]|%20)){0,4}PRIVATE(?:[ +]|%20)KEY
            (?:(?:[ +]|%20)BLOCK)?-----
            (?: .{0,16000}?-----END.{1,40}?-----
              | (?: [A-Z0-9+/=:,\-] | \\{1,7}[rn] | \s | %0[AD] | %2[BF] | %3D )* )""",
        MASK,
        "PEM, also with escaped line ends, also cut off before its end",
    ),
    Rule(
        "otpauth",
        ("otpauth",),
        r"(otpauth(?:://|%3A%2F%2F))[^\s\"'<>]+",
        rf"\1{MASK}",
        "the link holds the seed, and the account's name",
    ),
    Rule(
        "password in URL",
        ("://",),
        r"""(?P<before>\b(?!https?:)[a-z][a-z0-9+.\-]{1,30}://[^\s:/@"'<>]{0,100}:)
            (?P<value>[^\s"'<>]{1,400})(?=@[\w\[*.\-])""",
        _mask_value,
        "database and broker addresses; their passwords may hold @ : / #, so up to the last @",
    ),
    Rule(
        "password in web address",
        ("http",),
        r"(?P<before>\bhttps?://[^\s:/@\"'<>?\#]{0,100}:?)(?P<value>(?<=:)[^\s/@\"'<>?\#]{1,400}"
        r"|(?<=/)[^\s:/@\"'<>?\#]{16,400})(?=@)",
        _mask_value,
        "https://name:password@host and https://token@host, not https://host:443/a@b",
    ),
    Rule(
        "password in encoded URL",
        ("%2f%2f", "%252f%252f"),
        r"""%(?:25)?3A(?:%(?:25)?2F){2}[\w.\-]{0,100}%(?:25)?3A
            (?P<value>[^\s"'<>&]{1,400})(?=%(?:25)?40)""",
        _mask_value,
        "the same inside a query parameter",
    ),
    Rule(
        "incoming webhook",
        ("webhook",),
        rf"""(https?(?::|%(?:25){{0,2}}3A){_SLASH}{{2}}[\w.\-]{{1,200}}{_SLASH}
            (?:webhookb2|api{_SLASH}webhooks|webhook){_SLASH})[^\s"'<>]+""",
        rf"\1{MASK}",
        "whoever knows the address of a Teams or Discord webhook may post there",
    ),
    Rule(
        "Slack webhook",
        ("hooks.slack.com",),
        rf"(hooks\.slack\.com{_SLASH})[^\s\"'<>]+",
        rf"\1{MASK}",
        "the same for Slack",
    ),
    Rule(
        "cookies",
        ("cookie",),
        r"""cookie2?\s{0,4}[:=]\s{0,4}
            (?P<value>[\w.\-$!\#%*+^|~]{1,100}=[^;\s]*
              (?:;\s{0,4}[\w.\-$!\#%*+^|~]{1,100}(?:=[^;\s]*)?)*)""",
        _mask_value,
        "every pair of the header, whatever its name",
    ),
    Rule(
        "authorization header",
        ("authorization",),
        rf"""authorization{_EQUALS}(?!Bearer\s|Basic\s|\[)[a-z][\w\-]{{1,30}}\s{{1,4}}
            (?=\S{{0,400}}[\d=])(?P<value>\S{{8,}})""",
        _mask_value,
        "any other scheme and its credentials",
    ),
    Rule(
        "bearer",
        ("bearer",),
        r"bearer(?:\s|%(?:25)?20|\+|:|=){1,4}(?P<value>(?=[\w.~+/\-]{0,40}\d|[\w.~+/\-]{32})[\w.~+/\-]{8,}=*)"
        + _WRAPPED,
        _mask_value,
        "access tokens, opaque ones too; not 'bearer token'",
    ),
    Rule(
        "basic",
        ("basic",),
        r"basic(?:\s|%(?:25)?20|\+){1,4}(?P<value>[a-z0-9+/]{8,}={0,2})",
        _mask_basic,
        "name and password in base64; not 'Basic authentication'",
    ),
    Rule(
        "named",
        _KEY_HINTS,
        rf"""(?=[pcstaemfrhdo])(?P<key>{_KEY})(?P<sep>{_SEPARATOR})(?P<open>[bu]?(?P<q>{_QUOTE}))?
            (?P<value> (?(q) .{{0,1000}}?(?={_CLOSED}(?P=q)) | \[(?!redacted\])[^\[\]]{{1,1000}}\] )
              | {_BARE}{_WRAPPED} )""",
        _mask_named,
        "form bodies, queries, DSNs, headers, log lines, JSON (nested too), repr, YAML, lists",
    ),
    Rule(
        "named pair",
        _KEY_HINTS,
        rf"""(?: [(\[,:] | %(?:25)?[23][8AC] ){_GAP}[bu]?(?P<p>{_QUOTE})[\w.\-]{{0,40}}?{_KEY}(?P=p)
            {_GAP}(?:,|%(?:25)?2C){_GAP}(?:(?P=p)value(?P=p){_EQUALS})?
            [bu]?(?P<q>{_QUOTE})(?P<value>.{{1,1000}}?){_CLOSED}(?P=q)
            (?={_GAP}(?:[)\]}}]|%(?:25)?(?:29|5D|7D)))""",
        _mask_value,
        '(\'authorization\', \'x\') of raw headers, {"name": "password", "value": "x"}',
    ),
    Rule(
        "named part",
        ("name=", "name%"),
        rf"""name(?:=|%(?:25)?3D){_QUOTE}[\w.\-]{{0,40}}?{_KEY}{_QUOTE}
            (?: {_SPACE}{{1,8}}(?!value=) | [^<>]{{0,80}}?\bvalue={_QUOTE} )
            (?P<value>[^\s\\"'<>&]{{3,1000}})""",
        _mask_value,
        "multipart bodies and HTML inputs",
    ),
    Rule(
        "named element",
        ("</", "&lt;/", "%2f", "%252f"),
        rf"""{_LESS}(?:[\w\-]{{1,20}}:)?[\w.\-]{{0,40}}?{_KEY}(?:\s[^<>&]{{0,80}})?{_MORE}
            (?P<value>.{{1,1000}}?){_LESS}{_SLASH}""",
        _mask_value,
        "XML",
    ),
    Rule(
        "command line",
        ("-",),
        rf"""(?: (?<![\w\-]) | (?<=%20) | (?<=%2520) )--?[a-z\-]{{0,30}}?(?P<key>{_KEY})(?P<sep>{_SPACE}{{1,4}})(?P<open>["'])?
            (?P<value>[^\s\-"'][^\s"']*)""",
        _mask_named,
        "--password x, -ClientSecret x",
    ),
    Rule(
        "curl user",
        ("-u", "--user"),
        rf"""(?: (?<![\w\-]) | (?<=%20) | (?<=%2520) )(?:-u|--user){_SPACE}{{1,4}}["']?
            [^\s:%"']{{1,100}}(?::|%(?:25)?3A)(?P<value>[^\s"']+)""",
        _mask_value,
        "curl -u name:password",
    ),
    Rule(
        "sentence",
        ("pass", "secret"),
        rf"""(?:password|passphrase|client{_SPACE}secret){_SPACE}{{1,4}}(?:is|was){_SPACE}{{1,4}}
            ["'`]?(?P<value>(?=[^\s"'`]{{0,40}}\d)[^\s"'`]{{6,}})""",
        _mask_value,
        "the password was hunter22",
    ),
    Rule(
        "statement parameter",
        ("parameter",),
        rf"""parameter{_SPACE}(?:\$|%(?:25)?24)\d{{1,4}}{_EQUALS}
            (?P<q>{_QUOTE})(?P<value>.{{1,2000}}?)(?P=q)""",
        _mask_value,
        "PostgreSQL quotes the values of a failed statement in CONTEXT",
    ),
    Rule(
        "failing row",
        ("failing",),
        rf"""(Failing{_SPACE}row{_SPACE}contains{_SPACE})
            (?: \([^\n]{{1,4000}}\) | %(?:25)?28[^\s&]{{1,4000}}%(?:25)?29 )""",
        rf"\1{MASK}",
        "PostgreSQL quotes the whole row in DETAIL",
    ),
    Rule(
        "query code",
        ("code=", "key=", "code%", "key%"),
        r"""(?:[?&]|%(?:25)?(?:3F|26))(?:code|key)(?:=|%(?:25)?3D)
            (?P<value>(?=[^\s&"']{0,100}\d)[^\s&"'<>]{20,})""",
        _mask_value,
        "authorization codes and function keys in a query; not code=403",
    ),
    Rule(
        "JSON web token",
        ("eyj",),
        rf"{_START}(?-i:eyJ)[\w\-]{{5,}}[.\w=+/~\-]*" + _WRAPPED,
        MASK,
        "signed or encrypted, whole or cut off",
    ),
    Rule(
        "Entra client secret",
        ("q~",),
        r"[\w.~\-]{0,3}\d(?-i:Q)~[\w.~\-]{16,}",
        MASK,
        "the shape since 2021: three characters, a digit, Q~, 31 to 34 more",
    ),
    Rule(
        "Entra refresh token or code",
        (".a", "m.c", "m.r"),
        _START
        + r"""(?: (?-i:[01]\.A)(?=[\w\-]*\d)[\w\-]{20,}[\w.\-]*
              | (?-i:M\.[CR])\d{1,4}[_.][\w.!*$\-]{20,} )"""
        + _WRAPPED,
        _mask_opaque,
        "0.A… and 1.A… of Entra, M.C… of personal accounts",
    ),
    Rule(
        "tokens of other products",
        (
            "gh",
            "glpat-",
            "xox",
            "sk",
            "akia",
            "asia",
            "aiza",
            "ya29.",
            "npm_",
            "pat",
            "hvs.",
            "sg.",
            "gaaaa",
            "pypi-",
            "azdo",
            "shpat",
        ),
        _START
        + r"""(?-i:
            gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{20,} | glpat-[\w\-]{16,}
          | xox[abeoprs]-[\w\-]{10,} | [rs]k_(?:live|test)_\w{10,} | sk-[\w\-]{20,}
          | A(?:KIA|SIA)[A-Z0-9]{12,} | AIza[\w\-]{30,} | ya29\.[\w\-]{20,} | npm_\w{30,}
          | dckr_pat_[\w\-]{20,} | hvs\.[\w\-]{20,} | SG\.[\w\-]{16,}\.[\w\-]{16,}
          | gAAAAA[\w\-]{20,}={0,2} | pypi-[\w\-]{20,} | shpat_\w{20,} )""",
        MASK,
        "each has its own prefix: GitHub, GitLab, Slack, Stripe, AWS, Google, npm, Fernet, …",
    ),
    Rule(
        "BitLocker recovery key",
        ("-",),
        rf"{_START}\d{{6}}(?:-\d{{6}}){{5,7}}(?![\d\-])",
        MASK,
        "eight groups of six digits",
    ),
    Rule(
        "address",
        ("@", "%40", "%2540"),
        r"""(?: (?<![\w.%…]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) )(?!celery@)(\w)[\w.+%'\#!*?^{|}~\-]{0,63}?(@|%(?:25)?40)
            (?!odata\.|microsoft\.graph\.)(?=(?:[\w\-]{1,63}\.){1,8}[a-z]{2,24}(?![\w\-]))""",
        r"\1…\2",
        "a person's name; the domain tells which tenant it is",
    ),
    Rule(
        "home directory",
        ("/home/", "/users/"),
        r"(?<![\w.])(?-i:(/home/|/Users/))[^/\\\s\"'<>:|,;)\[]{1,64}",
        rf"\1{MASK}",
        "a person's name in a path",
    ),
    Rule(
        "Windows profile",
        (":\\",),
        r"""\b([a-z]:\\{1,8}Users\\{1,8})(?!\[redacted\])
            (?: [^\\/:"'<>|\n]{1,64}(?=\\) | [^\s\\/:"'<>|,;)]{1,64} )""",
        lambda found: found[1] + MASK,
        "the same on Windows, backslashes escaped or not",
    ),
)

# --- Randomness -----------------------------------------------------------------------------

_TOKEN = re.compile(r"[A-Za-z0-9+/_=~%\-]{24,}")
_KNOWN_GOOD = re.compile(
    r"""[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}  # GUIDs
      | (?<![0-9A-Za-z])[0-9a-fA-F]{16,}(?![0-9A-Za-z])       # checksums, trace ids
      | \d{4}-\d\d-\d\dT\d\d                                  # timestamps
      | %(?:25)*[0-9a-fA-F]{2}                                # what URL-encoding adds""",
    re.VERBOSE,
)
_RUN, _DIGITS = re.compile(r"[A-Za-z0-9]+"), re.compile(r"[0-9]+")
_CLASSES = (str.islower, str.isupper, str.isdigit)


def _mask_random(found: re.Match[str]) -> str:
    return MASK if _looks_random(_KNOWN_GOOD.sub("-", found[0])) else found[0]


def _looks_random(token: str) -> bool:
    """Whether a long token changes between cases and digits as no name, word or path does."""
    longest = max(_RUN.findall(token), key=len, default="")
    if len(token) < 24 or len(longest) < 12:
        return False
    classes = sum(any(map(is_class, token)) for is_class in _CLASSES)
    digits = len(_DIGITS.findall(token))
    if classes == 3:
        rate = _change_rate(longest)
        return rate >= 0.4 or (rate >= 0.22 and digits >= 2)
    return classes == 2 and len(longest) >= 30 and digits >= 2 and _change_rate(longest) >= 0.2


def _change_rate(run: str) -> float:
    """Changes of kind per character; a capital before small letters is how words begin."""
    kinds = [next((i for i, is_class in enumerate(_CLASSES) if is_class(c)), 3) for c in run]
    changes = sum(pair[0] != pair[1] and pair != (1, 0) for pair in pairwise(kinds))
    return changes / len(run)


# --- Texts ----------------------------------------------------------------------------------

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)|\x1b[@-Z\\^_]"
)
_NEWLINE = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def sanitize_text(text: str, max_length: int = 2000, *, keep_newlines: bool = False) -> str:
    """The text without secrets, fit to be stored, logged and shown.

    At most `max_length` characters on one line (or on several, with `keep_newlines`), no control
    characters, nothing that PostgreSQL or UTF-8 refuses. Never raises; sanitizing twice gives the
    same as sanitizing once.
    """
    text = _legible(_within(text, max(WINDOW, max_length)))
    for _ in range(ROUNDS):
        cleaned = _capped(_laid_out(_mask(text), keep_newlines), max_length)
        if cleaned == text:
            return text
        text = cleaned
    return _capped(MASK, max_length)


def clean_text(text: str, max_length: int) -> str:
    """The text on one line, fit to be stored, with nothing masked: for keys that must stay apart.

    Only for what cannot hold a secret, such as the id of an object.
    """
    return _capped(_laid_out(_legible(text[:WINDOW]), keep_newlines=False), max_length)


def _within(text: str, window: int) -> str:
    """Bound the work; what may be half a secret at the cut goes too."""
    if len(text) <= window:
        return text
    kept = text[: window - 1]
    return (re.sub(r"\s\S{0,4096}\Z", "", kept) or kept) + ELLIPSIS


def _legible(text: str) -> str:
    text = _NEWLINE.sub("\n", _ANSI.sub("", text)).replace("\t", " ")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def _laid_out(text: str, keep_newlines: bool) -> str:
    return text if keep_newlines else text.replace("\n", " ")


def _mask(text: str) -> str:
    text = _known.mask(text)
    lowered = text.lower()
    for rule in RULES:
        text = rule.apply(text, lowered)
    return _TOKEN.sub(_mask_random, text)


def _capped(text: str, max_length: int) -> str:
    if len(text) <= max_length:
        return text
    kept = text[: max(max_length - 1, 0)]
    opened = kept.rfind("[")
    if opened >= 0 and MASK.startswith(kept[opened:]):
        kept = kept if kept.endswith(MASK) else kept[:opened]
    return (kept + ELLIPSIS)[: max(max_length, 0)]


# --- JSON -----------------------------------------------------------------------------------

_SENSITIVE_NAME = re.compile(rf"{_KEY}\Z", re.IGNORECASE | re.VERBOSE)
KEY_MAX_LENGTH = 200
INTEGER_MAX_BITS = 256


def sanitize_json(value: object, *, max_depth: int = 32, max_bytes: int = 65536) -> Any:
    """The value as JSON without secrets: safe for a `jsonb` column and for a page.

    Texts and keys pass `sanitize_text`; a text under a sensitive key ("client_secret") is masked
    whole. Dates become UTC ISO texts, sets sorted lists, NaN and infinity null. What is deeper
    than `max_depth` or beyond `max_bytes` (as ASCII JSON) gives way to "[truncated]". Never raises.
    """
    try:
        cleaned = _JsonCleaner(max_depth, max_bytes - _MARKER_SIZE).clean(value)
    except Exception:  # noqa: BLE001 - objects may raise anything when looked at
        return UNREADABLE
    fits = cleaned is not _UNPAID and len(json.dumps(cleaned)) <= max_bytes
    return cleaned if fits else TRUNCATED


_CONTAINERS = (Mapping, list, tuple, set, frozenset)
_MARKER_SIZE = 32
_UNPAID = object()


@dataclass
class _JsonCleaner:
    """Walks a value until its bytes are spent; marks the place where it had to stop, once."""

    max_depth: int
    left: int
    marked: bool = False

    def clean(self, value: object, depth: int = 0) -> Any:
        """The value as JSON, or `_UNPAID` if there are no bytes left for it."""
        if isinstance(value, _CONTAINERS) and depth < self.max_depth:
            return self._container(value, depth + 1) if self._pay(4) else _UNPAID
        item = TRUNCATED if isinstance(value, _CONTAINERS) else _scalar(value)
        # Reading a long text costs too, even if little of it is left.
        work = min(len(value), WINDOW) // 20 if isinstance(value, (str, bytes)) else 0
        return item if self._pay(max(len(json.dumps(item)) + 2, work)) else _UNPAID

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        items = self._items(value, depth)
        return sorted(items, key=_sort_key) if isinstance(value, (set, frozenset)) else items

    def _items(self, values: Iterable[object], depth: int) -> list[Any]:
        cleaned: list[Any] = []
        for value in values:
            item = self.clean(value, depth)
            if item is not _UNPAID:
                cleaned.append(item)
            if self.left < 0:
                return cleaned + self._marker()
        return cleaned

    def _mapping(self, mapping: Mapping[Any, object], depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for key, value in mapping.items():
            name = sanitize_text(str(_scalar(key)), KEY_MAX_LENGTH)
            self._pay(len(json.dumps(name)) + 2)
            item = self.clean(_without_secret(str(key), value, mapping), depth)
            if item is not _UNPAID:
                cleaned[name] = item
            if self.left < 0:
                return cleaned | dict.fromkeys(self._marker(), TRUNCATED)
        return cleaned

    def _pay(self, size: int) -> bool:
        self.left -= size
        return self.left >= 0

    def _marker(self) -> list[str]:
        first, self.marked = not self.marked, True
        return [TRUNCATED] if first else []


def _without_secret(key: str, value: object, mapping: Mapping[Any, object]) -> object:
    """The value, masked where its key, or the "name" beside a "value", says that it is secret."""
    names = [key]
    if key.lower() == "value":
        names += [str(mapping[name]) for name in ("name", "key") if name in mapping]
    if not any(_SENSITIVE_NAME.search(name[-KEY_MAX_LENGTH:]) for name in names):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [MASK if _is_text(item) else item for item in value]
    return MASK if _is_text(value) else value


def _is_text(value: object) -> bool:
    """Whether the value becomes a text; flags, numbers, containers and nothing do not."""
    return bool(value) and not isinstance(value, (*_CONTAINERS, int, float))


def _scalar(value: object) -> str | int | float | bool | None:
    if isinstance(value, enum.Enum):
        return _scalar(value.value)
    if isinstance(value, str):
        return sanitize_text(str(value), keep_newlines=True)
    if value is None or isinstance(value, (bool, int, float)):
        return _number(value)
    return sanitize_text(_described(value), keep_newlines=True)


def _number(value: bool | int | float | None) -> int | float | bool | str | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and value.bit_length() > INTEGER_MAX_BITS:
        return TRUNCATED
    return value


def _described(value: object) -> str:
    """A text for what JSON has no type for; never the text of an exception."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[:WINDOW]).decode("utf-8", "replace")
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, BaseException):
        return type(value).__name__
    return str(value)


def _utc(value: datetime) -> str:
    """ISO text in UTC; a naive time is taken for UTC."""
    try:
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return value.isoformat()


def _sort_key(value: object) -> str:
    return json.dumps(value, sort_keys=True)
