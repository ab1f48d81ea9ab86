"""What replaces a match of a rule: a mask, unless the value is none of a secret."""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

from redaction.entropy import is_named_public, looks_random
from redaction.letters import (
    is_like_password,
    is_password_shaped,
    is_unlike_words,
    is_unmistakable,
)
from redaction.marks import mask
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
    COPULA,
    FOREIGN_PASSWORDS,
    GUID,
    JOINED_WORDS,
    PASSWORD_NAME,
    SEVERAL_WORDS,
)

# Names with a secret after them even in a sentence: "password: letmein".
_PASSWORD_NAME = re.compile(
    rf"pass(?:word|wd|phrase|code)|pwd|pw\b|psk|access[_\-. ]?pass|puk|{FOREIGN_PASSWORDS}"
    r"|client[_\-. ]?secret|shared[_\-. ]?(?:key|secret)"
    r"|(?:network|wep)[_\-. ]?key|key[_\-. ]{0,2}(?:content|material)|challenge",
    re.IGNORECASE | re.VERBOSE,
)
_PLAIN_COOKIES = re.compile(
    r"(?:[\w.\-]{0,30}(?:theme|lang(?:uage)?|locale|culture|i18n|colou?r|mode|time_?zone|tz"
    r"|density|sidebar|consent|layout"
    r"|rows|columns|page_?size|per_?page|font|currency|country|region|view|sort"
    r"|redirected)[\w\-]{0,16}"
    r"=(?=[^;\s\d]{0,60}(?:\d{1,4}[^;\s\d]{0,30}){0,3}(?:[;\s]|\Z))[\w./%|+,:\-]{0,40}(?:;\s*|\Z)"
    r"|[\w\-]{1,60}=(?:;\s*|\Z)|(?:path|expires|max-age|domain|samesite)=[^;\s]{0,100}(?:;\s*"
    r"|\Z)|(?:secure|httponly)(?:;\s*|\Z)|[\w.\-]{1,60}=<\w{1,40}(?:>|\Z))+",
    re.IGNORECASE,
)
_LONG_VALUE_WITH_DIGIT = re.compile(r"(?=.*\d).{8}|\d{4,8}\Z", re.DOTALL)
# The id of a session is a cookie, or a GUID that Microsoft's support asks for.
_SESSION_NAME = re.compile(r"sess(?:ion)?[_\-]?id", re.IGNORECASE)
_CODE_NAME = re.compile(r"(?:pin|puk|otp|code)s?\Z", re.IGNORECASE)
_GUID = re.compile(GUID, re.IGNORECASE)
_FOREIGN = re.compile(FOREIGN_PASSWORDS, re.IGNORECASE | re.VERBOSE)
_PASSWORD = re.compile(PASSWORD_NAME, re.IGNORECASE | re.VERBOSE)
_COUNT = re.compile(r"[a-z_]{1,30}[=:]\d{1,9}")
_BUILD_SECRET = re.compile(r"(?:id|type|src|source|env)=")
# What says on the line of a `pass:` that it is a password's name.
_USER = re.compile(
    r"\b(?:user(?:name)?|login|account|benutzer|konto|utilisateur|usuario|utente)\b[^\n]{0,60}\Z",
    re.IGNORECASE,
)
# A sign after a digit belongs to a password.
_STATEMENT_END = re.compile(r"[.:;]\Z|(?<!\d)[!?]\Z")
_MAX_LEASE_DIGITS = 5
# What a sentence says about a secret, before the name of what else it is about.
_ABOUT_SECRET = re.compile(
    r"reset|chang|expir|polic|rotat|updat|length|requir|attempt|fail|hash|manag|protect|error"
    r"|sync|id\b"
    r"|version|name|thumb|finger|creat|delet|remov|add|type|valid|denied|request|issued|invalid"
    r"|found|gefunden|fehlt|ungültig|missing|introuvable|trouvé|not\b|manca",
    re.IGNORECASE,
)
# What a name of a secret only describes: "password policy", "secret name".
_PROPERTY_OF_SECRET = re.compile(
    r"(?:[ ]\w{1,20}){0,2}?[ ](?:polic(?:y|ies)|profiles?|lifetimes?|names?|managers?|expiration"
    r"|age|length|rules?|agents?"
    r"|sync|writeback|protection|richtlinien?)\b",
    re.IGNORECASE,
)
_NUMBER_AT_END = re.compile(r"[ ]\d{1,4}[!?#*+]?\Z")
# Words that only sentences have, in many languages.
_FUNCTION_WORD = re.compile(
    r"""aber | about | after | and | are | auf | aus | been | before | bei | beim | being | bitte
    | cada | changes | chaque | cuando | das | dem | den | der | die | each | een | ein | eine
    | elke | every | from | haben | have | here | het | hier | ihre | into | jeden | las |
    lassen | later | leave | les | los | maand | mese | mit | mois | monat | monatlich | muss
    | must | nach | nicht | nur | oder | ogni | ohne | only | over | para | per | please |
    pour | quand | quando | same | sans | set | should | siehe | sin | sind | soll | sont |
    than | that | the | then | this | todos | una | und | une | voir | vom | vor | votre |
    wanneer | was | wenn | werden | were | when | which | wie | will | wird | with | without |
    wurde | your | zum | zur""",
    re.IGNORECASE | re.VERBOSE,
)
_LONG_WORDS = re.compile(r"(?:[a-z]{4,20}[ ]){2,7}[a-z]{4,20}")
_MIN_LONG_PASSWORD, _MIN_LONG_TOKEN = 8, 24
_IDENTIFIER_END = re.compile(r"[\w\-]+\Z")
_INSIDE_IDENTIFIER = re.compile(r"\w[_\-]\w|[a-z][A-Z]")
_JOINED_WORDS = re.compile(JOINED_WORDS)
# The name of a cmdlet at its end, but not of a header: a message follows it.
_CMDLET = re.compile(
    r"(?<![\w\-])(?:Add|Clear|Confirm|Connect|Convert\w*|Disable|Enable|Export|Find|Get|Grant"
    r"|Import"
    r"|Initialize|Install|Invoke|New|Protect|Publish|Read|Register|Remove|Request|Reset|Restore"
    r"|Revoke"
    r"|Rotate|Save|Set|Start|Stop|Sync|Test|Unprotect|Unregister|Update|Write)-[A-Z]\w+\Z"
)
# What makes a key or a token public: a place in a list, a check of an assembly.
_PUBLIC_PREFIX = re.compile(
    r"(?:public[_\- ]?key|foreign|partition|cache|idempotency|primary|sort|row|object|registry"
    r"|sync|cancellation|existing|image[_\- ]?pull)[_\- ]?\Z|arn:aws[\w\-:]{1,60}\Z"
    r"|\bpam_\w{2,20}\(\Z",
    re.IGNORECASE,
)
# The start of a parameter of a shell with what it says or is without a value: `${NAME:?text}`.
_PARAMETER = re.compile(r"\$\{[\w]{0,60}\Z")
_LETTERS = re.compile(r"[A-Za-z_]+")
_COMMAND_END = re.compile(r"\s{0,4}(?:[<>|\n]|\Z)")
_IDENTIFIER = re.compile(r"[a-z]{2,20}(?:_[a-z]{1,20})+|[a-z]{2,20}(?:[A-Z][a-z]{1,20})+")
_LINE_END = re.compile(r"[ ]*(?:\n|\Z)")
_SEVERAL_WORDS = re.compile(SEVERAL_WORDS, re.IGNORECASE)
_NETWORK = re.compile(
    r"wi-?fi|wlan|hotspot|wireless|ssid|vpn|ipsec|\bike|l2tp|tunnel|pre-?shared|réseau|\brede?\b"
    r"|\brete\b|\bsieci"
    r"|netz|netwerk|сет[ьи]|vorinstalliert|gemeinsam|partagée|compartid|compartilhad|condivisa",
    re.IGNORECASE,
)
_COPULA_END = re.compile(rf"[ ]{COPULA}[ ]*\Z", re.IGNORECASE | re.VERBOSE)
# The start of a constant's name at the start of a line: `MARIADB_ROOT_`.
_CONSTANT_END = re.compile(r"[\s\-]{0,40}[A-Z][A-Z\d]*_(?:[A-Z\d]+_)*")
# What a list of credentials names beside a password.
_ACCOUNT = re.compile(
    r"\b(?:user(?:[ _-]?(?:name|id))?|login|log-?in|account|host(?:name)?|server|ssid|wi-?fi"
    r"|wlan|url"
    r"|domain|database|db|port|e?-?mail|ip|benutzer(?:name)?|konto|anmeldename|netzwerk|gerät"
    r"|standort"
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
# The characters on both sides of a value in which the name of a secret is looked for.
_NEAR = 120
_NAME_NEAR = re.compile(
    rf"""{PASSWORD_NAME} | (?<![a-z])(?:pw|ww|mdp|pass|creds?|logins?)(?![a-z]) | secret |
        credential | token
    | service[ _]account | dienstkonto | compte[ ]de[ ]service
    | (?<![a-z])(?:api|access|shared|security)[ _\-]?key | zugangsdaten | identifiants |
    inloggegevens""",
    re.IGNORECASE | re.VERBOSE,
)
_STRINGS = re.compile(r"""(?P<q>["'])(?P<value>.*?)(?P=q)""")
_ACCOUNT_NAME = re.compile(r"[\w.@\\+\-]{1,80}")
_WORDS_WITHOUT_SIGNS = re.compile(
    r"[^\W\d_]{3,20}(?:[ ,&]{1,3}[^\W\d_]{3,20}){1,6}(?:[ ]\d{1,4}[!?*]?)?"
)
_PUBLIC_OPTION = re.compile(
    r"(?:id|hash|digest|name|print|filter|query|format|path|file|uri|url|regex|pattern|etag"
    r"|cursor|version"
    r"|tag|sha\d*|md5|sum|user|host|image|template|target|time|date|since|until|range|select"
    r"|match|header"
    r"|output|type|body|scope|tenant|commit|branch|rev|ref|out|in|fields?)\Z",
    re.IGNORECASE,
)
# The groups of the alternatives of one pattern.
_GROUPS = ("value", "password", "seed", "last", "pin", "code", "tap")


def mask_named(match: re.Match[str]) -> str:
    """Mask the value of a sensitive name, unless it is an ordinary word of a sentence."""
    value = match["value"]
    if not value or is_word(value) or _is_public(match):
        return match[0]
    if value.startswith(("?", "-")) and _PARAMETER.search(match.string, 0, match.start()):
        return match[0]
    if _FOREIGN.match(match["name"]) and not match["opening"] and _is_word_of_script(value):
        return match[0]
    if _SESSION_NAME.search(match["name"]) and _GUID.fullmatch(value):
        return match[0]
    may_be_sentence = ":" in match["separator"] and not match["opening"]
    if is_message(value) or _is_count(match["name"], value) or _is_folder(match) or _is_key(match):
        return match[0]
    if is_unlike_words(value) or is_passphrase(value):
        return mask_value(match)
    if len(value) < 4 and not _PASSWORD_NAME.match(match["name"]):
        return match[0]
    is_secret = _is_password(match) or _LONG_VALUE_WITH_DIGIT.match(value)
    if may_be_sentence and not (is_secret or _is_setting(match)):
        return match[0]
    if not match["opening"] and _is_in_sentence(match):
        return match[0]
    return mask_value(match)


def _is_key(match: re.Match[str]) -> bool:
    """Return whether a value is the first key of an object on the next lines, as in YAML."""
    return "\n" in match["separator"] and match["value"].endswith(":")


def _is_word_of_script(value: str) -> bool:
    """Return whether a value is letters alone with one that ASCII lacks: "geändert", "必須"."""
    return not value.isascii() and value.isalpha()


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


def mask_foreign(match: re.Match[str]) -> str:
    """Mask the value of a name in another language, unless it is a word without digits of that one."""
    value = match["value"]
    is_word_of_script = not match["opening"] and _is_word_of_script(value)
    if not value or is_word_of_script or is_word(value) or is_message(value):
        return match[0]
    if _ABOUT_SECRET.search(match["between"]):
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
    return mask_value(match)


def mask_quoted_name(match: re.Match[str]) -> str:
    """Mask what an error says about a field whose name stands in quotation marks."""
    value = match["value"]
    return mask_either(match) if value is None or is_unlike_words(value) else match[0]


def _is_setting(match: re.Match[str]) -> bool:
    """Return whether the name is an identifier, as `sharedSecret`, and the value ends its line."""
    return _is_identifier(match) and _LINE_END.match(match.string, match.end()) is not None


def _is_identifier(match: re.Match[str]) -> bool:
    """Return whether the name is, or ends, an identifier of several parts, as `sharedSecret`."""
    name = _IDENTIFIER_END.search(match.string[max(0, match.start() - 40) : match.end("name")])
    return name is not None and _INSIDE_IDENTIFIER.search(name[0]) is not None


def mask_value(match: re.Match[str]) -> str:
    """Mask the group "value", unless it is a placeholder, and keep the rest of the match."""
    return mask_group(match, "value")


def mask_group(match: re.Match[str], group: str) -> str:
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


def mask_url_password(match: re.Match[str]) -> str:
    """Mask the password of a URL, unless it is that of an example."""
    return match[0] if is_example(match["value"]) else mask_value(match)


def mask_cookies(match: re.Match[str]) -> str:
    """Mask cookies, unless they only say how a page looks."""
    return match[0] if _PLAIN_COOKIES.fullmatch(match["value"]) else mask_value(match)


def mask_either(match: re.Match[str]) -> str:
    """Mask the named group that took part in the match."""
    group = _group_of(match)
    return match[0] if is_word(match[group]) else mask_group(match, group)


def mask_words(match: re.Match[str]) -> str:
    """Mask a value of several words, unless one of them is an ordinary one of sentences."""
    group = _group_of(match)
    return match[0] if _is_statement(match[group]) else mask_group(match, group)


def _group_of(match: re.Match[str]) -> str:
    """Return the named group of a value that took part in the match."""
    groups = match.groupdict()
    return next(name for name in _GROUPS if groups.get(name) is not None)


def _is_statement(value: str) -> bool:
    """Return whether several words say something about a secret: "never expires"."""
    first, *others = (word.strip(",;.!?") for word in value.split())
    return (
        is_word(first)
        or _STATEMENT_END.search(value) is not None
        or any((is_word(word) and not word.isdigit()) or "=" in word[1:-1] for word in others)
        or any(word.endswith(":") for word in value.split())
    )


def mask_line(match: re.Match[str]) -> str:
    """Mask the rest of a line after the name of a password, if it is a line of a configuration.

    Words in small and capital letters alone are a passphrase in every line.
    """
    value, before = match["value"], match.string[match.start() : match.start("value")]
    is_like_passphrase = _SEVERAL_WORDS.fullmatch(value) or "phrase" in before.lower()
    is_passphrase_line = is_like_passphrase and not match["owner"].strip()
    is_of_network = _NETWORK.search(before) is not None and any(map(str.isdigit, value))
    if not (is_passphrase_line or is_of_network or _is_configuration(match)):
        return match[0]
    return mask_words(match)


def mask_key_of_network(match: re.Match[str]) -> str:
    """Mask the key of a wireless network or of a tunnel, if the line or the one before names one."""
    value, start = match["value"], match.start()
    before, _, line = match.string[max(0, start - 120) : match.start("value")].rpartition("\n")
    previous = before.rpartition("\n")[2]
    if _is_statement(value) or is_reference(match.string, *match.span("value")):
        return match[0]
    is_beside = _ACCOUNT_LINE.match(previous) is not None and _NETWORK.search(previous) is not None
    has_digit = any(map(str.isdigit, value))
    is_words = _LONG_WORDS.fullmatch(value.lower()) is not None and not _has_function_word(value)
    is_secret = is_beside or has_digit or is_words or is_unlike_words(value) or is_passphrase(value)
    return mask_value(match) if is_secret and (is_beside or _NETWORK.search(line)) else match[0]


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


def mask_secret_looking(match: re.Match[str]) -> str:
    """Mask what looks like a secret, unless it is words that are joined to a name."""
    value = match[_group_of(match)]
    if is_name_of_resource(value) or (_JOINED_WORDS.fullmatch(value) and not is_passphrase(value)):
        return match[0]
    if value.isalpha() and value.isascii() and not is_unlike_words(value):
        return match[0]
    return mask_either(match)


def mask_unless_ordinary(match: re.Match[str]) -> str:
    """Mask the group "value", unless it is an ordinary word."""
    return match[0] if is_word(match["value"]) else mask_value(match)


def mask_header(match: re.Match[str]) -> str:
    """Mask the value of a header, unless it is a name as in `["client_secret", "tenant_id"]`."""
    return match[0] if _IDENTIFIER.fullmatch(match["value"]) else mask_unless_ordinary(match)


def mask_password_option(match: re.Match[str]) -> str:
    """Mask the value of the option -p; for mysql, the name of a database stands there."""
    is_database = (
        match[0].lower().startswith(("mysql", "mariadb"))
        and _LETTERS.fullmatch(match["value"])
        and _COMMAND_END.match(match.string, match.end())
    )
    return match[0] if is_database else mask_unless_ordinary(match)


def mask_beside(match: re.Match[str]) -> str:
    """Mask a value that another sign separates from its name, if it is no word of a sentence."""
    value, sign = match["value"], match["sign"]
    if sign is None:
        is_named = _is_identifier(match) or " " in match["name"]
        return mask_unlike_words(match) if is_named else match[0]
    if " " in value and not match["q"]:
        is_password = _PASSWORD.fullmatch(match["name"]) and any(map(str.isdigit, value))
        return mask_value(match) if is_password and not _is_statement(value) else match[0]
    if sign.startswith("-") and not sign.endswith(">"):
        return mask_unlike_words(match) if is_password_shaped(value) else match[0]
    if match["q"] and match["q"] != "`" and _PASSWORD.fullmatch(match["name"]):
        return match[0] if _is_statement(value) else mask_value(match)
    return mask_stated(match)


def mask_member(match: re.Match[str]) -> str:
    """Mask the value in an element; in one that is no member of an object, if it is no word."""
    return mask_value(match) if match["member"] else mask_unlike_words(match)


def mask_stated(match: re.Match[str]) -> str:
    """Mask what a sentence says about a secret, a number only if it is that of a PIN or a code."""
    value = match["value"]
    if value.isdigit():
        is_code = 4 <= len(value) <= 8 and _CODE_NAME.search(match["name"])
        return mask_value(match) if is_code else match[0]
    between = match.groupdict().get("between") or ""
    is_verb = match["name"].lower() == "pass" and between
    if is_verb or _PROPERTY_OF_SECRET.match(between):
        return match[0]
    if match.groupdict().get("colon") and not is_password_shaped(value):
        is_password = _PASSWORD.fullmatch(match["name"]) is not None
        is_long = len(value) >= (_MIN_LONG_PASSWORD if is_password else _MIN_LONG_TOKEN)
        if not is_long or _ABOUT_SECRET.search(match["between"]):
            return match[0]
    return mask_unlike_words(match)


def mask_owned(match: re.Match[str]) -> str:
    """Mask several words after a password and its owner, if no sentence has them.

    They are words of four letters or more, or end with a number and begin with a capital letter or
    end with a sign.
    """
    value = match["value"]
    if _is_statement(value) or _ABOUT_SECRET.search(match["between"]):
        return match[0]
    has_number = _NUMBER_AT_END.search(value) is not None and (
        value[0].isupper() or not value[-1].isdigit()
    )
    is_secret = has_number or _LONG_WORDS.fullmatch(value.lower()) is not None
    is_secret = is_secret and not _has_function_word(value)
    return mask_value(match) if is_secret else match[0]


def _has_function_word(value: str) -> bool:
    """Return whether one of several words is one that only sentences have, in any language."""
    return any(_FUNCTION_WORD.fullmatch(word.strip(",;.")) for word in value.split())


def mask_shaped(match: re.Match[str]) -> str:
    """Mask the group "value" if it has the shape of a password, and not that of a name."""
    return mask_value(match) if is_password_shaped(match["value"]) else match[0]


def mask_unlike_words(match: re.Match[str]) -> str:
    """Mask the group "value" if it is no word of a sentence; one of a token has ten characters."""
    if is_passphrase(match["value"]):
        return mask_value(match)
    min_length = 6 if _PASSWORD.fullmatch(match["name"]) else 10
    if is_name_of_resource(match["value"]) or not is_unlike_words(match["value"], min_length):
        return match[0]
    return mask_unless_ordinary(match)


def mask_next_line(match: re.Match[str]) -> str:
    """Mask the only word of a line, if the line before says that a secret follows, or a label does."""
    value = match["value"]
    is_announced = match["label"] or match["between"].rstrip().endswith((":", "：", "="))
    is_about = not match["label"] and _ABOUT_SECRET.search(match["between"]) is not None
    is_path = is_about or value[0] in "/\\<{[(#" or "://" in value
    if not is_announced or is_path or not is_unlike_words(value, 8):
        return match[0]
    return mask_unless_ordinary(match)


def mask_account(match: re.Match[str]) -> str:
    """Mask the password beside the name of an account; after a colon and a space, it needs a sign."""
    value, sign = match["value"], match["sign"]
    is_secret = is_unmistakable(value) if sign in (": ", " ") else _is_like_password(value)
    return mask_unless_ordinary(match) if is_secret else match[0]


def _is_like_password(value: str) -> bool:
    return is_like_password(value) or is_passphrase(value)


def mask_arguments(match: re.Match[str]) -> str:
    """Mask the password among the arguments of a function, which is a text after that of an account."""
    arguments = list(_STRINGS.finditer(match["arguments"]))
    for account, argument in pairwise(arguments):
        value = argument["value"]
        if _ACCOUNT_NAME.fullmatch(account["value"]) and _is_argument(value):
            start = match.start("arguments") - match.start()
            first, last = (start + place for place in argument.span("value"))
            return match[0][:first] + mask(value) + match[0][last:]
    return match[0]


def _is_argument(value: str) -> bool:
    """Return whether a text in quotation marks is a password, and no place, name or message."""
    if is_reference(value, 0, len(value)) or is_name_of_resource(value) or "/" in value:
        return False
    if _is_like_password(value):
        return True
    return _WORDS_WITHOUT_SIGNS.fullmatch(value) is not None and not _is_statement(value)


def mask_option(match: re.Match[str]) -> str:
    """Mask the value of an option that has the shape of a password; no id, name, query or path."""
    is_public = _PUBLIC_OPTION.search(match["option"]) is not None
    return match[0] if is_public or not is_unmistakable(match["value"]) else mask_value(match)


def mask_like_password(match: re.Match[str]) -> str:
    """Mask what has the shape of a password, or is several words."""
    value = match[_group_of(match)]
    is_words = _WORDS_WITHOUT_SIGNS.fullmatch(value) and not _is_statement(value)
    return mask_either(match) if is_words or _is_like_password(value) else match[0]


def mask_after_words(match: re.Match[str]) -> str:
    """Mask what has the shape of a password a few words after its name."""
    is_password = _PASSWORD.fullmatch(match["name"]) is not None
    if (
        not is_password
        or _ABOUT_SECRET.search(match["between"])
        or not is_like_password(match["value"])
    ):
        return match[0]
    return mask_unless_ordinary(match)


def mask_near_name(match: re.Match[str]) -> str:
    """Mask a word with the shape of a password in a line that names one."""
    value, text, (start, end) = match["value"], match.string, match.span()
    if not is_unmistakable(value) or is_named_public(text, start):
        return match[0]
    before = text[max(0, start - _NEAR) : start].rpartition("\n")[2]
    after = text[end : end + _NEAR].partition("\n")[0]
    if not (_NAME_NEAR.search(before) or _NAME_NEAR.search(after)):
        return match[0]
    return mask_unless_ordinary(match)


def mask_basic(match: re.Match[str]) -> str:
    """Mask a value that decodes to `name:password`; that of "Basic authentication" does not."""
    value = match["value"]
    try:
        decoded = base64.b64decode(value[: len(value) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    if b":" in decoded or value.endswith("="):
        return mask_value(match)
    return match[0]


def mask_web_token(match: re.Match[str]) -> str:
    """Mask a token that is signed; a place in a list is one word of JSON that is named so."""
    is_place = "." not in match[0] and is_named_public(match.string, match.start())
    return match[0] if is_place else mask(match[0])


def mask_opaque(match: re.Match[str]) -> str:
    """Mask a token that is too long or too random to be the heading "1.AndroidEnterprise"."""
    return mask(match[0]) if len(match[0]) >= 60 or looks_random(match[0]) else match[0]
