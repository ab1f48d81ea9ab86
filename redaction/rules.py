"""Formats of secrets: one rule for each, applied in order.

All patterns ignore case and are verbose; see `redaction.patterns` for their building blocks.
"""

from __future__ import annotations

import base64
import binascii
import enum
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from redaction.entropy import is_named_public, looks_random
from redaction.letters import has_word_like_secret, is_unlike_words
from redaction.markers import mask_markers
from redaction.marks import mask, mask_match
from redaction.ordinary import (
    is_example,
    is_message,
    is_name_of_resource,
    is_passphrase,
    is_reference,
    is_sentence,
    is_word,
)
from redaction.patterns import (
    ARGUMENT,
    ASSIGNMENT,
    CONTINUATION_LINES,
    COPULA,
    DOLLAR,
    FOREIGN_HINTS,
    FOREIGN_KEYS,
    FOREIGN_NAMES,
    FOREIGN_PASSWORDS,
    GAP,
    GUID,
    JOINED_WORDS,
    KEY_CONTENT,
    MASKED,
    NAME_MEMBER,
    NAME_THEN_SEPARATOR,
    NAME_VALUE_SEPARATOR,
    NOT_ESCAPED,
    OPTION_START,
    OPTIONAL_SPACE,
    OWNER,
    PASSWORD_NAME,
    QUOTE,
    QUOTED_VALUE,
    SECRET_LOOKING,
    SENSITIVE_NAME,
    SEVERAL_WORDS,
    SLASH,
    SPACE,
    TAG_END,
    TAG_START,
    UNQUOTED_VALUE,
    VALUE_MEMBER,
    WORD_START,
    argument,
)
from redaction.tables import mask_aligned, mask_columns

