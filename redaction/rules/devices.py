"""Secrets in the configuration of network devices, in protocols and in files with one a line."""

from __future__ import annotations

from redaction.patterns import JOINED_WORDS, SECRET_LOOKING, SPACE, WORD_START
from redaction.rules.replacements import (
    mask_either,
    mask_mail_account,
    mask_of_device,
    mask_secret_looking,
    mask_unless_ordinary,
)
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
    | (?:auth|priv)(?:\w{0,10}-)?(?:key|pass(?:word|phrase)?)(?=\s\S{6})
    | pre-shared-key\s(?:local|remote)
    | key-string(?:\s[067])?
    | (?:md5|sha)-key
    | (?<=\n)[ ]{0,8}(?:key|secret)(?:\s[067])?(?=\s\S{1,200}[ ]{0,4}(?:\n|\Z))
    | priv\s{1,4}(?:aes|3?des)[\w\-]{0,6}(?:\s(?:128|192|256))?"""
#: What a secret follows that can be a word, on a line of a configuration alone.
_COMMAND_WITH_WORD = r"""(?:
      (?:no[ ])?enable[ ](?:secret|password)(?:[ ]level[ ]\d{1,2})?
    | username[ ]\S{1,60}(?:[ ](?!secret|password)\S{1,30}){0,4}[ ](?:secret|password)
    | neighbor[ ]\S{1,60}[ ]password
    | (?:[\w.\-]{1,20}:[ ])?(?:tacacs|radius)-server[ ][^\n]{0,80}?key
    | key-string | (?:\S{1,40}[ ]){0,4}(?:authentication|key|cipher|password)[ ](?:irreversible-)?(?:cipher|simple|plain|text)
    | (?:[\w\-.]{1,30}[ ]){1,6}(?:md5(?:[ ]key-string)?|authentication[ ]text|authentication-key)
    | (?:ldap)?bind_?pw | rootpw | auth_pass | requirepass | masterauth
    | set[ ](?:[\w\-./]{1,60}[ ]){0,12}?(?:psksecret|passwd|(?:plaintext-)?password|pre-?shared-(?:secret|key)
        |authentication-key|wpa-passphrase|passphrase|psk|ppk-secret) )"""
_SUBJECT = r"""(?:scanning|rotation|manage(?:r|ment)|protection|detection|support|stor(?:e|age)|sync\w{0,6}
    |polic(?:y|ies)|reset|expir\w{1,6}|hash(?:ing)?|encryption|writeback|complexity|history|features?|backup
    |authentication|settings?|options?|access|generation|change|recovery|prompt|strength|sharing|values?)(?![^\s;,|])"""
#: How a line of a client begins in the log of a protocol.
_CLIENT_LINE = r"""(?:(?<=\n)|(?<=\A)|(?<=[\s(\[]))(?:-{1,3}>|>{1,3}|<|C:|ftp>|pop3?>)\s{1,2}"""
_LINE_END = r"(?=[ ]{0,8}(?:\n|\Z))"
_ENCODING = r"""(?: [05-9] | ascii(?:-text)? | hex(?:adecimal)? | enc(?:rypted)?(?:-password)?
    | clear(?:-?text)?
    | plain(?:-?text)?(?:-password)?(?:-value)? | (?:irreversible-|authentication[ ]
    |encrypted-)?(?:cipher(?:-?text)?|simple) | sha\d{1,3} | md5 )"""

_NETWORK_DEVICE_HINTS = (
    "snmp", "community", "tacacs", "radius", "isakmp", "ikev", "ipsec", "auth sha", "auth md5",
    "priv ", "createuser", "auth-", "priv-", "authpass", "privpass", "authkey", "privkey", "shared-key ", "com2sec", "username ",
    "enable secret", "cation-key ", "gest-key ", "md5-key", "sha-key", "-string ", "\n key ",
    "\n  key ", "\nsecret ", "\n secret ", "\n  secret ", "\n    secret ",
)  # fmt: skip

RULES = (
    Rule(
        name="network device",
        hints=_NETWORK_DEVICE_HINTS,
        pattern=rf"""{WORD_START}(?:
                (?:(?:snmp-server|set[ ]snmp|snmp-agent)[ ]community[ ](?:read[ ]|write[ ])?
                  |snmp[\w\-]{{0,20}}:\s{{1,12}}community:[ ])
                (?P<code>(?!\[redacted|public\b|private\b)[^\s"':]{{3,64}})
                (?=[ ]*(?:\n|\Z)|[ ](?:r[ow]|view|auth\w{{0,12}}|group|ipv4|\d{{1,4}})\b)
              | (?: {_BEFORE_COMMUNITY} )\s{{1,4}}
                (?P<value>(?!\[redacted|(?:string|name|is|was|not|has|must|for|of|strings|and|or)\b)
                  [^\s"':]{{3,}})
              | (?: crypto\sisakmp
              | (?:tacacs|radius)-server\s[^\n]{{0,80}}? )\skey\s{{1,4}}(?:[06]\s)?
                ["']?(?P<seed>(?!\[redacted)[^\s"']{{4,200}})
              | (?: {_BEFORE_ANY_VALUE} )\s(?P<last>(?!\[redacted|\d\s|level\s)[^\s"']{{4,200}})
              | (?: {_BEFORE_UNLIKE_WORDS} )\s{{1,4}}["']?(?P<password>{SECRET_LOOKING}) )""",
        in_words=True,
        replacement=mask_of_device,
        rationale="snmp-server community x, crypto isakmp key x, auth sha x priv aes y",
    ),
    Rule(
        name="word on a line of a configuration",
        hints=(
            "secret ",
            "password ",
            "-server ",
            "-string ",
            " cipher ",
            " simple ",
            " plain ",
            " text ",
            " md5 ",
            "-key ",
            " passwd ",
            "psk",
            "passphrase ",
            "key ",
            "pw ",
            "pass ",
            "auth ",
        ),
        gate=r"(?:secret|password|key|string|cipher|simple|plain|text|md5|\d|passwd|psk|passphrase|pw|pass|auth)[ ][^\s]{4,64}[ ]*(?:[\n;}]|$)",
        pattern=rf"""(?:\A|(?<=\n)|(?<=[:>][ ])|(?<=with[ ]))[ ]{{0,20}}(?:[\w.]{{1,40}}:[ ]{{1,4}})?(?:[\w.\-]{{1,40}}(?:\([\w\-]{{1,30}}\))?[\#>$%][ ]?|[+\-][ ])?
            (?: {_COMMAND_WITH_WORD}
              | (?:tacacs|radius)[ ]server[ ]\S{{1,60}}\n(?:[ ][^\n]{{1,120}}\n){{0,4}}?[ ]{{1,8}}key )
            [ ](?:[05-9][ ])?(?P<value>(?!\[redacted|{_SUBJECT})[^\s"'`<>]{{4,64}}){_LINE_END}
          | (?:\A|(?<=[\n{{;]))[ ]{{0,20}}(?:auth_pass|(?:shared_?)?secret|password|passwd|psk)[ ]{{1,20}}
            (?: "(?P<code>[^"\n]{{3,64}})"(?=;) | (?P<seed>(?!\[redacted|on\b|off\b|{_SUBJECT})[^\s"'`<>;]{{4,64}})(?=;[ ]*(?:\n|\}}|\Z)|[ ]\}}) )
          | (?<![\w\-])(?:auth_pass|ldap_?bind_?pw)[ ](?P<last>(?!\[redacted)[^\s"'`<>;]{{4,64}})(?=[ ]{{0,8}}(?:[;}}\n]|\Z))""",
        in_words=True,
        replacement=mask_either,
        rationale="enable secret x, neighbor y password x, set psksecret x",
    ),
    Rule(
        name="secrets of a user of SNMP",
        hints=("snmp-server user", "snmp user", "snmpv3", "createuser", "usm"),
        pattern=r"""(?:snmp(?:-server|v3)?[ ]user|createuser|usm)[ ][^\n]{1,120}?\b(?:auth[ ])?(?:md5|sha[\w\-]{0,6})[ ]
            (?P<value>(?!\[redacted)[^\s"']{6,64})
            | (?:snmp(?:-server|v3)?[ ]user|createuser|usm)[ ][^\n]{1,200}?\bpriv(?:acy)?[ ]
            (?:(?:aes|3?des)[\w\-]{0,6}[ ](?:(?:128|192|256)[ ])?)?(?P<password>(?!\[redacted|(?:aes|3?des)\b)[^\s"']{6,64})""",
        replacement=mask_either,
        rationale="snmp-server user x y v3 auth sha z priv aes 128 z",
    ),
    Rule(
        name="community in an object",
        hints=("community", "communities"),
        needs=("snmp",),
        pattern=r"""snmp[\w\-]{0,20}\\{0,3}["']?\s?[:=]\s?\{[^{}]{0,200}?
            \b(?:r[ow])?community\\{0,3}["']?\s?[:=]\s?\\{0,3}["']?(?P<value>(?!\[redacted)[^\s"'{}\\,]{3,64})
          | (?:\A|\n|(?<=[:>][ ])|(?<=with[ ]))[ ]{0,20}(?:-[ ])?[\w\-]{0,20}snmp[\w\-]{0,20}:[ ]*\n(?:[ ]{1,40}[^\s][^\n]{0,119}\n){0,8}?[ ]{1,40}(?:-[ ])?
            (?:r[ow][_\-]?)?communit(?:y|ies):[ ]*(?:\n[ ]+-[ ])?(?:(?:name|string|community):[ ]+)?["']?
            (?P<password>(?!\[redacted|\d{1,5}:\d)[^\s"'{}\[\]\\,:]{3,64})["']?(?=[ ]*(?:\n|\Z))""",
        replacement=mask_either,
        rationale='"snmp": {"version": "2c", "community": "x"}, also in lines of YAML',
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
            |user-name{SPACE}[^\s]{{1,60}}){SPACE}{{1,4}}
            (?:[05-9]|ascii|hex|enc|clear|plain|irrev|cipher|simple|sha|md5
            |authentication)[\w\-]{{0,20}}{SPACE}""".lower(),
        in_words=True,
        replacement=mask_unless_ordinary,
        rationale="password 7 x, secret 5 x, wpa-psk ascii 0 x of network devices",
    ),
    Rule(
        name="password in a protocol",
        hints=("auth ", "pass ", "login ", 'auth" "'),
        pattern=rf"""\b(?:(?-i:PASS)\s|(?-i:LOGIN|\blogin(?=\s\S{{1,100}}\s\S{{0,60}}[\d!@\#$%^*]))\s(?!LOGIN|-|(?:from|to|as|by|on|at|in|for)\s)\S{{1,100}}\s)["']?
              (?P<seed>{SECRET_LOOKING})
            | \b(?-i:AUTH)\s(?: (?:LOGIN|PLAIN)\s(?P<value>[a-z0-9+/]{{8,}}={{0,2}})
              | (?!LOGIN|PLAIN)(?:[\w.\-]{{1,60}}\s)?(?P<password>{SECRET_LOOKING}) )""",
        in_words=True,
        replacement=mask_secret_looking,
        rationale="AUTH user password of Redis, PASS of FTP, LOGIN and AUTH PLAIN of mail servers",
    ),
    Rule(
        name="line of a protocol",
        hints=("pass ", 'auth" "', "> auth ", "ugfzc3dvcmq6", "334 [redacted:12]", "login "),
        pattern=rf"""(?: (?: \bUSER[ ]\S{{1,100}}\s[^\n]{{0,100}}?(?:\n[^\n]{{0,100}}?){{0,2}}?
                  | {_CLIENT_LINE} )
                (?-i:PASS)[ ](?P<value>[^\s/][^\n/]{{0,100}}?){_LINE_END}
              | (?<=\\n)(?-i:PASS)[ ](?P<code>[^\s"\\]{{3,100}})
              | (?<=\d>)[ ]AUTH(?:[ ]\S{{1,100}})?[ ](?P<seed>\S{{1,200}}){_LINE_END}
              | (?-i:UGFzc3dvcmQ6|\b334[ ]\[redacted:12\])\s{{1,4}}(?:(?:C:|[<>\-]{{1,4}}|\S{{1,12}}:)\s{{1,4}})?
                (?P<last>[a-z0-9+/]{{4,}}={{0,2}})
              | (?-i:LOGIN)[ ](?:"[^"\n]{{1,100}}"|\S{{1,100}})[ ]"(?P<pin>[^"\n]{{1,200}})"
              | "(?-i:AUTH)"(?:\s"[^"\n]{{1,100}}")?\s"(?P<password>[^"\n]{{1,200}})" )""",
        gate=r"""(?:^|[\s>:]|\\n)pass[ ] | "auth"\s" | >[ ]auth[ ] | ugfzc3dvcmq6 | 334[ ]\[redacted:12
            | login[ ][^\n]{1,110}\" """,
        replacement=mask_either,
        rationale='USER x, then PASS y, of FTP, POP3 and IRC; "AUTH" "x" of MONITOR of Redis',
    ),
    Rule(
        name="line of a password file",
        hints=(" *", "{plain", "{clear", ":/", *(f"{digit}:" for digit in "0123456789abcdef")),
        gate=r"[ ]\*(?:[ \n]|$)|:\d{1,6}:\d{1,6}:[^:\n]{0,100}:/|\{plain|\{clear|:(?<=[0-9a-f]{32}:)",
        pattern=r"""(?: (?:\A|(?<=\n))["']?[\w.@\\\-]{1,60}["']?[ ]{1,8}\*[ ]{1,8}
                (?P<q>["'])?(?P<value>(?(q)[^"'\n]{3,200}
                |[^\s"']{3,200}))(?(q)(?P=q)(?:[ ]{1,8}\*|[ ]*(?:\n|\Z))|[ ]{1,8}(?:\*|-|\d{1,3}(?:\.\d{1,3}){3})(?=\s|\Z))
              | (?:\A|(?<=[\n ]))["']?[\w.@\\\-]{1,60}["']?[ ]{1,8}(?:pptpd|l2tpd|xl2tpd|ppp\d?|[\w\-]{1,20}vpn)[ ]{1,8}
                ["']?(?P<code>[^\s"'*]{3,200})["']?[ ]{1,8}\*
              | (?:\A|(?<=[\n ]))[a-z_][\w.\-]{0,31}:(?P<password>(?![x*!$]+\d?[*!]?:)(?!\$|\[redacted)[^\s:]{3,64})(?=:\d{1,6}:\d{1,6}:[^:\n]{0,100}:/)
              | \{(?:plain|clear(?:text)?)(?:\.\w{1,8})?\}(?P<seed>[^\s:"']{3,200})
              | (?:\A|(?<=\n))[0-9a-f]{32,128}:(?P<last>[^\s:/\\"'<>]{4,64})(?=[ ]*(?:\n|\Z))
              )""",
        replacement=mask_either,
        rationale='chap-secrets: "name" * "x" *; a hash with its salt',
    ),
    Rule(
        name="account of a mail server",
        hints=("]:", "sasl_passwd", ":25 ", ":465 ", ":587 ", ":2525 ", "postmap -"),
        gate=r"postmap\s-\w{0,3}q|\][:\d]{0,6}[ ]{1,40}[\w.@+…\-]{1,100}:|sasl_passwd|[a-z]:\d{2,5}[ ]{1,40}[\w.@+…\-]{1,100}:",
        pattern=r"""(?: (?:\A|(?<=\n)|(?<=passwd:[ ])|(?<=passwd:))(?:\d{1,4}:)?[ ]{0,8}
                (?P<host>\[[\w.\-]{3,100}\](?::\d{2,5})?
                  | (?:[\w\-]{1,60}\.){1,6}[a-z]{2,20}(?::\d{2,5})?)[ ]{1,40}
              | \bpostmap\s-\w{0,3}q\s[^\n]{1,200}\n )
            [\w.@+…\-]{1,100}:(?P<value>(?!\[redacted)[^\s:/][^\n]{2,100}?)(?=[ ]*(?:\n|\Z))
          | \[[\w.\-]{3,100}\]:\d{2,5}[ ]{1,8}[\w.@+…\-]{1,100}:(?P<password>(?!\[redacted)[^\s"']{3,200})""",
        replacement=mask_mail_account,
        rationale="sasl_passwd of Postfix: [host]:587 name:x",
    ),
    Rule(
        name="password file of PostgreSQL",
        hints=(":",),
        pattern=r"""(?<![\w.:\-])(?:\*|localhost|\d[\d.]{6,14}
            |[a-z][\w\-]{0,60}(?:\.[\w\-]{1,60}){0,6})
            :(?:\d{4,5}|\*):[\w\-*]{1,60}:[a-z*][\w.\-]{0,60}:
            (?P<value>(?!\[redacted)(?:(?=\S{0,60}\d)[^\s:"'<>]{6,}|(?-i:[a-z]{8,24})(?=[ ]*(?:\n|\Z|\())))""",
        gate=r":(?:\d{4,5}|\*):",
        replacement=mask_either,
        rationale="host:port:database:user:password of .pgpass",
    ),
    Rule(
        name="account and password of RADIUS",
        hints=("login ",),
        gate=r"login[ ](?:incorrect|ok)",
        pattern=r"""\bLogin[ ](?:incorrect|OK)[^\n\[]{0,120}:[ ]{1,2}\[(?!host/)[^\]/\n]{1,100}/(?P<value>(?!<|\[redacted|via\b)[^\]\n]{3,100})(?=\])""",
        replacement=mask_either,
        rationale="Login incorrect: [name/x] of FreeRADIUS",
    ),
    Rule(
        name="community in the registry",
        hints=("validcommunities",),
        pattern=r"""ValidCommunities\]?\s{1,12}(?:"(?P<value>[^"\n]{3,64})"(?=\s?=\s?dword)|(?P<password>\S{3,64})(?=\s{1,8}REG_DWORD))""",
        replacement=mask_either,
        rationale='[…\\ValidCommunities]⏎"x"=dword:00000004',
    ),
    Rule(
        name="PIN of a mailbox",
        hints=("=>",),
        gate=r"\d[ ]?=>[ ]?\d{3,10},",
        pattern=r"(?<![\w.])\d{2,8}[ ]?=>[ ]?(?P<value>\d{3,10})(?=,[^\n,]{1,80}(?:,|\n|\Z))",
        replacement=mask_either,
        rationale="101 => x,name,address of voicemail.conf",
    ),
    Rule(
        name="key of a transaction signature",
        hints=("hmac-",),
        pattern=r"""\bhmac-(?:md5|sha\d{1,3}):[\w.\-]{1,100}:(?P<value>[a-z0-9+/]{8,200}={0,2})""",
        replacement=mask_either,
        rationale="-y hmac-sha256:name:x of nsupdate and dig",
    ),
)
