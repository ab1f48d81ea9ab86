"""Secrets in sentences, and codes that a person reads."""

from __future__ import annotations

from redaction.patterns import (
    COPULA,
    FOREIGN_HINTS,
    GAP,
    OWNER,
    PASSWORD_NAME,
    QUOTE,
    SECRET_LOOKING,
    SENSITIVE_NAME,
    SPACE,
    VERB,
    VERB_BEFORE,
    WITH_SIGN_INSIDE,
    WORD_START,
    WORDS_BETWEEN,
)
from redaction.rules.replacements import (
    mask_like_password,
    mask_quoted_name,
    mask_secret_looking,
    mask_stated,
    mask_unlike_words,
    mask_words,
)
from redaction.rules.rule import NAME_HINTS, Rule

_PASSWORD_HINTS = ("pass", "pwd", "psk", "secret", "shared", *FOREIGN_HINTS)
_NOUNS = "|".join(sorted({hint for hint in NAME_HINTS if " " not in hint}))
# What lists of credentials call a user and a password together.
_CREDENTIALS = r"""(?: user(?:name)?\s?/\s?pass(?:word)? | credentials? | login | zugangsdaten
    | identifiants | credenciales | credenziali )"""

_VALUE = r"(?:value|got|received|entered|provided|wert|valeur|valor|valore|waarde|wartość|hodnota|значение|値)"
_VALUE_HINTS = (
    "value", "got", "received", "entered", "provided", "wert", "valeur", "valor", "waarde",
    "wartość", "hodnota", "значение", "値",
)  # fmt: skip
# What stands between a value and the name of a parameter.
_FOR = r"""(?:is[ ](?:not[ ])?(?:an?[ ])?(?:valid[ ]|invalid[ ])?)?(?:value[ ])?
    (?:for|of|as|to|für|para|pour|per|voor)[ ](?:the[ ])?(?:\w{1,20}[ ])?"""
_FROM = r"(?:from|von|vom|de|du|da|dal|van|z|ze|från|fra|din|из|с)"
_TO = r"(?:to|auf|zu|para|por|à|a|en|naar|na|till|til|în|на)"

_OF_AN_ACCOUNT_HINTS = (
    "word", "wort", "phrase", "pass", "psk", "secret", "credential", "credenci", "zugangsdaten",
    "identifiants", "login", *FOREIGN_HINTS,
)  # fmt: skip
_USER_AND_HINTS = (
    "user/", "user /", "username/", "username /", "credential", "credenci", "zugangsdaten",
    "identifiants", "login:", "login =", "login=", "sign in ", "log in ", "sign-in ",
)  # fmt: skip
_BEFORE_NAME = rf"[ ](?:{VERB_BEFORE}[ ]|\()(?:[\w'’.\-]{{1,20}}[ ]){{0,3}}?"


def _value_before(name: str) -> str:
    """Return the pattern of a sentence that says that a value is what the name says."""
    return rf"""(?<![^\s"'`(])(?P<value>{SECRET_LOOKING}|\d{{4,8}})["'`)]?
        {_BEFORE_NAME}{name}(?![\w\-])"""


