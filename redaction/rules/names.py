"""Values beside the name of a secret: in forms, code, JSON, YAML, lists and notes."""

from __future__ import annotations

from redaction.expressions import CALL
from redaction.patterns import (
    ASSIGNMENT,
    BESIDE,
    CONTINUATION_LINES,
    COPULA,
    FOREIGN_HINTS,
    FOREIGN_KEY_HINTS,
    FOREIGN_KEYS,
    KEY_CONTENT,
    KEY_CONTENT_HINTS,
    NAME_CLOSE,
    NAME_MEMBER,
    NAME_VALUE_SEPARATOR,
    NOT_ESCAPED,
    OPTIONAL_SPACE,
    OWNER,
    PASSWORD_NAME,
    QUOTE,
    QUOTED_VALUE,
    SECRET_LOOKING,
    SENSITIVE_NAME,
    SPACE,
    UNQUOTED_VALUE,
    VALUE_MEMBER,
    VALUE_OPEN,
    WORD_START,
    WORDS_BETWEEN,
)
from redaction.rules.replacements import (
    mask_beside,
    mask_either,
    mask_foreign,
    mask_header,
    mask_key_of_network,
    mask_line,
    mask_literals,
    mask_named,
    mask_owned,
    mask_secret_looking,
    mask_statement,
    mask_unless_ordinary,
    mask_value,
    mask_words,
)
from redaction.rules.rule import NAME_HINTS, Rule

# A list, or an object without quotation marks, that is the value of a name.
_LIST = r"(?: \[(?!redacted|\s?\{)[^\[\]]{1,1000}\] | \{(?!\{)[^{}\s\"']{1,200}\}(?=[;\s\"']|\Z) )"
_IN_QUOTES = rf"(?:(?P=q){{2}}(?=\w)|.){{0,1000}}?(?={NOT_ESCAPED}(?P=q)(?!(?P=q)\w))"
_OBJECT_START = rf"\[?\{{{OPTIONAL_SPACE}(?:{QUOTE}|\w{{1,20}}:\s)"
# How a value of several lines begins: in YAML, in a shell, in Python.
_BLOCK_START = r"""(?: (?:!\w{1,10}\s)?[|>][+\-]?\d?[ ]*\n | \\\n
    | (?:\$\(cat[ ])?<<[\-~]?["']?\w{1,20}["']?\n | (?P<t>\"\"\"|''')\n? )"""
_INDENTED = r"[ \t]*[^\n]{3,400}?(?:\n[ \t]+(?![\w\-]+:)[^\n]{1,400}){0,60}"
# Notations between a name and its value: the registry, PowerShell, Kubernetes, dialogs, Terraform,
# PHP, variables of an environment, XML.
_NOTATION = rf"""(?: (?P<line>[ ]{{1,8}}REG_(?:EXPAND_|MULTI_)?SZ[ ]{{1,8}}(?!/d))
    | ["']?\s{{1,8}}(?:/t\s{{1,4}})?REG_\w{{2,12}}\s{{1,8}}(?:/d\s{{1,4}})?
    | ["']?\s{{1,4}}(?:-(?!Value)\w{{1,20}}\s{{1,4}}[^\s\-]\S{{0,40}}\s{{1,4}}){{0,2}}
      (?:-Value|/d)\s{{1,4}}
    | ["')]{{0,2}}[,;]?\s{{1,40}}(?:new[ ])?value(?:[ ]?[:=])?\s{{1,4}}
    | ["']?\s--?b(?:ody)?\s{{1,4}}
    | \n[^\n]{{0,80}}?enter\sa\svalue:\s{{1,4}}
    | [\[({{,]value\s?=\s?
    | {QUOTE}\s{{0,4}}\{{[^{{}}]{{0,200}}?\bdefault\s{{0,8}}=\s{{0,8}}(?=["'])
    | {QUOTE}\][ ]{{0,4}}=>[ \n]{{0,8}}string\(\d{{1,4}}\)[ ]
    | {QUOTE}\s?,\s?(?=["'][^"'\n]{{1,200}}["']\s?,\s?(?:["'](?:Machine|User|Process)|\[))
    | (?:["'][^<>]{{0,80}})?>\s{{0,20}}<value>
    | ["'](?:\s[^<>]{{0,80}})?>(?:<\w{{1,20}}>)?(?=[^<\s]) )"""

