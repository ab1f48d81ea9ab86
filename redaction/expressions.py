"""Code that handles secrets: a value that is an expression is none, but a literal in it may be one."""

from __future__ import annotations

import re

from redaction.letters import is_password_shaped, is_unlike_words
from redaction.ordinary import is_name_of_resource, is_passphrase

_NAME = r"[a-z_$@]\w{0,60}"
_MEMBER = rf"(?:\([^()\"'`\n]{{0,80}}\)|\[[^\]\n]{{0,40}}\])?(?:\.|->|::|\?\.|!\.){_NAME}"
_PREFIX = r"(?:(?:await|new|try[?!]?|yield|not)[ ]|[&*!]|\(\w{1,30}(?:\[\])?\)[ ]?)"
#: A call whose arguments are on the rest of the line.
CALL = rf"{_PREFIX}{{0,2}}{_NAME}(?:{_MEMBER}){{0,8}}(?:<[\w<>, ]{{1,60}}>|!)?\("
_CALL = re.compile(CALL, re.IGNORECASE)
_AWAITED = re.compile(
    rf"(?:await|yield|try[?!]?)[ ]{_NAME}(?:{_MEMBER}){{0,8}}(?:\(|;\s*\Z)", re.IGNORECASE
)
LITERAL = re.compile(r"""(?P<q>["'`])(?P<value>(?:(?!(?P=q))[^\n]){0,200})(?P=q)""")
# What no code has before the first literal of a call: `sunshine(84!x`, `Ket(tle)84`.
_NO_ARGUMENT = re.compile(r"[!#%^~]\w|\)\w|(?<!\w)\d+[a-z_]", re.IGNORECASE)
_BRACKETS = re.compile(r"[()]")
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\d{4,}", re.IGNORECASE)
_MAX_LINE = 400


def is_expression(text: str, start: int) -> bool:
    """Return whether code is there that computes a value, with no literal in it that is a secret."""
    if text[start - 1 : start] in ("'", '"', "`"):
        return False
    line = text[start : start + _MAX_LINE].partition("\n")[0]
    call = _CALL.match(line)
    if call is None:
        return _AWAITED.match(line) is not None
    if is_password_shaped(call[0].rstrip("(").split()[-1]):
        return False
    literals = list(LITERAL.finditer(line, call.end()))
    if not literals and not _AWAITED.match(line):
        return False
    if literals and _NO_ARGUMENT.search(line, call.end(), literals[0].start()):
        return False
    return not any(is_literal_secret(literal["value"]) for literal in literals)


def is_literal_secret(value: str) -> bool:
    """Return whether a text in quotation marks in code is a secret, and no name or message."""
    if " " in value:
        return any(is_unlike_words(word) for word in value.split())
    if is_name_of_resource(value):
        return False
    if _BRACKETS.search(value) and is_password_shaped(_BRACKETS.sub("", value)):
        return True
    return is_unlike_words(value) or is_passphrase(value) or _ID.fullmatch(value) is not None
