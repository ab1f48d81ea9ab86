"""Building blocks of the rules' regular expressions.

All of them are written for `re.VERBOSE | re.IGNORECASE`. Every repetition is bounded or cannot
overlap with what follows it, so that no input takes more than linear time.
"""

# Punctuation around a name and its value: plain, escaped (nested JSON), HTML- or URL-encoded.
QUOTE = r"""(?: \\{0,7}["'`] | &(?:amp;)?(?:quot|apos|\#0?3[49]|\#x2[27]); | %(?:25){0,2}2[27] )"""
SPACE = r"(?: \s | \+ | %(?:25){0,2}(?:20|0[AD]) | \\{1,7}[rnt] )"
NOT_ESCAPED = r"(?<!\\)(?<!%5C)(?<!%255C)"
OPTIONAL_SPACE = rf"{SPACE}{{0,8}}"
SLASH = r"(?: / | %(?:25){0,2}2F )"
TAG_START = r"(?: < | &lt; | %(?:25){0,2}3C )"
TAG_END = r"(?: > | &gt; | %(?:25){0,2}3E )"
WORD_START = r"(?: (?<![a-z0-9]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) )"
OPTION_START = r"(?: (?<![\w\-]) | (?<=%20) | (?<=%2520) )"
ASSIGNMENT = rf"""{OPTIONAL_SPACE}
    (?: := | => | == | [:=] | %(?:25){{0,2}}3[AD] | &(?:amp;)?(?:\#61|equals); ) {OPTIONAL_SPACE}"""
NAME_VALUE_SEPARATOR = rf"(?: {QUOTE}?{ASSIGNMENT} | \)\s?=\s?\( )"

# A name whose value is secret. The end of the name decides: `db_password` matches;
# `password_policy_name`, `token_type` and `secretReferenceValueId` do not.
SENSITIVE_NAME = r"""(?:
    (?: pass(?:word|wd|phrase|code) | pwd | (?<![a-z])pass
      | client[_\-. ]?secret
      | secret(?:[_\-. ]?(?:text|value|key(?:[_\-]?base)?|access[_\-. ]?key))?
      | (?<!skip)(?<!delta)(?<!continuation)(?<!next)(?<!page)(?<!next_)(?<!page_)token
      | (?:api|access|account|private|encryption|signing|master|subscription|functions?|fernet
          |credential|storage|recovery|host|service|deploy|ssh|hmac|shared)[_\-. ]?key
      | connection[_\-. ]?string | assertion | saml[_\-]?response | code[_\-]?verifier
      | device[_\-]?code | (?<![a-z0-9])sig(?:nature)? | authorization | credential
      | cookie | estsauth[a-z]{0,20} | sessionid | (?<![a-z])otp
    )s?(?:[_\-]?\d{1,3})?
)"""

# An unquoted value ends at white space, and at punctuation only if that ends the text or the next
# name, tag or quotation starts there.
VALUE_END = r"""(?: [\\"'`,;)}\]&.:!?]{0,8}(?:\s|\Z)
    | [\\"'`)}\]]{0,4}[,:]\\{0,7}["'{\[]
    | (?:amp;)?[\w.\- ]{1,40}(?:=|%3D)
    | (?:amp;)?(?:quot|apos|\#\d{1,3}|lt|gt|\#x\w{1,3});(?:\s|\Z|[,;)}\]&])
    | /?[a-z]{1,10}\s?/?> )"""
UNQUOTED_VALUE = rf"""(?: \[redacted\]
    | [^\s"'`<>&,;()\[\]{{}}\\]
    | ["'`<>&,;()\[\]{{}}\\](?!{VALUE_END}) )+"""
# The next lines of a long value that is broken over several; nothing else is on them.
CONTINUATION_LINES = r"""(?: (?<=\S{20})\n[ \t]*(?=\S*\d)[a-z0-9+/_~.\-]{8,}={0,2}
    (?=[ \t]*(?:\n|\Z|["'&,;}])) )*"""
