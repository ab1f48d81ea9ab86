"""Passwords in command lines: as an option, as an argument, and on standard input."""

from __future__ import annotations

from redaction.patterns import (
    ARGUMENT,
    MASKED,
    OPTION_START,
    QUOTE,
    QUOTED_VALUE,
    SECRET_LOOKING,
    SENSITIVE_NAME,
    SLASH,
    SPACE,
    UNQUOTED_VALUE,
    WORD_START,
    argument,
)
from redaction.rules.replacements import (
    mask_either,
    mask_named,
    mask_password_option,
    mask_secret_looking,
    mask_shaped,
    mask_unless_ordinary,
    mask_value,
)
from redaction.rules.rule import Rule

#: The options of a tool that a password follows.
OPTIONS_OF_TOOLS = {
    r"sqlcmd|bcp|osql|isql|ipmitool|mosquitto_\w{3}|evil-winrm": "-P",
    r"redis-cli": "-a|--pass",
    r"racadm|perccli|omconfig": "-p",
    r"esxcli|check_\w{2,20}": "-p|-c|-A|-X|-C",
    r"snmp(?:walk|get|getnext|set|bulkwalk|bulkget|table|trap|inform|status|test)": "-c|-A|-X",
    r"keytool|jarsigner": "-(?:src|dest|new)?(?:store|key)pass",
    r"openssl|gpg|curl|age|step": "-pass(?:in|out)?|--pass|-k|-K",
    r"signtool|makecert|pvk2pfx": "/p|-p|-po|-pi",
    r"schtasks": "/[rR]?[pP]",
    r"xfreerdp|wfreerdp|rdesktop|mstsc|netdom|djoin|cmdkey|wmic|psexec": (
        "/p|/pass|/password[do]?|/passwordd|/pd|/pm"
    ),
    r"twine": "-p|--password",
    r"crackmapexec|netexec|nxc": "-H|-p",
    r"gh\ssecret\sset": "-b|--body",
    r"security(?=\s(?!find-identity))": "-p|-w",
    r"ssh-keygen": "-N|-P",
    r"7z\w?|7za|unrar|rar|zip|unzip": "-h?p|-P|--password",
}
_TOOL_HINTS = (
    "sqlcmd", "bcp", "osql", "isql", "ipmitool", "mosquitto", "evil-winrm", "redis-cli", "snmp",
    "keytool", "jarsigner", "openssl", "gpg", "curl", "age ", "step ", "signtool", "makecert",
    "pvk2pfx", "schtasks", "freerdp", "rdesktop", "mstsc", "netdom", "djoin", "cmdkey", "wmic",
    "psexec", "twine", "esxcli", "check_", "racadm", "perccli", "omconfig", "crackmapexec", "netexec", "nxc ", "gh secret", "security", "ssh-keygen", "7z", "rar ", "zip ",
)  # fmt: skip
_TOOL_AND_OPTION = " | ".join(
    rf"(?:{tool})(?:\.exe[\"']?)?(?=\s)[^\n;|]{{1,200}}?(?<=\s)(?-i:{options})"
    for tool, options in OPTIONS_OF_TOOLS.items()
)
#: Tools whose options -p, -pw and -w have a password.
_TOOLS_WITH_P = r"""(?: sshpass | psexec\w{0,4} | certutil | docker | podman | az | plink | pscp
    | smbclient | ldap\w{3,10} | mongo\w{0,8} | crackmapexec | netexec | nxc | mysql\w{0,8}
    | mariadb\w{0,8} | winrs | rdesktop | helm | oc | svn | redis-cli )"""
# Another option, or ports: `docker run -p 8080:80`.
_NO_PORTS = r"(?!-|[\d.]{0,16}:?\d{1,5}:\d)"
_WORD = r'(?:"[^"\n]{1,100}"|\S{1,100})'
_REST = r"[^\n;|]"