RULES = (
    Rule(
        name="password of an account",
        hints=_OF_AN_ACCOUNT_HINTS,
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}(?:et|en)?(?=[ ]){OWNER}
            (?:[ ]?[:=：][ ]{{1,2}}|[ ]{{1,2}}{COPULA}[ ]{{1,2}})
            (?P<q>["'`])?(?P<value>{SECRET_LOOKING})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="the password for user x is y, password of x: y",
    ),
    Rule(
        name="user and password",
        hints=_USER_AND_HINTS,
        pattern=rf"""{WORD_START}
            (?: {_CREDENTIALS}\s?[:=]\s?[^\s/:]{{1,60}}\s?/\s?
              | (?:sign|log)[ \-]?in[ ](?:with|as)[ ][^\s/:]{{1,60}}\s/\s )
            (?P<q>["'`])?(?P<value>{SECRET_LOOKING})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="user/pass: x / y, sign in with x / y",
    ),
    Rule(
        name="name and value without punctuation",
        hints=(
            "pass",
            "pwd",
            "pw ",
            "secret",
            "psk",
            "kennwort",
            "pre-shared-key",
            "presharedkey",
            "master",
        ),
        pattern=rf"""{WORD_START}(?: (?:pass(?:word|wd|phrase)|passwort|kennwort)
              | (?:l2tp|ike|ipsec|vpn|wpa[23]?)?psk(?:secret)? | (?:shared|client){GAP}secret
              | pre-?shared-?key | requirepass | master_?auth | auth-pass[ ]\S{{1,60}} |
              key-file-pass | and{SPACE}{{1,2}}pass
              | (?:user|login)\s\S{{1,60}}\spass | (?:with|has|mit|and|using)[ ]pw | (?:bind
              |root|admin|user|ldap)_?pw )
            {SPACE}{{1,4}}(?:--?[a-z\-]{{4,20}}{SPACE})?(?P<q>["'])?(?P<value>{SECRET_LOOKING})
            (?(q)(?P=q))""",
        gate=rf"""(?:word|wd|phrase|wort|psk|secret|key|pass|pw|auth
            |pass[ ]\S{{1,60}}){SPACE}{{1,4}}
            (?:--?[a-z\-]{{4,20}}{SPACE})?["']?(?:[^\s"']{{0,60}}[\d!@\#$%^*+=~]
            |[a-z]{{3,16}}[\-_.][a-z])""".lower(),
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale='login x password y, shared secret "x", neighbor x password y',
    ),
    Rule(
        name="password in quotation marks",
        hints=_PASSWORD_HINTS,
        after_name=True,
        pattern=rf"""(?:{PASSWORD_NAME}|requirepass|(?<=["'][ ])pass(?=[ ]["'])|master_?auth)
            (?:(?:[ ][^\s"'`:=]{{1,30}}){{0,6}}?{SPACE}{{1,2}}{COPULA}|は|为|為)?
            (?: {SPACE}{{1,2}}["'`](?P<value>[^"'`\n]{{4,200}})["'`]
              | (?:[ ](?:auf|to|als|as|su))?\s{{0,2}}[:=：]?\s{{0,2}}
                [“„«「‘]\s?(?P<password>[^”“»」’\n]{{4,200}}?)\s?[”“»」’] )""",
        gate=r"""["'`”“»」’]""",
        replacement=mask_words,
        rationale='wrong passphrase "x", Das Kennwort lautet „x“',
    ),
    Rule(
        name="name and value in a sentence",
        hints=("pass", "pwd", "psk", "secret", "token", "key", "seed", "community", *FOREIGN_HINTS),
        after_name=True,
        pattern=rf"""(?:{WORD_START}|(?<=[a-zäöüß]{{2}})(?=passwort|kennwort))
            (?P<name> {PASSWORD_NAME} | secret{GAP}access{GAP}key | (?:mfa[ ])?seed
              | community[ ]string | secret | token | api[_\- ]?key | signing[ ]secret )s?
            (?: (?:et|en)?{SPACE}{{1,2}}{COPULA}{SPACE}{{1,2}}
              | (?<=[^\x00-\x7f])(?:は|为|為|是|는|은)\s?[:：]?\s?
              | \s?[(\[][^()\[\]\n]{{1,30}}[)\]]\s?[:=]\s?
              | \s?[(\[]
              | {SPACE}{{1,4}}(?:of|for|from){SPACE}[^\s:=]{{1,60}}{SPACE}?[:=]{SPACE}{{1,2}}
              | {SPACE}{{1,4}}(?:[0567]{SPACE})?
              | [^\n]{{0,60}}\btyped\s\[ )
            ["'`]?(?P<value>[^\s"'`,;()\[\]<>]{{6,200}})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_unlike_words,
        rationale="your new password is x, the secret x was, password (temporary): x, password (x)",
    ),
    Rule(
        name="value at the end of a sentence about it",
        hints=NAME_HINTS,
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME})(?:e?[nt]|a|er|та|то|ul
            |jen)?["'`]?(?P<between>{WORDS_BETWEEN})
            (?:[ ]\(?{VERB}|(?P<colon>[ ]?[:：]|[ ][—–])
            |(?=[ ]["'`]))[ ]{{1,2}}["'`(]?(?P<value>{SECRET_LOOKING}|\d{{4,8}}\b)""",
        in_words=True,
        unlike_words=True,
        replacement=mask_stated,
        rationale="the password of x has been set to y, hasło x zmienione na: y",
    ),
    Rule(
        name="value in quotation marks after its name",
        hints=_VALUE_HINTS,
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}(?!\w)[^\n"“]{{0,120}}?{_VALUE}[ :]{{1,2}}
            ["'`“\[](?P<value>[^"'`“”\]\n]{{4,200}})["'`”\]]""",
        gate=rf"""{_VALUE}[ :]{{1,2}}["'`“\[]""",
        replacement=mask_like_password,
        rationale="Cannot bind 'Password'. Cannot convert the value \"x\"; --password: got 'x'",
    ),
    Rule(
        name="value in quotation marks before its name",
        hints=(*_VALUE_HINTS, '"', "'", "`", "”"),
        with_name=True,
        pattern=rf"""["'`“](?P<value>[^"'`“”\n]{{4,200}})["'`”][ ]{_FOR}["'`]-{{0,2}}
            [\w.\-]{{0,40}}?{SENSITIVE_NAME}["'`]""",
        gate=rf"""["'`”][ ]{_FOR}["'`]""",
        replacement=mask_like_password,
        rationale='invalid value "x" for the argument "--password"',
    ),
    Rule(
        name="text that becomes a SecureString",
        hints=("securestring",),
        pattern=r"""["'`“«](?P<value>[^"'`“”«»\n]{3,200})["'`”»][^\n"'`“”]{0,60}
            ["'`“«]?System\.String["'`”»]?[^\n]{0,80}?SecureString
            | SecureString[^\n"]{0,40}:[^\n"]{0,40}"
            (?P<password>[^"\n]{3,200})"[^\n"]{0,60}"System\.String""",
        gate=r"system\.string[^s]",
        replacement=mask_like_password,
        rationale='Cannot convert the "x" value of type "System.String" to "…SecureString"',
    ),
    Rule(
        name="value before another one",
        hints=_PASSWORD_HINTS,
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}[^\n]{{0,80}}?[ ]{_FROM}[ ]["'`]?
            (?P<value>{SECRET_LOOKING})["'`]?[ ]{_TO}[ ]""",
        gate=rf"[ ]{_FROM}[ ][^ \n]{{6,200}}[ ]{_TO}[ ]",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="changed the password of jan from x to y",
    ),
    Rule(
        name="value before its name in a sentence",
        hints=NAME_HINTS,
        with_name=True,
        pattern=_value_before(rf"[\w.\-]{{0,40}}?(?P<name>{SENSITIVE_NAME})"),
        gate=rf"{_BEFORE_NAME}[\w.\-]{{0,40}}?(?:{_NOUNS})",
        in_words=True,
        unlike_words=True,
        replacement=mask_stated,
        rationale="use x as the password, x is the new PIN",
    ),
    Rule(
        name="value before the key in a sentence",
        hints=("the key",),
        pattern=_value_before("(?<=the[ ])(?P<name>key)"),
        gate=rf"{_BEFORE_NAME}key",
        in_words=True,
        unlike_words=True,
        replacement=mask_stated,
        rationale="use x as the key",
    ),
    Rule(
        name="password with signs in a sentence about it",
        hints=_PASSWORD_HINTS,
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}(?![\w.\-]{{0,100}}[=/(])[^\n=<>{{}}]{{1,100}}?(?<=[\s"'`“„«(:])
            (?P<value>{WITH_SIGN_INSIDE})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="the password that jan uses for the scanner, Fiets!Gracht22, is known",
    ),
    Rule(
        name="name in quotation marks and value in a sentence",
        hints=("' ", '" ', "` ", "input_value"),
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}{QUOTE}\s[^\n"`:{{}}]{{0,80}}?
              (?:\bvalue[ ]["'`]?|:[ ]["'`]?)(?P<value>[^\s"'`,;]{{6,200}})
          | {SENSITIVE_NAME}\n\s{{1,4}}[^\n]{{1,300}}?
            \binput_value=["'](?P<password>[^"'\n]{{3,200}})""",
        gate=r"""["'`]\s[^\n]{1,80}?(?:value[ ]|:[ ])|input_value=""",
        replacement=mask_quoted_name,
        rationale="unknown field `client_secret` with value `x`; an error of Pydantic",
    ),
)
