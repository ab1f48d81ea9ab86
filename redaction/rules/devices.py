"""Secrets in the configuration of network devices, in protocols and in files with one a line."""

from __future__ import annotations

from redaction.patterns import JOINED_WORDS, SECRET_LOOKING, SPACE, WORD_START
from redaction.rules.replacements import mask_either, mask_secret_looking, mask_unless_ordinary
from redaction.rules.rule import Rule

#: What a community, which may be a word, follows.
_BEFORE_COMMUNITY = r"""(?:snmp[\w\-]{0,20}|set)\s{1,4}community | r[ow]community6?
    | snmp-community-string"""
#: What a secret of any form follows.
_BEFORE_ANY_VALUE = r"""snmp-server\shost\s\S{1,60}\s(?:traps\s|informs\s)?version\s(?:1|2c)
    | com2sec6?\s\S{1,60}\s\S{1,60}
    | (?:username\s\S{1,60}\s(?:privilege\s\d{1,2}\s)?|enable\s)secret"""
#: What a secret follows that no word is like, as these words are also in sentences.
_BEFORE_UNLIKE_WORDS = r"""
      (?:tacacs|radius|isakmp|ikev?\d?|ipsec)[^\n]{0,80}?\s(?:key|secret|pre-?shared-?key)
    | (?:auth|authentication-key\s\d{1,5}|message-digest-key\s\d{1,5})\s{1,4}(?:md5|sha[\w\-]{0,6})
    | createuser\s[^\n]{1,200}?\s(?:md5|sha[\w\-]{0,6}|des|aes[\w\-]{0,6})
    | (?:auth|priv)\w{0,10}-(?:key|pass(?:word|phrase)?)(?=\s\S{6})
    | pre-shared-key\s(?:local|remote)
    | key-string(?:\s[067])?
    | (?:md5|sha)-key
    | (?<=\n)[ ]{1,8}key(?:\s[067])?(?=\s\S{1,200}[ ]{0,4}(?:\n|\Z))
    | priv\s{1,4}(?:aes|3?des)[\w\-]{0,6}(?:\s(?:128|192|256))?"""
#: How a line of a client begins in the log of a protocol.
_CLIENT_LINE = r"""(?:(?<=\n)|(?<=\A)|(?<=[\s(\[]))(?:-{1,3}>|>{1,3}|<|C:|ftp>|pop3?>)\s{1,2}"""
_LINE_END = r"(?=[ ]{0,8}(?:\n|\Z))"
_ENCODING = r"""(?: [05-9] | ascii(?:-text)? | hex(?:adecimal)? | enc(?:rypted)?(?:-password)?
    | clear(?:-?text)?
    | plain(?:-?text)?(?:-password)?(?:-value)? | (?:irreversible-|authentication[ ]
    |encrypted-)?(?:cipher(?:-?text)?|simple) | sha\d{1,3} | md5 )"""

_NETWORK_DEVICE_HINTS = (
    "snmp", "community", "tacacs", "radius", "isakmp", "ikev", "ipsec", "auth sha", "auth md5",
    "priv ", "createuser", "auth-", "priv-", "shared-key ", "com2sec", "username ",
    "enable secret", "cation-key ", "gest-key ", "md5-key", "sha-key", "-string ", "\n key ",
    "\n  key ",
)  # fmt: skip