#: What a password follows in the command lines, files and dialogs of single tools.
_BEFORE_VALUE = " | ".join(
    [
        rf"wpa_passphrase\s{{1,4}}{_WORD}\s{{1,4}}",
        rf"networksetup\s-setairportnetwork\s\S{{1,20}}\s{{1,4}}{_WORD}\s{{1,4}}",
        rf"dscl\s{_REST}{{0,80}}?-passwd\s\S{{1,200}}\s{{1,4}}(?:\[redacted:\d+\]\s)?(?!\[redacted)",
        rf"pulumi\sconfig\sset\s{_REST}{{0,60}}?--secret\s\S{{1,60}}\s",
        rf"(?:http|https|xh)\s{_REST}{{0,100}}?(?:-a|--auth)[\s=][\"']?[^\s:\"']{{1,60}}:",
        rf"lftp\s{_REST}{{0,100}}?-u\s[\"']?[^\s,\"']{{1,60}},",
        rf"curl(?:\.exe)?\s{_REST}{{0,200}}?(?-i:-E|--cert)\s[\"']?[^\s:\"']{{1,100}}:",
        r"role_id[\"']?\s?[:=]\s?[\"']?[\w\-]{20,40}[\"']?[,&\s]{1,4}[\"']?secret_id[\"']?\s?[:=]\s?",
        r"maps\s?=\s?static:[^\s:]{1,60}:",
        r"bitsadmin\s/setcredentials\s(?:\S{1,60}\s){4}",
        r"_authToken\s",
        rf"(?:secret\sset|shared-key)\s{_REST}{{0,200}}?--value[\s=]",
        r"sshpass\s-p(?=[^\s])",
        rf"rabbitmqctl\s{_REST}{{0,60}}?(?:add_user|change_password|authenticate_user)\s\S{{1,60}}\s",
        r"hdbuserstore\s(?:-\S{1,20}\s){0,3}set\s(?:\S{1,100}\s){3}",
        r"htpasswd\s(?:-\w{1,8}\s){0,3}?-\w{0,6}b\w{0,4}\s(?:-\w{1,4}\s){0,3}\S{1,100}\s\S{1,60}\s",
        rf"iwconfig\s{_REST}{{0,80}}?\skey\s(?:s:)?",
        r"AT\+CPIN=",
        r"wifi-iface\[\d{1,2}\]\.key=",
        rf"sapcontrol\s{_REST}{{0,80}}?-user\s\S{{1,60}}\s",
        r"mc\s(?:alias\sset|config\shost\sadd)\s\S{1,60}\s\S{1,200}\s\S{1,60}\s",
        r"(?:impacket-\w{2,20}|\w{2,20}\.py)\s[^\n;|@]{0,80}?(?:[\w.\-]{1,60}/)?[\w.\-]{1,60}:(?=\S{1,200}@)",
        rf"(?:kinit|\w{{0,12}}passwd|sudo|cryptsetup|gpg|openssl|realm|adcli|ssh-add|secret|token)\b{_REST}{{0,100}}?<<<\s?\$?",
        r"(?<=/)(?:machinepwd|passwordd|passwordo)[\s:]",
        r"autologon(?:64)?\.exe\s(?:/\S{1,20}\s){0,3}(?!/)\S{1,60}\s(?!/)\S{1,60}\s",
        r"autologon(?:64)?\s\S{1,60}\s\S{1,60}\s(?=\S{0,60}\d)(?=\S{0,60}[!@#$%^*+])",
        r"radtest\s(?:-\S{1,20}\s){0,6}\S{1,60}\s",
        r"connect\s(?:to\s\S{1,60}\s)?user\s\S{1,60}\susing\s",
        r"logon\s[^\s/]{1,60}/[^\s,]{1,60},",
        r"setuser\s\S{1,60}\s[^\n]{0,100}?>",
        r"user\s\S{1,60}\son\s>",
        r"identified\sby\s\S{1,60}\sreplace\s",
        r"mgmt-user\s\S{1,60}\s\S{1,60}\s",
        r"wireless\.[\w@\[\]\-]{1,40}\.key=",
        r"option\skey\s",
        r"(?:wifi-sec|802-11-wireless-security)\.(?:psk|wep-key\d)\s",
        r"(?-i:BUNDLE_[A-Z_]{3,80})[\"']?\s?[:=]\s?[\"']?[^\s:\"'/]{1,60}:",
        r"(?-i:(?!(?:BY|COM|FIRST|LAST|AUTO|MULTI|ROUTE|COMPRESS)PASS)[A-Z]{2,20}PASS)=(?=\S{4})",
        r"--?(?!foreign|primary|partition|sort|cache)[a-z]{0,20}-?key[=\s](?=[a-z]{0,19}\d)(?=[a-z\d]{20,200}(?![\w./\\-]))",
        r"\$USER\d{1,3}\$\s?=\s?(?!/)",
        r"key\sfound!?\s\[\s",
        r"(?:seed|recovery|backup|mnemonic)\s(?:phrase|words?)\s?[:=]\s(?=(?:[a-z]{3,8}\s){11})",
    ]
)
#: The same in texts that are rarer, so that their hints say more.
_BEFORE_VALUE_OF_FEW = " | ".join(
    [
        r"(?:active)?(?:sheet|workbook|document|range)(?:s?\([^)\n]{1,40}\))?\.(?:un)?protect[ (]{1,2}(?=\")",
        r"\w{1,30}(?:\(\))?\.unlock\w{0,12}\((?=[\"'])",
        r"bw\s(?:unlock|login\s\S{1,80})\s(?!-)",
        r"openssl\spasswd\s(?:-\S{1,10}\s){1,4}(?!-)",
        r"http-basic[.\w\-]{0,60}\s\S{1,60}\s",
        r"register\s=>\s[\w.\-]{1,60}:",
        r"<\((?:echo|printf)\s(?:-\w\s)?",
        r"(?:security|secret)\squestion[^\n]{0,80}?\banswer(?:\s(?!is\b)\w{1,12}){0,2}\s?[:=]\s",
        rf"SUSEConnect\s{_REST}{{0,80}}?(?:-r|--regcode)[\s=]",
        rf"subscription-manager\s{_REST}{{0,120}}?--activationkey[\s=]",
        r"accessor_?id[\"']?\s?[:=]\s{0,12}[\"']?[\w\-]{20,40}[\"']?[,\s]{1,8}[\"']?secret_?id[\"']?\s?[:=]\s{0,12}",
        r"(?:consul|nomad|vault|acl)\b[^\n]{0,200}?\bsecret\s?id\s{0,12}[:=]\s{1,12}",
        r"(?:login|password|secret)\s?=?\s(?:cleartext|plaintext)\s",
        r"synoshare\s--enc_mount\s\S{1,60}\s",
        r"\blogin=[\w.\-]{1,60}:",
        r"bundle\sconfig\s(?:set\s)?(?:--\w{1,10}\s)?[\w.\-:/]{3,80}\s[\w.\-]{1,60}:",
        r"algoliasearch\([\"'][A-Z\d]{6,20}[\"'],\s?",
        r"(?:seed|recovery)\sphrase\s(?:is|was|reads)\s(?=[\"“])",
        r"password\s(?:of|for)\s[\w.\-@]{1,60}:\s(?=\d{4,12}(?!\w))",
    ]
)
_HINTS_OF_FEW = (
    ".protect", ".unprotect", ".unlock", "bw unlock", "bw login", "openssl passwd", "http-basic", "register =>",
    "<(echo", "<(printf", "security question", "secret question", "suseconnect", "--activationkey",
    "accessorid", "accessor_id", "bundle config", "synoshare", "login=", "secretid", "secret id", "cleartext ", "plaintext ", "algoliasearch(",
    "ed phrase ", "ry phrase ", "password of ", "password for ",
)  # fmt: skip
_READER = r"""(?: (?:/[\w.\-/]{1,80}/)?(?:doas|su)\s |
    (?:/[\w.\-/]{1,80}/)?sudo\s[^|\n]{0,60}?(?:(?-i:-\w{0,4}S\b)|--stdin)
    | [^|\n]{1,200}?(?: --?pass(?:word)?-stdin | chpasswd | realm\s | kinit | smbpasswd | pdbedit
        | adcli\s | passwd\b | --stdin | --set-password | cryptsetup | -passin\sstdin | --passphrase-fd ) )"""

