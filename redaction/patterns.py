"""Building blocks of the rules' regular expressions.

All of them are written for `re.VERBOSE | re.IGNORECASE`. Every repetition is bounded or cannot
overlap with what follows it, so that no input takes more than linear time.
"""

from __future__ import annotations

import re

from redaction.words import KEYS, PASSWORDS, alternatives, beginnings, longest_parts, words


def _parts(alternatives: str) -> list[str]:
    """Return the alternatives of a pattern that are not in parentheses."""
    return re.findall(r"(?:\([^)]*\)|[^|(])+", alternatives)


# Punctuation around a name and its value: plain, escaped (nested JSON), HTML- or URL-encoded.
QUOTE = r"""(?: \\{0,7}["'`] | &(?:amp;)?(?:quot|apos|\#0?3[49]|\#x2[27]); | %(?:25){0,2}2[27] )"""
SPACE = r"(?: \s | \+ | %(?:25){0,2}(?:20|0[AD9]) | \\{1,7}[rnt] )"
NOT_ESCAPED = r"(?<!\\)(?<!%5C)(?<!%255C)"
OPTIONAL_SPACE = rf"{SPACE}{{0,40}}"
SLASH = r"(?: / | %(?:25){0,2}2F )"
DOLLAR = r"(?: \$ | %(?:25){0,2}24 )"
TAG_START = r"(?: < | &lt; | %(?:25){0,2}3C )"
TAG_END = r"(?: > | &gt; | %(?:25){0,2}3E )"
WORD_START = r"(?: (?<![a-z0-9]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) | (?<=\\[nrt]) )"
OPTION_START = r"(?: (?<![\w\-]) | (?<=%20) | (?<=%2520) | (?<=\\[nrt]) )"
ASSIGNMENT = rf"""{OPTIONAL_SPACE}
    (?: := | => | == | ::(?=[ ]) | [:=：＝] | %(?:25){{0,2}}3[AD]
    | &(?:amp;)?(?:\#61|equals); ) {OPTIONAL_SPACE}"""
# The first form is code: a type between a name and its value, or the name as an index.
NAME_VALUE_SEPARATOR = rf"""(?: (?: \s?:\s?[a-z_][\w.\[\]|]{{0,30}} | \s(?:secure)?string
    | {QUOTE}\] )\s?:?=\s?(?=["'])
    | {QUOTE}?{ASSIGNMENT} | \)\s?=\s?\( )"""
GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
MASKED = r"\[redacted(?::\d{1,9})?\]"

# Passwords, and keys, tokens and secrets, in other languages.
FOREIGN_PASSWORDS = alternatives(words(PASSWORDS))
FOREIGN_KEYS = rf"""(?: (?<![a-zäöüß])[a-zäöüß]{{2,30}}-?schlüssel
    | (?: (?:(?<![a-z])|(?=sleutel|n[øo]gle|n[øo]kkel|nyckel|avain))
      {alternatives(words(KEYS))} | 鍵 | (?<![a-z])mdp )(?:n|t)? )"""
FOREIGN_KEY_HINTS = (
    *(hint for hint in longest_parts(words(KEYS)) if hint not in ("acces", "secre")),
    "secreto", "d'acc", "d’acc", "鍵", "mdp",
)  # fmt: skip
FOREIGN_HINTS = (
    *(hint for hint in longest_parts(words(PASSWORDS)) if hint not in ("acces", "passe")),
    *FOREIGN_KEY_HINTS, "%c3%b1",
)  # fmt: skip
# Names that a password follows also in a sentence.
PASSWORD_NAME = rf"""(?: pass(?:word|wd|wrd|wrod|owrd|[ \-]?phrase|code) | pwd
    | (?<![a-z])(?:l2tp|ike|wpa[23]?)?psk(?:secret)?
    | pre-?[ ]?shared[ \-]?key | (?:shared|client|radius|l2tp)[ _\-]?secret | access[ ]pass
    | (?<![a-z])(?:pw|mdp|ww)(?![a-z]) | (?:security|secret)[ ]answer
    | {FOREIGN_PASSWORDS} )"""
