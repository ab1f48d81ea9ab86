"""Formats of secrets: one rule for each, applied in order.

All patterns ignore case and are verbose; see `redaction.patterns` for their building blocks.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from redaction.entropy import looks_random
from redaction.markers import mask_markers
from redaction.marks import mask, mask_match
from redaction.patterns import (
    ARGUMENT,
    ASSIGNMENT,
    CONTINUATION_LINES,
    DOLLAR,
    MASKED,
    NAME_THEN_SEPARATOR,
    NAME_VALUE_SEPARATOR,
    NOT_ESCAPED,
    OPTION_START,
    OPTIONAL_SPACE,
    QUOTE,
    QUOTED_VALUE,
    SENSITIVE_NAME,
    SLASH,
    SPACE,
    TAG_END,
    TAG_START,
    UNQUOTED_VALUE,
    WORD_START,
)

# Words and codes that follow "password:" in sentences.
_ORDINARY_VALUE = re.compile(
    r"""(?: null | none | nil | true | false | yes | no | on | off | not | is | was | were | must
    | too | the | a | an | and | or | for | of | to | in | str | int | bool | bytes | undefined
    | required | optional | enabled | disabled | expired | invalid | missing | unknown | empty
    | set | unset | blocked | failed | reset | changed | policy | policies | \*+ | \d{1,3}
    | allowed | escrowed | blocked | signing | minimum | \{\{\w{1,40}\}\}
    | AADSTS\d+ | \d{4}-\d\d-\d\dT[\d:.]+Z? )[.:!?]?""",
    re.IGNORECASE | re.VERBOSE,
)
# Names with a secret after them even in a sentence: "password: letmein".
_PASSWORD_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|pwd|psk|client[_\-. ]?secret|shared[_\-. ]?(?:key|secret)"
    r"|(?:network|wep)[_\-. ]?key|key[_\-. ]{0,2}(?:content|material)|challenge",
    re.IGNORECASE,
)
_LONG_VALUE_WITH_DIGIT = re.compile(r"(?=.*\d).{8}|\d{4,8}\Z", re.DOTALL)
# The id of a session is a cookie, or a GUID that Microsoft's support asks for.
_SESSION_NAME = re.compile(r"sess(?:ion)?[_\-]?id", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

Replacement = str | Callable[[re.Match[str]], str]


def mask_secret_formats(text: str) -> str:
    """Return the text with every value masked that has the format of a secret."""
    text = mask_markers(text)
    lowered = text.lower()
    if not _any_hint().search(lowered):
        return text
    for rule in RULES:
        text = rule.apply(text, lowered)
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
    #: Tried first on the text in lower case, if given; most texts with a hint do not match.
    gate: str = ""

    def apply(self, text: str, lowered: str) -> str:
        """Return the text with this format masked; `lowered` is the original in lower case."""
        if not any(hint in lowered for hint in self.hints):
            return text
        if self.gate and not _compiled_gate(self.gate).search(lowered):
            return text
        return _compiled(self.pattern).sub(self.replacement, text)


@functools.cache
def _any_hint() -> re.Pattern[str]:
    """The hints of all rules, of which most texts have none."""
    hints = {hint for rule in RULES for hint in rule.hints}
    return re.compile("|".join(map(re.escape, sorted(hints))))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL)


@functools.cache
def _compiled_gate(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


def _mask_named(match: re.Match[str]) -> str:
    """Mask the value of a sensitive name, unless it is an ordinary word of a sentence."""
    value = match["value"]
    if not value or _ORDINARY_VALUE.fullmatch(value):
        return match[0]
    if _SESSION_NAME.search(match["name"]) and _GUID.fullmatch(value):
        return match[0]
    may_be_sentence = ":" in match["separator"] and not match["opening"]
    is_secret = _PASSWORD_NAME.match(match["name"]) or _LONG_VALUE_WITH_DIGIT.match(value)
    if may_be_sentence and not is_secret:
        return match[0]
    return _mask_value(match)


def _mask_value(match: re.Match[str]) -> str:
    """Mask the group "value" and keep the rest of the match."""
    start = match.start("value") - match.start()
    end = match.end("value") - match.start()
    return match[0][:start] + mask(match["value"]) + match[0][end:]


def _mask_either(match: re.Match[str]) -> str:
    """Mask the group "value" or "password", whichever took part in the match."""
    group = "value" if match["value"] is not None else "password"
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + mask(match[group]) + match[0][end:]


def _mask_unless_ordinary(match: re.Match[str]) -> str:
    """Mask the group "value", unless it is an ordinary word."""
    return match[0] if _ORDINARY_VALUE.fullmatch(match["value"]) else _mask_value(match)


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


def _mask_opaque(match: re.Match[str]) -> str:
    """Mask a token that is too long or too random to be the heading "1.AndroidEnterprise"."""
    return mask(match[0]) if len(match[0]) >= 60 or looks_random(match[0]) else match[0]


_SENSITIVE_NAME_HINTS = (
    "pass", "pwd", "psk", "secret", "token", "key", "code", "pin", "challenge", "hash", "string",
    "assertion", "saml", "verifier", "sig", "authorization", "credential", "cookie", "estsauth",
    "sess", "sid", "otp",
)  # fmt: skip

RULES = (
    Rule(
        name="private key",
        hints=("-----begin",),
        pattern=r"""-----BEGIN (?:[ +]|%20)(?:[A-Z0-9]{1,20}(?:[ +]|%20)){0,4}PRIVATE(?:[ +]|%20)KEY
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
        pattern=r"""(?P<before>\b(?!https?:)[a-z][a-z0-9+.\-]{1,30}://[^\s:/@"'<>]{0,100}:)
            (?P<value>[^\s"'<>]{1,400})(?=@[\w\[*.\-])""",
        replacement=_mask_value,
        rationale="database and broker addresses; a password may contain @: the last one counts",
    ),
    Rule(
        name="password in web address",
        hints=("http",),
        pattern=r"""(?P<before>\bhttps?://[^\s:/@"'<>?\#]{0,100}:?)
            (?P<value> (?<=:)[^\s/@"'<>?\#]{1,400} | (?<=/)[^\s:/@"'<>?\#]{16,400} )(?=@)""",
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
        name="cookies",
        hints=("cookie",),
        pattern=r"""cookie2?\s{0,4}[:=]\s{0,4}
            (?P<value>[\w.\-$!\#%*+^|~]{1,100}=[^;\s]*
              (?:;\s{0,4}[\w.\-$!\#%*+^|~]{1,100}(?:=[^;\s]*)?)*)""",
        replacement=_mask_value,
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
        replacement=_mask_value,
        rationale="access tokens, opaque ones too; not 'bearer token'",
    ),
    Rule(
        name="basic credentials",
        hints=("basic",),
        pattern=r"basic(?:\s|%(?:25)?20|\+){1,4}(?P<value>[a-z0-9+/]{8,}={0,2})",
        replacement=_mask_basic,
        rationale="name and password in base64; not 'Basic authentication'",
    ),
    Rule(
        name="name and value",
        hints=_SENSITIVE_NAME_HINTS,
        pattern=rf"""(?=[a-z])(?P<name>{SENSITIVE_NAME})
            (?P<separator>{NAME_VALUE_SEPARATOR})
            (?P<opening>[bu]?(?P<q>{QUOTE}))?
            (?P<value>
                (?(q) .{{0,1000}}?(?={NOT_ESCAPED}(?P=q))
                  | \[(?!redacted)[^\[\]]{{1,1000}}\] )
              | (?!\{{{OPTIONAL_SPACE}{QUOTE}){UNQUOTED_VALUE}{CONTINUATION_LINES} )""",
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
        replacement=_mask_value,
        rationale="('authorization', 'x') of raw headers",
    ),
    Rule(
        name="form field",
        hints=("name=", "name%", "key=", "key%", "id=", "id%"),
        pattern=rf"""(?:name|key|id)(?:=|%(?:25)?3D){QUOTE}[\w.\-]{{0,40}}?{SENSITIVE_NAME}{QUOTE}
            (?: {SPACE}{{1,8}}(?!value=) | [^<>]{{0,80}}?\bvalue={QUOTE} )
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
            (?P<value>[^\s\-"'(][^\s"']*)""",
        replacement=_mask_named,
        rationale="--password x, -ClientSecret x",
    ),
    Rule(
        name="curl user",
        hints=("-u", "--user"),
        pattern=rf"""{OPTION_START}(?:-u|--user){SPACE}{{1,4}}["']?
            [^\s:%"']{{1,100}}(?::|%(?:25)?3A)(?P<value>[^\s"']+)""",
        replacement=_mask_value,
        rationale="curl -u name:password",
    ),
    Rule(
        name="password in sentence",
        hints=("pass", "secret"),
        pattern=rf"""(?:password|passphrase|access{SPACE}pass|client{SPACE}secret)
            {SPACE}{{1,4}}(?:is|was){SPACE}{{1,4}}
            ["'`]?(?P<value>(?=[^\s"'`]{{0,40}}\d)[^\s"'`]{{6,}})""",
        replacement=_mask_value,
        rationale='"the password was hunter22"',
    ),
    Rule(
        name="pair of name and value",
        hints=("value",),
        pattern=rf"""{QUOTE}\w{{0,40}}?(?:name|key){QUOTE}{ASSIGNMENT}
            {QUOTE}[\w.\- ]{{0,60}}?{SENSITIVE_NAME}{QUOTE}[^{{}}]{{0,200}}?
            {QUOTE}\w{{0,40}}?value\w{{0,20}}{QUOTE}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})""",
        replacement=_mask_value,
        rationale='{"name": "password", "value": "x"}, also of managed apps',
    ),
    Rule(
        name="pair of value and name",
        hints=("value",),
        pattern=rf"""{QUOTE}\w{{0,40}}?value\w{{0,20}}{QUOTE}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
            {OPTIONAL_SPACE}(?:,|%(?:25)?2C){OPTIONAL_SPACE}
            {QUOTE}\w{{0,40}}?(?:name|key){QUOTE}{ASSIGNMENT}
            {QUOTE}[\w.\- ]{{0,60}}?{SENSITIVE_NAME}{QUOTE}""",
        replacement=_mask_value,
        rationale='{"value": "x", "name": "password"}',
    ),
    Rule(
        name="value in an object",
        hints=_SENSITIVE_NAME_HINTS,
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
            (?P<value>(?!-)(?(q){QUOTED_VALUE}|{ARGUMENT}))""",
        replacement=_mask_value,
        rationale="PowerShell scripts",
    ),
    Rule(
        name="net user",
        hints=("net",),
        pattern=rf"""{WORD_START}net(?:\.exe|1)?{SPACE}{{1,4}}user{SPACE}{{1,4}}["']?[^\s/"'%+]{{1,100}}["']?
            {SPACE}{{1,4}}(?P<value>(?!/){ARGUMENT})
            (?:(?={SPACE}{{1,4}}{SLASH}[a-z])|(?<=\d)(?=\s|\Z))""",
        replacement=_mask_value,
        rationale="net user name password /add",
    ),
    Rule(
        name="net use",
        hints=("user",),
        pattern=rf"""{WORD_START}net(?:\.exe)?{SPACE}{{1,4}}use{SPACE}[^\n]{{1,200}}?
            (?: {SLASH}user(?::|%(?:25)?3A)[^\s+%]{{1,100}}(?:%(?:25)?5C[^\s+%]{{1,60}})?
                {SPACE}{{1,4}}(?P<value>(?!/){ARGUMENT})
              | {SPACE}(?P<password>(?![/\\]){ARGUMENT})(?={SPACE}{SLASH}user) )""",
        replacement=_mask_either,
        rationale="net use x: \\\\server\\share password /user:name",
    ),
    Rule(
        name="SQL password",
        hints=("password", "identified"),
        pattern=rf"""(?: {WORD_START}password(?:{SPACE}{{1,4}}for{SPACE}{{1,4}}\S{{1,100}}?)?
                (?:{SPACE}{{1,4}}|{ASSIGNMENT})
              | {WORD_START}identified{SPACE}{{1,4}}(?:with{SPACE}{{1,4}}[^\s+%]{{1,60}}{SPACE}{{1,4}})?
                (?:by|as){SPACE}{{1,4}}(?:password{SPACE}{{1,4}})? )
            N?(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)""",
        replacement=_mask_unless_ordinary,
        rationale="CREATE USER … PASSWORD 'x', IDENTIFIED BY 'x'",
    ),
    Rule(
        name="password option",
        hints=("-p", "-w"),
        pattern=rf"""{WORD_START}(?:sshpass|psexec\w{{0,4}}|certutil|docker|podman|az|plink|pscp|smbclient
                |ldapsearch|mysql\w{{0,8}}|mariadb\w{{0,8}}|winrs|rdesktop|helm|oc|svn|redis-cli)
            (?:\.exe)?(?={SPACE})(?:(?!{OPTION_START}-(?:p|pw|w)\b)[^\n;|]){{1,200}}?
            {OPTION_START}-(?:p|pw|w)(?:{SPACE}{{1,4}}|=)
            (?P<value>(?!-){ARGUMENT})""",
        replacement=_mask_value,
        rationale="psexec -u name -p password, docker login -p password",
    ),
    Rule(
        name="mysql password",
        hints=("-p",),
        pattern=rf"""{WORD_START}(?:mysql|mariadb)\w{{0,8}}(?={SPACE})[^\n;|]{{1,200}}?
            {OPTION_START}-p(?P<value>{MASKED}|(?![a-z]{{0,12}}(?:[\s=]|{SPACE}))
              (?:(?<=\s-p){UNQUOTED_VALUE}|(?<!\s-p){ARGUMENT}))""",
        replacement=_mask_value,
        rationale="mysql -ppassword",
    ),
    Rule(
        name="name and random value",
        hints=("apikey", "api", "token", "secret"),
        pattern=rf"""\b(?:api[_\-. ]?key|api[_\-. ]?token|secret){SPACE}{{1,2}}
            (?P<value>(?-i:(?=[^\s]{{0,60}}[a-z])(?=[^\s]{{0,60}}[A-Z]))(?=[^\s]{{0,60}}\d)
              [a-z0-9]{{16,}}(?![\w.\-]))""",
        replacement=_mask_value,
        rationale="apikey x, without punctuation",
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
        hints=("$", "%24", "%2524"),
        pattern=rf"""(?: (?:pbkdf2|argon2|scrypt|bcrypt|sha512_crypt)\w{{0,12}}{DOLLAR}
                [a-z0-9./+=,$%_\-]{{20,400}}
              | {DOLLAR}(?:2[abxy]|[1569y]|argon2\w{{1,2}}){DOLLAR}[a-z0-9./+=,$%_\-]{{20,400}} )""",
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
        replacement=mask_match,
        rationale="signed or encrypted, whole or cut off",
    ),
    Rule(
        name="Entra refresh token or code",
        hints=(".a", "m.c", "m.r"),
        pattern=WORD_START
        + r"""(?: (?-i:[01]\.A)(?=[\w\-]*\d)[\w\-]{20,}[\w.\-]*
              | (?-i:M\.[CR])\d{1,4}[_.][\w.!*$\-]{20,} )"""
        + CONTINUATION_LINES,
        replacement=_mask_opaque,
        rationale="0.A… and 1.A… of Entra, M.C… of personal accounts",
    ),
    Rule(
        name="BitLocker recovery key",
        hints=("-",),
        pattern=rf"{WORD_START}\d{{6}}(?:-\d{{6}}){{5,7}}(?![\d\-])",
        replacement=mask_match,
        rationale="eight groups of six digits",
    ),
    Rule(
        name="email address",
        hints=("@", "%40", "%2540"),
        pattern=r"""(?: (?<![\w.%…]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) )
            (?!celery@)(\w)[\w.+%'\#!*?^{|}~\-]{0,63}?(@|%(?:25)?40)
            (?!odata\.|microsoft\.graph\.)(?=(?:[\w\-]{1,63}\.){1,8}[a-z]{2,24}(?![\w\-]))""",
        replacement=r"\1…\2",
        rationale="a person's name; the domain stays, as it identifies the tenant",
    ),
    Rule(
        name="home directory",
        hints=("/home/", "/users/"),
        pattern=r"(?<![\w.])(?-i:/home/|/Users/)(?P<value>[^/\\\s\"'<>:|,;)\[]{1,64})",
        replacement=_mask_value,
        rationale="a person's name in a path",
    ),
    Rule(
        name="Windows profile",
        hints=(":\\",),
        pattern=r"""\b[a-z]:\\{1,8}Users\\{1,8}(?!\[redacted)
            (?P<value> [^\\/:"'<>|\n]{1,64}(?=\\) | [^\s\\/:"'<>|,;)]{1,64} )""",
        replacement=_mask_value,
        rationale="a person's name in a Windows path, backslashes escaped or not",
    ),
)