_AFTER_A_NAME_HINTS = (
    "wpa_pass", "setairport", "-passwd", "http ", "https ", "xh ", "lftp", "pulumi", "curl",
    "machinepwd", "/pass", "secret_id", "static:", "setcredentials", "_authtoken", "--value",
    "sshpass", "rabbitmqctl", "hdbuserstore", "htpasswd", "sapcontrol", "iwconfig", "at+cpin",
    "wifi-iface", "mc ", "impacket", ".py ", "<<<", "autologon", "radtest", "connect to ", "logon ",
    "setuser", " on >", "identified by ", "mgmt-user", "wireless.", "option key", "key found", "wifi-sec.", "-security.", "$user", "bundle_", "pass=", "key=", "key ",
    "seed phrase", "seed words", "recovery phrase", "recovery words", "backup phrase", "mnemonic ",
)  # fmt: skip

RULES = (
    Rule(
        name="command line",
        hints=("-",),
        after_name=True,
        before=rf"{OPTION_START}--?[a-z\-]{{0,30}}",
        pattern=rf"""(?P<name>{SENSITIVE_NAME})
            (?P<separator>{SPACE}{{1,4}})(?P<opening>["'])?
            (?P<value> (?!(?-i:[A-Z]{{3,20}}\]))
              (?(opening)
                  (?![\-(])(?:(?!(?P=opening))[^\n]){{1,200}}(?=(?P=opening))
                | [^\s\-"'(][^\s"']* ) )""",
        gate=r"-(?:(?<!\w-)(?<!--)|(?<=%20-)|(?<=%2520-)|(?<=\\[nrt]-))",
        replacement=mask_named,
        rationale="--password x, -ClientSecret x",
    ),
    Rule(
        name="curl user",
        hints=("-u", "-user", "-auth", "-login", "-cred"),
        pattern=rf"""{OPTION_START}(?: -u | -U | --user | --proxy-user | --?auth | --login
                | --?cred(?:ential)?s?
              | --user-?(?:pass|pwd) )(?:{SPACE}{{1,4}}|=|"[ ]a\d{{1,3}}=(?="))(?P<q>{QUOTE})?
            (?!\d{{1,6}}:\d{{1,6}}(?!\S)|https?:)(?(q)[^:%"'&\n]{{1,100}}
            |[^\s:%"'&]{{1,100}})(?::|%(?:25)?3A)
            (?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,400}}(?=(?P=q))|[^\s"']+))""",
        replacement=mask_value,
        rationale="curl -u name:password",
    ),
    Rule(
        name="SecureString",
        hints=("securestring",),
        pattern=rf"""ConvertTo-SecureString
            (?: (?:{SPACE}{{1,4}}-(?:String|AsPlainText|Force)\b){{0,3}}{SPACE}{{1,4}}
              | \):[ ]?name=["']String["'];[ ]?value=(?=["']) )(?P<q>{QUOTE})?
            (?P<value>(?!-|:(?=\s))(?(q){QUOTED_VALUE}|{ARGUMENT}))""",
        replacement=mask_value,
        rationale="PowerShell scripts",
    ),
    Rule(
        name="variable that becomes a SecureString",
        hints=("securestring",),
        pattern=r"""\$(?P<variable>[a-z_]\w{0,40})\s?=\s?(?P<q>["'])(?P<value>(?:(?!
            (?P=q))[^\n]){1,200})(?P=q)
            (?=.{0,600}?ConvertTo-SecureString[^\n]{0,60}?\$(?P=variable)\b)""",
        gate=r"""\$[a-z_]\w{0,40}\s?=\s?["']""",
        replacement=mask_value,
        rationale='$p = "x"⏎ConvertTo-SecureString $p',
    ),
    Rule(
        name="net user",
        hints=("net",),
        pattern=rf"""{WORD_START}net(?:\.exe|1)?{SPACE}{{1,4}}user{SPACE}{{1,4}}
            ["']?[^\s/"'%+]{{1,100}}["']?{SPACE}{{1,4}}
            (?: (?P<q>{QUOTE})(?P<value>{QUOTED_VALUE})(?P=q)
              | (?P<password>(?![/"'\\]){ARGUMENT})
                (?:(?={SPACE}{{1,4}}{SLASH}[a-z])|(?<=\d)(?=\s|\Z)) )""",
        gate=r"net(?:\.exe|1)?(?:\s|\+|%|\\)",
        replacement=mask_either,
        rationale="net user name password /add",
    ),
    Rule(
        name="net use",
        hints=("/user", "2fuser"),
        pattern=rf"""{WORD_START}net(?:\.exe)?{SPACE}{{1,4}}use{SPACE}[^\n]{{1,200}}?
            (?: {SLASH}user(?::|%(?:25)?3A)[^\s+%]{{1,100}}(?:%(?:25)?5C[^\s+%]{{1,60}})?
                {SPACE}{{1,4}}{argument(condition="(?!/)")}
              | {SPACE}(?: (?P<p>["'])(?P<seed>(?!\\)(?:(?!(?P=p))[^\n]){{1,200}})(?P=p)
                  | (?P<password>(?![/\\]){ARGUMENT}) )
                (?={SPACE}{SLASH}user) )""",
        replacement=mask_either,
        rationale="net use x: \\\\server\\share password /user:name",
    ),
    Rule(
        name="password option",
        hints=("-p", "-w"),
        pattern=rf"""{WORD_START}{_TOOLS_WITH_P}(?:\.exe)?(?={SPACE})
            (?:(?!{OPTION_START}-(?:p|pw|w)\b)[^\n;|]){{1,200}}?
            {OPTION_START}-(?:p|pw|w)(?:{SPACE}{{1,4}}|=)
            {argument(condition=_NO_PORTS)}""",
        gate=r"-(?:pw?|w)[\s=+%\\]",
        replacement=mask_password_option,
        rationale="psexec -u name -p password, docker login -p password",
    ),
    Rule(
        name="mysql password",
        hints=("-p",),
        pattern=rf"""{WORD_START}(?:mysql|mariadb)\w{{0,8}}(?={SPACE})[^\n;|]{{1,200}}?
            {OPTION_START}-p(?P<q>["'])?
            (?P<value> {MASKED}
              | (?(q) (?:(?!(?P=q))[^\n]){{1,200}}
                | (?!(?<=\s-p)(?:ort|rotocol|assword|ager)?[\s=])(?!(?<!\s-p)[a-z]{{0,12}}{SPACE})
                  (?:(?<=\s-p){UNQUOTED_VALUE}|(?<!\s-p){ARGUMENT}) ) )""",
        replacement=mask_value,
        rationale="mysql -ppassword",
    ),
    Rule(
        name="password option of a tool",
        hints=_TOOL_HINTS,
        needs=("-", "/p", "/rp"),
        pattern=rf"""{WORD_START}(?: {_TOOL_AND_OPTION} )
            (?: [\s:=]{{1,4}}(?:pass:)? | (?:(?<=\s-p)|(?<=\s-hp))(?=\S{{4}}) )
            (?P<q>["'])?(?!\[redacted|-|(?:env|file)[:\s])
            (?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,200}}|[^\s"']{{3,}}))""",
        gate=r"\s(?:-(?:p[oi]?|a|c|x|k|n|w|h|b|hp|-body|\w{0,4}(?:store|key)pass|pass\w{0,3})|--pass|/r?p)",
        in_words=True,
        replacement=mask_value,
        rationale="sqlcmd -P x, keytool -storepass x, schtasks /rp x, xfreerdp /p:x, 7z -px",
    ),
    Rule(
        name="user and password as arguments",
        hints=(
            "rasdial",
            "sqlplus",
            "oracle:",
            "sqlldr",
            "expdp",
            "impdp",
            "machine",
            "nmcli",
            "connect string",
            "userid",
            "rman",
        ),
        pattern=rf"""(?: {WORD_START}rasdial
            (?:\.exe)?\s{{1,4}}{_WORD}\s{{1,4}}[^\s/]\S{{0,100}}\s{{1,4}}
                {argument(condition="(?!/)")}
              | {WORD_START}(?: (?:sqlplus|sqlldr|expdp
              |impdp)\s{{1,4}}(?:-\S{{1,10}}\s{{1,4}}){{0,4}}
                  | jdbc:oracle:\w{{1,10}}: )
                [^\s/@]{{1,100}}/(?P<password>\S{{1,200}}(?=@)|[^\s@]{{3,200}})
              | (?:connect[ ]string|rman[ ]target|userid)[ =]["']?[a-z][\w$]{{0,30}}/
                (?P<code>(?=[^\s/@]{{0,60}}[\d!\#$%^*])[^\s/@"']{{4,60}})(?=@(?!sha\d)(?://)?[a-z])
              | {WORD_START}(?: machine\s{{1,4}}\S{{1,100}}\s{{1,4}}login\s{{1,4}}\S{{1,100}}
                  | nmcli\s[^\n]{{1,120}}? )
                \s{{1,4}}password\s{{1,4}}(?P<seed>\S{{3,200}}) )""",
        in_words=True,
        replacement=mask_either,
        rationale='rasdial "name" user password, sqlplus user/password@host, .netrc',
    ),
    Rule(
        name="user and password as options",
        hints=(" -p", " /p", " -w", " --pass", "password ", "pass ", "pwd "),
        needs=("-", "/u", "pass", "pw"),
        pattern=rf"""(?<=\s)(?:--?u(?:ser(?:name)?)?|-D|/u(?:ser)?)[\s:=]
            ["']?(?!\[redacted)[^\s"']{{1,100}}["']?\s[^\n;|]{{0,120}}?
            (?<=\s)(?:-(?-i:p|P|w)|-pw|-pwd|--?pass|/p|/pass)[\s:=](?P<q>["'])?
            (?P<value>(?(q)(?:(?!(?P=q))[^\n]){{4,200}}|{SECRET_LOOKING}))
          | (?<=\s)/\w{{0,20}}(?:pass(?:word)?|pwd|pw)\s(?P<password>{SECRET_LOOKING})
          | (?<=\s)(?:-(?-i:p)|-pw|--?pass|/p|/pass)[\s:=](?P<seed>{SECRET_LOOKING})
            (?=\s[^\n;|]{{0,120}}?(?<=\s)(?:--?u(?:ser(?:name)?)?|/u(?:ser)?)[\s:=])""",
        gate=(
            r"[ ](?:--?u|-d|/u)[^\n]{0,240}?[ ](?:-p|-w|/p|--?pass)|/\w{0,20}(?:pass|pwd|pw)|[ ](?:-p|/p|--?pass)[^\n]{1,240}?[ ](?:--?u|/u)"
        ),
        replacement=mask_secret_looking,
        rationale="tool -u name -p password, winrm -u:name -p:password, /princ x /pass password",
    ),
    Rule(
        name="unknown word as an option",
        hints=(" -p", " -a ", " /p", " /rp", " --p"),
        gate=r"[ ](?:-{1,2}p\w{0,8}|-a|/r?p\w{0,8})[ =:][\"']?[a-z]{4,24}\d{0,6}[!?]?(?![\w\-./@:=\\])",
        pattern=r"""(?<=\s)(?:-{1,2}(?:p|pw|pass(?:word|wd|phrase)?)|-(?-i:A)|/r?p(?:ass(?:word)?)?)[ =:](?P<q>["'])?
            (?P<value>(?-i:[a-z]{8,24}|[a-z]{4,20}\d{2,6}[!?]?))(?(q)(?P=q))(?![\w\-./@:=\\])""",
        in_words=True,
        unlike_words=True,
        replacement=mask_secret_looking,
        rationale="schtasks /RP x, tool -p x, where x is a word of no language",
    ),
    Rule(
        name="user and password after a command",
        hints=("password ", "passwd ", "pw "),
        after_name=True,
        pattern=rf"""(?P<name>password|passwd|pw)[ ](?!(?:for|of|is|to|and|on|in|at|from|by|was
            |has|must|set|as|with|has)[ ])(?P<account>[\w.@\\\-]{{1,60}})[ ]
            (?P<value>{SECRET_LOOKING})(?=\s|\Z)""",
        unlike_words=True,
        in_words=True,
        replacement=mask_shaped,
        rationale="tool set-password jan x, passwd jan x",
    ),
    Rule(
        name="Samba user",
        hints=("%",),
        pattern=rf"""{WORD_START}(?:smb\w{{2,10}}|rpcclient|winexe|net|wmic)\s[^\n;|]{{0,200}}?
            (?<=\s)(?:-U|--user)[\s=]{{0,2}}["']?[^\s%"']{{1,100}}%(?P<value>[^\s"']{{3,}})""",
        replacement=mask_value,
        rationale="smbclient -U domain/user%password",
    ),
    Rule(
        name="password on standard input",
        hints=("echo", "printf"),
        needs=("|",),
        pattern=rf"""\b(?:echo|printf)\s{{1,4}}(?:-\w{{1,3}}\s{{1,4}}|["']%s(?:\\n)?["']\s{{1,4}})?
            (?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,200}}|[^\s|"']{{3,200}}))(?(q)(?P=q))
            (?:;\s{{0,4}}echo\s[^\n|]{{1,100}}\))?\s{{0,4}}\|\s{{0,4}}{_READER}""",
        replacement=mask_value,
        rationale="echo password | sudo -S, echo password | docker login --password-stdin",
    ),
    Rule(
        name="quoted option and value",
        hints=('"-', "'-", '"/'),
        after_name=True,
        before=rf"{QUOTE}(?:--?|/)[\w\-]{{0,40}}",
        pattern=rf"""{SENSITIVE_NAME}{QUOTE}\s?,\s?(?P<q>{QUOTE})
            (?P<value>(?!-){QUOTED_VALUE})(?P=q)""",
        gate=r"""["'](?:--?|/)[\w\-]{2,60}\\{0,7}["']\s?,""",
        replacement=mask_value,
        rationale='"args": ["--password", "x"]',
    ),
    Rule(
        name="lines of accounts",
        hints=("chpasswd", "newusers"),
        pattern=r"""(?:\A
            |(?<=\n))[ \t]{0,20}(?:-[ ])?["']?[\w.\-]{1,40}:(?P<value>[^\s:"']{3,200})
            (?=["']?[ \t]*(?:\n|\Z))""",
        replacement=mask_unless_ordinary,
        rationale="chpasswd of cloud-init, a here-document for chpasswd",
    ),
    Rule(
        name="password after a name",
        hints=_AFTER_A_NAME_HINTS,
        pattern=rf"""(?:{WORD_START}|(?<=[_:]))(?: {_BEFORE_VALUE} )
            (?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,200}}
            |(?:(?:[a-z]{{3,8}}[ ]){{11,23}}[a-z]{{3,8}}|[^\s"']{{3,200}})))""",
        in_words=True,
        replacement=mask_value,
        rationale="wpa_passphrase network x, dscl -passwd user x, lftp -u user,x, curl -E file:x",
    ),
    Rule(
        name="password after a rarer name",
        hints=_HINTS_OF_FEW,
        pattern=rf"""(?:{WORD_START}|(?<=[_:]))(?: {_BEFORE_VALUE_OF_FEW} )
            (?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q))[^\n]){{1,200}}|[^\s"']{{3,200}}))""",
        in_words=True,
        replacement=mask_value,
        rationale='bw unlock x, Sheet.Unprotect "x", security question … answer: x',
    ),
)
