"""Secrets that their own form shows: keys, hashes, tickets and tokens."""

from __future__ import annotations

from redaction.marks import mask_match
from redaction.patterns import (
    ASSIGNMENT,
    CONTINUATION_LINES,
    DOLLAR,
    GUID,
    QUOTE,
    SPACE,
    WORD_START,
)
from redaction.rules.replacements import (
    mask_either,
    mask_opaque,
    mask_row,
    mask_value,
    mask_web_token,
)
from redaction.rules.rule import Rule

_KERBEROS_KEY = r"""(?: aes(?:128|256)-cts[\w\-]{0,30} | arcfour-hmac\w{0,4} | rc4[_\-]hmac\w{0,4}
    | des-cbc-\w{3} )"""

RULES = (
    Rule(
        name="private key",
        hints=("-----begin",),
        pattern=r"""-----BEGIN (?:[ +]|%20)(?:[A-Z0-9]{1,20}(?:[ +]|%20)){0,4}
            (?:PRIVATE(?:[ +]|%20)KEY|OpenVPN\ Static\ key\ V1)(?:(?:[ +]|%20)BLOCK)?-----
            (?=[^-]{0,400}?[A-Z0-9+/=%]{16}|[^-]{0,400}-[A-Z\d]|[ \n\\rn]*\Z)
            (?: .{0,16000}?-----END.{1,40}?-----
              | (?: [A-Z0-9+/=:,\-] | \\{1,7}[rn] | \s | %0[AD] | %2[BF] | %3D )* )""",
        replacement=mask_match,
        rationale="PEM, also with escaped line ends, also cut off before its end",
    ),
    Rule(
        name="block of lines",
        hints=("ansible_vault;", "private-lines:"),
        pattern=r"""(?:\$ANSIBLE_VAULT;[\w.;\-]{3,60}|Private-Lines:[ ]\d{1,4})
            (?P<value>(?:\s{1,40}(?![\w\-]+:)[a-z0-9+/=]{16,100})+)""",
        replacement=mask_value,
        rationale="Ansible Vault and the keys of PuTTY",
    ),
    Rule(
        name="Wi-Fi code",
        hints=("wifi:",),
        pattern=r"WIFI:(?:[A-OQ-Z]:[^;\n]{0,100};){0,6}P:(?P<value>(?:\\.|[^;\n]){1,100})",
        replacement=mask_value,
        rationale="the text of a QR code for a network",
    ),
    Rule(
        name="NTLM hash",
        hints=(":", "%3a"),
        pattern=rf"""{WORD_START}(?P<value>[0-9a-f]{{32}}(?::|%(?:25)?3A)[0-9a-f]{{32}})
            (?![0-9a-f])""",
        gate=r":[0-9a-f]{32}|%3a[0-9a-f]{32}|%253a[0-9a-f]{32}",
        replacement=mask_value,
        rationale="the pair of hashes of a Windows account",
    ),
    Rule(
        name="Kerberos ticket or key",
        hints=("krb5", "cts", "arcfour", "rc4", "hash", "ntlm", "::"),
        pattern=rf"""(?: {DOLLAR}krb5\w{{2,12}}{DOLLAR}(?P<value>[^\s"'<>]{{20,}})
              | (?:{_KERBEROS_KEY}|{WORD_START}(?:(?:nt|lm|ntlm)[_\- ]?hash[^:=\n]{{0,60}}|ntlm))
                \s{{0,12}}[:=]\s?(?P<password>[0-9a-f]{{16,64}})(?![0-9a-f]) )""",
        gate=r"krb5|-cts|arcfour|rc4|des-cbc|(?:nt|lm)[_\- ]?hash|ntlm\s{0,12}[:=]",
        replacement=mask_either,
        rationale="tickets and keys that a password can be computed from",
    ),
    Rule(
        name="NTLM response",
        hints=("::",),
        pattern=r"""::[^\s:]{0,60}:(?P<value>[0-9a-f]{16,48}:[0-9a-f]{32,48}:[0-9a-f]{16,})""",
        replacement=mask_value,
        rationale="user::domain:challenge:response",
    ),
    Rule(
        name="Vault token",
        hints=("s.",),
        pattern=r"(?<![\w.])s\.(?=[a-z]{0,23}\d)(?P<value>[a-z0-9]{24})(?![\w.])",
        gate=r"s\.[a-z0-9]{24}",
        in_word=True,
        replacement=mask_value,
        rationale="s.x of older versions",
    ),
    Rule(
        name="password hash",
        hints=("$", "%24", "%2524", "{s", "{crypt}"),
        pattern=rf"""(?: (?:\{{(?:s?sha(?:256|384|512)?|smd5|crypt)\}}[a-z0-9./+=$]{{20,400}})
              | (?:pbkdf2|argon2|scrypt|bcrypt|sha512_crypt)\w{{0,12}}{DOLLAR}
                [a-z0-9./+=,$%_\-]{{20,400}}
              | {DOLLAR}DCC2{DOLLAR}\d{{1,8}}\#[^\#\s]{{1,60}}\#[0-9a-f]{{32}}
              | {DOLLAR}(?:2[abxy]|[1569y]|apr1
              |argon2\w{{1,2}}){DOLLAR}[a-z0-9./+=,$%_\-]{{20,400}} )""",
        replacement=mask_match,
        rationale="Django, bcrypt, crypt and argon2",
    ),
    Rule(
        name="product key",
        hints=("-",),
        pattern=rf"""{WORD_START}(?<!-)(?!X{{4,5}}-X)
            (?-i: (?:[A-Z0-9]{{5}}-){{4}}[A-Z0-9]{{5}} | (?:[A-Z0-9]{{4}}-){{5}}[A-Z0-9]{{4}}
              | [A-Z0-9]{{5}}-[A-Z0-9]{{5}}(?:-[A-Z0-9]{{4}}){{1,4}}
              | (?=[\d\-]{{0,40}}[A-Z])(?:[A-Z0-9]{{2,6}}-)?[A-Z0-9]{{5,6}}
              (?:-[A-Z0-9]{{5,6}}){{4,6}} )(?![\w\-])""",
        in_word=True,
        gate=r"-[a-z0-9]{4,5}-",
        replacement=mask_match,
        rationale="product keys, FileVault recovery keys, bypass codes of the activation lock",
    ),
    Rule(
        name="one-time password of a YubiKey",
        hints=("cccc",),
        pattern=rf"{WORD_START}(?P<value>cccc[cbdefghijklnrtuv]{{28,44}})(?![\w\-])",
        in_word=True,
        in_words=True,
        replacement=mask_value,
        rationale="its identity, then a code that is used once, in the alphabet modhex",
    ),
    Rule(
        name="token of Proxmox",
        hints=("!",),
        gate=r"@[a-z][\w\-]{1,20}![\w.\-]{1,60}(?:[=:]|[^\n]{0,20}\n)",
        pattern=rf"@[a-z][\w\-]{{1,20}}![\w.\-]{{1,60}}(?:[=:]|[^\n]{{0,20}}\n\W{{0,8}}value\W{{1,20}})(?P<value>{GUID})",
        replacement=mask_value,
        rationale="root@pam!name=x",
    ),
    Rule(
        name="key in groups or as a number",
        hints=("key",),
        gate=r"key[^\w\n]{1,4}(?:0x[0-9a-f]{16}|[a-z\d]{4,8}-[a-z\d]{4,8}-|[a-z\d+/_\-]{20})",
        pattern=r"""(?<![a-z])key[ ]?[:=(]{0,2}[ ]?(?:(?P<value>0x[0-9a-f]{32,128})(?![0-9a-f])
            | (?<=\nkey)[ ]?[=:][ ]?(?P<seed>(?=[^\d\n]{0,199}\d)(?=(?-i:[^a-z\n]{0,199}[a-z]))(?=(?-i:[^A-Z\n]{0,199}[A-Z]))
              [a-z\d+/_\-]{20,200}={0,2})(?=[ ]*(?:\n|\Z))
            | (?P<password>(?=[A-Z\-]{0,30}\d)(?=[\d\-]{0,30}[A-Z])(?-i:[A-Z\d]{4,8}(?:-[A-Z\d]{4,8}){2,7}))(?![\w\-]))""",
        replacement=mask_either,
        rationale="entry key (0x…), license key AB12-CD34-EF56",
    ),
    Rule(
        name="statement parameter",
        hints=("parameter",),
        pattern=rf"""parameter{SPACE}(?:\$|%(?:25)?24)\d{{1,4}}{ASSIGNMENT}
            (?P<q>{QUOTE})(?P<value>.{{1,2000}}?)(?P=q)""",
        replacement=mask_value,
        rationale="PostgreSQL quotes the values of a failed statement in CONTEXT",
    ),
    Rule(
        name="failing row",
        hints=("failing",),
        pattern=rf"""Failing{SPACE}row{SPACE}contains{SPACE}
            (?P<value> \([^\n]{{1,4000}}\) | %(?:25)?28[^\s&]{{1,4000}}%(?:25)?29 )""",
        replacement=mask_row,
        rationale="PostgreSQL quotes the whole row in DETAIL",
    ),
    Rule(
        name="JSON web token",
        hints=("eyj",),
        pattern=rf"{WORD_START}(?-i:eyJ)[\w\-]{{5,}}[.\w=+/~\-]*{CONTINUATION_LINES}",
        in_word=True,
        in_words=True,
        replacement=mask_web_token,
        rationale="signed or encrypted, whole or cut off",
    ),
    Rule(
        name="Entra refresh token or code",
        hints=(".a", "m.c", "m.r"),
        pattern=rf"""{WORD_START}(?: (?-i:[01]\.A)(?=[\w\-]*\d)[\w\-]{{20,}}[\w.\-]*
              | (?-i:M\.[CR])\d{{1,4}}[_.][\w.!*$\-]{{20,}} ){CONTINUATION_LINES}""",
        in_word=True,
        replacement=mask_opaque,
        rationale="0.A… and 1.A… of Entra, M.C… of personal accounts",
    ),
    Rule(
        name="BitLocker recovery key",
        hints=("-",),
        pattern=rf"{WORD_START}\d{{6}}(?:-\d{{6}}){{5,7}}(?![\d\-])",
        in_word=True,
        gate=r"-\d{6}-",
        replacement=mask_match,
        rationale="eight groups of six digits",
    ),
)