# Names with a secret after them even in a sentence: "password: letmein".
_PASSWORD_NAME = re.compile(
    rf"pass(?:word|wd|phrase|code)|pwd|pw\b|psk|access[_\-. ]?pass|puk|{FOREIGN_NAMES}"
    r"|client[_\-. ]?secret|shared[_\-. ]?(?:key|secret)"
    r"|(?:network|wep)[_\-. ]?key|key[_\-. ]{0,2}(?:content|material)|challenge",
    re.IGNORECASE | re.VERBOSE,
)
_PLAIN_COOKIES = re.compile(
    r"(?:(?:theme|lang(?:uage)?|locale)=[a-z_\-]{1,12}(?:;\s*|\Z)"
    r"|[\w\-]{1,60}=(?:;\s*|\Z)|(?:path|expires|max-age|domain|samesite)=[^;\s]{0,100}(?:;\s*|\Z)|(?:secure|httponly)(?:;\s*|\Z))+",
    re.IGNORECASE,
)
_LONG_VALUE_WITH_DIGIT = re.compile(r"(?=.*\d).{8}|\d{4,8}\Z", re.DOTALL)
# The id of a session is a cookie, or a GUID that Microsoft's support asks for.
_SESSION_NAME = re.compile(r"sess(?:ion)?[_\-]?id", re.IGNORECASE)
_GUID = re.compile(GUID, re.IGNORECASE)
_PASSWORD = re.compile(PASSWORD_NAME, re.IGNORECASE | re.VERBOSE)
_COUNT = re.compile(r"[a-z_]{1,30}[=:]\d{1,9}")
_BUILD_SECRET = re.compile(r"(?:id|type|src|source|env)=")
# What says on the line of a `pass:` that it is a password's name.
_USER = re.compile(
    r"\b(?:user(?:name)?|login|account|benutzer|konto|utilisateur|usuario|utente)\b[^\n]{0,60}\Z",
    re.IGNORECASE,
)
_MAX_LEASE_DIGITS = 5
# Most texts of a policy are ids of settings and their options, or plain sentences.
_ONE_WORD = re.compile(r"[\w.\-~\#{}]*", re.ASCII)
_PLAIN_WORDS = re.compile(r"[A-Za-z .,;]*(?:(?<=[a-z])-[a-z][A-Za-z .,;]*)*")
_IDENTIFIER_END = re.compile(r"[\w\-]+\Z")
_INSIDE_IDENTIFIER = re.compile(r"\w[_\-]\w|[a-z][A-Z]")
_JOINED_WORDS = re.compile(JOINED_WORDS)
# The name of a cmdlet at its end, but not of a header: a message follows it.
_CMDLET = re.compile(
    r"(?<![\w\-])(?:Add|Clear|Confirm|Connect|Convert\w*|Disable|Enable|Export|Find|Get|Grant|Import"
    r"|Initialize|Install|Invoke|New|Protect|Publish|Read|Register|Remove|Request|Reset|Restore|Revoke"
    r"|Rotate|Save|Set|Start|Stop|Sync|Test|Unprotect|Unregister|Update|Write)-[A-Z]\w+\Z"
)
# What makes a key or a token public: a place in a list, a check of an assembly.
_PUBLIC_PREFIX = re.compile(
    r"(?:public[_\- ]?key|foreign|sync|cancellation|existing|image[_\- ]?pull)[_\- ]?\Z|arn:aws[\w\-:]{1,60}\Z",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[A-Za-z_]+")
_COMMAND_END = re.compile(r"\s{0,4}(?:[<>|\n]|\Z)")
_IDENTIFIER = re.compile(r"[a-z]{2,20}(?:_[a-z]{1,20})+|[a-z]{2,20}(?:[A-Z][a-z]{1,20})+")
_LINE_END = re.compile(r"[ ]*(?:\n|\Z)")
_SEVERAL_WORDS = re.compile(SEVERAL_WORDS, re.IGNORECASE)
_NETWORK = re.compile(r"wi-?fi|wlan|hotspot|wireless|ssid", re.IGNORECASE)
_COPULA_END = re.compile(rf"[ ]{COPULA}[ ]*\Z", re.IGNORECASE | re.VERBOSE)
# The start of a constant's name at the start of a line: `MARIADB_ROOT_`.
_CONSTANT_END = re.compile(r"[\s\-]{0,40}[A-Z][A-Z\d]*_(?:[A-Z\d]+_)*")
# What a list of credentials names beside a password.
_ACCOUNT = re.compile(
    r"\b(?:user(?:[ _-]?(?:name|id))?|login|log-?in|account|host(?:name)?|server|ssid|wi-?fi|wlan|url"
    r"|domain|database|db|port|e?-?mail|ip|benutzer(?:name)?|konto|anmeldename|netzwerk|gerät|standort"
    r"|utilisateur|identifiant|serveur|compte|courriel|réseau|usuario|servidor|cuenta|correo|red"
    r"|utente|conto|rete|usuário|conta|rede|gebruiker(?:snaam)?|netwerk|użytkownik|konto|sieć"
    r"|användare|bruger|bruker|käyttäjä|uživatel|пользователь|логин|сеть|сервер|kullanıcı"
    r"|ユーザー名?|用户名?|사용자)\b",
    re.IGNORECASE,
)
_ACCOUNT_LINE = re.compile(
    rf"[\s\-*•]{{0,40}}[\"']?(?:[\w.]{{1,30}}[ _.\-])?{_ACCOUNT.pattern}[\w \"']{{0,20}}[ ]{{0,30}}[:=：]",
    re.IGNORECASE,
)
# The groups of the alternatives of one pattern.
_GROUPS = ("value", "password", "seed", "last", "pin")

Replacement = str | Callable[[re.Match[str]], str]


def mask_secret_formats(text: str) -> str:
    """Return the text with every value masked that has the format of a secret."""
    text = mask_markers(text)
    lowered = text.lower()
    is_ascii = lowered.isascii()
    for rule in _rules_for(text, lowered, is_ascii=is_ascii):
        text = rule.apply(text, lowered, is_ascii=is_ascii)
    return text


@dataclass(frozen=True)
class Rule:
    """One format of secret.

    The pattern is tried only if one of the `hints` (lower case) is in the text, which is cheaper.
    `replacement` is a template or a function as in `re.sub`.
    """

    name: str
    hints: tuple[str, ...]
    pattern: str
    replacement: Replacement
    rationale: str
    #: Fewer hints, one of which a text with a match has too: for the test of all rules at once.
    needs: tuple[str, ...] = ()
    #: Tried first on the text in lower case, if given; most texts with a hint do not match.
    gate: str = ""
    #: Whether it is also in a text that is one word, without white space, assignment or quotation mark.
    in_word: bool = False
    #: Whether it is also in a text of letters, spaces, commas, periods and hyphens in words alone.
    in_words: bool = False
    #: Whether it only masks values that no word is like: most texts have none.
    unlike_words: bool = False
    #: The hints that a text in ASCII can have.
    ascii_hints: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ascii_hints", tuple(filter(str.isascii, self.hints)))

    def apply(self, text: str, lowered: str, *, is_ascii: bool) -> str:
        """Return the text with this format masked; `lowered` is the original in lower case."""
        for hint in self.ascii_hints if is_ascii else self.hints:
            if hint in lowered:
                break
        else:
            return text
        if self.gate and not _compiled_gate(self.gate).search(lowered):
            return text
        return _compiled(self.pattern).sub(self.replacement, text)


def _rules_for(text: str, lowered: str, *, is_ascii: bool) -> Iterable[Rule]:
    """Return the rules that a text can match, by the hints and the characters that it has."""
    if _ONE_WORD.fullmatch(text):
        kind = _Kind.WORD
    elif _PLAIN_WORDS.fullmatch(text):
        kind = _Kind.WORDS if has_word_like_secret(text) else _Kind.ORDINARY_WORDS
    elif has_word_like_secret(text):
        kind = _Kind.ANY
    else:
        kind = _Kind.ORDINARY
    hints = tuple([hint for hint in _shortest_hints(kind, is_ascii) if hint in lowered])
    return _rules_with(kind, hints) if hints else ()


class _Kind(enum.Enum):
    """What a text consists of, which decides on the rules that it can match."""

    WORD = enum.auto()
    ORDINARY_WORDS = enum.auto()
    WORDS = enum.auto()
    ORDINARY = enum.auto()
    ANY = enum.auto()


def _rules_of(kind: _Kind) -> tuple[Rule, ...]:
    """Return the rules that a text of this kind can match."""
    if kind is _Kind.WORD:
        return tuple(rule for rule in RULES if rule.in_word)
    is_ordinary = kind in (_Kind.ORDINARY_WORDS, _Kind.ORDINARY)
    is_words = kind in (_Kind.ORDINARY_WORDS, _Kind.WORDS)
    return tuple(
        rule
        for rule in RULES
        if (rule.in_words or not is_words) and not (rule.unlike_words and is_ordinary)
    )


@functools.cache
def _shortest_hints(kind: _Kind, is_ascii: bool) -> tuple[str, ...]:
    """Return the hints of these rules, or those in ASCII, without those that contain another one."""
    hints = {hint for rule in _rules_of(kind) for hint in rule.needs or rule.hints}
    hints = {hint for hint in hints if hint.isascii() or not is_ascii}
    return tuple(h for h in sorted(hints) if not any(other in h for other in hints - {h}))


@functools.lru_cache(maxsize=1024)
def _rules_with(kind: _Kind, hints: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rules that a text can match if it has these of the shortest hints."""
    return tuple(
        rule
        for rule in _rules_of(kind)
        if any(hint in each for each in rule.needs or rule.hints for hint in hints)
    )


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL)


@functools.cache
def _compiled_gate(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


def _mask_named(match: re.Match[str]) -> str:
    """Mask the value of a sensitive name, unless it is an ordinary word of a sentence."""
    value = match["value"]
    if not value or is_word(value) or _is_public(match):
        return match[0]
    if _SESSION_NAME.search(match["name"]) and _GUID.fullmatch(value):
        return match[0]
    may_be_sentence = ":" in match["separator"] and not match["opening"]
    if is_message(value) or _is_count(match["name"], value) or _is_folder(match):
        return match[0]
    if is_unlike_words(value) or is_passphrase(value):
        return _mask_value(match)
    if len(value) < 4 and not _PASSWORD_NAME.match(match["name"]):
        return match[0]
    is_secret = _is_password(match) or _LONG_VALUE_WITH_DIGIT.match(value)
    if may_be_sentence and not (is_secret or _is_setting(match)):
        return match[0]
    if not match["opening"] and _is_in_sentence(match):
        return match[0]
    return _mask_value(match)


def _is_password(match: re.Match[str]) -> bool:
    """Return whether the name is that of a password; "pass" is one if a user is named before it."""
    if match["name"].lower() == "pass":
        line = match.string[max(0, match.start() - 100) : match.start()]
        return _USER.search(line) is not None and not line.rstrip().endswith("/")
    return _PASSWORD_NAME.match(match["name"]) is not None


def _is_public(match: re.Match[str]) -> bool:
    """Return whether what stands before the name says that the value is public: `publicKeyToken`."""
    before = match.string[max(0, match.start() - 80) : match.start()]
    return _PUBLIC_PREFIX.search(before) is not None


def _is_in_sentence(match: re.Match[str]) -> bool:
    """Return whether words follow the name, as "passwd: password updated" or a cmdlet's message."""
    text, start = match.string, match.start("value")
    is_colon = match["separator"].strip().endswith((":", "："))
    if is_colon and _CMDLET.search(text[max(0, match.start() - 60) : match.end("name")]):
        return True
    is_space = not match["separator"].strip()
    return (is_colon or is_space) and is_sentence(text, start, after_colon=is_colon)


def _mask_foreign(match: re.Match[str]) -> str:
    """Mask the value of a name in another language, unless it is a word without digits of that one."""
    value = match["value"]
    is_letters = not match["opening"] and not value.isascii() and value.isalpha()
    if not value or is_letters or is_word(value) or is_message(value):
        return match[0]
    is_password = _PASSWORD.search(match["name"]) is not None
    if not is_password and value.isalpha() and not is_unlike_words(value):
        return match[0]
    is_spaced = match["separator"].endswith((" ", "："))
    if (
        is_spaced
        and not match["opening"]
        and is_sentence(match.string, match.start("value"), after_colon=True)
    ):
        return match[0]
    return _mask_value(match)


def _mask_quoted_name(match: re.Match[str]) -> str:
    """Mask what an error says about a field whose name stands in quotation marks."""
    value = match["value"]
    return _mask_either(match) if value is None or is_unlike_words(value) else match[0]


def _is_setting(match: re.Match[str]) -> bool:
    """Return whether the name is an identifier, as `sharedSecret`, and the value ends its line."""
    name = _IDENTIFIER_END.search(match.string[max(0, match.start() - 40) : match.end("name")])
    return (
        name is not None
        and _INSIDE_IDENTIFIER.search(name[0]) is not None
        and _LINE_END.match(match.string, match.end()) is not None
    )


def _mask_value(match: re.Match[str]) -> str:
    """Mask the group "value", unless it is a placeholder, and keep the rest of the match."""
    return _mask_group(match, "value")


def _mask_group(match: re.Match[str], group: str) -> str:
    """Mask a group, unless it is hidden already or says where the secret is."""
    start, end = match.span(group)
    if is_reference(match.string, start, end):
        return match[0]
    before = match.string[match.start() : start]
    return before + mask(match[group]) + match.string[end : match.end()]


def _is_count(name: str, value: str) -> bool:
    """Return whether a value is a number of tokens, `max_tokens=4096`, or of a lease, `token=17`.

    What `docker build --secret id=x,src=y` reads is none either.
    """
    lowered = name.lower()
    if lowered.endswith("tokens") and _COUNT.fullmatch(value):
        return True
    if lowered == "secret" and _BUILD_SECRET.match(value):
        return True
    return value.isdigit() and (
        lowered.endswith("tokens")
        or (lowered.endswith("token") and len(value) <= _MAX_LEASE_DIGITS)
    )


def _is_folder(match: re.Match[str]) -> bool:
    """Return whether a value is the working folder: `pwd=/app`, but not in `uid=x;pwd=/a`."""
    before = match.string[: match.start()][-1:]
    return (
        match["name"].lower() == "pwd"
        and not re.match(r"[\w;&%\-]", before)
        and re.fullmatch(r"(?:/[a-z._\-]+)+/?", match["value"]) is not None
    )


def _mask_url_password(match: re.Match[str]) -> str:
    """Mask the password of a URL, unless it is that of an example."""
    return match[0] if is_example(match["value"]) else _mask_value(match)


def _mask_cookies(match: re.Match[str]) -> str:
    """Mask cookies, unless they only say how a page looks."""
    return match[0] if _PLAIN_COOKIES.fullmatch(match["value"]) else _mask_value(match)


def _mask_either(match: re.Match[str]) -> str:
    """Mask the named group that took part in the match."""
    groups = match.groupdict()
    group = next(name for name in _GROUPS if groups.get(name) is not None)
    return match[0] if is_word(match[group]) else _mask_group(match, group)


def _mask_words(match: re.Match[str]) -> str:
    """Mask a value of several words, unless one of them is an ordinary one of sentences."""
    group = next(name for name in _GROUPS if match.groupdict().get(name) is not None)
    return match[0] if _is_statement(match[group]) else _mask_group(match, group)


def _is_statement(value: str) -> bool:
    """Return whether several words say something about a secret: "never expires"."""
    first, *others = (word.strip(",;.") for word in value.split())
    return (
        is_word(first)
        or value.endswith((".", "!", "?", ":", ";"))
        or any((is_word(word) and not word.isdigit()) or "=" in word[1:-1] for word in others)
        or any(word.endswith(":") for word in value.split())
    )


def _mask_line(match: re.Match[str]) -> str:
    """Mask the rest of a line after the name of a password, if it is a line of a configuration.

    Words in small and capital letters alone are a passphrase in every line.
    """
    is_passphrase_line = _SEVERAL_WORDS.fullmatch(match["value"]) and not match["owner"].strip()
    if not (is_passphrase_line or match["content"] or _is_configuration(match)):
        return match[0]
    return _mask_words(match)


def _is_configuration(match: re.Match[str]) -> bool:
    """Return whether a line, or the one before or after it, names what the password is for."""
    text, start, end = match.string, match.start(), match.end()
    owner = match["owner"]
    if _NETWORK.search(owner) or (owner.strip() and _COPULA_END.search(owner)):
        return True
    if owner.strip():
        return False
    line_start = text.rfind("\n", max(0, start - 200), start) + 1
    before = text[max(line_start, start - 200) : start]
    if _CONSTANT_END.fullmatch(before) or _ACCOUNT.search(before):
        return True
    previous = text[max(0, line_start - 200) : max(0, line_start - 1)].rsplit("\n", 1)[-1]
    following = text[end : end + 200].lstrip("\n").split("\n", 1)[0] if end < len(text) else ""
    return any(_ACCOUNT_LINE.match(line) is not None for line in (previous, following))


def _mask_secret_looking(match: re.Match[str]) -> str:
    """Mask what looks like a secret, unless it is words that are joined to a name."""
    value = next(filter(None, map(match.groupdict().get, _GROUPS)))
    if is_name_of_resource(value) or (_JOINED_WORDS.fullmatch(value) and not is_passphrase(value)):
        return match[0]
    return _mask_either(match)


def _mask_unless_ordinary(match: re.Match[str]) -> str:
    """Mask the group "value", unless it is an ordinary word."""
    return match[0] if is_word(match["value"]) else _mask_value(match)


def _mask_header(match: re.Match[str]) -> str:
    """Mask the value of a header, unless it is a name as in `["client_secret", "tenant_id"]`."""
    return match[0] if _IDENTIFIER.fullmatch(match["value"]) else _mask_unless_ordinary(match)


def _mask_password_option(match: re.Match[str]) -> str:
    """Mask the value of the option -p; for mysql, the name of a database stands there."""
    is_database = (
        match[0].lower().startswith(("mysql", "mariadb"))
        and _LETTERS.fullmatch(match["value"])
        and _COMMAND_END.match(match.string, match.end())
    )
    return match[0] if is_database else _mask_unless_ordinary(match)


def _mask_unlike_words(match: re.Match[str]) -> str:
    """Mask the group "value" if it is no word of a sentence; one of a token has ten characters."""
    if is_passphrase(match["value"]):
        return _mask_value(match)
    min_length = 6 if _PASSWORD.fullmatch(match["name"]) else 10
    if is_name_of_resource(match["value"]) or not is_unlike_words(match["value"], min_length):
        return match[0]
    return _mask_unless_ordinary(match)


def _mask_basic(match: re.Match[str]) -> str:
    """Mask a value that decodes to `name:password`; that of "Basic authentication" does not."""
    value = match["value"]
    try:
        decoded = base64.b64decode(value[: len(value) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    if b":" in decoded or value.endswith("="):
        return _mask_value(match)
    return match[0]


def _mask_web_token(match: re.Match[str]) -> str:
    """Mask a token that is signed; a place in a list is one word of JSON that is named so."""
    is_place = "." not in match[0] and is_named_public(match.string, match.start())
    return match[0] if is_place else mask(match[0])


def _mask_opaque(match: re.Match[str]) -> str:
    """Mask a token that is too long or too random to be the heading "1.AndroidEnterprise"."""
    return mask(match[0]) if len(match[0]) >= 60 or looks_random(match[0]) else match[0]


_SENSITIVE_NAME_HINTS = (
    "pass", "pwd", "psk", "secret", "token", "key", "code", "pin", "challenge", "hash", "string",
    "assertion", "saml", "verifier", "sig", "authorization", "credential", "cookie", "estsauth",
    "sess", "sid", "otp", "clientstate", "client_state", "authtok", "puk", "community", "pw", "sonar.login", *FOREIGN_HINTS,
)  # fmt: skip

_PROSE_HINTS = (
    "pass", "pwd", "psk", "secret", "token", "key", "seed", "community", *FOREIGN_HINTS,
)  # fmt: skip

_SECRET_PATH_HINTS = (
    "hooks/", "zapier", "pagerduty", "telegram", "ifttt", "hc-ping", "reset/", "reset%", "password/", "password%",
    "link/", "link%", "invit", "email/", "email%",
)  # fmt: skip

_TOOL_HINTS = (
    "sqlcmd", "bcp", "osql", "isql", "ipmitool", "mosquitto", "evil-winrm", "redis-cli", "snmp",
    "keytool", "jarsigner", "openssl", "gpg", "curl", "signtool", "makecert", "pvk2pfx", "schtasks",
    "freerdp", "rdesktop", "mstsc", "netdom", "djoin", "cmdkey", "wmic", "psexec", "7z", "rar ", "zip ", "twine",
    "security", "ssh-keygen",
)  # fmt: skip

#: The options of command-line tools that a password follows.
_PASSWORD_OPTIONS = {
    r"(?:sqlcmd|bcp|osql|isql|ipmitool|mosquitto_\w{3}|evil-winrm)": "-P",
    r"redis-cli": "-a|--pass",
    r"snmp(?:walk|get|getnext|set|bulkwalk|bulkget|table|trap|inform|status|test)": "-c|-A|-X",
    r"(?:keytool|jarsigner)": "-(?:src|dest|new)?(?:store|key)pass",
    r"(?:openssl|gpg|curl|age|step)": "(?:-pass(?:in|out)?|--pass|-k)",
    r"(?:signtool|makecert|pvk2pfx)": "/p|-p|-po|-pi",
    r"schtasks": "/rp|/p",
    r"(?:xfreerdp|wfreerdp|rdesktop|mstsc|netdom|djoin|cmdkey|wmic|psexec)": "/p|/pass|/password[do]?|/passwordd|/pd|/pm",
    r"twine": "-p|--password",
    r"security": "-p|-w",
    r"ssh-keygen": "-N|-P",
    r"(?:7z\w?|7za|unrar|rar|zip|unzip)": "-h?p|-P|--password",
}
_COMMAND_OPTIONS = " | ".join(
    rf"{WORD_START}{tool}(?:\.exe)?(?=\s)[^\n;|]{{1,200}}?(?<=\s)(?-i:{options})"
    for tool, options in _PASSWORD_OPTIONS.items()
)

# Another option, or ports: `docker run -p 8080:80`.
_NO_PORTS = r"(?!-|[\d.]{0,16}:?\d{1,5}:\d)"
# One of several codes that replace a second factor; no date.
_CODE = r"(?!\d{4}-\d\d)(?=[\w\-]{0,40}\d)[\w\-]{6,40}"
_BULLET = r"(?:(?:\d{1,2}[.)]|[\-*•])\s)?"
# Codes that replace a second factor, in other languages.
_FOREIGN_CODES = r"""(?: wiederherstellungscodes? | c[óo]digos?\ de\ (?:recupera(?:ci[óo]n|[çc][ãa]o)|respaldo)
    | codes?\ de\ (?:r[ée]cup[ée]ration|secours) | codic[ei]\ di\ (?:ripristino|recupero|backup)
    | herstelcodes? | kod[ey]?\ (?:odzyskiwania|zapasowe) | återställningskod(?:er)?
    | gendannelseskoder? | код(?:ы)?\ восстановления | резервные\ коды
    | (?:回復|リカバリー?|復旧)コード | 恢复代码 | 复原代码 | 복구\ ?코드 )"""
# What follows a name in the tag of an HTML input.
_ATTRIBUTE = r"""(?:[a-z\-]{2,20}=\\{0,7}["']
    |(?:required|disabled|readonly|autofocus|hidden|multiple)\b|/?>)"""

RULES = (
    Rule(
        name="private key",
        hints=("-----begin",),
        pattern=r"""-----BEGIN (?:[ +]|%20)(?:[A-Z0-9]{1,20}(?:[ +]|%20)){0,4}(?:PRIVATE(?:[ +]|%20)KEY|OpenVPN\ Static\ key\ V1)
            (?:(?:[ +]|%20)BLOCK)?-----
            (?: .{0,16000}?-----END.{1,40}?-----
              | (?: [A-Z0-9+/=:,\-] | \\{1,7}[rn] | \s | %0[AD] | %2[BF] | %3D )* )""",
        replacement=mask_match,
        rationale="PEM, also with escaped line ends, also cut off before its end",
    ),
    Rule(
        name="one-time password link",
        hints=("otpauth",),
        pattern=r"otpauth(?:://|%3A%2F%2F)(?P<value>[^\s\"'<>]+)",
        replacement=_mask_value,
        rationale="the link contains the seed and the account's name",
    ),
    Rule(
        name="password in URL",
        hints=("://",),
        pattern=r"""(?P<before>\b(?!https?:|sqlserver:)[a-z][a-z0-9+.\-]{1,30}://[^\s:/@"'<>]{0,100}:)
            (?P<value>[^\s"'<>]{1,400})(?=@[\w\[*.\-])""",
        replacement=_mask_url_password,
        rationale="database and broker addresses; a password may contain @: the last one counts",
    ),
    Rule(
        name="password in web address",
        hints=("http",),
        pattern=r"""(?P<before>\bhttps?://[^\s:/@"'<>?\#]{0,100}:?)
            (?P<value> (?<=:)(?!\d{1,5}[?\#])[^\s/@"'<>]{1,400} | (?<=/)[^\s:/@"'<>?\#]{16,400} )(?=@)""",
        replacement=_mask_value,
        rationale="https://name:password@host and https://token@host, not https://host:443/a@b",
    ),
    Rule(
        name="password in encoded URL",
        hints=("%2f%2f", "%252f%252f"),
        pattern=r"""%(?:25)?3A(?:%(?:25)?2F){2}(?:[\w.\-]|%(?:25)?(?:3B|5C)){0,100}%(?:25)?3A
            (?P<value>[^\s"'<>&]{1,400})(?=%(?:25)?40)""",
        replacement=_mask_value,
        rationale="a URL with a password inside a query parameter",
    ),
    Rule(
        name="incoming webhook",
        hints=("webhook",),
        pattern=rf"""https?(?::|%(?:25){{0,2}}3A){SLASH}{{2}}[\w.\-]{{1,200}}{SLASH}
            (?:webhookb2|api{SLASH}webhooks|webhook){SLASH}(?P<value>[^\s"'<>]+)""",
        replacement=_mask_value,
        rationale="anyone with the address of a Teams or Discord webhook can post there",
    ),
    Rule(
        name="Slack webhook",
        hints=("hooks.slack.com",),
        pattern=rf"hooks\.slack\.com{SLASH}(?P<value>[^\s\"'<>]+)",
        replacement=_mask_value,
        rationale="anyone with the address of a Slack webhook can post there",
    ),
    Rule(
        name="secret in a path",
        hints=_SECRET_PATH_HINTS,
        needs=("://", "%3a", "/reset", "password"),
        pattern=rf"""(?: hooks\.zapier\.com{SLASH}hooks{SLASH}catch{SLASH}\d{{1,12}}{SLASH}
              | pagerduty\.com{SLASH}(?:integration|x-ere){SLASH}
              | api\.telegram\.org{SLASH}(?:file{SLASH})?bot
              | maker\.ifttt\.com{SLASH}trigger{SLASH}[\w\-]{{1,60}}{SLASH}(?:json{SLASH})?with{SLASH}key{SLASH}
              | hc-ping\.com{SLASH} | {SLASH}hooks{SLASH}(?=[a-z0-9]{{26}}(?![a-z0-9]))
              | {SLASH}(?:password[_\-]?reset|reset[_\-]?password|accounts?{SLASH}reset|password{SLASH}reset|reset
                  |set[_\-]?password|magic[_\-]?link|invitations?|accept[_\-]?invite|verify[_\-]?email)
                {SLASH}(?=[^\s"'<>?]{{16}})(?=[^\s"'<>?]{{0,200}}\d) )
            (?P<value>[^\s"'<>?&]{{6,}})""",
        replacement=_mask_value,
        rationale="anyone with the address of a hook or of a password reset can use it",
    ),
    Rule(
        name="cookies",
        hints=("cookie",),
        pattern=r"""cookie2?\s{0,4}[:=]\s{0,4}
            (?P<value>[\w.\-$!\#%*+^|~]{1,100}=[^;\s]*
              (?:;\s{0,4}[\w.\-$!\#%*+^|~]{1,100}(?:=[^;\s]*)?)*)""",
        replacement=_mask_cookies,
        rationale="every pair of a Cookie header, whatever its name",
    ),
    Rule(
        name="authorization header",
        hints=("authorization",),
        pattern=rf"""authorization{ASSIGNMENT}(?!Bearer\s|Basic\s|\[)[a-z][\w\-]{{1,30}}\s{{1,4}}
            (?=\S{{0,400}}[\d=])(?P<value>\S{{8,}})""",
        replacement=_mask_value,
        rationale="the credentials of any other scheme",
    ),
    Rule(
        name="bearer token",
        hints=("bearer",),
        pattern=r"""bearer(?:\s|%(?:25)?20|\+|:|=){1,4}
            (?P<value>(?=[\w.~+/\-]{0,40}\d|[\w.~+/\-]{32})[\w.~+/\-]{8,}=*)"""
        + CONTINUATION_LINES,
        in_words=True,
        replacement=_mask_value,
        rationale="access tokens, opaque ones too; not 'bearer token'",
    ),
    Rule(
        name="basic credentials",
        hints=("basic", "auth"),
        pattern=r"""(?:basic(?:\s|%(?:25)?20|\+){1,4}|["']auth\\?["']\s?:\s?\\?["'])
            (?P<value>[a-z0-9+/]{8,}={0,2})""",
        replacement=_mask_basic,
        rationale="name and password in base64, also of registries; not 'Basic authentication'",
    ),
    Rule(
        name="password of several words",
        hints=(
            "pass",
            "pwd",
            "phrase",
            *FOREIGN_HINTS,
            "key content",
            "内容",
            "コンテンツ",
            "콘텐츠",
            "содержимое",
            "περιεχόμενο",
            "sleutelinhoud",
            "nyckelinneh",
            "nøgleindhold",
            "nøkkelinnhold",
            "avaimen",
            "obsah",
            "kulcstartalom",
            "anahtar",
        ),
        pattern=rf"""(?: (?P<content>{KEY_CONTENT}) | {PASSWORD_NAME} | (?<![a-z])pass )
            (?P<owner>(?:[ ](?:wi-?fi|wlan|hotspot))?{OWNER}(?:[ ]{COPULA})?)
            [ ]{{0,30}}(?:[:=：]|(?<=:))[ ]{{0,8}}
            (?P<value>(?![\s"'`\[{{<(„“«「＜])
              (?(content)[^\n]{{2,63}}? | [^\s;=]{{1,40}}(?:[ ][^\s;=]{{1,40}}){{1,7}}?))
            [ ]{{0,4}}(?=\n|\Z)""",
        gate=r"[:=：][ ]{0,8}[^\s\[{<(][^\n]{1,300}(?:\n|\Z)",
        replacement=_mask_line,
        rationale="the rest of the line: passphrases, lists of credentials, netsh wlan show profile",
    ),
    Rule(
        name="quoted assignment",
        hints=("=",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""(?: (?<![^\s=(\[,])(?P<q>["'])[\w.\-]{{0,40}}?{SENSITIVE_NAME}=
                (?P<value>(?!\[redacted)[^"'\n=&;]{{1,60}}[ ][^"'\n=&;]{{1,100}})(?P=q)
              | (?<=;)[ ]?(?:password|pwd)[ ]?=[ ]?
                (?P<password>(?!\[redacted)[^"'\n=;]{{1,60}}[ ][^"'\n=;]{{1,100}})(?=;|["']) )""",
        gate=r"""[;"'][ ]?[\w.\-]{2,60}[ ]?=[^"'\n=;]{1,60}[ ]""",
        replacement=_mask_words,
        rationale='curl -d "password=x y z", Server=db1;Password=x y z;Database=runs',
    ),
    Rule(
        name="value on the next lines",
        hints=("|\n", ">\n", "-\n", "+\n", "\\\n", "<<", '"""', "'''"),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""{SENSITIVE_NAME}["']?\s?[:=]\s?
            (?: (?:!\w{{1,10}}\s)?[|>][+\-]?\d?[ ]*\n | \\\n | (?:\$\(cat[ ])?<<[\-~]?["']?\w{{1,20}}["']?\n | (?P<t>\"\"\"|''')\n? )
            (?P<value>[ \t]*[^\n]{{3,400}}?(?:\n[ \t]+(?![\w\-]+:)[^\n]{{1,400}}){{0,60}})(?(t)(?P=t))(?=\n|\Z)""",
        gate=r"""[:=]\s?(?:[^\s]{0,12}\s)?(?:[|>][+\-]?\d?[ ]*\n|\\\n|[^\n]{0,8}<<[^\n]{1,24}\n|\"\"\"|''')""",
        replacement=_mask_value,
        rationale="blocks of YAML, here-documents, continued lines, strings of several lines",
    ),
    Rule(
        name="name and value",
        hints=_SENSITIVE_NAME_HINTS,
        pattern=rf"""(?=[a-z])(?P<name>{SENSITIVE_NAME})
            (?P<separator>{NAME_VALUE_SEPARATOR})
            (?P<opening>[bnu]?(?P<q>{QUOTE}))?
            (?P<value>
                (?(q) (?:(?P=q){{2}}(?=\w)|.){{0,1000}}?(?={NOT_ESCAPED}(?P=q)(?!(?P=q)\w))
                  | (?: \[(?!redacted|\s?\{{)[^\[\]]{{1,1000}}\] | \{{(?!\{{)[^{{}}\s"']{{1,200}}\}}(?=[;\s"']|\Z) ) )
              | (?!\[?\{{{OPTIONAL_SPACE}(?:{QUOTE}|\w{{1,20}}:\s)|[«„“「『]){UNQUOTED_VALUE}{CONTINUATION_LINES} )""",
        replacement=_mask_named,
        rationale="form bodies, queries, DSNs, headers, log lines, JSON, repr, YAML, lists",
        gate=NAME_THEN_SEPARATOR,
    ),
    Rule(
        name="quoted name and value",
        hints=_SENSITIVE_NAME_HINTS,
        pattern=rf"""(?: [(\[,:] | %(?:25)?[23][8AC] ){OPTIONAL_SPACE}
            [bu]?(?P<p>{QUOTE})[\w.\-]{{0,40}}?{SENSITIVE_NAME}(?P=p)
            {OPTIONAL_SPACE}(?:,|%(?:25)?2C){OPTIONAL_SPACE}
            [bu]?(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
            (?={OPTIONAL_SPACE}(?:[)\]}}]|%(?:25)?(?:29|5D|7D)))""",
        replacement=_mask_header,
        rationale="('authorization', 'x') of raw headers",
    ),
    Rule(
        name="form field",
        hints=("name=", "name%", "key=", "key%", "id=", "id%"),
        pattern=rf"""(?:name|key|id)(?:=|%(?:25)?3D){QUOTE}[\w.\-]{{0,40}}?{SENSITIVE_NAME}{QUOTE}
            (?: {SPACE}{{1,8}}(?!value=|{_ATTRIBUTE}) | [^<>]{{0,80}}?\bvalue={QUOTE} )
            (?P<value>[^\s\\"'<>&]{{3,1000}})""",
        replacement=_mask_value,
        rationale="multipart bodies, HTML inputs, and XML elements with a name and a value",
    ),
    Rule(
        name="XML element",
        hints=("</", "&lt;/", "%2f", "%252f"),
        pattern=rf"""{TAG_START}(?:[\w\-]{{1,20}}(?::|%(?:25){{0,2}}3A))?
            [\w.\-]{{0,40}}?{SENSITIVE_NAME}(?:\s[^<>&]{{0,80}})?{TAG_END}
            (?P<value>(?:<!\[CDATA\[)?(?:(?!{TAG_START}).){{1,1000}}){TAG_START}{SLASH}""",
        replacement=_mask_value,
        rationale="XML and SOAP bodies",
    ),
    Rule(
        name="command line",
        hints=("-",),
        pattern=rf"""{OPTION_START}--?[a-z\-]{{0,30}}?(?P<name>{SENSITIVE_NAME})
            (?P<separator>{SPACE}{{1,4}})(?P<opening>["'])?
            (?P<value>(?!(?-i:[A-Z]{{3,20}}\]))(?(opening)(?![\-(])(?:(?!(?P=opening))[^\n]){{1,200}}(?=(?P=opening))|[^\s\-"'(][^\s"']*))""",
        gate=r"-(?:(?<!\w-)(?<!--)|(?<=%20-)|(?<=%2520-)|(?<=\\[nrt]-))",
        replacement=_mask_named,
        rationale="--password x, -ClientSecret x",
    ),
    Rule(
        name="curl user",
        hints=("-u", "-user"),
        pattern=rf"""{OPTION_START}(?:-u|-U|--user|--proxy-user){SPACE}{{1,4}}(?P<q>{QUOTE})?
            (?!\d{{1,6}}:\d{{1,6}}(?!\S))[^\s:%"'\\&]{{1,100}}(?::|%(?:25)?3A)
            (?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,400}}(?=(?P=q))|[^\s"']+))""",
        replacement=_mask_value,
        rationale="curl -u name:password",
    ),
    Rule(
        name="password in sentence",
        hints=("pass", "secret"),
        pattern=rf"""(?:password|passphrase|access{SPACE}pass|client{SPACE}secret)
            {SPACE}{{1,4}}(?:is|was){SPACE}{{1,4}}
            ["'`]?(?P<value>(?=[^\s"'`]{{0,40}}\d)[^\s"'`]{{6,}})""",
        gate=r"[\s+%nrtd09a](?:is|was)[\s+%\\]",
        replacement=_mask_value,
        rationale='"the password was hunter22"',
    ),
    Rule(
        name="pair of name and value",
        hints=("value", "valeur", "valor", "wert", "waarde"),
        pattern=rf"""{QUOTE}{NAME_MEMBER}{QUOTE}{ASSIGNMENT}
            {QUOTE}[\w.\- ]{{0,60}}?(?:{SENSITIVE_NAME}|{FOREIGN_PASSWORDS}){QUOTE}[^{{}}]{{0,200}}?
            {QUOTE}{VALUE_MEMBER}{QUOTE}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})""",
        replacement=_mask_value,
        rationale='{"name": "password", "value": "x"}, also of managed apps',
    ),
    Rule(
        name="pair of value and name",
        hints=("value", "valeur", "valor", "wert", "waarde"),
        pattern=rf"""{QUOTE}{VALUE_MEMBER}{QUOTE}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
            {OPTIONAL_SPACE}(?:,|%(?:25)?2C){OPTIONAL_SPACE}
            {QUOTE}{NAME_MEMBER}{QUOTE}{ASSIGNMENT}
            {QUOTE}[\w.\- ]{{0,60}}?(?:{SENSITIVE_NAME}|{FOREIGN_PASSWORDS}){QUOTE}""",
        replacement=_mask_value,
        rationale='{"value": "x", "name": "password"}',
    ),
    Rule(
        name="value in an object",
        hints=("value",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""{SENSITIVE_NAME}{QUOTE}{ASSIGNMENT}(?:\{{|%(?:25)?7B){OPTIONAL_SPACE}
            {QUOTE}value{QUOTE}{ASSIGNMENT}(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})""",
        replacement=_mask_value,
        rationale='"adminPassword": {"value": "x"} of deployment parameters',
        gate=NAME_THEN_SEPARATOR,
    ),
    Rule(
        name="property list",
        hints=("key>", "key&gt;", "key%3e", "key%253e"),
        pattern=rf"""{TAG_START}key{TAG_END}[\w.\- ]{{0,60}}?{SENSITIVE_NAME}
            {TAG_START}{SLASH}key{TAG_END}{OPTIONAL_SPACE}{TAG_START}(?:string|data|integer){TAG_END}
            (?P<value>(?:(?!{TAG_START}).){{1,4000}})""",
        replacement=_mask_value,
        rationale="<key>Password</key><string>x</string> of Apple profiles",
    ),
    Rule(
        name="SecureString",
        hints=("securestring",),
        pattern=rf"""ConvertTo-SecureString
            (?:{SPACE}{{1,4}}-(?:String|AsPlainText|Force)\b){{0,3}}
            {SPACE}{{1,4}}(?P<q>{QUOTE})?
            (?P<value>(?!-|:(?=\s))(?(q){QUOTED_VALUE}|{ARGUMENT}))""",
        replacement=_mask_value,
        rationale="PowerShell scripts",
    ),
    Rule(
        name="net user",
        hints=("net",),
        pattern=rf"""{WORD_START}net(?:\.exe|1)?{SPACE}{{1,4}}user{SPACE}{{1,4}}["']?[^\s/"'%+]{{1,100}}["']?
            {SPACE}{{1,4}}
            (?: (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
              | (?P<password>(?![/"'\\]){ARGUMENT})
                (?:(?={SPACE}{{1,4}}{SLASH}[a-z])|(?<=\d)(?=\s|\Z)) )""",
        gate=r"net(?:\.exe|1)?(?:\s|\+|%|\\)",
        replacement=_mask_either,
        rationale="net user name password /add",
    ),
    Rule(
        name="net use",
        hints=("/user", "2fuser"),
        pattern=rf"""{WORD_START}net(?:\.exe)?{SPACE}{{1,4}}use{SPACE}[^\n]{{1,200}}?
            (?: {SLASH}user(?::|%(?:25)?3A)[^\s+%]{{1,100}}(?:%(?:25)?5C[^\s+%]{{1,60}})?
                {SPACE}{{1,4}}{argument(condition="(?!/)")}
              | {SPACE}(?:(?P<p>["'])(?P<seed>(?!\\)(?:(?!(?P=p))[^\n]){{1,200}})(?P=p)
                  | (?P<password>(?![/\\]){ARGUMENT}))(?={SPACE}{SLASH}user) )""",
        replacement=_mask_either,
        rationale="net use x: \\\\server\\share password /user:name",
    ),
    Rule(
        name="SQL password",
        hints=("password", "identified", "where ", "sp_addlinkedsrvlogin"),
        gate=r"password[^\n]{0,120}?['\"]|identified|password%|value\w{0,12}[^\n]?\s?=|sp_add",
        pattern=rf"""(?: {WORD_START}password(?:{SPACE}{{1,4}}for{SPACE}{{1,4}}\S{{1,100}}?)?
                (?:{SPACE}{{1,4}}|{ASSIGNMENT})
              | {WORD_START}identified{SPACE}{{1,4}}(?:with{SPACE}{{1,4}}[^\s+%]{{1,60}}{SPACE}{{1,4}})?
                (?:by|as){SPACE}{{1,4}}(?:password{SPACE}{{1,4}})? )
            (?:N?(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
              |(?<=by\s)(?P<password>(?!values|externally|password)[a-z][\w$\#!]{{3,60}})(?=[\s;]|\Z))
            | \bset\s[^;'"\n]{{0,60}}value\w{{0,12}}["`\]]?\s?=\s?N?'(?P<seed>[^'\n]{{1,400}})'[^;\n]{{0,80}}?\bwhere\s[^;\n]{{0,60}}?=\s?N?'
              [\w.\-]{{0,40}}?{SENSITIVE_NAME}'
            | \bsp_addlinkedsrvlogin\s(?:[^,\n;]{{0,120}},){{4}}\s?N?'(?P<last>[^'\n]{{1,200}})'""",
        replacement=_mask_either,
        rationale="CREATE USER … PASSWORD 'x', IDENTIFIED BY 'x'",
    ),
    Rule(
        name="password option",
        hints=("-p", "-w"),
        pattern=rf"""{WORD_START}(?:sshpass|psexec\w{{0,4}}|certutil|docker|podman|az|plink|pscp|smbclient
                |ldap\w{{3,10}}|mongo\w{{0,8}}|crackmapexec|netexec|nxc|mysql\w{{0,8}}|mariadb\w{{0,8}}|winrs|rdesktop|helm|oc|svn|redis-cli)
            (?:\.exe)?(?={SPACE})(?:(?!{OPTION_START}-(?:p|pw|w)\b)[^\n;|]){{1,200}}?
            {OPTION_START}-(?:p|pw|w)(?:{SPACE}{{1,4}}|=)
            {argument(condition=_NO_PORTS)}""",
        replacement=_mask_password_option,
        rationale="psexec -u name -p password, docker login -p password",
    ),
    Rule(
        name="mysql password",
        hints=("-p",),
        pattern=rf"""{WORD_START}(?:mysql|mariadb)\w{{0,8}}(?={SPACE})[^\n;|]{{1,200}}?
            {OPTION_START}-p(?P<q>["'])?(?P<value>{MASKED}|(?(q)(?:(?!(?P=q))[^\n]){{1,200}}|(?!(?<=\s-p)[a-z]{{0,12}}[\s=])(?!(?<!\s-p)[a-z]{{0,12}}{SPACE})
              (?:(?<=\s-p){UNQUOTED_VALUE}|(?<!\s-p){ARGUMENT})))""",
        replacement=_mask_value,
        rationale="mysql -ppassword",
    ),
    Rule(
        name="password option of a tool",
        hints=_TOOL_HINTS,
        needs=("-", "/p", "/rp"),
        pattern=rf"""(?: {_COMMAND_OPTIONS} )
            (?: [\s:=]{{1,4}}(?:pass:)? | (?:(?<=\s-p)|(?<=\s-hp))(?=\S{{4}}) )
            (?P<q>["'])?(?!\[redacted|-|(?:env|file)[:\s])
            (?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,200}}|[^\s"']{{3,}}))""",
        in_words=True,
        replacement=_mask_value,
        rationale="sqlcmd -P x, keytool -storepass x, schtasks /rp x, xfreerdp /p:x, 7z -px",
    ),
    Rule(
        name="user and password as arguments",
        hints=(
            "rasdial",
            "sqlplus",
            "oracle:",
            "sqlldr",
            "expdp",
            "impdp",
            "smb",
            "machine",
            "nmcli",
        ),
        pattern=rf"""(?: {WORD_START}rasdial(?:\.exe)?\s{{1,4}}(?:"[^"\n]{{1,100}}"|\S{{1,100}})\s{{1,4}}
                [^\s/]\S{{0,100}}\s{{1,4}}{argument(condition="(?!/)")}
              | {WORD_START}(?: (?:sqlplus|sqlldr|expdp|impdp)\s{{1,4}}(?:-\S{{1,10}}\s{{1,4}}){{0,4}}
                  | jdbc:oracle:\w{{1,10}}: )
                [^\s/@]{{1,100}}/(?P<password>\S{{1,200}}(?=@)|[^\s@]{{3,200}})
              | {WORD_START}(?:machine\s{{1,4}}\S{{1,100}}\s{{1,4}}login\s{{1,4}}\S{{1,100}}|nmcli\s[^\n]{{1,120}}?)
                \s{{1,4}}password\s{{1,4}}(?P<seed>\S{{3,200}}) )""",
        in_words=True,
        replacement=_mask_either,
        rationale='rasdial "name" user password, sqlplus user/password@host, .netrc',
    ),
    Rule(
        name="user and password as options",
        hints=(" -p", " /p", " -w", " --pass", "password ", "pass ", "pwd "),
        needs=("-u", "/u", "-d", "pass", "pwd"),
        pattern=rf"""(?<=[\s])(?:--?u(?:ser(?:name)?)?|-D|/u(?:ser)?)[\s:=]["']?(?!\[redacted)[^\s"']{{1,100}}["']?\s[^\n;|]{{0,120}}?
            (?<=\s)(?:-(?-i:p|P|w)|-pw|-pwd|--?pass|/p|/pass)[\s:=](?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q))[^\n]){{4,200}}|{SECRET_LOOKING}))
          | (?<=\s)/\w{{0,20}}(?:pass(?:word)?|pwd|pw)\s(?P<password>{SECRET_LOOKING})""",
        gate=r"[ ](?:--?u|-d|/u)[^\n]{0,240}?[ ](?:-p|-w|/p|--?pass)|/\w{0,20}(?:pass|pwd|pw)",
        replacement=_mask_secret_looking,
        rationale="tool -u name -p password, winrm -u:name -p:password, /princ x /pass password",
    ),
    Rule(
        name="line of a password file",
        hints=(" * ", "]:"),
        pattern=r"""(?: (?:\A|(?<=\n))["']?[\w.@\\\-]{1,60}["']?[ ]{1,8}\*[ ]{1,8}(?P<q>["'])?(?P<value>(?(q)[^"'\n]{3,200}|[^\s"']{3,200}))(?(q)(?P=q))[ ]{1,8}\*
              | \[[\w.\-]{3,100}\]:\d{2,5}\s{1,8}[^\s:]{1,100}:(?P<password>[^\s"']{3,200}) )""",
        replacement=_mask_either,
        rationale='chap-secrets: "name" * "x" *; sasl_passwd of Postfix: [host]:587 name:x',
    ),
    Rule(
        name="Samba user",
        hints=("%",),
        pattern=rf"""{WORD_START}(?:smb\w{{2,10}}|rpcclient|winexe|net|wmic)\s[^\n;|]{{0,200}}?
            (?<=\s)(?:-U|--user)[\s=]{{0,2}}["']?[^\s%"']{{1,100}}%(?P<value>[^\s"']{{3,}})""",
        replacement=_mask_value,
        rationale="smbclient -U domain/user%password",
    ),
    Rule(
        name="password on standard input",
        hints=("echo", "printf"),
        needs=("|",),
        pattern=r"""\b(?:echo|printf)\s{1,4}(?:-\w{1,3}\s{1,4}|["']%s(?:\\n)?["']\s{1,4})?(?P<q>["'])?
            (?P<value>(?(q)(?:(?!(?P=q))[^\n]){1,200}|[^\s|"']{3,200}))(?(q)(?P=q))\s{0,4}\|\s{0,4}
            (?:sudo\s[^|\n]{0,60}?(?-i:-\w{0,4}S\b)|[^|\n]{1,200}?(?:--?pass(?:word)?-stdin|chpasswd|realm\s|kinit|smbpasswd|pdbedit|adcli\s|passwd\b|--stdin|cryptsetup
              |-passin\sstdin|--passphrase-fd))""",
        replacement=_mask_value,
        rationale="echo password | sudo -S, echo password | docker login --password-stdin",
    ),
    Rule(
        name="password file of PostgreSQL",
        hints=(":",),
        pattern=r"""(?<![\w.:\-])(?:\*|localhost|\d[\d.]{6,14}|[a-z][\w\-]{0,60}(?:\.[\w\-]{1,60}){0,6}):(?:\d{4,5}|\*)
            :[\w\-*]{1,60}:[a-z*][\w.\-]{0,60}:(?P<value>(?!\[redacted)(?=\S{0,60}\d)[^\s:"'<>]{6,})""",
        gate=r":(?:\d{4,5}|\*):",
        replacement=_mask_value,
        rationale="host:port:database:user:password of .pgpass",
    ),
    Rule(
        name="password in a protocol",
        hints=("auth ", "pass ", "login ", 'auth" "'),
        pattern=rf"""\b(?:(?-i:PASS)\s|(?-i:LOGIN|\blogin)\s(?!LOGIN)\S{{1,100}}\s)["']?(?P<seed>{SECRET_LOOKING})
            |\b(?-i:AUTH)\s(?:(?:LOGIN|PLAIN)\s(?P<value>[a-z0-9+/]{{8,}}={{0,2}})
            |(?!LOGIN|PLAIN)(?:[\w.\-]{{1,60}}\s)?(?P<password>{SECRET_LOOKING}))""",
        in_words=True,
        replacement=_mask_secret_looking,
        rationale="AUTH user password of Redis, PASS of FTP, LOGIN and AUTH PLAIN of mail servers",
    ),
    Rule(
        name="line of a protocol",
        hints=("pass ", 'auth" "', "> auth "),
        pattern=r"""(?: (?: \bUSER[ ]\S{1,100}\s[^\n]{0,100}?(?:\n[^\n]{0,100}?){0,2}?
                  | (?:(?<=\n)|(?<=\A)|(?<=[\s(\[]))(?:-{1,3}>|>{1,3}|<|C:|ftp>|pop3?>)\s{1,2} )
                (?-i:PASS)[ ](?P<value>[^\s/][^\n/]{0,100}?)(?=[ ]{0,8}(?:\n|\Z))
              | (?<=\d>)[ ]AUTH(?:[ ]\S{1,100})?[ ](?P<seed>\S{1,200})(?=[ ]{0,8}(?:\n|\Z))
              | "(?-i:AUTH)"(?:\s"[^"\n]{1,100}")?\s"(?P<password>[^"\n]{1,200})" )""",
        gate=r'(?:^|[\s>:])pass[ ]|"auth"\s"|>[ ]auth[ ]',
        replacement=_mask_either,
        rationale='USER x, then PASS y, of FTP, POP3 and IRC; "AUTH" "x" of MONITOR of Redis',
    ),
    Rule(
        name="name and value in another notation",
        hints=(
            "reg_",
            "-value",
            "/d ",
            "value:",
            "value=",
            "default =",
            "default=",
            "string(",
            "value>",
            '">',
            "'>",
            'machine"',
            "machine'",
            'process"',
            "process'",
            'user"',
            "user'",
        ),
        pattern=rf"""{SENSITIVE_NAME}
            (?: (?P<line>[ ]{{1,8}}REG_(?:EXPAND_|MULTI_)?SZ[ ]{{1,8}}(?!/d))
              | ["']?\s{{1,8}}(?:/t\s{{1,4}})?REG_\w{{2,12}}\s{{1,8}}(?:/d\s{{1,4}})?
              | ["']?\s{{1,4}}(?:-(?!Value)\w{{1,20}}\s{{1,4}}[^\s\-]\S{{0,40}}\s{{1,4}}){{0,2}}(?:-Value|/d)\s{{1,4}}
              | ["']?\s{{1,40}}value:\s{{1,4}} | \n[^\n]{{0,80}}?enter\sa\svalue:\s{{1,4}}
              | [\[({{]value\s?=\s?
              | {QUOTE}\s{{0,4}}\{{[^{{}}]{{0,200}}?\bdefault\s{{0,8}}=\s{{0,8}}(?=["'])
              | {QUOTE}\][ ]{{0,4}}=>[ \n]{{0,8}}string\(\d{{1,4}}\)[ ]
              | {QUOTE}\s?,\s?(?=["'][^"'\n]{{1,200}}["']\s?,\s?(?:["'](?:Machine|User|Process)|\[))
              | (?:["'][^<>]{{0,80}})?>\s{{0,20}}<value>
              | ["'](?:\s[^<>]{{0,80}})?>(?=[^<\s]) )
            (?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q)).){{1,400}}
              |(?(line)\S[^\n]{{2,400}}?(?=[ ]{{0,8}}(?:\n|\Z)|[ ]{{3}})|[^\s"'<>,;]{{3,400}})))""",
        gate=r"""(?: enter\sa\svalue: | [ ]reg_\w | [ ]-value[ ] | [ ]/d[ ] | [ \n]value:\s | [\[({]value\s?= | <value>
            | ["'>]\s{0,4}\{[^{}]{0,200}?\bdefault\s{0,8}= | \][ ]{0,4}=> | ["'](?:\s[^<>]{0,80})?>[^<\s]
            | ["'](?:machine|user|process)["'] | ["']\s?,\s?\[ )""",
        replacement=_mask_unless_ordinary,
        rationale="registry, Set-ItemProperty, Kubernetes, Terraform, PHP, XML properties",
    ),
    Rule(
        name="name, encoding and value",
        hints=("ascii", "hex", "enc", "cleartext", "plain", "0", "5", "6", "7", "8", "9"),
        needs=("pass", "pwd", "secret", "key", "psk", "kennwort"),
        pattern=rf"""{WORD_START}(?:(?:pass(?:word|wd|phrase|code)|passwort|kennwort|pwd|psk(?:secret)?|secret
            |pre-?shared-?key)|key){SPACE}{{1,4}}
            (?:(?:[05-9]|ascii(?:-text)?|hex(?:adecimal)?|enc|encrypted|cleartext|plain){SPACE}{{1,4}}){{1,2}}["']?
            (?P<value>(?=[^\s"']{{0,60}}(?:\d|[!@\#$%^*+=~_.][^\s"'])|(?-i:[^\s"']{{0,60}}[a-z][A-Z])|{JOINED_WORDS}(?![\w\-]))[^\s"']{{4,}})""",
        gate=rf"""(?:word|wd|phrase|code|wort|pwd|psk|secret|key){SPACE}{{1,4}}
            (?:[05-9]|ascii|hex|enc|encrypted|cleartext|plain)[\w\-]{{0,8}}{SPACE}""".lower(),
        in_words=True,
        replacement=_mask_unless_ordinary,
        rationale="password 7 x, secret 5 x, wpa-psk ascii 0 x of network devices",
    ),
    Rule(
        name="name and value without punctuation",
        hints=("pass", "pwd", "pw ", "secret", "psk", "kennwort", "pre-shared-key", "presharedkey"),
        pattern=rf"""{WORD_START}(?:(?:pass(?:word|wd|phrase)|passwort|kennwort)
              |(?:l2tp|ike|ipsec|vpn|wpa[23]?)?psk(?:secret)?|(?:shared|client){GAP}secret|pre-?shared-?key|requirepass
              |and{SPACE}{{1,2}}pass|(?:user|login)\s\S{{1,60}}\spass|(?:bind|root|admin|user|ldap)_?pw)
            {SPACE}{{1,4}}(?P<q>["'])?(?P<value>{SECRET_LOOKING})(?(q)(?P=q))""",
        gate=rf"""(?:word|wd|phrase|wort|psk|secret|key|pass|pw){SPACE}{{1,4}}["']?(?:[^\s"']{{0,60}}[\d!@\#$%^*+=~]|[a-z]{{3,16}}[\-_.][a-z])""".lower(),
        in_words=True,
        unlike_words=True,
        replacement=_mask_secret_looking,
        rationale='login x password y, shared secret "x", neighbor x password y',
    ),
    Rule(
        name="password of an account",
        hints=(
            "word",
            "wort",
            "phrase",
            "pass",
            "psk",
            "secret",
            "credential",
            "credenci",
            "zugangsdaten",
            "identifiants",
            "login",
            *FOREIGN_HINTS,
        ),
        pattern=rf"""(?: (?:{PASSWORD_NAME}(?:et|en)?|\bclave|\bcl[ée]|\bchiave)(?=[ ]){OWNER}(?:[ ]?[:=：][ ]{{1,2}}|[ ]{{1,2}}{COPULA}[ ]{{1,2}})
              | {WORD_START}(?:user(?:name)?\s?/\s?pass(?:word)?|credentials?|login|zugangsdaten|identifiants|credenciales|credenziali)\s?[:=]\s?[^\s/:]{{1,60}}\s?/\s? )
            (?P<q>["'`])?(?P<value>{SECRET_LOOKING})""",
        gate=r"""(?:word|wd|ord|wort|phrase|kode|code|psk|secret|pass|pwd|senha|contrasena|haslo|heslo|parola|passe|clave|chiave|cle|[^\x00-\x7f]\w{0,4})
            (?:et|en)?[ ](?:temp|initial|inicial|iniz|prov|tymcz|start|now|nuev|nova|administrat|wi-?fi|generated|entered|used|value|hash|on[ ]|is[ ]|was[ ]
            |has[ ]|of[ ]|for[ ]|vo[nm][ ]|de|für|d'|du|di[ ]|do[ ]|da[ ]|per[ ]|pour|para|dla|для|van|voor|till|för|til|użyt|польз)
            | /[ ]?pass|(?:login|credentials?|zugangsdaten|identifiants|credenciales|credenziali)\s?[:=]""",
        in_words=True,
        unlike_words=True,
        replacement=_mask_secret_looking,
        rationale="the password for user x is y, password of x: y, user/pass: x / y",
    ),
    Rule(
        name="name and value in another language",
        hints=FOREIGN_HINTS,
        pattern=rf"""(?P<name>{FOREIGN_PASSWORDS}|{FOREIGN_KEYS})(?P<separator>\s?{NAME_VALUE_SEPARATOR})
            (?P<opening>[bu]?(?P<q>{QUOTE}))?
            (?P<value>(?(q).{{0,1000}}?(?={NOT_ESCAPED}(?P=q))|(?![«„“「『]){UNQUOTED_VALUE}))""",
        replacement=_mask_foreign,
        rationale="Пароль: x, 密码：x, Clé secrète : x",
    ),
    Rule(
        name="password in quotation marks",
        hints=("pass", "pwd", "psk", "secret", "shared", *FOREIGN_HINTS),
        pattern=rf"""{PASSWORD_NAME}(?:{SPACE}{{1,2}}{COPULA}|は|为|為)?
            (?: {SPACE}{{1,2}}["'`](?P<value>[^"'`\n]{{4,200}})["'`] | (?:[ ](?:auf|to|als|as|su))?\s{{0,2}}[:=：]?\s{{0,2}}[“„«「‘]\s?(?P<password>[^”“»」’\n]{{4,200}}?)\s?[”“»」’] )""",
        gate=r"""["'`”“»」’]""",
        replacement=_mask_either,
        rationale='wrong passphrase "x", Das Kennwort lautet „x“',
    ),
    Rule(
        name="name and value in a sentence",
        hints=_PROSE_HINTS,
        pattern=rf"""(?:{WORD_START}|(?<=[a-zäöüß]{{2}})(?=passwort|kennwort))(?P<name>{PASSWORD_NAME}|secret{GAP}access{GAP}key|(?:mfa[ ])?seed|community[ ]string|secret|token|api[_\- ]?key
              |signing[ ]secret)s?
            (?: (?:et|en)?{SPACE}{{1,2}}{COPULA}{SPACE}{{1,2}} | (?<=[^\x00-\x7f])(?:は|为|為|是|는|은)\s?[:：]?\s?| \s?[(\[][^()\[\]\n]{{1,30}}[)\]]\s?[:=]\s? | \s?[(\[]
              | {SPACE}{{1,4}}(?:of|for|from){SPACE}[^\s:=]{{1,60}}{SPACE}?[:=]{SPACE}{{1,2}} | {SPACE}{{1,4}}(?:[0567]{SPACE})?
              | [^\n]{{0,60}}\btyped\s\[ )
            ["'`]?(?P<value>[^\s"'`,;()\[\]<>]{{6,200}})""",
        gate=r"""(?:word|wd|phrase|code|psk|key|secret|pass|seed|string|token|wort|ord|kode|koden|ordet|parola|heslo|lozinka|passe|contrase[nñ]a|senha
            |has[łl]o|[^\x00-\x7f])s?(?:[ \n(\[+「は为是는은]|%2|\\[nrt])""",
        in_words=True,
        unlike_words=True,
        replacement=_mask_unlike_words,
        rationale="your new password is x, the secret x was, password (temporary): x, password (x)",
    ),
    Rule(
        name="name in quotation marks and value in a sentence",
        hints=("' ", '" ', "` ", "input_value"),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""{QUOTE}[\w.\-]{{0,40}}?{SENSITIVE_NAME}{QUOTE}\s[^\n"`:{{}}]{{0,80}}?(?:\bvalue[ ]["'`]?|:[ ]["'`]?)
            (?P<value>[^\s"'`,;]{{6,200}})
          | {SENSITIVE_NAME}\n\s{{1,4}}[^\n]{{1,300}}?\binput_value=["'](?P<password>[^"'\n]{{3,200}})""",
        gate=r"""["'`]\s[^\n]{1,80}?(?:value[ ]|:[ ])|input_value=""",
        replacement=_mask_quoted_name,
        rationale="unknown field `client_secret` with value `x`; an error of Pydantic",
    ),
    Rule(
        name="name and password as arguments",
        hints=("auth", "credential", "userp", "basic", ".login(", "setpassword(", "set_password("),
        pattern=r"""(?: (?:auth|credentials?|login)["']?\s?[:=]\s?[(\[]
                | (?:http\w{0,8}auth|basicauth|networkcredential(?:\]::new)?|pscredential|usernamepasswordcredential|\.login|authenticate|set_?password)\( )
              \s?["'][^"'\n]{0,100}["']\s?,\s?(?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){3,200})(?P=q)
            | (?:basic|basic_auth|userpwd|user_?pass|auth)["']?\s?[:=]\s?["'][^"':\s/]{1,60}:(?!//)
              (?P<password>[^"'\s]{4,200})(?=["'])""",
        gate=r"""[:=(\[]\s?["'][^\n]""",
        replacement=_mask_either,
        rationale="auth=('x', 'y'), HttpBasicAuth, NetworkCredential, http_basic: \"x:y\"",
    ),
    Rule(
        name="argument of a function",
        hints=("password(", "sym_", "crypt", "securestring"),
        pattern=r"""(?:\b(?:password|pgp_sym_(?:en|de)crypt(?:_bytea)?|aes_(?:en|de)crypt|(?:en|de)cryptbypassphrase|crypt)\(
              (?:[^()'"\n]{0,80},)?\s?N?(?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){1,400})(?=(?P=q)))
            | (?P<p>["'])(?P<password>(?:(?!(?P=p))[^\n]){1,200})(?P=p)\s?\|\s?ConvertTo-SecureString""",
        replacement=_mask_either,
        rationale="PASSWORD('x'), pgp_sym_decrypt(x, 'y'), 'x' | ConvertTo-SecureString",
    ),
    Rule(
        name="rows below their names",
        hints=("values",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=r"""\((?P<names>[^()\n]{3,400})\)\s{0,4}values\s{0,4}\((?P<rows>[^()\n]{3,2000})\)""",
        gate=r"\)\s{0,4}values\s{0,4}\(",
        replacement=mask_columns,
        rationale="INSERT INTO users (name, password) VALUES ('x', 'y')",
    ),
    Rule(
        name="table with a header",
        hints=("\n",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=r"""(?:\A|(?<=\n))(?P<names>(?:[\w "'.\-]{1,40}[,;|]){1,30}[\w "'.\-]{1,40})\n
            (?P<rows>[^\n]{3,2000}(?:\n[^\n]{3,2000}){0,200})""",
        gate=r"[,;|][^\n]*\n|\n[^\n]*[,;|]",
        replacement=mask_columns,
        rationale="the rows of a CSV file below its header",
    ),
    Rule(
        name="table between bars",
        hints=("|",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=r"""(?:\A|(?<=\n))[ ]{0,8}(?P<names>\|[^|\n]{1,60}(?:\|[^|\n]{1,60}){1,20}\|)[ ]{0,8}\n
            (?P<rows>[ ]{0,8}[|+][^\n]{3,2000}(?:\n[ ]{0,8}[|+][^\n]{3,2000}){0,200})""",
        gate=r"\|[ ]{0,8}\n[ ]{0,8}[|+]",
        replacement=mask_columns,
        rationale="Markdown, and the tables of database clients",
    ),
    Rule(
        name="table of aligned columns",
        hints=("  ",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=r"""(?:\A|(?<=\n))(?=[^\n]{0,300}?[ ]{2}|[^\n]{1,300}\n[ \-]{3,400}\n)(?P<names>[A-Z][^\n|,;:=]{4,300})\n
            (?:(?P<dashes>[ ]{0,8}-{2,80}(?:[ ]{1,60}-{2,80}){1,20})[ ]{0,8}\n)?
            (?P<rows>[^\n]{3,600}(?:\n[^\n]{3,600}){0,200})""",
        gate=r"[^\n:=][ ]{2,60}[^\n]{0,200}\n",
        replacement=mask_aligned,
        rationale="tables of PowerShell and of command-line tools",
    ),
    Rule(
        name="cell beside its name",
        hints=("|",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""\|\s{{0,20}}(?P<name>[\w \-]{{0,30}}?{SENSITIVE_NAME})\s{{0,20}}\|\s{{0,20}}
            (?P<value>(?![+\-:=]{{3}})[^\s|]{{6,200}})\s{{0,20}}\|""",
        gate=r"\|[ ]{0,20}[^|\n]{3,60}\|[ ]{0,20}[^\s|]{6,200}[ ]{0,20}\|",
        replacement=_mask_unlike_words,
        rationale="| password | x | of a table in Markdown",
    ),
    Rule(
        name="value before its name in YAML",
        hints=("\nname:", " name:"),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""value:[ ]{{1,4}}["']?(?P<value>[^\n"']{{3,400}})["']?\n\s{{0,40}}name:[ ]{{1,4}}["']?
            [\w.\-]{{0,60}}?{SENSITIVE_NAME}["']?[ ]*(?=\n|\Z)""",
        gate=r"value:[ ][^\n]{3,400}\n\s{0,40}name:",
        replacement=_mask_value,
        rationale="the variables of a container",
    ),
    Rule(
        name="value after an arrow",
        hints=("->",),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""{SENSITIVE_NAME}["']?[ ]{{0,40}}[:=][ ]{{0,8}}["'][^"'\n]{{0,400}}["'][ ]->[ ](?P<q>["'])
            (?P<value>(?:(?!(?P=q))[^\n]){{1,400}})""",
        replacement=_mask_value,
        rationale='token = "x" -> "y" of a plan of Terraform',
    ),
    Rule(
        name="block of lines",
        hints=("ansible_vault;", "private-lines:"),
        pattern=r"""(?:\$ANSIBLE_VAULT;[\w.;\-]{3,60}|Private-Lines:[ ]\d{1,4})
            (?P<value>(?:\s{1,40}(?![\w\-]+:)[a-z0-9+/=]{16,100})+)""",
        replacement=_mask_value,
        rationale="Ansible Vault and the keys of PuTTY",
    ),
    Rule(
        name="secrets of IPsec",
        hints=("psk", "eap", "xauth", "ntlm"),
        pattern=r""":[ ](?-i:PSK|EAP|XAUTH|NTLM)[ ](?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){3,200})""",
        replacement=_mask_value,
        rationale="ipsec.secrets of strongSwan",
    ),
    Rule(
        name="quoted option and value",
        hints=('"-', "'-", '"/'),
        needs=_SENSITIVE_NAME_HINTS,
        pattern=rf"""{QUOTE}(?:--?|/)[\w\-]{{0,40}}?{SENSITIVE_NAME}{QUOTE}\s?,\s?(?P<q>{QUOTE})
            (?P<value>(?!-){QUOTED_VALUE})(?P=q)""",
        gate=r"""["'](?:--?|/)[\w\-]{2,60}\\{0,7}["']\s?,""",
        replacement=_mask_value,
        rationale='"args": ["--password", "x"]',
    ),
    Rule(
        name="password after a name",
        hints=(
            "wpa_pass",
            "setairport",
            "-passwd",
            "http ",
            "https ",
            "lftp",
            "pulumi",
            "curl",
            "machinepwd",
            "/pass",
            "secret_id",
            "static:",
            "setcredentials",
            "_authtoken",
            "--value",
            "sshpass",
            "rabbitmqctl",
            "hdbuserstore",
            "htpasswd",
            "sapcontrol",
            "iwconfig",
            "at+cpin",
            "wifi-iface",
            "mc ",
            "impacket",
            ".py ",
            "<<<",
        ),
        pattern=rf"""(?:{WORD_START}|(?<=[_:]))(?: wpa_passphrase\s{{1,4}}(?:"[^"\n]{{1,60}}"|\S{{1,60}})\s{{1,4}}
              | networksetup\s-setairportnetwork\s\S{{1,20}}\s{{1,4}}(?:"[^"\n]{{1,60}}"|\S{{1,60}})\s{{1,4}}
              | dscl\s[^\n;|]{{0,80}}?-passwd\s\S{{1,200}}\s{{1,4}}(?!\[redacted)
              | pulumi\sconfig\sset\s[^\n;|]{{0,60}}?--secret\s\S{{1,60}}\s
              | (?:http|https|xh)\s[^\n;|]{{0,100}}?(?:-a|--auth)[\s=]["']?[^\s:"']{{1,60}}:
              | lftp\s[^\n;|]{{0,100}}?-u\s["']?[^\s,"']{{1,60}},
              | curl(?:\.exe)?\s[^\n;|]{{0,200}}?(?-i:-E|--cert)\s["']?[^\s:"']{{1,100}}:
              | role_id["']?\s?[:=]\s?["']?[\w\-]{{20,40}}["']?[,&\s]{{1,4}}["']?secret_id["']?\s?[:=]\s?
              | maps\s?=\s?static:[^\s:]{{1,60}}: | bitsadmin\s/setcredentials\s(?:\S{{1,60}}\s){{4}} | _authToken\s
              | (?:secret\sset|shared-key)\s[^\n;|]{{0,200}}?--value[\s=]
              | sshpass\s-p(?=[^\s]) | rabbitmqctl\s[^\n;|]{{0,60}}?(?:add_user|change_password|authenticate_user)\s\S{{1,60}}\s
              | hdbuserstore\s(?:-\S{{1,20}}\s){{0,3}}set\s(?:\S{{1,100}}\s){{3}}
              | htpasswd\s(?:-\w{{1,8}}\s){{0,3}}?-\w{{0,6}}b\w{{0,4}}\s(?:-\w{{1,4}}\s){{0,3}}\S{{1,100}}\s\S{{1,60}}\s
              | iwconfig\s[^\n;|]{{0,80}}?\skey\s(?:s:)? | AT\+CPIN= | wifi-iface\[\d{{1,2}}\]\.key=
              | sapcontrol\s[^\n;|]{{0,80}}?-user\s\S{{1,60}}\s
              | mc\s(?:alias\sset|config\shost\sadd)\s\S{{1,60}}\s\S{{1,200}}\s\S{{1,60}}\s
              | (?:impacket-\w{{2,20}}|\w{{2,20}}\.py)\s[^\n;|@]{{0,80}}?(?:[\w.\-]{{1,60}}/)?[\w.\-]{{1,60}}:(?=\S{{1,200}}@)
              | (?:kinit|passwd|sudo|cryptsetup|gpg|openssl|realm|ssh-add)\b[^\n;|]{{0,100}}?<<<\s?
              | (?<=/)(?:machinepwd|passwordd|passwordo)[\s:] )
            (?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,200}}|[^\s"']{{3,200}}))""",
        in_words=True,
        replacement=_mask_value,
        rationale="wpa_passphrase network x, dscl -passwd user x, lftp -u user,x, curl -E file:x",
    ),
    Rule(
        name="network device",
        hints=(
            "snmp",
            "community",
            "tacacs",
            "radius",
            "isakmp",
            "ikev",
            "auth sha",
            "auth md5",
            "priv ",
            "createuser",
            "auth-",
            "priv-",
            "shared-key ",
            "com2sec",
            "username ",
            "enable secret",
            "cation-key ",
            "gest-key ",
            "md5-key",
            "sha-key",
            "-string ",
            "\n key ",
            "\n  key ",
        ),
        pattern=rf"""(?: {WORD_START}(?:(?:snmp[\w\-]{{0,20}}|set)\s{{1,4}}community|r[ow]community6?|snmp-community-string)\s{{1,4}}
                (?P<value>(?!\[redacted|(?:string|name|is|was|not|has|must|for|of|strings|and|or)\b)[^\s"':]{{3,}})
              | {WORD_START}(?:crypto\sisakmp|(?:tacacs|radius)-server\s[^\n]{{0,80}}?)\skey\s{{1,4}}(?:[06]\s)?
                ["']?(?P<seed>(?!\[redacted)[^\s"']{{4,200}})
              | {WORD_START}(?:snmp-server\shost\s\S{{1,60}}\s(?:traps\s|informs\s)?version\s(?:1|2c)|com2sec6?\s\S{{1,60}}\s\S{{1,60}}
                  |(?:username\s\S{{1,60}}\s(?:privilege\s\d{{1,2}}\s)?|enable\s)secret)
                \s(?P<last>(?!\[redacted|\d\s|level\s)[^\s"']{{4,200}})
              | {WORD_START}(?: (?:tacacs|radius|isakmp|ikev?\d?|ipsec)[^\n]{{0,80}}?\s(?:key|secret|pre-?shared-?key)
                  | (?:auth|authentication-key\s\d{{1,5}}|message-digest-key\s\d{{1,5}})\s{{1,4}}(?:md5|sha[\w\-]{{0,6}})
                  | createuser\s[^\n]{{1,200}}?\s(?:md5|sha[\w\-]{{0,6}}|des|aes[\w\-]{{0,6}})
                  | (?:auth|priv)\w{{0,10}}-(?:key|pass(?:word|phrase)?)(?=\s\S{{6}}) | pre-shared-key\s(?:local|remote)
                  | key-string(?:\s[067])? | (?:md5|sha)-key | (?<=\n)[ ]{{1,8}}key(?:\s[067])?(?=\s\S{{1,200}}[ ]{{0,4}}(?:\n|\Z)) | priv\s{{1,4}}(?:aes|3?des)[\w\-]{{0,6}}(?:\s(?:128|192|256))? )
                \s{{1,4}}["']?(?P<password>{SECRET_LOOKING}) )""",
        in_words=True,
        replacement=_mask_secret_looking,
        rationale="snmp-server community x, crypto isakmp key x, auth sha x priv aes y",
    ),
    Rule(
        name="Wi-Fi code",
        hints=("wifi:",),
        pattern=r"WIFI:(?:[A-OQ-Z]:[^;\n]{0,100};){0,6}P:(?P<value>(?:\\.|[^;\n]){1,100})",
        replacement=_mask_value,
        rationale="the text of a QR code for a network",
    ),
    Rule(
        name="Kerberos ticket or key",
        hints=("krb5", "cts", "arcfour", "rc4", "hash", "ntlm", "::"),
        pattern=rf"""(?: {DOLLAR}krb5\w{{2,12}}{DOLLAR}(?P<value>[^\s"'<>]{{20,}})
              | (?:(?:aes(?:128|256)-cts[\w\-]{{0,30}}|arcfour-hmac\w{{0,4}}|rc4[_\-]hmac\w{{0,4}}|des-cbc-\w{{3}})
                  |{WORD_START}(?:(?:nt|lm|ntlm)[_\- ]?hash[^:=\n]{{0,60}}|ntlm))\s?[:=]\s?
                (?P<password>[0-9a-f]{{16,64}})(?![0-9a-f]) )""",
        replacement=_mask_either,
        rationale="tickets and keys that a password can be computed from",
    ),
    Rule(
        name="NTLM response",
        hints=("::",),
        pattern=r"""::[^\s:]{0,60}:(?P<value>[0-9a-f]{16,48}:[0-9a-f]{32,48}:[0-9a-f]{16,})""",
        replacement=_mask_value,
        rationale="user::domain:challenge:response",
    ),
    Rule(
        name="code in a sentence",
        hints=(
            "code",
            "puk",
            "setup key",
            "secret key",
            "pin ",
            "otp ",
            "digo",
            "codic",
            "kod",
            "код",
            "コード",
            "代码",
            "코드",
        ),
        pattern=rf"""(?: {WORD_START}(?:verification|security|one-time|login|sign-in|confirmation|sms|authentication|mfa|2fa|otp)
                {SPACE}{{1,2}}(?:pass)?code(?:{SPACE}{{1,2}}(?:is|was|ist)|:){SPACE}{{1,2}}(?P<value>\d{{4,10}}\b)
              | {WORD_START}(?: (?:backup|recovery|scratch|emergency|one-time){SPACE}codes? | {_FOREIGN_CODES}
                  | (?<=\b)(?:otp|(?:device|unlock|lock|sim|startup|exit|new)(?:{SPACE}unlock)?{SPACE}pin|passcode|kiosk{SPACE}exit{SPACE}(?:code|pin))(?={SPACE}\d{{4,10}}\b)
                  | (?:bypass|unlock|activation|recovery|pairing|unlocking){SPACE}code | puk\d?(?:{SPACE}code)? )
                \s?[:=]?\s{{0,2}}{_BULLET}(?:{MASKED}[\s,;]{{1,3}}{_BULLET})?
                (?P<password>{_CODE}(?:[\s,;]{{1,3}}{_BULLET}{_CODE}){{0,15}})
              | {WORD_START}(?:(?:code[ ])?pin(?:-?code)?|passcode){OWNER}(?:[ ]?[:=：][ ]?|[ ]{COPULA}[ ]{{0,2}})
                ["'„“«]?(?P<last>\d{{4,10}}\b)
              | {WORD_START}(?-i:PIN)[ ](?P<pin>\d{{4,8}}\b)(?=[.,;:!?)]{{0,2}}(?:\s|\Z))(?![ ](?:of|digit|char|time|release)|:\d)
              | {WORD_START}(?:setup|secret|manual|entry){SPACE}key(?:{SPACE}is|:|=)?{SPACE}
                (?P<seed>(?:[a-z2-7]{{4}}[ \-]){{3,15}}[a-z2-7]{{2,4}}\b|[a-z2-7]{{16,64}}\b) )""",
        in_words=True,
        replacement=_mask_either,
        rationale="codes for a sign-in, backup codes, a PUK, the seed of an authenticator",
    ),
    Rule(
        name="name and random value",
        hints=("api", "token", "secret"),
        pattern=rf"""(?:(?<![a-z])api[_\-. ]?key|(?<!sync)(?<!page)(?<!skip)token|(?<![a-z])secret)
            {SPACE}{{1,2}}(?:is{SPACE}{{1,2}})?
            (?P<value>(?!{GUID}\b)(?=[^\s]{{0,60}}\d)[a-z0-9_\-+/]{{20,}}={{0,2}}(?![\w.\-(])
              |(?-i:(?=[^\s]{{0,60}}[a-z])(?=[^\s]{{0,60}}[A-Z]))(?=[^\s]{{0,60}}\d)
              [a-z0-9]{{16,}}(?![\w.\-]))""",
        gate=r"(?:key|token|secret)(?:\s|\+|%|\\)",
        replacement=_mask_value,
        rationale="apikey x, without punctuation",
    ),
    Rule(
        name="Vault token",
        hints=("s.",),
        pattern=r"(?<![\w.])s\.(?=[a-z]{0,23}\d)(?P<value>[a-z0-9]{24})(?![\w.])",
        in_word=True,
        replacement=_mask_value,
        rationale="s.x of older versions",
    ),
    Rule(
        name="NTLM hash",
        hints=(":", "%3a"),
        pattern=rf"""{WORD_START}(?P<value>[0-9a-f]{{32}}(?::|%(?:25)?3A)[0-9a-f]{{32}})(?![0-9a-f])""",
        replacement=_mask_value,
        rationale="the pair of hashes of a Windows account",
    ),
    Rule(
        name="password hash",
        hints=("$", "%24", "%2524", "{s", "{crypt}"),
        pattern=rf"""(?: (?:\{{(?:s?sha(?:256|384|512)?|smd5|crypt)\}}[a-z0-9./+=$]{{20,400}})
              | (?:pbkdf2|argon2|scrypt|bcrypt|sha512_crypt)\w{{0,12}}{DOLLAR}
                [a-z0-9./+=,$%_\-]{{20,400}}
              | {DOLLAR}(?:2[abxy]|[1569y]|apr1|argon2\w{{1,2}}){DOLLAR}[a-z0-9./+=,$%_\-]{{20,400}} )""",
        replacement=mask_match,
        rationale="Django, bcrypt, crypt and argon2",
    ),
    Rule(
        name="digest response",
        hints=("response",),
        pattern=rf"""{WORD_START}response(?:=|%(?:25)?3D){QUOTE}?(?P<value>[0-9a-f]{{32,64}})(?![0-9a-f])""",
        replacement=_mask_value,
        rationale="Authorization: Digest",
    ),
    Rule(
        name="product key",
        hints=("-",),
        pattern=WORD_START
        + r"""(?<!-)(?-i:(?:[A-Z0-9]{5}-){4}[A-Z0-9]{5}|(?:[A-Z0-9]{4}-){5}[A-Z0-9]{4}
            |[A-Z0-9]{5}-[A-Z0-9]{5}(?:-[A-Z0-9]{4}){1,4})(?![\w\-])""",
        in_word=True,
        gate=r"-[a-z0-9]{4,5}-",
        replacement=mask_match,
        rationale="product keys, FileVault recovery keys, bypass codes of the activation lock",
    ),
    Rule(
        name="statement parameter",
        hints=("parameter",),
        pattern=rf"""parameter{SPACE}(?:\$|%(?:25)?24)\d{{1,4}}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>.{{1,2000}}?)(?P=q)""",
        replacement=_mask_value,
        rationale="PostgreSQL quotes the values of a failed statement in CONTEXT",
    ),
    Rule(
        name="failing row",
        hints=("failing",),
        pattern=rf"""Failing{SPACE}row{SPACE}contains{SPACE}
            (?P<value> \([^\n]{{1,4000}}\) | %(?:25)?28[^\s&]{{1,4000}}%(?:25)?29 )""",
        replacement=_mask_value,
        rationale="PostgreSQL quotes the whole row in DETAIL",
    ),
    Rule(
        name="code in query",
        hints=("code=", "key=", "code%", "key%"),
        pattern=r"""(?:[?&]|%(?:25)?(?:3F|26))(?:code|key)(?:=|%(?:25)?3D)
            (?P<value>(?=[^\s&"']{0,100}\d)[^\s&"'<>]{20,})""",
        replacement=_mask_value,
        rationale="authorization codes and function keys in a query; not code=403",
    ),
    Rule(
        name="JSON web token",
        hints=("eyj",),
        pattern=rf"{WORD_START}(?-i:eyJ)[\w\-]{{5,}}[.\w=+/~\-]*" + CONTINUATION_LINES,
        in_word=True,
        in_words=True,
        replacement=_mask_web_token,
        rationale="signed or encrypted, whole or cut off",
    ),
    Rule(
        name="Entra refresh token or code",
        hints=(".a", "m.c", "m.r"),
        pattern=WORD_START
        + r"""(?: (?-i:[01]\.A)(?=[\w\-]*\d)[\w\-]{20,}[\w.\-]*
              | (?-i:M\.[CR])\d{1,4}[_.][\w.!*$\-]{20,} )"""
        + CONTINUATION_LINES,
        in_word=True,
        replacement=_mask_opaque,
        rationale="0.A… and 1.A… of Entra, M.C… of personal accounts",
    ),
    Rule(
        name="BitLocker recovery key",
        hints=("-",),
        pattern=rf"{WORD_START}\d{{6}}(?:-\d{{6}}){{5,7}}(?![\d\-])",
        in_word=True,
        gate=r"-\d{6}-",
        replacement=mask_match,
        rationale="eight groups of six digits",
    ),
    # Not secrets, but personal: an email address in an error, a folder in a stack trace.
    Rule(
        name="email address",
        hints=("@", "%40", "%2540"),
        pattern=r"""(?: (?<![\w.%…$]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) )
            (?!celery@|git@[\w.\-]{1,100}[:/])(\w)[\w.+%'\#!*?^{|}~\-]{0,63}?(@|%(?:25)?40)
            (?!odata\.|microsoft\.graph\.)(?=(?:[\w\-]{1,63}\.){1,8}[a-z]{2,24}(?![\w\-]))""",
        replacement=r"\1…\2",
        rationale="a person's name; the domain stays, as it identifies the tenant",
    ),
    Rule(
        name="home directory",
        hints=("/home/", "/users/"),
        pattern=r"(?<![\w.])(?-i:/home/|/Users/(?!Shared(?![\w.\-])))(?P<value>[^/\\\s\"'<>:|,;)\[]{1,64})",
        replacement=_mask_value,
        rationale="a person's name in a path",
    ),
    Rule(
        name="Windows profile",
        hints=(":\\",),
        pattern=r"""\b[a-z]:\\{1,8}Users\\{1,8}(?!\[redacted|(?:Public|Default)(?:[\\/\s"'<>:|,;)]|\Z))
            (?P<value> [^\\/:"'<>|\n]{1,64}(?=\\) | [^\s\\/:"'<>|,;)]{1,64} )""",
        replacement=_mask_value,
        rationale="a person's name in a Windows path, backslashes escaped or not",
    ),
)
