"""Whether a word of small letters is one that a language knows.

People make passwords of two words, which no dictionary has joined: `kettleotter`. After "the password
is", a word that no language knows is one. `data/words.bloom` holds the frequent words of seventeen
languages as a Bloom filter: it knows each of them, and takes one in a hundred others for one too.
`dev/vocabulary.py` makes it, and names its sources.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

#: The words that the filter is made of, and those that it is asked about: others are none.
WORD = re.compile(r"(?<!\w)[a-z]{8,24}(?!\w)")
FILE = Path(__file__).parent / "data" / "words.bloom"
# What is joined with the name of a secret is a word about it: `tokenizer`, `wachtwoordbeleid`.
_NAME = re.compile(r"passw|wachtw|kennw|token|secret|schlu|sleutel|cookie|session|contras")
BITS_PER_WORD, _HASHES = 10, 7

_filter = FILE.read_bytes()


def is_unknown_word(word: str) -> bool:
    """Return whether eight to twenty-four small letters are a word of no language."""
    if not WORD.fullmatch(word) or _NAME.search(word):
        return False
    places = _places(word, len(_filter) * 8)
    return not all(_filter[place >> 3] >> (place & 7) & 1 for place in places)


def make_filter(words: Iterable[str]) -> bytes:
    """Return the filter that knows the words."""
    known = sorted({word for word in words if WORD.fullmatch(word)})
    content = bytearray(len(known) * BITS_PER_WORD // 8 + 1)
    for word in known:
        for place in _places(word, len(content) * 8):
            content[place >> 3] |= 1 << (place & 7)
    return bytes(content)


def _places(word: str, size: int) -> Iterable[int]:
    """Return the bits of a word in a filter of so many bits."""
    digest = hashlib.blake2b(word.encode(), digest_size=4 * _HASHES).digest()
    return (int.from_bytes(digest[start : start + 4]) % size for start in range(0, 4 * _HASHES, 4))
