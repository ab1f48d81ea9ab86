"""Secrets in sentences, and codes that a person reads."""

from __future__ import annotations

from redaction.patterns import (
    COPULA,
    FOREIGN_HINTS,
    GAP,
    MASKED,
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
    mask_given,
    mask_groups,
    mask_like_password,
    mask_phrase,
    mask_quoted_name,
    mask_replaced,
    mask_second,
    mask_secret_looking,
    mask_stated,
    mask_unknown_word,
    mask_unless_ordinary,
    mask_unlike_words,
    mask_used,
    mask_words,
)
from redaction.rules.rule import NAME_HINTS, Rule

_PASSWORD_HINTS = ("pass", "pwd", "psk", "secret", "shared", *FOREIGN_HINTS)
_NOUNS = "|".join(sorted({hint for hint in NAME_HINTS if " " not in hint}))
# What lists of credentials call a user and a password together.
_CREDENTIALS = r"""(?: user(?:name)?\s?/\s?pass(?:word)? | credentials? | creds | login
    | zugangsdaten | identifiants | credenciales | credenziali | inloggegevens | credenciais )"""
_SIGN_IN = r"""(?: (?:sign|log)[ \-]?in[ ](?:with|as) | anmelden[ ]mit | inloggen[ ]met | connexion[ ]avec
    | entrar[ ]con | accedere[ ]con | logga[ ]in[ ]med | log[ ]ind?[ ]med )"""

_VALUE = r"(?:value|got|received|entered|provided|wert|valeur|valor|valore|waarde|wartość|hodnota|значение|値)"
_VALUE_HINTS = (
    "value", "got", "received", "entered", "provided", "wert", "valeur", "valor", "waarde",
    "wartość", "hodnota", "значение", "値",
)  # fmt: skip
# What stands between a value and the name of a parameter.
_FOR = r"""(?:is[ ](?:not[ ])?(?:an?[ ])?(?:valid[ ]|invalid[ ])?)?(?:value[ ])?
    (?:for|of|as|to|für|para|pour|per|voor)[ ](?:the[ ])?(?:\w{1,20}[ ])?"""
_FROM = r"(?:from|von|vom|de|du|da|dal|van|z|ze|från|fra|din|из|с)"
_WITH = r"(?:with|using|mit|met|avec|con|com)"
_TO = r"(?:to|auf|zu|para|por|à|a|en|naar|na|till|til|în|на)"