# What stands between a name and its value in a sentence: a verb, also in other languages.
COPULA = r"""(?: (?:(?:has|have|had|a)\ (?:been|été)\ | (?:is|was|wurde)\ )?(?:now\ )?
      (?:set|changed|reset|updated|chang[ée]e?|modifi[ée]e?|cambiada|alterada|gewijzigd
      |zmienion[eoy])\ (?:to|en|a|para|por|naar|na)
    | (?:è\ stat[oa]\ )?(?:cambiat|modificat|impostat)[oa]\ (?:in|su|a) | ist\ seit\ \w{3,10}
    | has\ been\ generated | (?:is|was)\ generated | is | was | ist | war | lautet | c['’]est | wurde\ auf
    | est | es | é | è | jest | to | este | är | er | (?<=a[ ])on
    | は | 为 | 為 | 是 )(?:\ now|\ jetzt)?[ ]?:?"""

# What stands between a name and the verb or sign: a word about it, and whose it is.
OWNER = r"""(?: [ ](?:temp(?:orary|oral|oranea|or[áa]ria|oraire)|initial[e]?|inicial|iniziale
    |provisoire|provis[óo]ri[ao]
        |provvisoria|administrat\w{1,7}|wi-?fi|tymczasowe|startowe|nowe|nueva|nova|generated
        |entered|used|value|hash) )?
    (?: [ ](?:(?:is|was|has\ been)\ )?(?:generated\ |created\ |set\ )?
        (?:of|for|on|von|vom|des|für|de|du|d'|del|della|dell['’](?=\w)|di|do|da|per|pour|para
        |dla|для|van|voor|till|för|til|użytkownika|пользователя)
        (?:[ ]?[\w.@\\\-]{1,60})?(?:[ ][\w.@\\\-]{1,60}){0,3}?(?<![ ]user)(?<![ ]account)
        (?<![ ]device)(?<![ ]tenant) )?"""
# What can be between two words of a name.
GAP = r"(?:[_\-. +]|%(?:25)?20)?"
# What a key opens or who has it: `wifiKey`, `api-key`, `PRIVATE_KEY`.
KEY_OWNERS = (
    r"api|access|account|symm(?:etric)?|private|encryption|decryption|signing|signature|master|subscription|unseal|client|acct|enroll"
    r"|functions?|fernet|credential|storage|recovery|host|service|deploy|ssh|hmac|shared|session"
    r"|workspace|primary|secondary|decrypt|encrypt|crypt|cipher|admin|query"
    r"|auth(?:entication|orization)?|webhook|sas|product|licen[sc]e|network|wi-?fi|wlan|wireless"
    r"|wpa[23]?|wep|vpn|ipsec|ike|l2tp|radius|tacacs|activation|pre-?[ ]?shared|validation|routing"
    r"|setup|install(?:er|ation)?|customer|consumer|registration|enroll?ment|provisioning|join"
    r"|cluster|node|agent|device|backup|vault|jwt|bypass|unlock|pairing|bluetooth|integration"
    r"|ingest(?:ion)?|write|publish(?:er|ing)?|server|hotspot|guest|rest|root"
)
# The same for words that are also the end of others.
_KEY_OWNERS_ALONE = (
    r"dd[_\-]app|app|application|mac|aes|data|bot|nonce|logged[_\-]in|secure[_\-]auth"
)
# Whose password an abbreviation names: `smtp_pw`, `dbpass`.
OWNERS_OF_ABBREVIATIONS = (
    r"bind|dn|root|admin|user|login|account|smtp|imap|pop3?|mail|email|ldap|ftp|sftp|ssh|db|sql|pg"
    r"|mysql|proxy|machine|store|key|require|sudo|become|vnc|rpc|mqtt|auth|priv|cert|pfx|zip|pdf"
    r"|web|http|wi-?fi|wlan|vpn|new|old|my|svc|service|host|guest|nas|sip|enable|backup|sys|sa"
)
_CODE_OWNERS = (
    r"bypass|unlock|auth|activation|recovery|verification|confirmation|pairing|security|access|door"
    r"|alarm|disarm|safe|backup|otp|mfa|2fa|sms|integration|kiosk(?:mode)?exit|reg|registration|enroll?ment"
)
_PIN_OWNERS = r"lock|device|user|startup|exit|kiosk|security"
# What can follow the noun in a name: a form of the value, or which of several it is.
NAME_SUFFIX = r"""(?: [_\-.]? (?: base64|b64|hex|raw|hash|value|text|plain(?:[_\-]?text)?
    |clear(?:[_\-]?text)?|string
    |command|format[_\-]?string|utf8|enc(?:rypted)?|confirm(?:ation)?|again|repeat|verify|new
    |old|current )
    | [_\-.]? (?: prod(?:uction)? | dev | test | staging | qa | admin | root | db | primary
    | secondary )(?![a-z])
    | [_\-.]?\d{1,3} ){0,2}"""
