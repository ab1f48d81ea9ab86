"""What replaces a match of a rule: a mask, unless the value is none of a secret."""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

from redaction.connections import is_connection
from redaction.entropy import has_changing_classes, is_named_public, looks_random
from redaction.expressions import LITERAL, is_expression, is_literal_secret
from redaction.letters import (
    is_like_password,
    is_made_of_words,
    is_password_shaped,
    is_unlike_words,
    is_unmistakable,
    with_letters,
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
    NAME_SUFFIX,
    PASSWORD_NAME,
    SEVERAL_WORDS,
)
from redaction.vocabulary import WORD, is_unknown_word

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
    r"|[\w\-]{1,60}=(?:\"\")?(?:;\s*|\Z)|(?:path|expires|max-age|domain|samesite)=[^;\s]{0,100}(?:;\s*"
    r"|\Z)|(?:secure|httponly)(?:;\s*|\Z)|[\w.\-]{1,60}=<\w{1,40}(?:>|\Z))+",
    re.IGNORECASE,
)
_LONG_VALUE_WITH_DIGIT = re.compile(r"(?=.*\d).{8}|\d{4,8}\Z", re.DOTALL)
# The id of a session is a cookie, or a GUID that Microsoft's support asks for.
_SESSION_NAME = re.compile(r"sess(?:ion)?[_\-]?id", re.IGNORECASE)
_CODE_NAME = re.compile(r"(?:pin|puk|otp|code)s?\Z", re.IGNORECASE)
_GUID = re.compile(GUID, re.IGNORECASE)
# Secrets that are GUIDs: keys of many services, but not those of apps in Entra.
_GUID_AS_SECRET = re.compile(
    r"api|shared|phrase|enroll|activation|maintenance|wi-?fi|wlan|licen[sc]e", re.IGNORECASE
)
_REST_OF_TIME = re.compile(r"\d\d(?:[:.]\d\d)?")
# A module of code, and an object of Kubernetes in its namespace.
_PATH_OF_OBJECT = re.compile(r"[a-z_\d]+(?:\.[a-z_\d]+){2,}|[a-z][a-z\d\-]*/[a-z][a-z\d.\-]*")
# What names the id of a secret instead.
_OF_AN_ID = re.compile(r"[ ](?:id|version|thumbprint|fingerprint|name|hash)\b", re.IGNORECASE)
_FOREIGN = re.compile(FOREIGN_PASSWORDS, re.IGNORECASE | re.VERBOSE)
_PASSWORD = re.compile(PASSWORD_NAME, re.IGNORECASE | re.VERBOSE)
# What a log says about an operation after its name, `GetSecret: StatusCode=403`, and a file's path.
_MEMBER = re.compile(r"[A-Za-z][A-Za-z_\-]{2,30}=[\w.\-/%:,]+")
_FILE = re.compile(r"(?<![\w.])/(?:etc|home|var|run|opt|usr|srv|root|tmp|mnt|app)/[\w.\-/]*\Z")
# What follows a word that ends where a query or a row goes on.
_REST_OF_WORD = re.compile(
    r"[a-z]+(?:[.,!]?&[a-z_]{1,30}=\S*|(?:;[\w.\-]*){2,}|(?:,[\w.\-]*){2,})", re.IGNORECASE
)
# The rest of a sentence in a query, which is read without its plus signs elsewhere.
_ENCODED_WORDS = re.compile(
    r"(?:(?:[a-z]{1,30}[,:]?(?:\+|%20)){1,60}[a-z\-]{1,30}"
    r"|(?:(?:[a-z]{1,30}|\d{1,4})[,:]?(?:\+|%20)){3,60}(?:[a-z\-]{1,30}|\d{1,4}))[.,!]?(?:&\S*)?",
    re.IGNORECASE,
)
_ENCODED_FILE = re.compile(
    r"(?:[\w\-]+(?:\+|%20)){1,12}[\w\-]+\.(?:docx?|xlsx?|pptx?|pdf|csv|txt|md)", re.IGNORECASE
)
_PASSWORD_END = re.compile(
    rf"(?:{PASSWORD_NAME}|pass|pw){NAME_SUFFIX}\Z", re.IGNORECASE | re.VERBOSE
)
_LETTERS_AND_NUMBER = re.compile(r"[a-z]{4,20}\d{4}")
# A command that prints a secret, after the prompt of a shell.
_READS = re.compile(
    r"(?:\A|[:\w][ ]|[\w~\])}:/\\])[$#>]{1,3}[ ](?=.*\b(?:get|show|read|echo|cat|access|view|output|print|pass"
    r"|environ|env)\b)(?!.*(?:\blist\b|[ ]name\b|[ ]id\b))",
    re.IGNORECASE,
)
# The end of a text in JSON in JSON, and the rest of one before its quotation mark.
_ESCAPED_END = re.compile(r"(?<!\\)\\{3,31}[\"'](?=[\]}])")
_ESCAPED_QUOTE = re.compile(r"\\{0,31}[\"']")
# The prompt of a shell: `ops@h7:~$`.
_SHELL_PROMPT = re.compile(r"[\w.\-]{1,40}@[\w.\-]{1,60}:[~/][\w./~\-]{0,60}[$#]")
# A word that is stated: at once, after a verb, or after a sign.
_STATED_WORD = re.compile(
    r"""(?:\A[ ]{1,4} | [:=：→/(][ ]{0,4} | [=\-]>[ ]{0,4} | [ ](?:is|was|it['’]s|now|ist|war|lautet|wurde|auf
    |est|sur|es|era|son|è|é|à|a|ao|naar|to|as|als|be|jest|na|är|er|till|til|pass|pw|password)[ ](?:now[ ])?)
    ["'`“„«]?(?P<value>[a-z]{8,24})(?![\w\-/@=\\]|[.:]\w)""",
    re.VERBOSE,
)
# What a sentence names instead of a password, right after its name: "the password manager is x".
_TOPIC = re.compile(
    r"[ ](?:manager|vault|owner|type|attribute|attack|encryption|storage|compliance|format|provider"
    r"|generator|column|field|scann\w{2,3}|detection|filter)s?\b",
    re.IGNORECASE,
)
# What has an account after it, and a password only after a slash: "login: jan / x".
_ACCOUNT_NAMES = ("login", "admin")
# What makes of a sentence about a secret one about something else.
_CONDITION = re.compile(
    r"[ ](?:when|if|unless|whether|wenn|falls|ob|si|quand|cuando|quando|als)(?:[ ]|\Z)",
    re.IGNORECASE,
)
# Where a secret was wrong: "contraseña incorrecta en srv-dc01".
_WRONG = re.compile(r"incorrect|inválid|invalid|erron|errat|falsch|onjuist", re.IGNORECASE)
_PLACES = (" en ", " em ", " on ", " in ")
# A number of four to eight digits can be a PIN.
_PLAIN_FIELD = re.compile(
    rf"{GUID}|null|t|f|\d{{1,3}}|\d{{9,20}}|\d{{4}}-\d\d-\d\d(?: [\d:.]{{8,15}}(?:[+\-]\d\d(?::\d\d)?)?)?",
    re.IGNORECASE,
)
# What someone signs in with instead of a password.
_METHOD = re.compile(
    r"\b(?:key|token|certificate|passkey|app|authenticator|notification|hello|biometrics?)\Z",
    re.IGNORECASE,
)
_REST_OF_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){2,5}[0-9a-f]{2}\b", re.IGNORECASE)
# Whether there is one: "(using password: NO) pid 7".
_WHETHER = re.compile(r"(?:yes|no)\)", re.IGNORECASE)
_INSTRUCTION = re.compile(r"(?:use|enter|type|choose|set|pick|try|not|no|at|in)[ ]", re.IGNORECASE)
_WORDS_OF_A_PAGE = re.compile(
    r"(?:[a-z]+\d{0,2}|\d{1,12})(?:[\-_.](?:[a-z]+\d{0,2}|\d{1,12}))*", re.IGNORECASE
)
# A number that the sentence ends with, and no year.
_DIGITS_ALONE = re.compile(
    r"(?!(?:19|20)\d\d\D)\d{5,12}(?=[,.;)]?(?:[ ]*(?:\n|\Z)|(?<=[,.;)])[ ]))"
)
_WORD_AND_NUMBER = re.compile(r"[a-z]{3,20}\d{2,6}[!?*#$%]?[.,;:]?", re.IGNORECASE)
_SHORT_PASSWORD = re.compile(r"(?!\d+[a-z]*\Z)(?=.*[a-z])(?=.*\d)\S{4,}", re.IGNORECASE)
_JOINTS = re.compile(r"[A-Za-z][\-_.]\w")
# What a sentence says after the name of a token, which stands in quotation marks.
_AFTER_A_NAME = re.compile(
    r"""["'`”][ ](?:(?:was|is|has)[ ])?(?:(?:been|last|just|recently)[ ]){0,2}(?:revoked|created|synced|renewed|deleted|added
    |assigned|enabled|disabled|expires|removed|updated|rotated|viewed|copied|accessed|opened|shared|exported|moved
    |archived|restored|edited|changed|marked)\b""",
    re.IGNORECASE | re.VERBOSE,
)
# The same without quotation marks: "token Apple2025 expires".
_EVENT_OF_TITLE = re.compile(
    r"[ ](?:(?:was|is|has)[ ])?(?:been[ ])?(?:revoked|created|synced|renewed|deleted|added|assigned"
    r"|expires|expired|expiring|removed|updated|rotated)\b",
    re.IGNORECASE,
)
# How a password is asked for.
_ASKED = re.compile(
    r"\b(?:enter|type|provide|send)[ ](?:(?:in|me|us)[ ])?(?:your|the)[ ](?:\w+[ ])?\Z",
    re.IGNORECASE,
)
# An operation on a secret that is given none, and what a device or a service answers.
_OPERATION = re.compile(
    r"(?:Clear|Verify|Rotate|Delete|Remove|Unlock|Request|Revoke|Disable|Enable|Query|List|Validate"
    r"|Check|Get|Set|Reset|Change|Update|Renew|Escrow|Wipe)[A-Z]\w{1,30}\Z"
)
_STATE_OF_OPERATION = re.compile(
    r"NotNow|Acknowledged|Error|Idle|CommandFormatError|Pending|Completed?|Succeeded|Success|Failed"
    r"|Failure|Skipped|Queued|Sent|Denied|Forbidden|NotFound|NotSupported|TimedOut|Timeout|Unknown"
    r"|InProgress|Running|Canceled|Cancelled|Rejected|Accepted|Unauthorized|Expired"
)
# A server as a file of accounts names it.
_HOST = re.compile(
    r"(?=.*[\[:])(?:\d{1,4}:)?\[?[\w\-]{1,60}(?:\.[\w\-]{1,60}){1,6}\]?(?::\d{2,5})?"
)
# The name of an id of a token or a credential, and a member of a line of a log before it.
_ID_NAME = re.compile(r"token_?id|credential", re.IGNORECASE)
_TWO_WORDS = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20}){1,3}")
_LOG_MEMBER = re.compile(r"(?:\A|\s)(?:ts|time|level|lvl|event|msg|severity|action)=\S")
# A line that asks for a secret.
_PROMPT = re.compile(
    rf"[^:]{{0,60}}(?:{PASSWORD_NAME}|pin)[^:]{{0,40}}:[ ]*", re.IGNORECASE | re.VERBOSE
)
_ADMINISTRATOR = re.compile(r"admin(?:istrator)?|root|sa|sysadmin|superuser", re.IGNORECASE)
_WITH = re.compile(
    r"\b(?:with|using|mit|avec|con|com|met)(?:[ ](?:the|this|dem|le|la|el|a|het))?[ ]\Z",
    re.IGNORECASE,
)
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
_MIN_CODE = 4
_MAX_LABEL_WORDS = 8
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
    r"(?:[ ]\w{1,20}){0,2}?[ ](?:polic(?:y|ies)|types?|identifiers?|profiles?|lifetimes?|names?|managers?|expiration"
    r"|age|length|rules?|agents?"
    r"|sync|writeback|protection|richtlinien?)\b",
    re.IGNORECASE,
)
# What stands before a receiver, and not before a value.
_BEFORE_RECEIVER = re.compile(
    r"\b(?:assigned|applied|deployed|granted|linked|added|sent|moved|copied|exported|available|known"
    r"|issued|belongs?|mapped|pushed|delivered|restricted|limited|according|due|related|given"
    r"|forwarded|escalated|allowed)[ ](?:to|for|an)[ ](?:(?:host|device|user|group|app|tenant|policy)[ ])?[\"'`“„]?\Z"
    r"|\b(?:disabled|enabled|blocked|required|denied|allowed|set|managed|controlled|enforced|refused)[ ]"
    r"(?:by|in)[ ](?:the[ ])?(?:policy|profile|template|group|rule|setting|baseline)[ ][\"'`“„]?\Z",
    re.IGNORECASE,
)
_NUMBER_AT_END = re.compile(r"[ ]\d{1,4}[!?#*+]?\Z")
# Words that only sentences have, in many languages.
_FUNCTION_WORD = re.compile(
    r"""aber | am | im | about | after | and | are | auf | aus | been | before | bei | beim | being | bitte
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
    r"|sync|cancellation|existing|image[_\- ]?pull)[_\- ]?\Z|arn:aws[\w\-:]{1,60}\Z",
    re.IGNORECASE,
)
_PUBLIC_PREFIX_OF_PASSWORD = re.compile(r"\bpam_\w{2,20}\(\Z|(?<!\w)1\Z", re.IGNORECASE)
# The start of a parameter of a shell with what it says or is without a value: `${NAME:?text}`.
_PARAMETER = re.compile(r"\$\{[\w]{0,60}\Z")
_LETTERS = re.compile(r"[A-Za-z_]+")
_COMMAND_END = re.compile(r"\s{0,4}(?:[<>|\n]|\Z)")
_IDENTIFIER = re.compile(r"[a-z]{2,20}(?:_[a-z]{1,20})+|[A-Za-z][a-z]{1,20}(?:[A-Z][a-z]{1,20})+")
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
_MAX_CONNECTION = 400
# The characters on both sides of a value in which the name of a secret is looked for.
_NEAR = 120
_NAME_NEAR = re.compile(
    rf"""{PASSWORD_NAME} | (?<![a-z])(?:pw|ww|mdp|pass|creds?|logins?)(?![a-z]) | secret |
        credential | token
    | (?<![a-z])laps(?![a-z]) | service[ _]account | dienstkonto | compte[ ]de[ ]service
    | (?<![a-z])(?:api|access|shared|security)[ _\-]?key | zugangsdaten | identifiants |
    inloggegevens""",
    re.IGNORECASE | re.VERBOSE,
)
# The same for what only a password is: accounts and networks are also signed in to with one.
_ACCOUNT_NEAR = re.compile(
    rf"""{_NAME_NEAR.pattern} | (?<![a-z])(?:user(?:name)?|accounts?|temp
    |(?:sign|log)(?:ged|ed)?[ \-]?(?:in|on)|authenticat\w{{1,4}})(?![a-z])""",
    re.IGNORECASE | re.VERBOSE,
)
_PREPOSITION_END = re.compile(
    r"[ ](?:of|for|by|on|at|in|from|before|after|until|since|against|via|per|across|than|von|vom|für|bei|nach|vor"
    r"|seit|durch|pour|par|avant|après|depuis|chez|de|del|della|di|du|da|do|antes|desde|van|voor|op|na|sinds)\Z",
    re.IGNORECASE,
)
# What has a name after it, which can be a word and a number: "policy Baseline2024".
_NOUN = (
    r"(?:policy|profile|group|device|template|baseline|schedule|tenant|role|richtlinie|gruppe|profil"
    r"|gerät|groupe|stratégie|grupo|directiva|perfil|beleid|groep|profiel)"
)
_NOUN_END = re.compile(rf"\b{_NOUN}\Z", re.IGNORECASE)
_BEFORE_NOUN = re.compile(rf"[ ]{_NOUN}\b", re.IGNORECASE)
# What says whose a password is: "for the printer", "(guests)", "h7".
_OWNED = re.compile(
    r"[(@\d]|[ ](?:for|of|für|von|vom|der|des|de|del|della|di|da|do|du|pour|para|per|voor|van|för|till"
    r"|til|dla|to|do|pro)[ ]",
    re.IGNORECASE,
)
# A line of /etc/shadow without a hash.
_LOCKED = re.compile(r"[*!x]{1,2}:")
_SIGN_OF_PASSWORD = re.compile(r"[!@#$%^*?]")
# A word with a number of four digits or a sign at its end, as people make passwords.
_MADE_BY_PERSON = re.compile(
    r"""(?:[A-ZÀ-Þ][a-zß-ÿ]{2,}){1,3}(?:\d{4,6}|\d{2,6}[!?*#$%]{1,2}) | [a-zß-ÿ]{4,}\d{2,6}[!*#$%]{1,2}
    | (?:[A-ZÀ-Þ][a-zß-ÿ]{2,}[._\-]?){1,2}[A-ZÀ-Þ][a-zß-ÿ]{2,}\d{2,6} | [A-ZÀ-Þa-zß-ÿ][a-zß-ÿ]{2,}\d{2,6}[A-ZÀ-Þ][a-zß-ÿ]{2,}""",
    re.VERBOSE,
)
_JOINED_BY_HYPHENS = re.compile(r"[a-z]{3,12}(?:-[a-z]{3,12}){2,7}")
_KEY_OF_NETWORK = re.compile(
    r"(?:wi-?fi|wlan|ssid|hotspot)[^\n]{0,100}[ ,](?:key|code)[ ][\"'`]?\Z", re.IGNORECASE
)
_LONG_HEX = re.compile(r"(?=[a-f]{0,30}\d)[0-9a-f]{24,128}[.,;]?")
_MIN_MIXED = 10
# A type or a constant, which has both cases and digits too.
_KNOWN_SHAPE = re.compile(
    r"[xX]509|[A-Z]{4}|\A(?:get|set|is|has|new)[A-Z]|(?:[A-Z][a-z]+){4}|\A[A-Z]+\d+\Z|0x"
)
_ANSWER = re.compile(
    r"(?:\b(?:it|that)['’]?s|\b(?:it|that)[ ]is|c['’]est|(?:das|es)[ ]ist|(?:het|dat)[ ]is|\bes|è|é)[ ][\"'`“„]?\Z",
    re.IGNORECASE,
)
# A password nearby, of which a name with a number can be one too; what is called so and is none.
_PASSWORD_NEAR = re.compile(
    rf"{PASSWORD_NAME}(?![ \-]?(?:polic|setting|profile|expir|richtl|beleid|einstell|instelling))|(?<![a-z])(?:pass|pw|ww|mdp|creds?)(?![a-z])",
    re.IGNORECASE | re.VERBOSE,
)
# What stands before a number in the names of products, devices, algorithms and parts of texts.
_BEFORE_NUMBER = (
    r"access|account|aes|agent|answer|ap|api|app|argon|article|base|baseline|bcrypt|bit|build|byte"
    r"|case|central|chap|char|chg|code|column|config|crt|ctap|curve|cve|day|db|dc|der|des|desktop"
    r"|dev|device|digit|eap|east|ecdsa|ed|elitebook|error|esx|esxi|eu|europe|event|eventid|excel"
    r"|exchange|fido|field|fw|galaxy|group|hash|host|hotp|http|https|id|inc|incident|ipad|iphone"
    r"|ipv|iso|issue|item|job|jwk|jwt|kb|kdf|kerberos|key|kiosk|laptop|latin|latitude|level|line"
    r"|list|mac|macbook|max|mbp|md|min|mode|ms|mschapv|nas|nist|node|north|ntlm|ntlmv|oath|oauth"
    r"|office|option|optiplex|oracle|outlook|page|part|patch|pbkdf|pc|peap|pem|phone|pixel|pkcs"
    r"|policy|port|precision|printer|prod|profile|project|q|question|rc|region|release|req|request"
    r"|rfc|room|router|row|rsa|rtr|rule|run|saml|san|script|scrypt|secp|server|sha|sharepoint|site"
    r"|size|smb|south|sprint|sql|srv|ssl|stage|status|step|studio|surface|sw|switch|table|tablet"
    r"|task|teams|template|test|thinkpad|thread|ticket|tls|totp|type|update|us|user|utf|version"
    r"|visual|vlan|vm|web|webauthn|week|wep|west|win|windows|word|worker|wpa|ws|x|zone"
)
_PRODUCT = re.compile(rf"(?:{_BEFORE_NUMBER})[\-_.]?\d|0x|x509", re.IGNORECASE)
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
_GROUPS = ("value", "password", "seed", "last", "pin", "code", "tap", "word", "device")


def mask_named(match: re.Match[str]) -> str:
    """Mask the value of a sensitive name, unless it is an ordinary word of a sentence."""
    value = match["value"]
    if not value or is_word(value) or _is_public(match):
        return match[0]
    if value.startswith(("?", "-")) and _PARAMETER.search(match.string, 0, match.start()):
        return match[0]
    if _FOREIGN.match(match["name"]) and not match["opening"] and _is_word_of_script(value):
        return match[0]
    if _SESSION_NAME.fullmatch(match["name"]) and _GUID.fullmatch(value):
        return match[0]
    if _is_other(match):
        return match[0]
    if is_unlike_words(value) or is_passphrase(value):
        return mask_value(match)
    if len(value) < 4 and not _PASSWORD_NAME.match(match["name"]):
        return match[0]
    is_secret = _is_password(match) or _LONG_VALUE_WITH_DIGIT.match(value)
    may_be_sentence = ":" in match["separator"] and not match["opening"]
    if may_be_sentence and not (is_secret or _is_setting(match)):
        return match[0]
    if not match["opening"] and _is_in_sentence(match):
        return match[0]
    return mask_value(match)


def _is_other(match: re.Match[str]) -> bool:
    """Return whether a value is a message, a number, a folder, a key, or what a log says after a name."""
    value = match["value"]
    if match["opening"] and _is_label(value):
        return True
    is_of_log = _is_member(match) or _is_of_file(match)
    return (
        (is_of_log and ":" in match["separator"] and not match["opening"])
        or is_message(value)
        or _is_count(match["name"], value)
        or _is_folder(match)
        or _is_key(match)
        or _is_of_operation(match)
        or _is_id_of_log(match)
        or _is_next_prompt(match)
        or _is_connection(match)
    )


def _is_key(match: re.Match[str]) -> bool:
    """Return whether a value is the first key of an object on the next lines, as in YAML."""
    return "\n" in match["separator"] and match["value"].endswith(":")


def _is_of_operation(match: re.Match[str]) -> bool:
    """Return whether a value is the result of an operation: `ClearPasscode: NotNow`."""
    before = match.string[max(0, match.start() - 40) : match.end("name")]
    return (
        match["separator"].strip() == ":"
        and _STATE_OF_OPERATION.fullmatch(match["value"].rstrip(".,;")) is not None
        and _OPERATION.search(before) is not None
    )


def _is_connection(match: re.Match[str]) -> bool:
    """Return whether a value, or the line that it begins, is a connection string without a secret."""
    if not match["name"].lower().endswith("string"):
        return False
    start = match.start("value")
    line = match.string[start : start + _MAX_CONNECTION].partition("\n")[0]
    return is_connection(match["value"]) or (not match["opening"] and is_connection(line))


def _is_id_of_log(match: re.Match[str]) -> bool:
    """Return whether a value is the id or the name of a secret among the members of a log line."""
    is_id = _ID_NAME.fullmatch(match["name"]) and _GUID.fullmatch(match["value"])
    is_name = match["name"].lower() == "secret" and _TWO_WORDS.fullmatch(match["value"])
    if not is_id and not is_name:
        return False
    line = match.string[max(0, match.start() - 200) : match.start()].rpartition("\n")[2]
    return _LOG_MEMBER.search(line) is not None


def _is_next_prompt(match: re.Match[str]) -> bool:
    """Return whether another prompt is on the line below: `Verifying - Enter Export Password:`."""
    if "\n" not in match["separator"]:
        return False
    line = match.string[match.start("value") : match.start("value") + 120].partition("\n")[0]
    return _PROMPT.fullmatch(line) is not None


def _is_label(value: str) -> bool:
    """Return whether a value is words about a password, as in the texts of a form: "Wrong password"."""
    words = value.split()
    return (
        2 <= len(words) <= _MAX_LABEL_WORDS
        and all(map(str.isalpha, words))
        and any(_PASSWORD.fullmatch(word) for word in words)
    )


def _is_member(match: re.Match[str]) -> bool:
    """Return whether a value is what a log says of an operation, `GetSecret: StatusCode=403`."""
    value = match["value"]
    result = value.partition("=")[2]
    if not _MEMBER.fullmatch(value) or is_unlike_words(result):
        return False
    is_of_operation = match.string[match.start() - 1 : match.start()].isalnum()
    return is_of_operation or not _PASSWORD.fullmatch(match["name"]) or is_word(result)


def _is_of_file(match: re.Match[str]) -> bool:
    """Return whether a file is named before a word: `postmap /etc/postfix/sasl_passwd: done`."""
    before = match.string[max(0, match.start() - 80) : match.start()]
    if _HOST.fullmatch(match["value"]):
        return _FILE.search(before) is not None or before.endswith("sasl_")
    return _FILE.search(before) is not None and not is_unlike_words(match["value"])


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
    if _PASSWORD_NAME.match(match["name"]):
        return _PUBLIC_PREFIX_OF_PASSWORD.search(before) is not None
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
    # The rest of a time: 22:34:34.
    if (
        _REST_OF_TIME.match(value)
        and match.string[match.start("value") - 2 : match.start("value") - 1].isdigit()
    ):
        return match[0]
    if _ABOUT_SECRET.search(match["between"]):
        return match[0]
    is_password = _PASSWORD.search(match["name"]) is not None
    if not is_password and _IDENTIFIER.match(value):
        return match[0]
    if not is_password and value.isalpha() and not is_unlike_words(value):
        return mask_unless_ordinary(match) if _is_beside_account(match) else match[0]
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
    if is_reference(match.string, start, end) or is_expression(match.string, start):
        return match[0]
    end = _end_without_escapes(match.string, start, end)
    if end == start:
        return match[0]
    before = match.string[match.start() : start]
    return before + mask(match.string[start:end]) + match.string[end : match.end()]


def _end_without_escapes(text: str, start: int, end: int) -> int:
    """Return where a secret ends: backslashes before a quotation mark belong to the mark."""
    inside = _ESCAPED_END.search(text, start, end)
    if inside and inside.start() > start:
        return inside.start()
    if _ESCAPED_QUOTE.match(text, end):
        end = start + len(text[start:end].rstrip("\\"))
    return end


def _is_count(name: str, value: str) -> bool:
    """Return whether a value is a number of tokens, `max_tokens=4096`, or of a lease, `token=17`.

    What `docker build --secret id=x,src=y` reads and the permission `id-token: write` are none either.
    """
    lowered = name.lower()
    if lowered.endswith("tokens") and _COUNT.fullmatch(value):
        return True
    if lowered == "secret" and _BUILD_SECRET.match(value):
        return True
    if lowered == "token" and value in ("read", "write"):
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


def mask_cookie(match: re.Match[str]) -> str:
    """Mask the value of one cookie, unless it only says how a page looks."""
    is_plain = _PLAIN_COOKIES.fullmatch(f"{match['name']}={match['value']}") is not None
    return match[0] if is_plain else mask_value(match)


def mask_either(match: re.Match[str]) -> str:
    """Mask the named group that took part in the match."""
    group = _group_of(match)
    return match[0] if is_word(match[group]) else mask_group(match, group)


def mask_statement(match: re.Match[str]) -> str:
    """Mask the password of an SQL statement, unless it is the title of one that something happened to."""
    return match[0] if _is_title(match) else mask_either(match)


def _is_title(match: re.Match[str]) -> bool:
    """Return whether a value in quotation marks is the name of a password: `Password "x" was viewed`."""
    return _AFTER_A_NAME.match(match.string, match.end(_group_of(match))) is not None


def mask_words(match: re.Match[str]) -> str:
    """Mask a value of several words, unless one of them is an ordinary one of sentences."""
    group = _group_of(match)
    is_other = _is_statement(match[group]) or _is_receiver(match, group) or _is_title(match)
    return match[0] if is_other else mask_group(match, group)


def _is_receiver(match: re.Match[str], group: str) -> bool:
    """Return whether a value is to whom or what something went: `policy assigned to "Kiosks"`."""
    start = match.start(group)
    return _BEFORE_RECEIVER.search(match.string[max(0, start - 40) : start]) is not None


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


def mask_row(match: re.Match[str]) -> str:
    """Mask the row that PostgreSQL quotes, unless it is ids, times and flags alone."""
    fields = match["value"].strip("()").split(", ")
    return match[0] if all(map(_PLAIN_FIELD.fullmatch, fields)) else mask_value(match)


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
    if _has_function_word(value) or _METHOD.search(value) or _WHETHER.match(value):
        return match[0]
    return mask_words(match)


def mask_key_of_network(match: re.Match[str]) -> str:
    """Mask the key of a wireless network or of a tunnel, if the line or the one before names one."""
    value, start = match["value"], match.start()
    before, _, line = match.string[max(0, start - 120) : match.start("value")].rpartition("\n")
    previous = before.rpartition("\n")[2]
    is_address = _REST_OF_ADDRESS.match(value) is not None
    if is_address or _is_statement(value) or is_reference(match.string, *match.span("value")):
        return match[0]
    is_beside = _ACCOUNT_LINE.match(previous) is not None and _NETWORK.search(previous) is not None
    has_digit = any(map(str.isdigit, value))
    is_words = _LONG_WORDS.fullmatch(value.lower()) is not None and not _has_function_word(value)
    is_secret = is_beside or has_digit or is_words or is_unlike_words(value) or is_passphrase(value)
    return mask_value(match) if is_secret and (is_beside or _NETWORK.search(line)) else match[0]


def _is_configuration(match: re.Match[str]) -> bool:
    """Return whether a line, or the one before or after it, names what the password is for."""
    owner = match["owner"]
    if _NETWORK.search(owner) or (owner.strip() and _COPULA_END.search(owner)):
        return True
    return not owner.strip() and _is_beside_account(match)


def _is_beside_account(match: re.Match[str]) -> bool:
    """Return whether a line, or the one before or after it, names an account or what it is for."""
    text, start, end = match.string, match.start(), match.end()
    line_start = text.rfind("\n", max(0, start - 200), start) + 1
    before = text[max(line_start, start - 200) : start]
    if _CONSTANT_END.fullmatch(before) or _ACCOUNT.search(before) or _WITH.search(before):
        return True
    previous = text[max(0, line_start - 200) : max(0, line_start - 1)].rsplit("\n", 1)[-1]
    following = text[end : end + 200].lstrip("\n").split("\n", 1)[0] if end < len(text) else ""
    return any(_ACCOUNT_LINE.match(line) is not None for line in (previous, following))


def mask_secret_looking(match: re.Match[str]) -> str:
    """Mask what looks like a secret, unless it is words that are joined to a name."""
    value = match[_group_of(match)]
    if _is_in_row(match) or _REST_OF_WORD.fullmatch(value) or _ENCODED_WORDS.fullmatch(value):
        return match[0]
    if _ENCODED_FILE.fullmatch(value):
        return match[0]
    if is_name_of_resource(value) or (_JOINED_WORDS.fullmatch(value) and not is_passphrase(value)):
        return match[0]
    # A word in ASCII, in which JSON escapes what else it has.
    if value.isascii() and with_letters(value).isalpha() and not is_unlike_words(value):
        return match[0]
    return mask_either(match)


def _is_in_row(match: re.Match[str]) -> bool:
    """Return whether a value begins a row below a header that ends with the name: `Name,Password`."""
    start = match.start(_group_of(match))
    sign = match.string[match.start() - 1 : match.start()]
    is_below = "\n" in match.string[match.start() : start]
    return is_below and sign in (",", ";", "|") and sign in match.string[start : start + 100]


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
    if sign == ":" and _HOST.fullmatch(value) and _is_of_file(match):
        return match[0]
    if sign is None:
        is_named = _is_identifier(match) or " " in match["name"]
        return mask_unlike_words(match) if is_named else match[0]
    if " " in value and not match["q"]:
        is_password = _PASSWORD.fullmatch(match["name"]) and any(map(str.isdigit, value))
        return mask_value(match) if is_password and not _is_statement(value) else match[0]
    if sign.startswith("-") and not sign.endswith(">"):
        return mask_unlike_words(match) if is_password_shaped(value) else match[0]
    if match["q"] and match["q"] != "`" and _PASSWORD.fullmatch(match["name"]):
        is_quoted = match.string[match.start() - 1 : match.start()] == match["q"]
        if is_quoted and " " in value and value.replace(" ", "").isalpha():
            return match[0]
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
    start = match.start("value")
    is_place = match.string[start - 4 : start] in _PLACES and _WRONG.search(between)
    if is_place or _CONDITION.search(between) or is_named_public(match.string, start):
        return match[0]
    is_verb = match["name"].lower() == "pass" and between
    is_move = (match.groupdict().get("colon") or "").endswith((">", "→")) and " from " in between
    if is_verb or is_move or _PROPERTY_OF_SECRET.match(between) or _is_receiver(match, "value"):
        return match[0]
    is_random = is_password_shaped(value) or is_made_of_words(value) or _LONG_HEX.fullmatch(value)
    if is_random and between and _OF_AN_ID.search(between):
        return match[0]
    if match.groupdict().get("colon") and not is_random:
        is_password = _PASSWORD.fullmatch(match["name"]) is not None
        is_long = len(value) >= (_MIN_LONG_PASSWORD if is_password else _MIN_LONG_TOKEN)
        if not is_long or _ABOUT_SECRET.search(match["between"]):
            return match[0]
    return mask_unlike_words(match)


def mask_literals(match: re.Match[str]) -> str:
    """Mask the literals among the arguments of a call that are secrets."""

    def masked(literal: re.Match[str]) -> str:
        value = literal["value"]
        is_secret = is_literal_secret(value)
        return f"{literal['q']}{mask(value)}{literal['q']}" if is_secret else literal[0]

    start = match.start("arguments") - match.start()
    return match[0][:start] + LITERAL.sub(masked, match["arguments"])


def mask_groups(match: re.Match[str]) -> str:
    """Mask groups of letters that together are unlike words."""
    letters = match["value"].replace(" ", "")
    # In capital letters, what counts is the order of the letters alone.
    return mask_value(match) if is_unlike_words(letters.upper()) else match[0]


def mask_replaced(match: re.Match[str]) -> str:
    """Mask what a secret was before: a number only of a PIN or a code, words only in quotation marks."""
    value, name = match[_group_of(match)], match["name"]
    if _PROPERTY_OF_SECRET.match(match["between"]) or is_word(value):
        return match[0]
    if value.isdigit() and not _CODE_NAME.search(name):
        return match[0]
    if match["q"]:
        is_secret = _PASSWORD.fullmatch(name) is not None or is_unlike_words(value)
        return mask_value(match) if is_secret and not is_word(match["new"]) else match[0]
    if value.isalpha() and not is_unlike_words(value) and not _PASSWORD.fullmatch(name):
        return match[0]
    return mask_either(match)


def mask_second(match: re.Match[str]) -> str:
    """Mask the value after one that is masked already, unless words follow it as in a sentence."""
    value, rest = match["value"], match.string[match.end() :]
    is_number = value.isdigit() and len(value) < _MIN_CODE
    is_sentence_part = value.isalpha() and re.match(r"[ ][a-z]", rest) is not None
    return match[0] if is_number or is_sentence_part else mask_unless_ordinary(match)


def mask_owned(match: re.Match[str]) -> str:
    """Mask several words after a password and its owner, if no sentence has them.

    They are words of four letters or more, or end with a number and begin with a capital letter or
    end with a sign. One word has eight small letters, and is of no language or after what says whose
    it is: "password report: delivered" is none.
    """
    value = match["value"]
    if _is_statement(value) or _WHETHER.match(value) or _ABOUT_SECRET.search(match["between"]):
        return match[0]
    if " " not in value:
        is_owned = is_unknown_word(value) or _OWNED.search(match["between"]) is not None
        is_secret = is_owned and WORD.fullmatch(value) is not None
        return mask_unless_ordinary(match) if is_secret else match[0]
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
    """Mask the group "value" if it has the shape of a password, and an account stands before it."""
    account = match["account"]
    if _ABOUT_SECRET.match(account) or _PREPOSITION_END.search(f" {account}"):
        return match[0]
    return mask_value(match) if is_password_shaped(match["value"]) else match[0]


def mask_unlike_words(match: re.Match[str]) -> str:
    """Mask the group "value" if it is no word of a sentence.

    One of a token has ten characters, or eight at the end of a line.
    """
    value = match["value"]
    is_of_password = _PASSWORD_END.search(match["name"]) is not None
    if _is_public(match) or (not is_of_password and _PATH_OF_OBJECT.fullmatch(value)):
        return match[0]
    is_guid = _GUID.fullmatch(value.rstrip(".,;")) and _GUID_AS_SECRET.search(match["name"])
    if is_guid or is_passphrase(value):
        return mask_value(match)
    if (
        is_of_password
        and value.isdigit()
        and _DIGITS_ALONE.match(match.string, match.start("value"))
    ):
        return mask_value(match)
    if is_of_password and _is_short_password(value):
        return mask_unless_ordinary(match)
    min_length = 6 if is_of_password else _min_length_of_token(match)
    if is_name_of_resource(value) or not is_unlike_words(value, min_length):
        return match[0]
    return match[0] if _is_rest_or_title(match) else mask_unless_ordinary(match)


def _min_length_of_token(match: re.Match[str]) -> int:
    value = match["value"]
    is_at_end = _LINE_END.match(match.string, match.end("value")) is not None
    is_title = _EVENT_OF_TITLE.match(match.string, match.end("value")) is not None
    is_short = is_at_end or (_WORD_AND_NUMBER.fullmatch(value) is not None and not is_title)
    return 8 if is_short and not _PRODUCT.match(value) else 10


def _is_rest_or_title(match: re.Match[str]) -> bool:
    """Return whether a value is the rest of a row or a query, or the title of a token: `x" was revoked`."""
    value = match["value"]
    if _REST_OF_WORD.fullmatch(value) or _ENCODED_WORDS.fullmatch(value):
        return True
    is_title = _JOINTS.search(value) and _AFTER_A_NAME.match(match.string, match.end("value"))
    return is_title is not None and not _PASSWORD.fullmatch(match["name"])


def _is_short_password(value: str) -> bool:
    """Return whether a value is a word and a number, as short passwords are, and names no product."""
    return _WORD_AND_NUMBER.fullmatch(value) is not None and not _PRODUCT.match(value)


def mask_given(match: re.Match[str]) -> str:
    """Mask a password that an error repeats, however short, if it has letters and digits."""
    if _PASSWORD_END.search(match["name"]) and _SHORT_PASSWORD.fullmatch(match["value"]):
        return mask_value(match)
    return mask_unlike_words(match)


def mask_phrase(match: re.Match[str]) -> str:
    """Mask the words of a passphrase after its name, unless they are a sentence about it."""
    value = match["value"]
    is_sentence_about_it = _ABOUT_SECRET.search(match["between"]) or _INSTRUCTION.match(value)
    return match[0] if is_sentence_about_it or _has_function_word(value) else mask_value(match)


def mask_unknown_word(match: re.Match[str]) -> str:
    """Mask the first word of no language that a verb or a sign says to be a password, or that follows it."""
    start = match.start()
    if _TOPIC.match(match["rest"]):
        return match[0]
    needs_slash = match[0].lower().startswith(_ACCOUNT_NAMES)
    for candidate in _STATED_WORD.finditer(match["rest"]):
        value = candidate["value"]
        if not is_unknown_word(value) or (needs_slash and candidate[0][0] != "/"):
            continue
        if _CONDITION.search(match["rest"], 0, candidate.start()):
            break
        first, last = (match.start("rest") - start + place for place in candidate.span("value"))
        return match[0][:first] + mask(value) + match[0][last:]
    return match[0]


def mask_used(match: re.Match[str]) -> str:
    """Mask what someone signs in with, if it has the shape of a password and names no product."""
    is_name = _BEFORE_NOUN.match(match.string, match.end("value")) is not None
    return match[0] if is_name or _PRODUCT.match(match["value"]) else mask_like_password(match)


def mask_link_part(match: re.Match[str]) -> str:
    """Mask the last part of a link, unless it is words and numbers, as those of a page are."""
    is_page = _WORDS_OF_A_PAGE.fullmatch(match["value"].rstrip("\\)]}.,;"))
    return match[0] if is_page else mask_value(match)


def mask_next_line(match: re.Match[str]) -> str:
    """Mask the only word of a line, if the line before says that a secret follows, or a label does."""
    value, before = match["value"], match["between"].rstrip()
    text_before = match.string[max(0, match.start() - _NEAR) : match.start()].rpartition("\n")[2]
    is_label = match["label"] is not None
    is_printed = _READS.search(f"{text_before}{match['name']}{before}") is not None
    if match["speaker"]:
        is_asked = before.endswith("?") or _ASKED.search(text_before) is not None
        is_announced = is_asked and (
            _PASSWORD_END.search(match["name"]) is not None
            or _LONG_HEX.fullmatch(value) is not None
            or has_changing_classes(value)
        )
    else:
        is_announced = is_label or is_printed or before.endswith((":", "：", "="))
    is_about = not (is_label or is_printed) and _ABOUT_SECRET.search(before) is not None
    is_path = value[0] in "/\\<{[(#" or "://" in value or is_name_of_resource(value)
    if not is_announced or is_about or is_path:
        return match[0]
    is_secret = is_unlike_words(value) or is_passphrase(value)
    return mask_unless_ordinary(match) if is_secret else match[0]


def mask_account(match: re.Match[str]) -> str:
    """Mask the password beside the name of an account; after a colon and a space, it needs a sign."""
    value, sign = match["value"], match["sign"]
    if match["account"].lower() == "host" or _LOCKED.match(value):
        return match[0]
    is_secret = is_unmistakable(value) if sign in (": ", " ") else _is_like_password(value)
    if _ADMINISTRATOR.fullmatch(match["account"]):
        is_named = (
            sign == " / "
            or match.start("account") > match.start()
            or match.string[: match.start()].endswith("login: ")
        )
        is_secret |= (
            is_unlike_words(value) or _is_short_password(value)
            if is_named
            else _LETTERS_AND_NUMBER.fullmatch(value) is not None
        )
    return mask_unless_ordinary(match) if is_secret else match[0]


def _is_like_password(value: str) -> bool:
    return is_like_password(value) or is_passphrase(value)


def mask_mail_account(match: re.Match[str]) -> str:
    """Mask the password after a mail server and an account, if the host or the file says so."""
    if match["password"]:
        is_secret = is_unlike_words(match["password"])
        return mask_group(match, "password") if is_secret else match[0]
    host = match["host"] or "["
    is_map = host.startswith("[") or "sasl_passwd" in match.string
    is_secret = is_map or _is_like_password(match["value"])
    return mask_unless_ordinary(match) if is_secret else match[0]


def mask_of_device(match: re.Match[str]) -> str:
    """Mask the secret of a network device; a community of SNMP can be any word."""
    return mask_either(match) if match["code"] else mask_secret_looking(match)


def mask_arguments(match: re.Match[str]) -> str:
    """Mask the password among the arguments of a function, which is a text after that of an account."""
    arguments = list(_STRINGS.finditer(match["arguments"]))
    for account, argument in pairwise(arguments):
        value = argument["value"]
        # The frame of a stack trace: the argument after the account is the password.
        is_frame = "__construct" in match[0] and is_unlike_words(value)
        if _ACCOUNT_NAME.fullmatch(account["value"]) and (is_frame or _is_argument(value)):
            start = match.start("arguments") - match.start()
            first, last = (start + place for place in argument.span("value"))
            return match[0][:first] + mask(value) + match[0][last:]
    return match[0]


def _is_argument(value: str) -> bool:
    """Return whether a text in quotation marks is a password, and no place, name or message."""
    if is_reference(value, 0, len(value)) or is_name_of_resource(value) or "/" in value:
        return False
    if _is_like_password(value) or is_unknown_word(value):
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
    value = match["value"]
    is_password = _PASSWORD.fullmatch(match["name"]) is not None
    if not is_password or _ABOUT_SECRET.search(match["between"]) or not is_like_password(value):
        return match[0]
    # Whose password it is has the shape of a password too: "the password of Kiosk-0012 expires".
    is_owner = _PREPOSITION_END.search(match["between"]) and not is_unmistakable(value)
    return match[0] if is_owner else mask_unless_ordinary(match)


def mask_near_name(match: re.Match[str]) -> str:
    """Mask a word with the shape of a password in a line that names one.

    An answer can be on another line: "What is the password?⏎It's x".
    """
    value, text, (start, end) = match["value"], match.string, match.span()
    if _KEY_OF_NETWORK.search(text, max(0, start - _NEAR), start):
        return mask_value(match) if _is_like_password(value) else match[0]
    is_answer = _ANSWER.search(text, max(0, start - 20), start) is not None
    names = _names_near(value, is_answer=is_answer)
    is_prompt = _SHELL_PROMPT.fullmatch(value) is not None
    if names is None or is_prompt or is_named_public(text, start):
        return match[0]
    distance = _NEAR // 2 if names is _PASSWORD_NEAR and not is_answer else _NEAR
    before = text[max(0, start - distance) : start]
    if not is_answer:
        before = before.rpartition("\n")[2]
    after = text[end : end + distance].partition("\n")[0]
    label = before.rstrip(" \"'`“„(")
    is_owner = names is _PASSWORD_NEAR and (
        _PREPOSITION_END.search(label) or _NOUN_END.search(label) or _is_receiver(match, "value")
    )
    if is_owner or not (names.search(before) or names.search(after)):
        return match[0]
    return mask_unless_ordinary(match)


def _names_near(value: str, *, is_answer: bool) -> re.Pattern[str] | None:
    """Return what must stand near a value so that it is a secret; None if it is none anywhere."""
    if is_unmistakable(value):
        return _ACCOUNT_NEAR if _SIGN_OF_PASSWORD.search(value) else _NAME_NEAR
    if _is_made_by_person(value):
        return _PASSWORD_NEAR
    if is_answer and is_unlike_words(value):
        return _NAME_NEAR if _LONG_HEX.fullmatch(value) else _PASSWORD_NEAR
    return None


def _is_made_by_person(value: str) -> bool:
    """Return whether a value is a password as people and password managers make them, and names no product."""
    value = value.rstrip(".,;:!?)]}")
    if _PRODUCT.match(value) or _KNOWN_SHAPE.search(value):
        return False
    if _MADE_BY_PERSON.fullmatch(value):
        return True
    if _JOINED_BY_HYPHENS.fullmatch(value):
        return is_passphrase(value)
    return value.isalnum() and len(value) >= _MIN_MIXED and is_password_shaped(value)


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
