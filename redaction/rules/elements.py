"""Secrets in XML, HTML, property lists and the parts of a form."""

from __future__ import annotations

from redaction.patterns import (
    OPTIONAL_SPACE,
    QUOTE,
    SENSITIVE_NAME,
    SLASH,
    SPACE,
    TAG_END,
    TAG_START,
)
from redaction.rules.replacements import mask_member, mask_value
from redaction.rules.rule import Rule

# What follows a name in the tag of an HTML input.
_ATTRIBUTE = r"""(?: [a-z\-]{2,20}=\\{0,7}["']
    | (?:required|disabled|readonly|autofocus|hidden|multiple)\b | /?> )"""
_QUOTED_NAME = rf"{QUOTE}[\w.\-]{{0,40}}?{SENSITIVE_NAME}{QUOTE}"
_CONTENT = rf"(?:(?!{TAG_START}).)"
_END_HINTS = ("</", "&lt;/", "%2f", "%252f")

RULES = (
    Rule(
        name="attribute before its name",
        hints=("value=", "val="),
        with_name=True,
        pattern=rf"""\bval(?:ue)?={QUOTE}(?P<value>[^\s\\"'<>&]{{3,1000}}){QUOTE}\s[^<>]{{0,80}}?
            \b(?:name|key|id)={_QUOTED_NAME}""",
        gate=r"val(?:ue)?=[^<>]{1,1100}\s(?:name|key|id)=",
        replacement=mask_value,
        rationale='<add value="x" key="ApiPassword" />',
    ),
    Rule(
        name="form field",
        hints=("name=", "name%", "key=", "key%", "id=", "id%"),
        after_name=True,
        before=rf"(?:name|key|id)(?:=|%(?:25)?3D){QUOTE}[\w.\-]{{0,40}}",
        pattern=rf"""{SENSITIVE_NAME}{QUOTE}
            (?: {SPACE}{{1,8}}(?!val(?:ue)?=|{_ATTRIBUTE}) |
            [^<>]{{0,80}}?\bval(?:ue)?=(?P<q>{QUOTE}) )
            (?P<value>(?(q)[^\\"'<>&\n]{{3,1000}}|[^\s\\"'<>&]{{3,1000}}))""",
        replacement=mask_value,
        rationale="multipart bodies, HTML inputs, and XML elements with a name and a value",
    ),
    Rule(
        name="XML element",
        hints=_END_HINTS,
        after_name=True,
        before=rf"{TAG_START}(?:[\w\-]{{1,20}}(?::|%(?:25){{0,2}}3A))?[\w.\-]{{0,40}}",
        pattern=rf"""{SENSITIVE_NAME}(?:\s[^<>&]{{0,80}})?{TAG_END}
            (?P<value>(?:<!\[CDATA\[)?{_CONTENT}{{1,1000}}){TAG_START}{SLASH}""",
        replacement=mask_value,
        rationale="XML and SOAP bodies",
    ),
    Rule(
        name="XML element with an attribute",
        hints=("value=", "value%"),
        after_name=True,
        before=rf"{TAG_START}[\w.\-]{{0,40}}",
        pattern=rf"""{SENSITIVE_NAME}\s[^<>]{{0,80}}?\bvalue={QUOTE}
            (?P<value>[^\\"'<>&\n]{{1,400}})""",
        replacement=mask_value,
        rationale='<PASSWORD value="x"/>',
    ),
    Rule(
        name="value in the next element",
        hints=_END_HINTS,
        after_name=True,
        pattern=rf"""(?P<name>{SENSITIVE_NAME})[ ]?:?{TAG_START}{SLASH}[\w:\-]{{1,20}}{TAG_END}
            {OPTIONAL_SPACE}
            (?: {TAG_START}(?:\w{{1,20}}:)?(?P<member>string|data|integer|val(?:ue)?)
                (?:[ ][^<>&]{{0,80}})?{TAG_END}
              | (?:{TAG_START}[\w:\-]{{1,20}}
              (?:[ ][^<>&]{{0,80}})?{TAG_END}{OPTIONAL_SPACE}){{0,3}} )
            (?P<value>(?(member){_CONTENT}{{1,4000}}|[^\s<>"'&]{{4,400}}))""",
        replacement=mask_member,
        rationale="<key>Password</key><string>x</string> of Apple profiles, <td>token</td><td>x</td>",
    ),
    Rule(
        name="value in the element before",
        hints=("</v", "&lt;/v", "%2fv"),
        with_name=True,
        pattern=rf"""{TAG_START}v(?:al(?:ue)?)?{TAG_END}(?P<value>{_CONTENT}{{1,1000}})
            {TAG_START}{SLASH}v\w{{0,4}}{TAG_END}{OPTIONAL_SPACE}
            {TAG_START}(?:name|key|id|n|k){TAG_END}[\w.\- ]{{0,60}}?{SENSITIVE_NAME}{TAG_START}""",
        replacement=mask_value,
        rationale="<value>x</value><name>password</name>",
    ),
)