# A name whose value is secret. The end of the name decides: `db_password` matches;
# `password_policy_name`, `token_type` and `secretReferenceValueId` do not.
SENSITIVE_NAME = rf"""(?:
    (?: pass(?:word|wd|wrd|wrod|owrd|[ _\-]?phrase|code) | {FOREIGN_PASSWORDS}(?:_[a-z]{{2,12}}(?=\s?=))?
      | pwd | psk | (?: (?<![a-z]) | {OWNERS_OF_ABBREVIATIONS}
      | (?-i:(?<=[a-z])(?=P[Ww](?![a-z]))) )_?pw
      | (?: (?<![a-z]) | {OWNERS_OF_ABBREVIATIONS} | (?-i:(?<=[a-z])(?=Pass)) )_?pass
      | access{GAP}pass | sonar\.login | (?<![a-z])(?:mdp|ww)(?![a-z]) | master_?auth(?![a-z])
      | (?:security|secret){GAP}answer
      | (?:auth|nonce|logged_in|hash|pass(?:word|wd)?){GAP}salt
      | (?:(?:shared|client|radius|l2tp){GAP})?secret(?:{GAP}(?:client|key(?:[_\-]?base)?
      |access{GAP}key))?
      | (?<!skip)(?<!delta)(?<!continuation)(?<!next)(?<!page)(?<!next_)(?<!page_)
      (?<!skip[ _-])token
      | (?<![a-z])token_?id(?={QUOTE}?\s?[:=]\s?{QUOTE}?(?:{GUID}|[0-9a-f]{{20,64}})(?![\w\-]))
      | (?:{KEY_OWNERS}|(?<![a-z])(?:{_KEY_OWNERS_ALONE})){GAP}key
      | (?<=[a-z\d]_)key(?={QUOTE}?\s?[:=]\s?{QUOTE}?[a-z\d+/=]{{24,}}(?![\w.\-]))
      | unseal[ ]key[ ]\d | (?<![a-z])skey | bw_session | (?<![a-z])(?:bprt|phash)
      | (?<![a-z])key[12](?={QUOTE}?\s?[:=]\s?{QUOTE}?[a-z\d+/]{{24,}})
      | (?<![a-z])bearer(?={QUOTE}?\s?=\s?["'])
      | client{GAP}state | key{GAP}(?:material|content)
      | (?:{_CODE_OWNERS}){GAP}code
      | (?: (?<![a-z]) | (?:{_PIN_OWNERS}) | (?-i:(?<=[a-z])(?=P[Ii][Nn](?![a-z]))) )
        pin(?:{GAP}code)?
      | (?<![a-z])puk | (?:snmp|community){GAP}string
      | (?:snmp(?:v[123]c?)?|ro|rw|read|write){GAP}community
      | (?:scep{GAP})?challenge | (?:(?<![a-z])(?:nt|lm|ntlm|pw)|pass){GAP}hash
      | (?:seed|recovery){GAP}phrase | mnemonic | (?:totp|otp|mfa|oath){GAP}seed
      | connection{GAP}string | assertion | saml[_\-]?response | code[_\-]?verifier
      | device[_\-]?code | (?:(?<![a-z0-9])|(?<=%[0-9a-f]{{2}}))sig(?:nature)? | authorization
      | authtok | credential
      | cookie | estsauth[a-z]{{0,20}} | (?:j|php|asp\.net_)?sess(?:ion)?[_\-]?id | connect\.sid
      | (?<![a-z])otp
    )s?{NAME_SUFFIX}
)"""