_NAME_AND_VALUE_IN_ANOTHER_NOTATION_HINTS = (
    "reg_", "-value", "/d ", "value", "-body", " -b ", "default =", "default=", "string(",
    ",value=", "value>", '">', "'>", 'machine"', "machine'", 'process"', "process'", 'user"', "user'",
)  # fmt: skip

# What closes the name of a member, and what separates it from the value.
_GATE_OF_MEMBERS = r"""(?:["'`]|&\S{2,9};|2[27])(?:[\s+]|%\S{2,6}|\\{1,7}[rnt]){0,16}
    (?:[:=：＝&]|%(?:25){0,2}3[ad])"""

RULES = (
    Rule(
        name="answer to a prompt",
        hints=("send",),
        gate=r"\bsend(?:ln|line|_line)?[ (]{1,2}(?:--[ ])?[\"']",
        needs=("word", "phrase", "pin", "code", "token", "secret"),
        pattern=r"""(?:ss(?:word|[ ]?phrase)|\bpin\b|passcode|token|secret|\botp\b
            |code)[^\n]{0,60}\n?[^\n]{0,40}?
            \bsend(?:ln|line
            |_line)?[ (]{1,2}(?:--[ ])?(?P<q>["'])(?P<value>[^\n]{1,200}?)(?=\\[rn]|(?P=q))""",
        replacement=mask_value,
        rationale='expect "assword:"⏎send "x\\r", child.sendline(\'x\')',
    ),
    Rule(
        name="password of several words",
        hints=("pass", "pwd", "phrase", *FOREIGN_HINTS),
        after_name=True,
        pattern=rf"""(?: {PASSWORD_NAME} | (?<![a-z])pass )
            (?P<owner>(?:[ ](?:wi-?fi|wlan|hotspot))?{OWNER}(?:[ ]{COPULA})?)
            [ ]{{0,30}}(?:[:=：→⇒]|=>|->|(?<=:))[ ]{{0,8}}
            (?P<value>(?![\s"'`\[{{<(„“«「＜])[^\s;=]{{1,40}}(?:[ ][^\s;=]{{1,40}}){{1,7}}?)
            [ ]{{0,4}}(?=\n|\Z|[ ]\()""",
        replacement=mask_line,
        rationale="the rest of the line: passphrases, lists of credentials",
    ),
    Rule(
        name="password of several words with an owner",
        hints=("pass", "pwd", "phrase", *FOREIGN_HINTS),
        after_name=True,
        pattern=rf"""{PASSWORD_NAME}(?P<between>
            (?:[ ][\w.@'’\-(),\[\]]{{1,30}}){{0,6}}?)[ ]?[:：—–][ ]{{1,8}}
            (?P<value>[^\W\d_][^\s;=]{{1,40}}(?:[ ][^\s;=]{{1,40}}){{0,7}}?)[ ]{{0,4}}(?=\n|\Z)""",
        replacement=mask_owned,
        rationale="Parola d'ordine del certificato: X y 92, wachtwoord gasten: x y z",
    ),
    Rule(
        name="content of the key of a network",
        hints=KEY_CONTENT_HINTS,
        pattern=rf"""{KEY_CONTENT}[ ]{{0,30}}[:：][ ]{{0,8}}
            (?P<value>(?![\s"'`\[{{<(„“«「＜])[^\n]{{2,63}}?)[ ]{{0,4}}(?=\n|\Z)""",
        replacement=mask_words,
        rationale="netsh wlan show profile key=clear",
    ),
    Rule(
        name="key of a network",
        hints=("key", "nyckel", *FOREIGN_KEY_HINTS),
        pattern=rf"""(?:{FOREIGN_KEYS}|{WORD_START}key)[^\n:=：]{{0,60}}?[ ]?[:=：→][ ]{{0,8}}
            (?P<value>
            (?![\s"'`\[{{<(„“«:=])[^\n,;–—|]{{4,60}}?)[ ]{{0,4}}(?=[,;–—|\n]|[ ]-[ ]|\Z)""",
        gate=r"""wi-?fi | wlan | wireless | ssid | hotspot | vpn | ipsec | netz | netw | netv
                | nettv
            | réseau | reseau | \bred\b | rede\b | rete\b | sieci | сет | partag | compart | condivi
            | vorinstall""",
        replacement=mask_key_of_network,
        rationale="Clé Wi-Fi invités : x y, VPN: Vorinstallierter Schlüssel = x/y 5",
    ),
    Rule(
        name="quoted assignment",
        hints=("=",),
        with_name=True,
        pattern=rf"""(?: (?<![^\s=(\[,])(?P<q>["'])[\w.\-]{{0,40}}?{SENSITIVE_NAME}=
                (?P<value>(?!\[redacted)[^"'\n=&;]{{1,60}}[ ][^"'\n=&;]{{1,100}})(?P=q)
              | (?<=;)[ ]?(?:password|pwd)[ ]?=[ ]?
                (?P<password>(?!\[redacted)[^"'\n=;]{{1,60}}[ ][^"'\n=;]{{1,100}})(?=;|["']) )""",
        gate=r"""[;"'][ ]?[\w.\-]{2,60}[ ]?=[^"'\n=;]{1,60}[ ]""",
        replacement=mask_words,
        rationale='curl -d "password=x y z", Server=db1;Password=x y z;Database=runs',
    ),
    Rule(
        name="value on the next lines",
        hints=("|\n", ">\n", "-\n", "+\n", "\\\n", "<<", '"""', "'''"),
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}["']?\s?[:=]\s?{_BLOCK_START}
            (?P<value>{_INDENTED})(?(t)(?P=t))(?=\n|\Z)""",
        replacement=mask_value,
        rationale="blocks of YAML, here-documents, continued lines, strings of several lines",
    ),
    Rule(
        name="literals of a call",
        hints=('("', "('", "(`", ', "', ", '"),
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}\s?:?=\s?(?:await[ ])?{CALL}(?P<arguments>[^\n]{{0,300}})""",
        gate=r"""=\s?[\w$@&*!(][^\n=]{0,300}\([^\n]{0,300}["'`]""",
        replacement=mask_literals,
        rationale='token = await login("jan", "x")',
    ),
    Rule(
        name="name and value",
        hints=NAME_HINTS,
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME})(?P<separator>{NAME_VALUE_SEPARATOR}
            (?:!!\w{{1,10}}[ ](?!\n))?)(?!\*\*[ ])
            (?P<opening>[bnu]?(?P<q>{QUOTE}))?
            (?P<value> (?(q) {_IN_QUOTES} | {_LIST} )
              | (?!{_OBJECT_START}|[«„“「『]){UNQUOTED_VALUE}{CONTINUATION_LINES} )""",
        replacement=mask_named,
        rationale="form bodies, queries, DSNs, headers, log lines, JSON, repr, YAML, lists",
    ),
    Rule(
        name="key in another language and value",
        hints=FOREIGN_KEY_HINTS,
        pattern=rf"""(?P<name>{FOREIGN_KEYS})(?P<between>(?:[ ][\w\-"().'’]{{1,30}}){{0,6}}?)
            (?P<separator>\s?{NAME_VALUE_SEPARATOR}
            |[ ]{{0,8}}{BESIDE}[ ]{{0,8}})(?P<opening>[bu]?(?P<q>{QUOTE}))?
            (?P<value>(?(q).{{0,1000}}?(?={NOT_ESCAPED}(?P=q))|(?![«„“「『]){UNQUOTED_VALUE}))""",
        replacement=mask_foreign,
        rationale="密钥：x, Clé secrète : x, Chave da rede do depósito: x",
    ),
    Rule(
        name="key in another language in a sentence",
        hints=FOREIGN_KEY_HINTS,
        pattern=rf"""(?P<name>{FOREIGN_KEYS}){WORDS_BETWEEN}[ ](?:ist|lautet|est|es|è|é|jest|är)[ ]
            ["'`„“«]?(?P<value>{SECRET_LOOKING})(?![\w\\/])""",
        gate=r"""[ ](?:ist|lautet|est|es|è|é|jest|är)[ ]["'`„“«]?[^\s]{0,60}[\d!@\#$%^*+=~]""",
        unlike_words=True,
        in_words=True,
        replacement=mask_secret_looking,
        rationale="La clave del router es x",
    ),
    Rule(
        name="quoted name and value",
        hints=NAME_HINTS,
        after_name=True,
        before=rf"(?:[(\[,:\s]|%(?:25)?[23][08AC]){QUOTE}[\w.\-]{{0,40}}",
        pattern=rf"""{SENSITIVE_NAME}{QUOTE}{OPTIONAL_SPACE}(?:,|%(?:25)?2C){OPTIONAL_SPACE}
            [bu]?(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
            (?={OPTIONAL_SPACE}(?:[)\]}}]|%(?:25)?(?:29|5D|7D)))""",
        replacement=mask_header,
        rationale="('authorization', 'x') of raw headers",
    ),
    Rule(
        name="pair of name and value",
        hints=("val", "wert", "waarde", "data", "content", "answer", '"v', '"to"', '"from"'),
        with_name=True,
        gate=_GATE_OF_MEMBERS,
        pattern=rf"""{QUOTE}(?: {NAME_MEMBER}{QUOTE}{ASSIGNMENT}{QUOTE}
                (?: [\w.\- ]{{0,60}}?{SENSITIVE_NAME}
                  | https://[\w.\-]{{1,80}}/secrets/[\w\-/]{{1,160}} )
              | type{QUOTE}{ASSIGNMENT}{QUOTE}(?:password|secret) ){QUOTE}[^{{}}]{{0,200}}?
            {QUOTE}{VALUE_MEMBER}{QUOTE}{ASSIGNMENT}(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})""",
        replacement=mask_value,
        rationale='{"name": "password", "value": "x"}, also of managed apps and of a vault',
    ),
    Rule(
        name="input of a field",
        hints=('"loc"', "'loc'"),
        with_name=True,
        pattern=rf"""["']loc["']:[ ]?[(\[](?:["']\w{{1,40}}["'],[ ]?){{0,6}}["'][\w.\-]{{0,40}}?{SENSITIVE_NAME}["'],?[)\]]
            [^{{}}]{{0,400}}?["']input["']:[ ]?(?P<q>["'])(?P<value>(?:(?!
            (?P=q))[^\n]){{1,400}})""",
        replacement=mask_unless_ordinary,
        rationale='{"loc": ["body", "password"], "msg": "…", "input": "x"} of Pydantic',
    ),
    Rule(
        name="pair of value and name",
        hints=("val", "wert", "waarde"),
        with_name=True,
        gate=_GATE_OF_MEMBERS,
        pattern=rf"""{QUOTE}{VALUE_MEMBER}{QUOTE}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
            {OPTIONAL_SPACE}(?:,|%(?:25)?2C){OPTIONAL_SPACE}
            {QUOTE}{NAME_MEMBER}{QUOTE}{ASSIGNMENT}
            {QUOTE}[\w.\- ]{{0,60}}?{SENSITIVE_NAME}{QUOTE}""",
        replacement=mask_value,
        rationale='{"value": "x", "name": "password"}',
    ),
    Rule(
        name="password in JSON of Windows LAPS",
        hints=('"p"', '\\"p'),
        gate=r'"p\\{0,7}"',
        pattern=rf"""{QUOTE}t{QUOTE}{ASSIGNMENT}{QUOTE}[0-9a-f]{{8,20}}{QUOTE}\s?,\s?
            {QUOTE}p{QUOTE}{ASSIGNMENT}(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})""",
        replacement=mask_value,
        rationale='{"n": "Administrator", "t": "1dc7…", "p": "x"} of msLAPS-Password',
    ),
    Rule(
        name="value in an object",
        hints=("value",),
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}{QUOTE}{ASSIGNMENT}(?:\{{|%(?:25)?7B)[^{{}}]{{0,120}}?
            {QUOTE}value{QUOTE}{ASSIGNMENT}(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})""",
        replacement=mask_value,
        rationale='"adminPassword": {"value": "x"} of deployment parameters',
    ),
    Rule(
        name="name and value in another notation",
        hints=_NAME_AND_VALUE_IN_ANOTHER_NOTATION_HINTS,
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}{_NOTATION}
            (?P<q>["'])?(?P<value>(?(q) (?:(?!(?P=q)).){{1,400}}
              | (?(line) \S[^\n]{{2,400}}?(?=[ ]{{0,8}}(?:\n|\Z)|[ ]{{3}})
                | [^\s"'<>,;]{{3,400}} ) ))""",
        replacement=mask_unless_ordinary,
        rationale="registry, Set-ItemProperty, Kubernetes, Terraform, PHP, XML properties",
    ),
    Rule(
        name="value before its name in YAML",
        hints=("\nname:", " name:"),
        with_name=True,
        pattern=rf"""value:[ ]{{1,4}}["']?
            (?P<value>[^\n"']{{3,400}})["']?\n\s{{0,40}}name:[ ]{{1,4}}
            ["']?[\w.\-]{{0,60}}?{SENSITIVE_NAME}["']?[ ]*(?=\n|\Z)""",
        gate=r"value:[ ][^\n]{3,400}\n\s{0,40}name:",
        replacement=mask_value,
        rationale="the variables of a container",
    ),
    Rule(
        name="value after an arrow",
        hints=("->",),
        after_name=True,
        pattern=rf"""{SENSITIVE_NAME}["']?[ ]{{0,40}}[:=][ ]{{0,8}}["'][^"'\n]{{0,400}}["'][ ]->[ ]
            (?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){{1,400}})""",
        replacement=mask_value,
        rationale='token = "x" -> "y" of a plan of Terraform',
    ),
    Rule(
        name="name and value beside each other",
        hints=NAME_HINTS,
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME}){NAME_CLOSE}
            (?:[ ]{{0,40}}(?P<sign>{BESIDE})[ ]{{0,40}}{VALUE_OPEN}|[ ]{{1,8}})
            (?P<q>["'`“„«‘])?
            (?P<value>(?!\[redacted|-[A-Za-z])
              (?(q)[^"'`“”»’\n]{{3,200}}
                | (?:[^\s"'`│║┃|<>«»]{{4,200}}(?:[ ][^\s"'`│║┃|<>«»]{{1,30}}){{0,5}}?
                (?=[ ]{{0,60}}[|│║┃])
                  | [^\s"'`│║┃|<>«»]{{4,200}}) ))""",
        replacement=mask_beside,
        rationale="password → x, | token | x |, **PIN:** x, secret – x, key....: x",
    ),
    Rule(
        name="name and password as arguments",
        hints=("auth", "credential", "userp", "basic", ".login(", "setpassword(", "set_password("),
        pattern=r"""(?: (?:auth|credentials?|login)["']?\s?[:=]\s?[(\[]
                | (?: http\w{0,8}auth | basicauth | networkcredential(?:\]::new)? | pscredential
                  | usernamepasswordcredential | \.login | authenticate | set_?password )\( )
              \s?["'][^"'\n]{0,100}["']\s?,\s?(?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){3,200})(?P=q)
            | (?:basic|basic_auth|userpwd|user_?pass|auth)["']?\s?[:=]\s?["'][^"':\s/]{1,60}:(?!//)
              (?P<password>[^"'\s]{4,200})(?=["'])""",
        gate=r"""[:=(\[]\s?["'][^\n]""",
        replacement=mask_either,
        rationale="auth=('x', 'y'), HttpBasicAuth, NetworkCredential, http_basic: \"x:y\"",
    ),
    Rule(
        name="name and password of a setting",
        hints=("basic_auth=", "stats auth "),
        pattern=r"""(?:basic_auth=|\bstats[ ]auth[ ])[^"':\s/=]{1,60}:(?P<value>[^"'\s]{4,200})""",
        replacement=mask_unless_ordinary,
        rationale="FLOWER_BASIC_AUTH=name:x, stats auth name:x of HAProxy",
    ),
    Rule(
        name="name and password by their letters",
        hints=(" p:", " p="),
        pattern=rf"""(?<!\w)u(?:ser)?[ ]?[:=][ ]?[^\s,;]{{2,60}}[ ,;/]{{1,3}}p[ ]?[:=][ ]?
            (?P<value>{SECRET_LOOKING})""",
        replacement=mask_unless_ordinary,
        rationale="u: jan p: x",
    ),
    Rule(
        name="argument of a function",
        hints=("password(", "sym_", "crypt", "securestring", "md5(", "sha1(", "sha2(", "sha256("),
        pattern=r"""(?: \b(?: password | pgp_sym_(?:en|de)crypt(?:_bytea)? | aes_(?:en|de)crypt
                  | (?:en|de)cryptbypassphrase | crypt )\((?:[^()'"\n]{0,80},)?\s?
                N?(?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){1,400})(?=(?P=q))
              | (?:insert|update|set|where|values)\b[^;\n]{0,200}?\b(?:md5|sha[12]?|sha\d{3})\(\s?
                N?'(?P<seed>[^'\n]{3,200})'
              | (?P<p>["'])(?P<password>(?:(?!(?P=p))[^\n]){1,200})(?P=p)
                \s?\|\s?ConvertTo-SecureString )""",
        replacement=mask_either,
        rationale="PASSWORD('x'), pgp_sym_decrypt(x, 'y'), 'x' | ConvertTo-SecureString",
    ),
    Rule(
        name="SQL password",
        hints=("password", "identified", "where ", "sp_addl"),
        gate=r"""password[^\n]{0,120}?['\"] | identified | password% | value\w{0,12}[^\n]?\s?=
            | sp_add""",
        pattern=rf"""(?: {WORD_START}password(?:{SPACE}{{1,4}}for{SPACE}{{1,4}}(?!role\s|user\s)\S{{1,100}}?)?
                (?:{SPACE}{{1,4}}|{ASSIGNMENT})
              | {WORD_START}identified{SPACE}{{1,4}}
              (?:with{SPACE}{{1,4}}[^\s+%]{{1,60}}{SPACE}{{1,4}})?
                (?:by|as){SPACE}{{1,4}}(?:password{SPACE}{{1,4}})? )
            (?: N?(?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
              | (?<=by\s)(?P<password>(?!values|externally|password)[a-z][\w$\#!*+?%\-]{{3,60}})
                (?=[\s;]|\Z) )
            | \bset\s[^;'"\n]{{0,60}}value\w{{0,12}}["`\]]?\s?=\s?N?'(?P<seed>[^'\n]{{1,400}})'
              [^;\n]{{0,80}}?\bwhere\s[^;\n]{{0,60}}?=\s?N?'[\w.\-]{{0,40}}?{SENSITIVE_NAME}'
            | \bsp_addlinkedsrvlogin\s(?:[^,\n;]{{0,120}},){{4}}\s?N?'(?P<last>[^'\n]{{1,200}})'
            | \bsp_addlogin\s(?:@\w{{1,30}}\s?=\s?)?N?'[^'\n]{{1,100}}'\s?,\s?(?:@\w{{1,30}}\s?=\s?)?
              N?'(?P<code>[^'\n]{{1,200}})'""",
        in_words=True,
        replacement=mask_statement,
        rationale="CREATE USER … PASSWORD 'x', IDENTIFIED BY 'x'",
    ),
)
