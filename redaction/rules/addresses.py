"""Secrets in addresses and in the headers of HTTP."""

from __future__ import annotations

from redaction.patterns import ASSIGNMENT, CONTINUATION_LINES, QUOTE, SLASH, SPACE, WORD_START
from redaction.rules.replacements import (
    mask_basic,
    mask_cookie,
    mask_cookies,
    mask_link_part,
    mask_url_password,
    mask_value,
)
from redaction.rules.rule import Rule

#: The paths of web hooks and of links that let a person sign in, up to the secret.
_BEFORE_VALUE = " | ".join(
    part.replace("/", SLASH)
    for part in (
        r"hooks\.zapier\.com/hooks/catch/\d{1,12}/",
        r"pagerduty\.com/(?:integration|x-ere)/",
        r"api\.telegram\.org/(?:file/)?bot",
        r"maker\.ifttt\.com/trigger/[\w\-]{1,60}/(?:json/)?with/key/",
        r"hc-ping\.com/",
        r"anaconda\.(?:org|com|cloud)/t/",
        r"/hooks/(?=[a-z0-9]{26}(?![a-z0-9]))",
    )
)
_SIGN_IN_PATH = r"""(?: password[_\-]?reset | reset[_\-]?password | accounts?/reset | password/reset
    | reset | set[_\-]?password | magic[_\-]?link | invitations? | accept[_\-]?invite
    | verify[_\-]?email )""".replace("/", SLASH)

# What the addresses of services contain, which also stand without a scheme.
_SERVICES = ("hooks/", "zapier", "pagerduty", "telegram", "ifttt", "hc-ping", "anaconda")
_IN_A_PATH_HINTS = (
    *_SERVICES, "reset/", "reset%", "password/", "password%", "link/", "link%", "invit", "email/",
    "email%",
)  # fmt: skip