_NOUN_BEGINNINGS = (
    "pass", "pwd", "psk", "pw", "_pw", "_pass", "secret", "shared", "client", "radius", "l2tp",
    "access", "token", "sonar", "key", "pin", "puk", "snmp", "community", "scep", "challenge",
    "r(?:o|w|ead)(?:[_. +-]|%(?:25)?20)?community", "write(?:[_. +-]|%(?:25)?20)?community",
    "nt(?:lm)?(?:[_. +-]|%(?:25)?20)?hash", "lm(?:[_. +-]|%(?:25)?20)?hash", "seed", "recovery",
    "mnemonic", "totp", "otp", "mfa", "oath", "connect[.i]", "assertion", "saml",
    "code[_-]?verifier", "device[_-]?code", "sig", "authorization",
    "authtok", "credential", "cookie", "estsauth", "sess", "jsess", "phpsess", "asp", "mdp", "ww",
    "unseal key", "key[12]", "skey", "bw_session", "bprt", "phash", "bearer", "masterauth", "master_auth", "security[_. +-]?answer", "auth[_. +-]?salt", "nonce[_. +-]?salt",
    "logged_in[_. +-]?salt", "hash[_. +-]?salt",
)  # fmt: skip
# How a name begins, in lower case: what is looked for first, because it takes little time. The
# first character stands alone, as only patterns that begin with characters are fast.
_BEGINNINGS = [
    *_NOUN_BEGINNINGS,
    *beginnings(words(PASSWORDS)),
    *(f"{owner}(?:[_. +-]|%(?:25)?20)?key" for owner in _parts(KEY_OWNERS)),
    *(f"{owner}(?:[_. +-]|%(?:25)?20)?key" for owner in _parts(_KEY_OWNERS_ALONE)),
    *(f"{owner}_?p(?:ass|w)" for owner in _parts(OWNERS_OF_ABBREVIATIONS)),
    *(f"{owner}(?:[_. +-]|%(?:25)?20)?code" for owner in _parts(_CODE_OWNERS)),
    *(f"{owner}pin" for owner in _parts(_PIN_OWNERS)),
]
#: Every name has one of these at its beginning.
NAME_PARTS = frozenset(
    [
        *(max(re.findall(r"[a-z\d]+", noun), key=len) for noun in _NOUN_BEGINNINGS),
        *(beginning.split("[")[0].strip() for beginning in beginnings(words(PASSWORDS))),
        *("key", "pass", "pw", "code", "pin"),
    ]
)
NAME_START = "|".join(
    f"{first}(?={'|'.join(sorted({each[1:] for each in _BEGINNINGS if each[0] == first}))})"
    for first in sorted({each[0] for each in _BEGINNINGS})
)

# An unquoted value ends at white space, and at punctuation only if that ends the text or the next
# name, tag or quotation starts there.
VALUE_END = r"""(?: [\\"'`,;)}\]&.:!?]{0,8}(?:\s|\Z)
    | [\\"'`)}\]]{0,4}[,:]\\{0,7}["'{\[]
    | (?:amp;)?[\w.\- ]{1,40}(?:=|%3D)
    | \\{0,7}["'][\w.@$\-]{1,60}\\{0,7}["']\s?:
    | (?:amp;)?(?:quot|apos|\#\d{1,3}|lt|gt|\#x\w{1,3});(?:\s|\Z|[,;)}\]&])
    | /?[a-z]{1,10}\s?/?> )"""
UNQUOTED_VALUE = rf"""(?: {MASKED}
    | [^\s"'`<>&,;()\[\]{{}}\\]
    | ["'`<>&,;()\[\]{{}}\\](?!{VALUE_END}) )+"""
