"""Random tokens: the protection against secrets that no rule describes."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

from redaction.marks import mask

_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/_=~%\-]{24,}")
_HARMLESS_PART = re.compile(
    r"""[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}  # GUIDs
      | (?<![0-9A-Za-z])(?:0x)?[0-9a-fA-F]{16,}(?![0-9A-Za-z])  # checksums, trace ids
      | (?<![0-9A-Za-z])01[A-Z2-7]{32}(?![0-9A-Za-z])         # items of a drive
      | (?<![A-Za-z])cache/[A-Za-z0-9_/\-]{1,400}            # places in a cache
      | \d{4}-\d\d-\d\dT\d\d                                  # timestamps
      | %(?:25)*[0-9a-fA-F]{2}                                # URL-encoded characters""",
    re.VERBOSE,
)
# What stands before a value that looks random and is public: an entity tag, a digest, an id, a place
# in a list.
_PUBLIC_NAME = re.compile(
    r"""(?: (?:(?i:etag|ctag|if-none-match|if-match|hash|checksum|digest|integrity|sha-?\d{1,3}
            |content-sha256|md5|thumbprint|fingerprint|serial|cursor|skip_?token|delta_?token
            |continuation_?token|next_?link|delta_?link|boundary|certificate|correlation|commit
            |thread-index|conversation-?index|sip/2\.0/\w{2,4}[^\n]{0,40};branch|unique[ ]?token[ ]?identifier|(?:source[ ]?)?anchor|immutable[ ]?id|object(?:guid|sid)|change[_-]?key|hash[ ]check|uti|bh|site-verification
            |x5t|x5t\#s256(?:[ ]header)?(?:[ ]is)?
            |x-amz-id-2|kid|sub[ ]claim(?:[ ]is)?|key[ _-]?id(?:entifier)?
            |public[ _-]?key(?:token)?|dkim1;[^\n]{0,40}[;\ ]p|(?:page|sync)_?token|certificate[_-]?data|peer
            |websocket-(?:key|accept)|nonce|key[ ]that[ ]matches|ssh-(?:rsa|dss|ed25519)
            |ecdsa-sha2-nistp\d{3}|data:image/[\w+.\-]{1,20};base64)
        | (?<![A-Za-z])h1 | (?<=["'])[nxy]
        | (?<![A-Za-z])(?i:id|after|before|event|item|message|resource|object|task|plan|bucket)
        | (?<=[a-z])I[Dd])
        (?:[^A-Za-z0-9\[\]] | &\#?\w{2,5}; | %(?:25)?[0-9a-fA-F]{2} | \\[nrt]){1,12}
      | W/(?:\\{0,7}["'] | &\#?\w{2,5}; | %(?:25)?[0-9a-fA-F]{2})
      | [A-Za-z]\((?:\\{0,7}["'] | &\#?\w{2,5}; | %(?:25)?[0-9a-fA-F]{2})
      | (?i:(?:sha\d{1,3}|nonce)-) | "x5c\\{0,7}":[ ]?\[\\{0,7}" )\Z""",
    re.VERBOSE,
)
_CONTEXT = 60
# An address of Graph: its path has ids, and its query has places in a list.
_GRAPH_ADDRESS = re.compile(r"graph\.microsoft|/(?:v1\.0|beta)/")
_ADDRESS = 400
# The name at the start of a token, which "=" and "/" belong to.
_NAME_IN_TOKEN = re.compile(r"(?i:sha\d{1,3}|nonce)-|[A-Za-z\d_\-/]{1,60}[=/]")
_PUBLIC_BLOCK = re.compile(
    r"-----BEGIN (?:CERTIFICATE|CERTIFICATE REQUEST|(?:RSA )?PUBLIC KEY|X509 CRL|PKCS7)-----"
    r"[^\-]{1,20000}(?:-----END|\Z)"
)
# The start of a certificate, and of a public key, in DER; a private key begins with its version.
_PUBLIC_DER = re.compile(
    rb"\x30\x82..\x30\x82..\xa0\x03\x02\x01\x02"
    rb"|\x30(?:\x81.|\x82..)\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03"
    rb"|\x30.\x30.\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
    re.DOTALL,
)
_DER_IN_BASE64 = re.compile(r"(?:[a-z]{1,3}=)?(M[A-Za-z0-9+/]{31})")
# How the ids of messages, events and lists of Exchange begin.
_EXCHANGE_IDS = ("AAMkA", "AQMkA", "AAkAL")
# The ids of a drive and of a conversation in Teams.
_ID_START = re.compile(r"(?<!\w)(?:b!|19:)\Z")
_CONVERSATION_END = re.compile(r"@(?:thread\.|unq\.)")
_ALPHANUMERIC_RUN = re.compile(r"[A-Za-z0-9]+")
_DIGIT_RUN = re.compile(r"[0-9]+")
_LOWER, _UPPER, _DIGIT, _OTHER = range(4)
_CHARACTER_CLASSES = (str.islower, str.isupper, str.isdigit)


