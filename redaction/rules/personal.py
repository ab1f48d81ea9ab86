"""What names a person: not secret, but not needed in an error or a stack trace either."""

from __future__ import annotations

from redaction.rules.replacements import mask_value
from redaction.rules.rule import Rule

# Accounts of systems, which name no person.
_SYSTEM_ACCOUNT = r"""(?: admin(?:istrator)? | app | azureuser | backup | build | centos | circleci | debian
    | deploy | ec2-user | git | gitlab-runner | jenkins | linuxbrew | node | opc | ops | pi | postgres
    | root | runner | runneradmin | service | svc | system | ubuntu | user | username | vagrant | vscode
    | vsts | www-data | containeradministrator )(?![\w.\-])"""

RULES = (
    Rule(
        name="email address",
        hints=("@", "%40", "%2540"),
        pattern=r"""(?: (?<![\w.%…$]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) )
            (?!celery@|git@[\w.\-]{1,100}[:/])(\w)[\w.+%'\#!*?^{|}~\-]{0,63}?(@|%(?:25)?40)
            (?!odata\.|microsoft\.graph\.)(?=(?:[\w\-]{1,63}\.){1,8}[a-z]{2,24}(?![\w\-]))""",
        replacement=r"\1…\2",
        rationale="a person's name; the domain stays, as it identifies the tenant",
    ),
    Rule(
        name="home directory",
        hints=("/home/", "/users/"),
        pattern=rf"""(?<![\w.])(?-i:/home/|/Users/(?!Shared(?![\w.\-])))(?!{_SYSTEM_ACCOUNT})
            (?P<value>[^/\\\s\"'<>:|,;)\[]{{1,64}})""",
        replacement=mask_value,
        rationale="a person's name in a path",
    ),
    Rule(
        name="Windows profile",
        hints=(":\\",),
        pattern=rf"""\b[a-z]:\\{{1,8}}Users\\{{1,8}}
            (?!\[redacted|(?:Public|Default|{_SYSTEM_ACCOUNT})(?:[\\/\s"'<>:|,;)]|\Z))
            (?P<value> [^\\/:"'<>|\n]{{1,64}}(?=\\) | [^\s\\/:"'<>|,;)]{{1,64}} )""",
        replacement=mask_value,
        rationale="a person's name in a Windows path, backslashes escaped or not",
    ),
)