# A value after a space, as in a command line. In an encoded text, a plus and %20 end it.
ARGUMENT = rf"""(?: {MASKED} | (?<=\s){UNQUOTED_VALUE}
    | (?<!\s)(?: [^\s+%"'`<>&\\] | %(?!(?:25){{0,2}}(?:20|0[AD9]))[0-9a-f] )+ )"""


def quoted_value(quote: str = "q") -> str:
    """Return the pattern of a value up to the quotation mark that closes that of a group."""
    return rf"(?: (?!{NOT_ESCAPED}(?P={quote})). ){{1,1000}}"


def argument(value: str = "value", quote: str = "q", condition: str = "") -> str:
    """Return the pattern of a value after a space: in quotation marks to the closing one.

    The value is the group `value`; a lookahead as `condition` says what it does not begin with.
    """
    closed = quoted_value(quote)
    return rf"(?P<{quote}>{QUOTE})?(?P<{value}>{condition}(?({quote}){closed}|{ARGUMENT}))"


# A value in the quotation marks of the group "q".
QUOTED_VALUE = quoted_value()
# The next lines of a long value that is broken over several; nothing else is on them.
CONTINUATION_LINES = r"""(?: (?<=\S{20})\n[ \t]*(?=\S*\d)[a-z0-9+/_~.\-]{8,}={0,2}
    (?=[ \t]*(?:\n|\Z|["'&,;}])) )*"""
# Words that are joined, as people and password managers make them: correct-horse-battery-staple.
JOINED_WORDS = r"(?-i:[a-z]{3,16}(?:[\-_.][a-z]{2,16}){2,8})"
# A value that no sentence has after "password": at least eight characters with a digit and no date,
# version, id or address, or six with a sign or changes of case inside.
SECRET_LOOKING = rf"""(?: (?!{GUID}|\d{{4}}-\d\d|v?\d+(?:\.\d+)+\b|https?:
    |(?-i:[a-z_.\-]{{3,40}}[=:][^=\s])|[a-z_.\-]{{4,40}}[=:](?![^\s"'`]{{0,60}}[!@\#$^*+~?=])
    |[/$%({{<\[])
    (?= [^\s"'`]{{0,60}}\d[^\s"'`]{{0,60}} (?<=[^\s"'`]{{8}})
    | (?-i:(?:[^\s"'`A-Z]{{0,20}}[a-z][A-Z]{{1,9}}){{2}})
      | [^\s"'`]{{0,60}}[!@\#$%^*+=~][^\s"'`.,;] | {JOINED_WORDS}(?![\w\-]) )
    [^\s"'`]{{6,200}}(?:(?=["'`])|(?<![,;:.)\]}}])) )"""
# What names the password of a wireless network in lists of Windows, in its languages.
KEY_CONTENT = r"""(?: key[ ]content | schlüsselinhalt | contenu[ ]de[ ]la[ ]cl[ée]
    | contenido[ ]de[ ](?:la[ ])?clave | contenuto[ ](?:della[ ])?chiave | conte[úu]do[ ]da[ ]chave
    | sleutelinhoud | zawarto[śs][ćc][ ]klucza | nyckelinneh[åa]ll | n[øo]gleindhold | nøkkelinnhold
    | avaimen[ ]sis[äa]lt[öo] | obsah[ ]kl[íi][čc]e | kulcstartalom | anahtar[ ]i[̇]?[çc]eri[ğg]i
    | содержимое[ ]ключа | περιεχόμενο[ ]κλειδιού | [关關]键内容 | 密[钥鑰]内容 | 金鑰內容 | 主要なコンテンツ
    | キー[ ]?(?:の)?(?:コンテンツ|内容) | 키[ ]콘텐츠 )"""
