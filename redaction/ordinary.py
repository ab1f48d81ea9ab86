"""Values that stand where a secret may stand and are none.

Each pattern is one kind. `is_ordinary` tries them in the order of this file: what is hidden already,
what is still to be filled in, what says where the secret is, and words about it.
"""

from __future__ import annotations

import re

from redaction.letters import with_letters
from redaction.patterns import JOINED_WORDS, MASKED, SENSITIVE_NAME

# What follows a value that is not in quotation marks.
_END = r"""(?=[\s"'`,;:)\]}&<>|\\]|[.?](?:[\s;.)]|\Z)|\Z)"""
# Hidden by another program, or by this one.
_HIDDEN = re.compile(
    rf"""(?: {MASKED} | x{{4,}} | (?:[*•●∙]{{2,}}[\- ]?){{2,20}}
    | [*•●∙_]{{3,}}[a-z]{{0,12}}[*•●∙_]{{0,20}} | [a-z]{{2,4}}_\*{{8,80}} | \*\* | \.{{3,}} | …
      | [\[(<{{*]{{0,3}}\s?(?:redacted|filtered|masked|hidden|removed|omitted|sensitive(?:\ value)?)
        (?:\ by\ \w{{2,20}})?\s?[\])>}}*]{{0,3}} ){_END}""",
    re.IGNORECASE | re.VERBOSE,
)
# To be filled in by a person or by a template.
_PLACEHOLDER = re.compile(
    rf"""(?: (?:<|&lt;)[^\W\d_](?:\w|[ .,\-/|'’]){{0,60}}(?:>|&gt;) | ＜[^＜＞\n]{{1,60}}＞
    | \$?\{{\{{[^{{}}\n]{{1,100}}\}}\}}
      | \{{(?:[a-z_][a-z_.]{{0,60}})?\}} | \[[a-z][a-z _.\-]{{0,60}}\] | \([a-z][a-z ,.\-]{{1,60}}\)
      | @{{1,2}}[a-z_.]{{2,60}}@{{1,2}} | __[a-z_]{{2,60}}__ | \#\{{[a-z_.]{{2,60}}\}}\#?
      | \${{2}}[a-z_]{{2,60}}\${{2}}
      | your[_\-][a-z_\-]{{2,40}} | change[_\-]?(?:me|it|this) | replace[_\-]?me | placeholder
      | example ){_END}""",
    re.IGNORECASE | re.VERBOSE,
)
_MEMBERS = r"""(?:(?:\.|->|::|\?\.)[a-z_]{1,40}\d{0,3}(?:\([^()"'\n]{0,80}\))?
    |\[[:"']?[a-z_]{1,40}["']?\])"""
_GETTER = r"""(?:get|read|fetch|load|find|lookup|resolve|env|ask|prompt|input|pop|param|var|ref
    |concat
    |file|open|json|form|headers|secret)\w{0,40}"""