RULES = (
    Rule(
        name="one-time password link",
        hints=("otpauth",),
        pattern=r"otpauth(?:://|%3A%2F%2F)(?P<value>[^\s\"'<>]+)",
        replacement=mask_value,
        rationale="the link contains the seed and the account's name",
    ),
    Rule(
        name="password in URL",
        hints=("://",),
        pattern=r"""(?P<before>\b(?!https?:|sqlserver:)[a-z][a-z0-9+.\-]{1,30}://
              [^\s:/"'<>]{0,100}:)
            (?P<value>[^\s"'<>]{1,400})(?=@[\w\[*.\-])""",
        replacement=mask_url_password,
        rationale="database and broker addresses; a password may contain @: the last one counts",
    ),
    Rule(
        name="password in the name of a data source",
        hints=("@tcp(", "@unix(", "@udp("),
        pattern=r"""(?<![^\s"'`=(/])[\w.\-]{1,60}:(?P<value>[^\s:/"'`<>]{1,200})(?=@(?:tcp|unix|udp)\()""",
        replacement=mask_value,
        rationale="name:x@tcp(host:3306)/database",
    ),
    Rule(
        name="link that signs in",
        hints=("link",),
        gate=r"https?:",
        pattern=r"""(?:magic|sign-?[ ]?in|log-?[ ]?in|reset|invit\w{1,6}|activation|verification|confirmation
            |one-time|passwordless)(?:[ ]\w{1,20}){0,2}?[ \-]?link[^\n]{0,60}?https?://[^\s"'<>?]{1,200}?
            (?:/|\?(?:[^\s"'<>]{0,200}?&)?\w{1,20}=)
            (?P<value>(?=[^\s"'<>&/]{0,200}\d)(?=[^\s"'<>&/]{0,200}[a-z])[^\s"'<>&/]{16,400})(?=[\s"'<>&.,;)]|\Z)""",
        replacement=mask_link_part,
        rationale="Magic sign-in link: https://host/m/x",
    ),
    Rule(
        name="password in web address",
        hints=("http",),
        pattern=r"""(?P<before>\bhttps?://[^\s:/@"'<>?\#\[]{0,100}:?)
            (?P<value> (?<=:)(?!\d{1,5}[?\#])[^\s/"'<>]{1,400}
              | (?<=/)[^\s:/@"'<>?\#,;]{16,400} )(?=@)""",
        replacement=mask_value,
        rationale="https://name:password@host and https://token@host, not https://host:443/a@b",
    ),
    Rule(
        name="password in encoded URL",
        hints=("%2f%2f", "%252f%252f"),
        pattern=r"""%(?:25)?3A(?:%(?:25)?2F){2}(?:[\w.\-]|%(?:25)?(?:3B|5C)){0,100}%(?:25)?3A
            (?P<value>[^\s"'<>&]{1,400})(?=%(?:25)?40)""",
        replacement=mask_value,
        rationale="a URL with a password inside a query parameter",
    ),
    Rule(
        name="incoming webhook",
        hints=("webhook",),
        pattern=rf"""https?(?::|%(?:25){{0,2}}3A){SLASH}{{2}}[\w.\-]{{1,200}}{SLASH}
            (?:webhookb2|api{SLASH}webhooks|webhook){SLASH}(?P<value>[^\s"'<>]+)""",
        replacement=mask_value,
        rationale="anyone with the address of a Teams or Discord webhook can post there",
    ),
    Rule(
        name="Slack webhook",
        hints=("hooks.slack.com",),
        pattern=rf"hooks\.slack\.com{SLASH}(?P<value>[^\s\"'<>]+)",
        replacement=mask_value,
        rationale="anyone with the address of a Slack webhook can post there",
    ),
    Rule(
        name="secret in a path",
        hints=_IN_A_PATH_HINTS,
        needs=(":", "%", "/reset", "pass", "word", *_SERVICES),
        pattern=rf"""(?: {_BEFORE_VALUE}
              | {SLASH}{_SIGN_IN_PATH}{SLASH}(?=[^\s"'<>?]{{16}})(?=[^\s"'<>?]{{0,200}}\d) )
            (?P<value>[^\s"'<>?&]{{6,}})""",
        replacement=mask_value,
        rationale="anyone with the address of a hook or of a password reset can use it",
    ),
    Rule(
        name="code in query",
        hints=("code=", "key=", "code%", "key%"),
        pattern=r"""(?:[?&]|%(?:25)?(?:3F|26))(?:code|key)(?:=|%(?:25)?3D)
            (?P<value>(?=[^\s&"']{0,100}\d)[^\s&"'<>]{20,})""",
        replacement=mask_value,
        rationale="authorization codes and function keys in a query; not code=403",
    ),
    Rule(
        name="cookies",
        hints=("cookie",),
        pattern=r"""cookie2?\s{0,4}[:=]\s{0,4}
            (?P<value>[\w.\-$!\#%*+^|~]{1,100}=[^;\s]*
              (?:;\s{0,4}[\w.\-$!\#%*+^|~]{1,100}(?:=[^;\s]*)?)*)""",
        replacement=mask_cookies,
        rationale="every pair of a Cookie header, whatever its name",
    ),
    Rule(
        name="line of a cookie file",
        hints=("true", "false"),
        pattern=rf"""(?-i:TRUE|FALSE){SPACE}{{1,4}}{SLASH}\S{{0,200}}?{SPACE}{{1,4}}(?-i:TRUE|FALSE)
            {SPACE}{{1,4}}\d{{1,12}}{SPACE}{{1,4}}(?P<name>[^\s=+%\\]{{1,100}}){SPACE}{{1,4}}
            (?P<value>(?!\[redacted)[^\s"'<>\\]{{1,4096}})""",
        gate=r"(?:true|false)[\s+%\\\da-z]{1,16}?(?:/|2f)",
        replacement=mask_cookie,
        rationale="the files that curl, wget and browsers' extensions keep cookies in",
    ),
    Rule(
        name="authorization header",
        hints=("authorization",),
        pattern=rf"""authorization{ASSIGNMENT}(?!Bearer\s|Basic\s|\[)[a-z][\w\-]{{1,30}}\s{{1,4}}
            (?=\S{{0,400}}[\d=])(?P<value>\S{{8,}})""",
        replacement=mask_value,
        rationale="the credentials of any other scheme",
    ),
    Rule(
        name="bearer token",
        hints=("bearer",),
        pattern=rf"""bearer(?:\s|%(?:25)?20|\+|:|=){{1,4}}
            (?P<value>(?=[\w.~+/\-]{{0,40}}\d|[\w.~+/\-]{{32}})[\w.~+/\-]{{8,}}=*)
            {CONTINUATION_LINES}""",
        in_words=True,
        replacement=mask_value,
        rationale="access tokens, opaque ones too; not 'bearer token'",
    ),
    Rule(
        name="basic credentials",
        hints=("basic", "auth"),
        pattern=r"""(?:basic(?:\s|%(?:25)?20|\+){1,4}|["']auth\\?["']\s?:\s?\\?["'])
            (?P<value>[a-z0-9+/]{8,}={0,2})""",
        replacement=mask_basic,
        rationale="name and password in base64, also of registries; not 'Basic authentication'",
    ),
    Rule(
        name="digest response",
        hints=("response",),
        pattern=rf"""{WORD_START}response(?:=|%(?:25)?3D){QUOTE}?
            (?P<value>[0-9a-f]{{32,64}})(?![0-9a-f])""",
        replacement=mask_value,
        rationale="Authorization: Digest",
    ),
)