_OF_AN_ACCOUNT_HINTS = (
    "word", "wort", "phrase", "pass", "psk", "secret", "credential", "credenci", "zugangsdaten",
    "identifiants", "login", "pw", "ww ", *FOREIGN_HINTS,
)  # fmt: skip
_USER_AND_HINTS = (
    "user/", "user /", "username/", "username /", "credential", "credenci", "zugangsdaten",
    "identifiants", "login", "sign in ", "log in ", "sign-in ", "creds", "inloggegevens", "credenciais",
    "anmelden", "inloggen", "connexion", "entrar", "accedere", "logga in", "log ind",
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
        pattern=rf"""(?:{PASSWORD_NAME}|pass(?=[ ](?:del|de|du|della|von|van|für|for)[ ]))
            (?:et|en)?(?=[ ])(?:[ ]for[ ](?:[a-z]{{1,12}}[ ])?["'][^"'\n]{{1,120}}["']|{OWNER})
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
            (?: {_CREDENTIALS}(?:[ ][\w'’.\-]{{1,30}}){{0,6}}?\s?[:=(→]\s?(?!\[?host/)[^\s/:]{{1,60}}\s?/\s?
              | {_SIGN_IN}[ ][^\s/:]{{1,60}}\s/\s )
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
            "clave ",
            "mdp ",
            "ww ",
        ),
        pattern=rf"""{WORD_START}(?: (?:pass(?:word|wd|phrase)|passwort|kennwort)\d? | clave
              | (?:l2tp|ike|ipsec|vpn|wpa[23]?)?psk(?:secret)? | (?:shared|client){GAP}secret
              | pre-?shared-?key | requirepass | master_?auth | auth-pass[ ]\S{{1,60}} |
              key-file-pass | and{SPACE}{{1,2}}pass
              | (?:user|login)\s\S{{1,60}}\spass | (?:pw | mdp | ww)(?:[ ](?:wi-?fi|wlan))? | (?:new|temp(?:orary)?|old|initial|the|his|her|their)[ ]pass | (?:bind
              |root|admin|user|ldap)_?pw )
            {SPACE}{{1,4}}
            (?:--?[a-z\-]{{4,20}}{SPACE})?'?(?P<q>["'])?(?P<value>{SECRET_LOOKING})
            (?(q)(?P=q))""",
        gate=rf"""(?:word|wd|phrase|wort|psk|secret|key|pass|pw|auth|mdp|ww|clave|word\d|wifi|wi-fi|wlan
            |pass[ ][^\s]{{1,60}}){SPACE}{{1,4}}
            (?:--?[a-z\-]{{4,20}}{SPACE})?["']{{0,2}}(?:[^\s"']{{0,60}}[\d!@\#$%^*+=~]
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
        hints=(
            "pass",
            "pwd",
            "psk",
            "secret",
            "token",
            "key",
            "seed",
            "community",
            "otp",
            *FOREIGN_HINTS,
        ),
        after_name=True,
        pattern=rf"""(?:{WORD_START}|(?<=[a-zäöüß]{{2}})(?=passwort|kennwort))
            (?P<name> {PASSWORD_NAME} | secret{GAP}access{GAP}key | (?:mfa[ ])?seed
              | community[ ]string | secret | token | api[_\- ]?key | signing[ ]secret
              | (?<![a-z])otp | (?:master|management|recovery|license|activation|registration)[ ]key )s?
            (?: (?:et|en)?{SPACE}{{1,2}}{COPULA}{SPACE}{{1,2}}
              | (?<=[^\x00-\x7f])(?:は|为|為|是|는|은)\s?[:：]?\s?
              | [ ]?[(\[][^()\[\]\n]{{1,30}}[)\]]\s?[:=]\s?
              | \s?\( | [ ]?\[
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
            (?:[ ]\(?{VERB}|(?P<colon>[ ]?[:：]|[ ](?:[—–→]|[\-=]>))
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
        name="value in parentheses after its name",
        hints=("(given", "(got", "(was", "(received", "(entered", "(provided", "(actual", "(found"),
        after_name=True,
        pattern=rf"""(?P<name>{PASSWORD_NAME}|token|secret|api[ ]?key)[^\n()]{{0,120}}?
            \((?:given|got|was|received|entered|provided|actual|found)[ ]?:?[ ]{{1,2}}["'`]?
            (?P<value>[^\s"'`()]{{4,200}})["'`]?[,)]""",
        in_words=True,
        replacement=mask_given,
        rationale="Password is too weak (given x)",
    ),
    Rule(
        name="words of a passphrase",
        hints=("phrase",),
        pattern=r"""pass[ \-]?phrase(?P<between>[^\n:"'→>]{0,60}?)[ ]?(?::|->|=>?|→)[ ]{1,4}(?P<q>["'])?
            (?P<value>[a-z]{2,12}(?:[ \-][a-z]{2,12}){3,23})(?(q)(?P=q))(?=[ ]*(?:\n|\Z))""",
        gate=r"[:>→=][ ]{1,4}[\"']?[a-z]{2,12}[ \-][a-z]{2,12}[ \-]",
        in_words=True,
        replacement=mask_phrase,
        rationale="passphrase for uninstall: FOG LAMP SEAT DESK",
    ),
    Rule(
        name="password of a guest network",
        hints=("wi-fi", "wifi", "wlan", "hotspot", "guest net", "gäste"),
        pattern=r"""(?:(?:guest|visitor|g[äa]e?ste|invit[ée]s?|invitados|ospiti|gasten)[ \-]?
                (?:wi-?fi|wlan|hotspot|network|netz)|(?:wi-?fi|wlan|hotspot)[ ](?:for[ ])?
                (?:guests?|visitors|gäste|invit[ée]s|invitados|ospiti|gasten))
            [ ]?[:=→][ ]{0,4}["'`]?(?P<value>[^\s"'`,;()<>]{8,63})(?=["'`,;.]{0,2}(?:[ ]*\n|[ ]*\Z|[ ][(,]))""",
        gate=r"(?:wi-?fi|wlan|hotspot|net\w*|g[äa]e?ste|guests?|\w)[ ]?[:=→]",
        unlike_words=True,
        replacement=mask_like_password,
        rationale="Guest wifi: x",
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
        name="value that a parser refuses",
        hints=("invalid type:", "invalid value:", "invalid length:"),
        with_name=True,
        gate=r"invalid[ ](?:type|value|length):[^\n]{1,240}[ ](?:key|field)[ ][\"'`]",
        pattern=rf"""\binvalid[ ](?:type|value|length):[ ][\w ]{{1,20}}["`](?P<value>[^"`\n]{{3,200}})["`],
            [^\n]{{1,120}}?[ ](?:key|field)[ ]["'`][\w.\-]{{0,40}}?{SENSITIVE_NAME}["'`]""",
        replacement=mask_unless_ordinary,
        rationale='invalid type: string "x", expected a map for key "smtp.password"',
    ),
    Rule(
        name="sign-in with a password",
        hints=("log", "sign", "authenticat", "bind", "connect", "unlock", " in with ", "get in"),
        gate=rf"[ ]{_WITH}[ ][\"'`]?[^\s]{{6}}",
        pattern=rf"""\b(?:(?:log|sign)(?:ged|ging|s|ed|ing)?[ \-]?(?:in|on)|authenticat\w{{1,4}}|bind(?:ing)?
            |connect(?:ed|ing|s)?|unlock(?:ed|ing|s)?|(?:gets?|getting|got|come|came)[ ]in)
            (?:[ ][^\s"'`:]{{1,60}}){{0,4}}?[ ]{_WITH}[ ]["'`]?
            (?!(?:sha|md5|aes|tls|ssl)[\w\-.]*[:,]?)(?P<value>[^\s"'`,;()<>{{}}\[\]/\\]{{6,64}})""",
        unlike_words=True,
        replacement=mask_used,
        rationale="authenticating jan with x, he logged in with x",
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
        name="app password",
        hints=(
            "app pass",
            "app-pass",
            "app-spec",
            "application pass",
            "application-spec",
            "app_pass",
            "apppass",
            "gmail",
            "google",
            "smtp",
            "imap",
            "password is ",
            "aplica",
            "applica",
        ),
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}[^\n]{{0,60}}?[ ](?P<value>(?:[a-z]{{4}}[ ]){{3}}[a-z]{{4}})(?![\w\-])""",
        gate=r"(?:[a-z]{4}[ ]){3}[a-z]{4}",
        in_words=True,
        replacement=mask_groups,
        rationale="a password in groups of four letters, which are no words",
    ),
    Rule(
        name="temporary access pass",
        hints=("tap", "access pass"),
        pattern=r"""(?:(?-i:\bTAP)|access[ ]pass)(?:[ ][^\s:=]{1,30}){0,6}?
            (?:[ ]?[:=：→—–]|[ ](?:is|ist|est|es|è|é))?[ ]{1,2}["'`“„«]?
            (?P<value>[a-z]{8,48})(?![\w\-/.@:])""",
        gate=r"(?:tap|access[ ]pass)\b[^\n]{0,200}?[a-z]{8}",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="a pass of letters alone, which is no word",
    ),
    Rule(
        name="value before another one",
        hints=NAME_HINTS,
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME})(?P<between>(?:[^\w\n][^\n]{{0,80}}?)?)[ ]{_FROM}[ ]
            (?: (?P<q>["'`])(?P<value>[^"'`\n]{{3,64}})["'`][ ]{_TO}[ ]["'`](?P<new>[^"'`\n]{{3,64}})
              | (?P<password>{SECRET_LOOKING}|\d{{4,8}}|\S{{4,64}}(?=[ ]{_TO}[ ]\[redacted))["'`]?
                [ ]{_TO}[ ] )""",
        gate=rf"[ ]{_FROM}[ ][^ \n]{{3,200}}[ ]{_TO}[ ]",
        in_words=True,
        replacement=mask_replaced,
        rationale="changed the password of jan from x to y",
    ),
    Rule(
        name="value after another one",
        hints=("[redacted",),
        pattern=rf"""{MASKED}["'`]?
            (?: [,;.]?[ ](?:and[ ]|but[ ])?(?:(?:it[ ])?is|it['’]s|ist|est|es|é|è)?[ ]?
                (?:now|jetzt|nun|nu|maintenant|ahora|agora|ora)(?:[ ]is|[ ]it['’]s|:)?[ ]["'`]?
              | [ ](?:{_TO}|→|->|=>)[ ]["'`]? | ["'][ ]["'] )
            (?P<value>(?!\[redacted)
                (?:(?<=["'`])[^"'`\n]{{3,200}}(?=["'`])|[^\s"'`,;()\[\]<>]{{4,200}}))
            (?=["'`]{{0,2}}[.,;)\]]{{0,2}}(?:\s|\Z))""",
        replacement=mask_second,
        rationale="the password was x, now y; PIN: x => y",
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
        name="unknown word after a name",
        hints=_PASSWORD_HINTS,
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}(?P<rest>[^\n]{{2,160}})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_unknown_word,
        rationale="the password is x, where x is a word of no language",
    ),
    Rule(
        name="unknown word after a short name",
        hints=("pass", "pw ", "pw:", "ww ", "mdp", "tap", "cred", "login", "admin"),
        pattern=r"""(?<![a-z])(?:pass|pw|ww|mdp|tap|creds?|credentials|logins?|admin)(?![a-z])(?P<rest>[^\n]{2,160})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_unknown_word,
        rationale="pass x; creds: admin / x",
    ),
    Rule(
        name="unknown word before a name",
        hints=_PASSWORD_HINTS,
        pattern=rf"""(?<![^\s"'`“(])(?P<value>(?-i:[a-z]{{8,24}}))["'`”)]?{_BEFORE_NAME}{PASSWORD_NAME}(?![\w\-])""",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="use x as the password",
    ),
    Rule(
        name="password with signs in a sentence about it",
        hints=_PASSWORD_HINTS,
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}(?![\w.\-]{{0,100}}[=/(])[^\n=<>{{}}]{{1,100}}?(?<=[\s"'`“„«(:])(?<!\d:)
            (?P<value>{WITH_SIGN_INSIDE})""",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="the password that jan uses for the scanner, Fiets!Gracht22, is known",
    ),
    Rule(
        name="name in quotation marks and value in a sentence",
        hints=("' ", '" ', "` ", "input_value", ": invalid ", "errordetail"),
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}
            (?: {QUOTE}\s[^\n"`:{{}}]{{0,80}}?
                (?:\bvalue[ ]["'`]?|:[ ]["'`]?)(?P<value>[^\s"'`,;]{{6,200}})
              | \n\s{{1,4}}[^\n]{{1,300}}?
                \binput_value=(?:["'](?P<password>[^"'\n]{{3,200}})|(?P<pin>\d{{4,20}})(?=,))
              | ["'`]?[^\n]{{0,40}}?\binvalid[ ](?:type|value|length):[ ][\w ]{{1,20}}
                ["`](?P<seed>[^"`\n]{{3,200}})["`]
              | ["']:\s?\[ErrorDetail\(string=["'][“"'](?P<last>[^”"'\n]{{3,200}}) )""",
        gate=r"""["'`]\s[^\n]{1,80}?(?:value[ ]|:[ ])|input_value=|:[ ]invalid[ ]|errordetail\(""",
        replacement=mask_quoted_name,
        rationale="unknown field `client_secret` with value `x`; an error of Pydantic",
    ),
)