RULES = (
    Rule(
        name="network device",
        hints=_NETWORK_DEVICE_HINTS,
        pattern=rf"""{WORD_START}(?:
                (?: {_BEFORE_COMMUNITY} )\s{{1,4}}
                (?P<value>(?!\[redacted|(?:string|name|is|was|not|has|must|for|of|strings|and|or)\b)
                  [^\s"':]{{3,}})
              | (?: crypto\sisakmp
              | (?:tacacs|radius)-server\s[^\n]{{0,80}}? )\skey\s{{1,4}}(?:[06]\s)?
                ["']?(?P<seed>(?!\[redacted)[^\s"']{{4,200}})
              | (?: {_BEFORE_ANY_VALUE} )\s(?P<last>(?!\[redacted|\d\s|level\s)[^\s"']{{4,200}})
              | (?: {_BEFORE_UNLIKE_WORDS} )\s{{1,4}}["']?(?P<password>{SECRET_LOOKING}) )""",
        in_words=True,
        replacement=mask_secret_looking,
        rationale="snmp-server community x, crypto isakmp key x, auth sha x priv aes y",
    ),
    Rule(
        name="secrets of IPsec",
        hints=("psk", "eap", "xauth", "ntlm"),
        pattern=r""":[ ](?-i:PSK|EAP|XAUTH|NTLM)[ ]
            (?P<q>["'])(?P<value>(?:(?!(?P=q))[^\n]){3,200})""",
        replacement=mask_either,
        rationale="ipsec.secrets of strongSwan",
    ),
    Rule(
        name="name, encoding and value",
        hints=(
            "ascii",
            "hex",
            "enc",
            "clear",
            "plain",
            "cipher",
            "simple",
            "0",
            "5",
            "6",
            "7",
            "8",
            "9",
        ),
        needs=("pass", "pwd", "secret", "key", "psk", "kennwort", "community"),
        pattern=rf"""{WORD_START}(?: (?:pass(?:word|wd|phrase|code)|passwort|kennwort|pwd
              |psk(?:secret)?|secret|(?:pre-?)?shared-?(?:key|secret)|key-string) | key |
              community(?:[ ](?:read|write))? ){SPACE}{{1,4}}
            (?:(?:(?:manager
            |operator){SPACE})?user-name{SPACE}\S{{1,60}}{SPACE})?
            (?:{_ENCODING}{SPACE}{{1,4}}){{1,2}}(?P<q>["'])?
            (?P<value> (?(q)[^"'\n]{{4,200}}|(?= [^\s"']{{0,60}}(?:\d|[!@\#$%^*+=~_.][^\s"'])
                | (?-i:[^\s"']{{0,60}}[a-z][A-Z]) | {JOINED_WORDS}(?![\w\-]) )
              [^\s"']{{4,}}) )""",
        gate=rf"""(?:word|wd|phrase|code|wort|pwd|psk|secret|key|string|read|write
            |user-name{SPACE}\S{{1,60}}){SPACE}{{1,4}}
            (?:[05-9]|ascii|hex|enc|clear|plain|irrev|cipher|simple|sha|md5
            |authentication)[\w\-]{{0,8}}{SPACE}""".lower(),
        in_words=True,
        replacement=mask_unless_ordinary,
        rationale="password 7 x, secret 5 x, wpa-psk ascii 0 x of network devices",
    ),
    Rule(
        name="password in a protocol",
        hints=("auth ", "pass ", "login ", 'auth" "'),
        pattern=rf"""\b(?:(?-i:PASS)\s|(?-i:LOGIN|\blogin)\s(?!LOGIN|-|(?:from|to|as|by|on|at|in|for)\s)\S{{1,100}}\s)["']?
              (?P<seed>{SECRET_LOOKING})
            | \b(?-i:AUTH)\s(?: (?:LOGIN|PLAIN)\s(?P<value>[a-z0-9+/]{{8,}}={{0,2}})
              | (?!LOGIN|PLAIN)(?:[\w.\-]{{1,60}}\s)?(?P<password>{SECRET_LOOKING}) )""",
        in_words=True,
        replacement=mask_secret_looking,
        rationale="AUTH user password of Redis, PASS of FTP, LOGIN and AUTH PLAIN of mail servers",
    ),
    Rule(
        name="line of a protocol",
        hints=("pass ", 'auth" "', "> auth ", "ugfzc3dvcmq6", "login "),
        pattern=rf"""(?: (?: \bUSER[ ]\S{{1,100}}\s[^\n]{{0,100}}?(?:\n[^\n]{{0,100}}?){{0,2}}?
                  | {_CLIENT_LINE} )
                (?-i:PASS)[ ](?P<value>[^\s/][^\n/]{{0,100}}?){_LINE_END}
              | (?<=\\n)(?-i:PASS)[ ](?P<code>[^\s"\\]{{3,100}})
              | (?<=\d>)[ ]AUTH(?:[ ]\S{{1,100}})?[ ](?P<seed>\S{{1,200}}){_LINE_END}
              | (?-i:UGFzc3dvcmQ6)\s{{1,4}}(?:(?:C:|[<>\-]{{1,4}}|\S{{1,12}}:)\s{{1,4}})?
                (?P<last>[a-z0-9+/]{{4,}}={{0,2}})
              | (?-i:LOGIN)[ ](?:"[^"\n]{{1,100}}"|\S{{1,100}})[ ]"(?P<pin>[^"\n]{{1,200}})"
              | "(?-i:AUTH)"(?:\s"[^"\n]{{1,100}}")?\s"(?P<password>[^"\n]{{1,200}})" )""",
        gate=r"""(?:^|[\s>:]|\\n)pass[ ] | "auth"\s" | >[ ]auth[ ] | ugfzc3dvcmq6
            | login[ ][^\n]{1,110}\" """,
        replacement=mask_either,
        rationale='USER x, then PASS y, of FTP, POP3 and IRC; "AUTH" "x" of MONITOR of Redis',
    ),
    Rule(
        name="line of a password file",
        hints=(" * ", "]:", "{plain", "{clear", *(f"{digit}:" for digit in "0123456789abcdef")),
        gate=r"[ ]\*[ ]|\]:\d|\{plain|\{clear|:(?<=[0-9a-f]{32}:)",
        pattern=r"""(?: (?:\A|(?<=\n))["']?[\w.@\\\-]{1,60}["']?[ ]{1,8}\*[ ]{1,8}
                (?P<q>["'])?(?P<value>(?(q)[^"'\n]{3,200}
                |[^\s"']{3,200}))(?(q)(?P=q)(?:[ ]{1,8}\*|[ ]*(?:\n|\Z))|[ ]{1,8}\*)
              | \{(?:plain|clear(?:text)?)(?:\.\w{1,8})?\}(?P<seed>[^\s:"']{3,200})
              | (?:\A|(?<=\n))[0-9a-f]{32,128}:(?P<last>[^\s:/\\"'<>]{4,64})(?=[ ]*(?:\n|\Z))
              | \[[\w.\-]{3,100}\]:\d{2,5}\s{1,8}[^\s:]{1,100}:(?P<password>[^\s"']{3,200}) )""",
        replacement=mask_either,
        rationale='chap-secrets: "name" * "x" *; sasl_passwd of Postfix: [host]:587 name:x',
    ),
    Rule(
        name="password file of PostgreSQL",
        hints=(":",),
        pattern=r"""(?<![\w.:\-])(?:\*|localhost|\d[\d.]{6,14}
            |[a-z][\w\-]{0,60}(?:\.[\w\-]{1,60}){0,6})
            :(?:\d{4,5}|\*):[\w\-*]{1,60}:[a-z*][\w.\-]{0,60}:
            (?P<value>(?!\[redacted)(?=\S{0,60}\d)[^\s:"'<>]{6,})""",
        gate=r":(?:\d{4,5}|\*):",
        replacement=mask_either,
        rationale="host:port:database:user:password of .pgpass",
    ),
)