KEY_CONTENT_HINTS = (
    "key content", "schlüsselinhalt", "contenu de", "contenido de", "contenuto", "conteúdo", "conteudo",
    "sleutelinhoud", "zawarto", "nyckelinneh", "gleindhold", "nøkkelinnhold", "avaimen", "obsah",
    "kulcstartalom", "anahtar", "содержимое", "περιεχόμενο", "内容", "內容", "コンテンツ", "콘텐츠",
)  # fmt: skip
# What names one member of an object and the other one as its value, also in other languages.
NAME_MEMBER = r"(?:\w{0,40}?(?:name|key)|id|k|property|parameter|variable|setting|attribute|field|label|question|champ|campo|feld|nom|nombre|nome|naam|navn|nazwa)"
VALUE_MEMBER = (
    r"(?:\w{0,40}?value\w{0,20}|v|val|data|content|answer|from|to|valeur|valor|wert|valore|waarde)"
)
SEVERAL_WORDS = r"(?:[a-z]{3,20}[ ]){2,7}[a-z]{3,20}"

# What closes a name, other than `:` and `=`, and what opens its value: signs of Markdown, HTML and code.
_MARKUP = "(?:b|i|u|em|strong|code|kbd|tt|span)"
NAME_CLOSE = rf"""(?: \\{{0,7}}["'`] | \*{{1,2}} | [)\]] | </?{_MARKUP}> ){{0,2}}"""
VALUE_OPEN = rf"""(?: \*{{1,2}}(?!\*) | [(\[]{{1,2}} | <{_MARKUP}> ){{0,2}}"""
# Signs between a name and its value in lists, tables and notes.
BESIDE = r"""(?: [→⇒➜➔⟶»›│║┃¦|≔] | [\-=~]{1,2}> | :: | [–—] | \.{2,60}[ ]?:? |
    [:=：＝]{1,2}(?=[ ]?[*`<(\[]) | :\*{1,2}(?!\*) | (?<=[ ])--?(?=[ ]) )"""
# Words between a name and the verb of a sentence: whose secret it is, and what happened to it.
WORDS_BETWEEN = r"""(?:[ ]\([^()\n]{1,60}\))? (?: [ ](?!and\ (?!(?:re)?set\ )|but\ |or\ |und\ |oder\ |which\ )[^\s:=;!?|<>]{1,60} ){0,10}?"""
# The verbs of sentences about secrets, and the words before the value.
VERB = r"""(?: is | was | now | to | been | as | be | ist | lautet | war | auf | est | en | sur
    | es | a | è | su | é | para | por | naar
    | είναι | е | là | הוא | היא | है | हैं | adalah | ialah | คือ | هو | هي | yra | ir | olup
    | is\ nu | to | jest | na | är | er | til | till | (?<=a[ ])on | je | este | на | это |
    jako | como
    | comme | als | olarak
    | geworden | werd | wurde | werden | devenu | diventata? | fica | ficou | blev | ble
    | has\ (?:the\ )?value | with\ value | used | entered | using
    | reads | says | with )(?:\ (?:now|still|jetzt|noch|nu|ahora|ora|agora|the\ following
    |(?:wie|as|so\ wie|comme|como|come|zoals|som)\ (?:besprochen|vereinbart|immer|üblich|gehabt|discussed
    |agreed|promised|usual|always|before|convenu|d['’]habitude|discuté|acordado|siempre|combinado|sempre
    |concordato|besproken|afgesproken|altijd|avtalt|aftalt|överenskommet)))?[,:]?[ ]?:?"""
VERB_BEFORE = r"""(?: is | was | as | for | are | ist | als | für | war | est | comme | pour
    | es | como | para | è | come | per | é
    | jest | to | jako | är | som | er | je | on | это | как | used\ as )"""
# A value that only a password is: letters or digits on both sides of a sign that no word, path or
# address has.
WITH_SIGN_INSIDE = r"""(?: (?![/$%({<\[]|https?:|[\w.\-]*://|\d{4}-\d\d-\d\dT)(?=[^\s"'`]{0,40}[A-Za-z\d][!^*?\#$%&+][A-Za-z\d])
    (?=[^\s"'`]{0,60}(?:\d|(?-i:[a-z][^\s"'`]{0,40}[A-Z]|[A-Z][^\s"'`]{0,40}[a-z])))
    (?![^\s"'`]{0,60}[/=\\@<>{}()\[\]|])
    [^\s"'`]{5,59}[^\s"'`,;:.)\]}](?=[,;:.)\]}]{0,3}(?:[\s"'`]|\Z)) )"""
