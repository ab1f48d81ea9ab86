"""Secrets that their shape shows where something near them says that one is there.

The other rules know where a value stands beside its name. These know what a password looks like, and
need less around it: any word of a line, an argument, an option, the other half of an account.
"""

from __future__ import annotations

from redaction.patterns import SENSITIVE_NAME
from redaction.rules.replacements import (
    mask_account,
    mask_after_words,
    mask_arguments,
    mask_like_password,
    mask_near_name,
    mask_next_line,
    mask_option,
)
from redaction.rules.rule import NAME_HINTS, Rule

#: Accounts that every system has, and those of a domain.
_ACCOUNT = r"""(?: administrator | admin | root | sa | sysadmin | superuser | postgres | oracle
    | ubuntu
    | guest | operator | svc[\w\-]{0,30} | (?:\.|[a-z][\w.\-]{0,30})\\{1,2}[\w.\-]{1,40} )"""
#: What says that an account and its password follow.
_CREDENTIALS = r"""(?: cred(?:s|entials?)? | log[ \-]?in | log[ ]?on | zugangsdaten |
    identifiants | credenciales
    | credenziali | inloggegevens | acct? | access | user | konto | compte | cuenta | wi-?fi |
    wlan | ssid | success | accounts? | authenticat\w{1,4} | user/pass )"""
#: Functions that an account and its password are arguments of.
_CONNECT = r"""(?: \w{0,30}(?:connect|connection|login|logon|sign_?in|authenticate|\.auth|ftp
    |imap4?|pdo|addlogin
    |bios_?password|networkdrive|authentication|credentials?) | ftp\.open | conn\.open |
    (?:args|params)["']?\s?[=:] | (?:pdo|mysqli)\w{0,10}(?:->|::)__construct | database )["']?"""
_STRING = r"""(?:[NbrfuR]{0,2}"[^"\n]{0,300}"|[NbrfuR]{0,2}'[^'\n]{0,300}')"""
_ARGUMENT = rf"(?:{_STRING}|[\w.$:@\-\[\]]{{1,80}})"
#: What a candidate is: a word with a digit.
_WORD = r"""(?<![^\s"'`(\[{“„«「『,;：:])(?=[^\s"'`]{0,64}\d|[a-z]{3,12}-[a-z]{3,12}-[a-z]{3})
    (?P<value>[^\s"'`,;()\[\]{}<>|“”„«»」』]{8,64})"""