_ARGUMENTS = r"\((?:[^()\"'\n]|\([^()\"'\n]{0,80}\)){0,120}\)"
# Where the secret is: a variable, a call, a file, an address of a vault.
_REFERENCE = re.compile(
    rf"""(?: \${{1,2}}\{{[^}}\n]{{1,100}}\}} | \$\d | \*(?!\S) | %\w{{2,60}}% | %\(\w{{1,60}}\)s | %s | \?
      | \$(?:env:|script:|global:|using:|local:)?[a-z_]{{2,60}}\d{{0,2}}{_MEMBERS}{{0,6}}
      | [@:][a-z_]{{2,60}}
      | (?:cat|openssl|vault|aws|az|gcloud|kubectl|pwgen
      |sops)[ ]-?[\w/.]{{2,}}(?:[ ]\S{{1,60}}){{0,12}}
      | \[[a-z]{{3,40}}\(.{{0,400}}\)\]
      | (?:op|vault|file|env|secretref|keyring|ssm|awssm|sops
      |ref\+\w{{2,12}})://?[a-z][\w.\-/\#]{{2,200}}
      | (?:env|file|vault|secretref):[a-z/][a-z_./\-]{{2,200}}(?:\#[a-z_]{{1,60}})?
      | (?:Win(?:32|64)|MSIL|JS|VBS|O97M|HTML|Linux|AndroidOS|MacOS)/[\w.!\-]{{2,60}}
      | (?:HKLM|HKCU|HKCR|HKU|HKEY_\w{{2,20}})[:\\][^\s"']{{0,300}}
      | \[\d{{1,3}}\ [a-z]{{2,20}}[^\]\n]{{0,120}}\]
      | [a-z]\w{{1,40}}(?:\.\w{{1,40}}){{1,6}}\#\w{{1,60}}:?
      | HTTP/\d(?:\.\d)? | System\.Security\.SecureString | AutoGenerate(?:,IsolateApps)?
      | [\^~]\d{{1,4}}(?:\.\d{{1,5}}){{1,2}} | \d{{2,5}}:\d{{2,5}}(?:/(?:tcp|udp))?
      | SHA256:[a-z\d+/]{{43}}=? | [a-z]{{2,20}}_id | [a-z_]{{2,20}}(?=[ ]=[ ])
      | (?<=\n)(?-i:[A-Z][A-Z\d]{{1,20}}(?:_[A-Z\d]{{1,20}}){{1,5}})=\S{{0,200}}
      | /(?:home|users)/{MASKED}(?:/[\w.\-]{{1,60}}){{0,6}}
      | (?:kv|secrets?)(?:/[a-z\d_\-]{{1,60}}){{1,8}}(?::[a-z_]{{2,40}})?
      | arn:aws[\w\-]{{0,10}}:[\w:/\-]{{10,200}} | projects/[\w\-]{{1,60}}/secrets/[\w\-/]{{1,120}}
      | (?:~|\.{{1,2}})/[\w.\-/]{{1,200}} | (?:/[a-z_.\-]{{2,40}}\d{{0,3}}){{2,12}}/?
      | [a-z]:\\{{1,2}}[\w.\-\\ ]{{3,200}}
      | [\w\-]{{1,60}}\.(?:pem|key|crt|cer|pfx|p12|txt|json|ya?ml|env|jks|kdbx|gpg)
      | (?:await[ ])?(?:self|this|var|local|data|module|args|config|settings|request|req
      |response|process
          |os|env|params|options|opts|cfg|conf|secrets|inputs|github|form|user|client|session
          |credentials?
          |cred|context|ctx|values?|random_password|kwargs|key|account
          |(?:azure(?:rm|ad)|aws|google|vault|kubernetes|tls|onepassword)_[a-z_]{{2,60}}\.[a-z_]{{1,40}}\d{{0,3}}){_MEMBERS}{{1,6}}
      | (?:await[ ]
      |new[ ])?(?!hex\()[a-z_]{{1,40}}(?:\d{{1,3}}
      (?=[(.]))?{_MEMBERS}{{0,4}}{_ARGUMENTS}{_MEMBERS}{{0,4}}
      | (?:await[ ])?(?:[a-z_]{{2,40}}(?:\([^()"'\n]{{0,80}}\)(?:\.|::)?|\.|::)){{0,4}}
          (?:[a-z_]{{2,40}}|\b{_GETTER})?[(\[]["'][a-z_.\-/:]{{1,80}}["']
          (?:,[ ]?["']?[a-z_.\-/]{{0,80}}["']?){{0,4}}[)\]]{_MEMBERS}{{0,4}} ){_END}""",
    re.IGNORECASE | re.VERBOSE,
)
# The start of a command, of an expression or of a YAML tag that reads the secret.
_READER = re.compile(
    r"""(?:\w{1,30}\.){0,2}(?:getpass|raw_input|input|prompt|ask)\w{0,12}\(\s?["']
      | \(\?[<:=!P] | \$\([ ]?(?!echo|printf)\$?[a-z] | \([ ]?[a-z]{2,12}-[a-z]\w{2,40}\b(?!-)
      | @microsoft\.keyvault\( | @\{ | <%=?[ ]
      | (?:get|read|new|convertto|convertfrom|import|invoke|select|receive
      |resolve)-[a-z]{3,40}(?=[\s)|;,]|\Z)
      | !(?:vault|ref|sub|getatt|secret|env|env_var|binary|reference|importvalue|join
      |encrypted)(?=[ ]\S)""",
    re.IGNORECASE | re.VERBOSE,
)
# The name of a secret where its value could stand: `password=password`, `secret: db-password`.
_NAME = re.compile(
    rf"""(?: (?=[a-z_.\-]+(?![\w.\-]))(?:_?[a-z]{{1,30}}[_\-.]){{0,6}}{SENSITIVE_NAME}
    | (?-i:[A-Za-z][a-z]{{1,30}}(?:[A-Z][a-z]{{1,30}}){{0,4}}
        (?:Password|Passphrase|Secret|Token|Key|Pin|Credentials?)) ){_END}""",
    re.IGNORECASE | re.VERBOSE,
)
# What stands before a secret in a header, and what joins a text in quotation marks with a variable.
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|ApiKey|SSWS|Splunk|Bot)[ ]", re.IGNORECASE)
_JOINED = re.compile(r"""["'`][ ]?(?:\+|\.|&|\.\.|<>|\|\|)[ ]?[$@]?[a-z_]""", re.IGNORECASE)
# Whether there is one.
_STATE = re.compile(f"(?:true|false|on_create){_END}", re.IGNORECASE)
# Words of sentences about a secret, types of values, and times.
_WORDS = re.compile(
    r"""(?: ~ | null | none | nil | true | false | yes | no | on | off | not | is | was | were
    | must | e-mails?
    | too | the | a | an | and | or | for | of | to | in | str | int | bool | bytes | undefined
    | default
    | string | securestring | secretstr | text | optional\[\w{2,20}\] | inherit | omit | public
    | private
    | required | requires | optional | enabled | disabled | expired | expires | invalid
    | missing | unknown | empty
    | this | your | it | enter | please | ensure | has | have | had | are | been | can | cannot
    | could
    | should | may | will | would | does | do | only | at | by | with | from | as | if | that
    | when | field
    | valid | verified | rejected | denied | incorrect | wrong | correct | updated | created
    | deleted | added | removed
    | rotated | generated | prompt | successfully | present | absent | unchanged | changed
    | error | failure | ok
    | configured | supplied | provided | entered | stored | used | mfa | asks | hint | include
    | same-origin | httponly | password | passphrase | authentication | mismatch
    | obligatoire | requise | expirée? | incorrecte? | erroné | oublié | obligatori[oa]
    | obbligatori[oa] | requerido
    | caducad[oa] | expirad[oa] | inválid[oa] | incorrect[oa] | no | errat[oa] | errad[oa]
    | scadut[oa]
    | obrigatóri[oa] | requerid[oa] | wymagane | nieprawidłowe | błędne | wygasł[oa] | richiest[oa]
    | vereist | verplicht | onjuist | verlopen | krävs | felaktigt | forkert | udløbet | feil
    | povinné | nesprávné | zorunlu | påkrævet | påkrevd | pakollinen | vaaditaan | kötelező
    | alphanumeric | numeric | complex | siehe | voir | vedi | véase | modifiée? | geändert
    | cambiad[oa]
    | never | nie | läuft | jamais | nunca | certificate
    | ist | wurde | muss | darf | est | doit | es | debe | é | è | falsch | pflichtfeld
    | deve | jest | musi | обязательно | обязателен | неверный | неверен | истек | истёк
    | должен | не
    | 必須 | 必填 | 已过期 | 错误 | 错误的 | 不能为空 | 無効 | 필수
    | set | unset | blocked | failed | reset | policy | policies | \d{1,3}
    | value | wert | valeur | valor | todo | fixme | tbd | tba | tbc | wip | xxx | n/a |
    pending | offen | folgt | ausstehend | pendiente
    | pendente | open | later | see | ask | require | block | allow | deaktiviert | aktiviert |
    désactivé
    | desactivad[oa] | desativad[oa] | disattivat[oa] | uitgeschakeld | wyłączone | inaktiverad
    | wird
    | werden | changes
    | (?-i:err[A-Z]\w{3,40}) | write-only | read-only | DEBUG | INFO | WARN(?:ING)? | ERROR | TRACE | FATAL | &(?:mut\ )?(?:str|string)
    | unavailable | unaffected | available | forgotten | completed? | successful | compromised | accepted
    | protected | encrypted | unbekannt | zurückgesetzt | unverändert | vergessen | gesperrt | hinterlegt
    | gespeichert | aktualisiert | erfolgreich | ongewijzigd | onbekend | vergeten | gewijzigd | ingesteld
    | opgeslagen | inconnue? | inchangée? | oubliée? | enregistrée? | réinitialisée? | bloquée?
    | desconocid[oa] | olvidad[oa] | guardad[oa] | actualizad[oa] | bloquead[oa] | sconosciut[oa]
    | dimenticat[oa] | salvat[oa] | aggiornat[oa] | bloccat[oa] | desconhecid[oa] | esquecid[oa]
    | zmienione | zapisane | zablokowane | nieznane | ukendt | glemt | ændret | okänt | ändrat | glömt
    | ukjent | endret | tuntematon | vaihdettu | neznámé | změněno | tajne | automatically | manually
    | files | compat | sss | systemd | winbind | done | wordt | worden
    | allowed | escrowed | signing | minimum | erforderlich | abgelaufen | ungültig | fehlt
    | leer | nicht
    | requis | expiré | requerida
    | (?:[a-z]{2,8}[_\-])?(?:sha-?\d{1,3}|md5|aes-?\d{0,3}|ed25519|x25519|rsa|ecdsa|dns-01
    |http-01)(?:[_\-][a-z\d]{2,10}){0,3}
    | AADSTS\d+ | \d{4}-\d\d-\d\dT[\d:.]+Z? )[.:!?,]?""",
    re.IGNORECASE | re.VERBOSE,
)
_EXAMPLE = re.compile(r"password|passwd|pass|pwd|secret", re.IGNORECASE)
# What a form says about a field that is named password.
_MESSAGE = re.compile(
    r"""(?:[\[\s"',\\]{0,8}(?:This|The|Your|Ensure|Enter|Please|Must)\ [A-Za-z\d ,.()'\-]{8,300}\.){1,8}
    [\]\s"'\\]{0,8}""",
    re.VERBOSE,
)
_PASSPHRASE = re.compile(JOINED_WORDS)
_RESOURCE = re.compile(r"[a-z]{2,16}(?:[\-_.][a-z\d]{1,16}){1,8}")
_JOINTS = re.compile(r"[\-_.]")
# Words in the names of resources, settings and states: `db-credentials-prod`, `multi-factor-sign-in`.
_NAMING = re.compile(
    rf"""{SENSITIVE_NAME} | app | api | db | database | prod | dev | test | stage | staging
    | default | user | users
    | admin | account | service | server | client | group | policy | policies | config
    | settings | reset | sign
    | microsoft | graph | factor | multi | two | one | time | self | based | only | end | date
    | host | name | path
    | file | local
    | system | store | vault | base | url | email | mail | smtp | ldap | sso | net | com | org
    | io""",
    re.IGNORECASE | re.VERBOSE,
)
_LETTERS = r"[^\W\d_]{1,30}(?:['’][^\W\d_]{1,10})?"
_SENTENCE_AFTER_COLON = re.compile(rf"{_LETTERS},?[ ](?:\d{{1,4}}[ ])?{_LETTERS}(?![\w:=/\\@\-])")
_SENTENCE_AFTER_SPACE = re.compile(rf"{_LETTERS}[ ]{{1,20}}{_LETTERS}[ ]{_LETTERS}(?![\w:=/\\@\-])")
_CASE_CHANGE = re.compile(r"[a-z][A-Z]")