def mask_random_tokens(text: str) -> str:
    """Return the text with every long token masked that looks random and is not named public."""
    blocks = []
    if "-----BEGIN" in text:
        blocks = [match.span() for match in _PUBLIC_BLOCK.finditer(text)]

    def mask_if_random(match: re.Match[str]) -> str:
        token = match[0]
        if not looks_random(_HARMLESS_PART.sub("-", token)) or _is_public(
            text, match.start(), token
        ):
            return token
        is_in_block = any(start <= match.start() < end for start, end in blocks)
        return token if is_in_block else mask(token)

    return _LONG_TOKEN.sub(mask_if_random, text)


def is_named_public(text: str, start: int) -> bool:
    """Return whether what stands before a place in the text names a public value, as `cursor:`."""
    return _PUBLIC_NAME.search(text[max(0, start - _CONTEXT) : start]) is not None


def _is_public(text: str, start: int, token: str) -> bool:
    """Return whether what stands before the token, or its own start, names a public value."""
    before = text[max(0, start - _CONTEXT) : start].removesuffix("b!")
    if _PUBLIC_NAME.search(before) or _is_public_key(token) or _is_id(text, start, token):
        return True
    name = _NAME_IN_TOKEN.match(token)
    if name and _PUBLIC_NAME.search(before + name[0]):
        return True
    address = text[max(0, start - _ADDRESS) : start + len(token)].rsplit(maxsplit=1)[-1]
    return _GRAPH_ADDRESS.search(address) is not None


def _is_public_key(token: str) -> bool:
    """Return whether the token is a certificate or a public key in base64."""
    match = _DER_IN_BASE64.match(token)
    return match is not None and _PUBLIC_DER.match(base64.b64decode(match[1])) is not None


def _is_id(text: str, start: int, token: str) -> bool:
    """Return whether the token is the id of a drive, `b!…`, of a conversation, `19:…@thread`, or of Exchange."""
    if token.startswith(_EXCHANGE_IDS):
        return True
    before = text[max(0, start - 4) : start]
    if not _ID_START.search(before):
        return False
    return before.endswith("!") or _CONVERSATION_END.match(text, start + len(token)) is not None


def looks_random(token: str) -> bool:
    """Return whether a token alternates between cases and digits more than names and paths do."""
    longest = max(_ALPHANUMERIC_RUN.findall(token), key=len, default="")
    if len(token) < 24 or len(longest) < 12:
        return False
    classes = sum(any(map(is_class, token)) for is_class in _CHARACTER_CLASSES)
    digit_runs = len(_DIGIT_RUN.findall(token))
    if classes == 3:
        rate = _class_change_rate(longest)
        return rate >= 0.4 or (rate >= 0.22 and digit_runs >= 2)
    if classes == 2:
        return len(longest) >= 30 and digit_runs >= 2 and _class_change_rate(longest) >= 0.2
    return False


def has_changing_classes(token: str) -> bool:
    """Return whether capital letters, small ones and digits follow each other at random."""
    is_mixed = all(any(map(is_class, token)) for is_class in _CHARACTER_CLASSES)
    return is_mixed and _class_change_rate(token) >= 0.37


def _class_change_rate(run: str) -> float:
    """Return the changes of character class per character.

    A capital before small letters does not count, because that is how words begin.
    """
    classes = [_class_of(character) for character in run]
    changes = sum(
        before != after and (before, after) != (_UPPER, _LOWER)
        for before, after in pairwise(classes)
    )
    return changes / len(run)


def _class_of(character: str) -> int:
    for index, is_class in enumerate(_CHARACTER_CLASSES):
        if is_class(character):
            return index
    return _OTHER