RULES = (
    Rule(
        name="value on the next line",
        hints=("\n",),
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME})(?P<between>[^\n]{{0,160}})\n
            (?:[ \t]*\n){{0,2}}[ \t]{{0,40}}
            (?: (?P<label>(?:new|current|generated|temporary|the)?[ ]?(?:value|password|secret|key
                |token)[ ]?:[ ]?)
              | (?P<speaker>(?:\[?\d\d:\d\d(?::\d\d)?\]?[ ])?[^\s:]{{1,20}}(?:[ ][^\s:]{{1,20}})?:[ ]) )?
            ["'`]?(?P<value>[^\s"'`]{{8,200}})["'`]?[ \t]*(?=\n|\Z)""",
        unlike_words=True,
        replacement=mask_next_line,
        rationale="Use the following password:⏎⏎x; What's the wifi password?⏎Tom: x",
    ),
    Rule(
        name="account and password",
        hints=(
            "admin",
            "root",
            "sa",
            "super",
            "post",
            "oracle",
            "ubuntu",
            "guest",
            "operator",
            "svc",
            "\\",
        ),
        pattern=rf"""(?<![\w./@:+\-])(?P<account>{_ACCOUNT})(?P<sign>[ ]?[/|][ ]?|:[ ]?|[ ]\(|[ ])
            (?P<value>[^\s"'`/,;<>]{{6,64}})""",
        gate=r"(?:admin|root|sa|user|postgres|oracle|ubuntu|guest|operator|svc[\w\-]{0,30}"
        r"|\\[\w.\-]{1,40}|administrator|sysadmin)[ ]?[/|:( ][ ]?[^\s\"'`/,;<>]{0,60}[\d\-_.]",
        replacement=mask_account,
        rationale="admin / x, root:x, CORP\\jan:x",
    ),
    Rule(
        name="account and password after their name",
        hints=(
            "cred",
            "log",
            "zugang",
            "identif",
            "inlog",
            "fi",
            "wlan",
            "ssid",
            "success",
            "acc",
            "attempt",
            "authent",
            "user",
            "konto",
            "compte",
            "cuenta",
        ),
        pattern=rf"""(?<![a-z]){_CREDENTIALS}[^\n:/]{{0,40}}[ :=(\["']{{1,3}}(?!redacted:)
            (?P<account>[\w.@\\\-]{{1,60}})(?P<sign>[ ]?/[ ]?|:)
            (?P<value>[^\s"'`/,;<>]{{6,64}})""",
        gate=r"[\w.@\\\-](?:[ ]?/[ ]?|:)[^\s/:]{0,60}[\d\-]",
        unlike_words=True,
        replacement=mask_account,
        rationale="invalid credentials jan:x, Guest wifi: Lobby / x, creds for staging: deploy/x",
    ),
    Rule(
        name="arguments of a connection",
        hints=(
            "connect",
            "login",
            "logon",
            "sign",
            "auth",
            "ftp",
            "imap",
            "pdo",
            "password",
            "drive",
            "open",
            "cred",
            "args",
            "params",
            "construct",
            "database",
        ),
        pattern=rf"""(?<!\w){_CONNECT}(?:[ ]?\(|\s(?=["'])|[ ]?\[)\s?
            (?P<arguments>{_ARGUMENT}(?:\s?,\s?{_ARGUMENT}){{1,8}})""",
        gate=r"""["']\s?,\s?[NbrfuR]{0,2}["']|,\s?["']|,[^,\n]{1,60},ascii""",
        replacement=mask_arguments,
        rationale='connect("db1", "sa", "x"), new PDO(y, "app", "x"), MapNetworkDrive',
    ),
    Rule(
        name="value of an option",
        hints=(" -", " /", "\n-"),
        pattern=r"""(?<=\s)(?P<option>--?[a-z][a-z\-]{0,40}|/[a-z]{1,20})(?:[ ]{1,2}|=
            |:)(?P<q>["'])?
            (?P<value>(?(q)(?:(?!(?P=q))[^\n\s]){8,64}|[^\s"'`]{8,64}))""",
        gate=r"""[\s](?:--?|/)[a-z\-]{1,40}[ =:]["']?[^\s]{0,64}\d""",
        unlike_words=True,
        replacement=mask_option,
        rationale="a tool that no other rule knows: tool -v x, tool --value x",
    ),
    Rule(
        name="value into a command",
        hints=("echo", "printf", "<<<"),
        pattern=r"""\b(?:echo|printf)\s{1,4}(?:-\w{1,3}\s{1,4}|["']?%s(?:\\n)?["']?\s{1,4})?
            (?P<q>["'])?(?P<value>(?(q)(?:(?!(?P=q))[^\n]){8,64}
            |[^\s|"';]{8,64}))(?(q)(?P=q))\s{0,4}[|;>]
            | <<<\s?["']?(?P<password>[^\s"']{8,64})""",
        unlike_words=True,
        replacement=mask_like_password,
        rationale="echo x | tool",
    ),
    Rule(
        name="value some words after a name",
        hints=NAME_HINTS,
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME})(?P<between>(?:[ ][^\W\d_]{{1,20}}){{0,3}}?)[ ]["'`]?
            (?P<value>(?=[^\s"'`]{{0,64}}\d)[^\s"'`,;]{{6,64}})""",
        unlike_words=True,
        replacement=mask_after_words,
        rationale="contraseña provisional x enviada por correo",
    ),
    Rule(
        name="value near a name",
        hints=(
            *NAME_HINTS,
            "cred",
            "log",
            "sign",
            "user",
            "account",
            "temp",
            "wifi",
            "wi-fi",
            "wlan",
            "ssid",
            "authenticat",
            "laps",
        ),
        pattern=_WORD,
        unlike_words=True,
        in_words=True,
        replacement=mask_near_name,
        rationale="a password in a line about one: either x or y is the BIOS password",
    ),
)