def is_reference(text: str, start: int, end: int) -> bool:
    """Return whether a value is hidden, is to be filled in, or says where the secret is or whether there is one."""
    while start < end and text[start] in "\"'":
        start += 1
    if _READER.match(text, start):
        return True
    is_quoted = text[start - 1 : start] in ("'", '"', "`")
    scheme = _SCHEME.match(text, start, end)
    if scheme:
        start = scheme.end()
        if _READER.match(text, start) or (start == end and _JOINED.match(text, end)):
            return True
    return any(
        kind.fullmatch(text, start, end) or (not is_quoted and kind.match(text, start))
        for kind in (_HIDDEN, _PLACEHOLDER, _REFERENCE, _NAME, _STATE)
    )


def is_hidden(value: str) -> bool:
    """Return whether a value is one that another program has hidden, as `********`."""
    return _HIDDEN.fullmatch(value) is not None


def is_state(value: str) -> bool:
    """Return whether a value only says whether there is a secret: true or false."""
    return _STATE.fullmatch(value) is not None


def is_word(value: str) -> bool:
    """Return whether a value is one word of a sentence about a secret."""
    return _WORDS.fullmatch(with_letters(value)) is not None


def is_passphrase(value: str) -> bool:
    """Return whether a value is joined words, as correct-horse-battery, and not a name of something."""
    return _PASSPHRASE.fullmatch(value) is not None and not any(
        is_word(word) or _NAMING.fullmatch(word) for word in _JOINTS.split(value)
    )


def is_name_of_resource(value: str) -> bool:
    """Return whether a value is joined words and numbers that name something: `default-token-x7k2p`."""
    return _RESOURCE.fullmatch(value) is not None and any(
        map(_NAMING.fullmatch, _JOINTS.split(value))
    )


def is_sentence(text: str, start: int, *, after_colon: bool) -> bool:
    """Return whether words follow each other there, as in "passwd: password updated"."""
    pattern = _SENTENCE_AFTER_COLON if after_colon else _SENTENCE_AFTER_SPACE
    match = pattern.match(text, start)
    return match is not None and not _CASE_CHANGE.search(match[0].split()[0])


def is_example(value: str) -> bool:
    """Return whether a password is the one of examples: `user:password@host`."""
    return _EXAMPLE.fullmatch(value) is not None


def is_message(value: str) -> bool:
    """Return whether a value is a sentence about the field, such as "This field is required."."""
    return _MESSAGE.fullmatch(value) is not None
