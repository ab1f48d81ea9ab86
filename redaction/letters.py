"""Letters without meaning: a value after the name of a secret that is no word of a sentence."""

from __future__ import annotations

import re
from itertools import pairwise

from redaction.entropy import has_changing_classes
from redaction.vocabulary import is_unknown_word

# How usual a letter is after another one, from 0 to 9, where 6 is as usual as by chance: a row for
# each first letter. Counted in 12,000 words: the catalogs of Django in Czech, Danish, Dutch, English,
# French, German, Italian, Polish, Portuguese, Spanish and Swedish, and the documentation.
_CHANCE = 6
_PAIRS = (
    "56772363645768061878554144",
    "85238123851844730864700050",
    "71618008747521810637600045",
    "83259352833555830664633044",
    "54675453545768353886454525",
    "73338631911631800746700141",
    "73349266702646731765720030",
    "81339210811644821657632042",
    "64767562145768743577350204",
    "83069340705546720476743005",
    "83418333825645821667754061",
    "84368352844734730267630052",
    "86139220802465771254611120",
    "73678573725435721378541054",
    "45664453535779560876666234",
    "80338344612734870856600142",
    "11311111111611131131931111",
    "84469352805465731666644055",
    "62738435737544663378624045",
    "82419226802434720766633053",
    "65567362655778460877433324",
    "82139021803325700532410050",
    "82348006823427750663402272",
    "61738111811541383358311151",
    "56757563565767680577436033",
    "85449032844356741445625075",
)
_MIN_LETTERS = 8
_MIN_LENGTH = 6
_LETTERS = re.compile(r"[A-Za-z]+")
# A letter of Western Europe in JSON, also in JSON in JSON: `f\u00fcr`.
_ESCAPED_LETTER = re.compile(r"(?<!\\)\\{1,8}u(00(?:[cdef][0-9a-f]|aa|ba))", re.IGNORECASE)
# What has digits or signs and is no secret: an id, a date, a version, an address, a path, a variable, a
# mask, a name with its value.
_KNOWN_FORM = re.compile(
    r"""[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?!-[0-9a-f]{4}) | err(?-i:[A-Z][a-z])\w+\Z | \d{4}-\d\d | v?(?:\d+:)?\d+(?:\.\d+)+\b
    | (?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\Z | (?-i:[A-Z][A-Za-z\d\\]*(?:-[A-Za-z\d]+)+\$\Z)
    | [a-z]{2,8}0x[\da-f]+\Z | \d+[a-z]{0,2}\Z | \d{1,3}(?:文字|桁)
      | [a-z][\w.\-]*/\d+(?:\.\d+)+\Z | (?:[a-z]+(?:\+|%20)){1,8}[a-z]+(?:&\S*)?\Z
      | [\w.%+\-]+\.(?:xlsx?|docx?|pptx?|pdf|csv|txt|md|png|jpe?g|svg)\Z | [a-z]+&[a-z_]+=\S*\Z | [a-z]+(?:;[\w.\-]*){2,}\Z | 0x[0-9a-f]{1,16}\Z | (?:sha\d{1,3}|md5|ecdsa|rsa)-?with-?\w+\Z | \w{2,12}:// | (?:[a-z]:)?[/\\][\w./\\\-]*\Z
      | \$\{?[a-z_][\w.:]*\}?\Z | %\w+%\Z | [(\[{<]
      | [a-z_\-;]+\d{0,3}[=:](?:[^!#$%^*~?@\s]*\Z|\S*://) | [a-z_\-]{4,}\d{0,3}[=:] |
      \*{1,2}[^\W\d_]+\*{0,2}\Z | \w+\( | \#\d+ | [\w.\-]+…?@[\w\-]+\.
      | (?-i:[A-Z][A-Z\d]*(?:_[A-Z\d]+)+\Z)
      | %[A-Z\d_]+-\d-[A-Z\d_]+ | \#?(?:[a-z_\-]+[/.]){2,}+[\w.\-]*\Z | (?:[a-z_\-]+/)+\Z | [a-z]+[?!*~]+\Z
      | (?:[a-z][a-z\d\-]*\.){1,6}[a-z]{2,20}:\d{1,5}(?::\d)?\Z """,
    re.IGNORECASE | re.VERBOSE,
)
_WITH_DIGIT = re.compile(r"(?=.*[^\W\d_]).*\d", re.DOTALL)
_SIGN_INSIDE = re.compile(r"[!@#$%^*+=~].*[^\s.,;]", re.DOTALL)
_SIGN = re.compile(r"[!@#$%^*+=~?]")
_CASE_CHANGES = re.compile(r"[a-z][A-Z]")
_DIGIT_OR_SIGN = re.compile(r"[\d!@#$%^*+=~\\]")
_TWO_JOINTS = re.compile(r"[a-z][\-_.][a-z]{2,16}[\-_.][a-z]")
_FOUR_DIGITS = re.compile(r"\d{4}")
# What has digits or signs and no rule takes for a secret: numbers, dates, bold words of Markdown.
_PLAIN = re.compile(
    r"""[\-+~<>≤≥=±]{0,3}(?:\d{1,3}(?:[.,:/x–\-]\d{1,3}){0,8}|\d{4}-\d\d-\d\d)[A-Za-z%]{0,3}
      | \*{0,2}[A-Za-z]+[.:,]?\*{0,2}""",
    re.VERBOSE,
)
_PUNCTUATION = "\"'`.,;:()[]{}<>|—–…“”„«»-/"
# Signs that stand in passwords and, between letters and digits, in few other texts.
_STRONG_SIGN = re.compile(r"[!@#$%^*?]")
# What has such a sign and is no password: an address, an assignment, a query, an encoded text, an issue, a
# class of Java, a package and its version, a format, a percentage, a pattern, an account of a guest.
_OTHER_WITH_SIGN = re.compile(
    r"""\S*(?: :// | %[0-9a-f]{2}\S*%[0-9a-f]{2} | \w=[^=&]{0,60}& | @[\w\-]{1,60}\.[a-z] |
        [\\/] | \#ext\# | [a-z]&\$?[a-z]+= )
      | [\w.\-]+\#\d+\Z | [\w.]+(?:\$\w+)+\Z | [a-z\d_.\-]+@v?\d[\w.\-]*\Z |
      (?-i:[a-z])[\w.\-]*@[a-z][a-z\d\-]*\Z
      | [\w.,\-]+%[.,;:)]?\Z | [*?^] | \S+\*\Z | [\w.\-]{4,}=\S* | [\w.\-]+=[^!#$%^*~?@\s]*\Z |
      [\w.]+:[^\s:]*\Z | [a-z]+\d{1,2}[?!]\Z
      | \#\w+\Z | (?-i:[a-z\d_./\-]*\?[a-z_\d]+\Z) | ![a-z]+ | @[\w.\-/]+ | \$\S* | &\w+; """,
    re.IGNORECASE | re.VERBOSE,
)
# Words with numbers, and words in which digits replace letters, as people make passwords.
_MADE_OF_WORDS = re.compile(
    r"""(?:[A-ZÀ-Þ][a-zß-ÿ]{2,}[\-_.]?){1,3}\d{2,6}[!?*#$%x]{0,2} |
        (?:[A-ZÀ-Þ][a-zß-ÿ]{2,}[\-_.]){2,3}\d{2,6}
      | [a-zß-ÿ]{3,}[_\-.]\d{2,4}[!?*#$%]""",
    re.VERBOSE,
)
_PRODUCT = re.compile(r"[A-Z]?[a-z]{2,20}[\-_.]?\d{1,3}|[\w.\-]+:\d+")
_HEXADECIMAL = re.compile(r"[0-9a-f]+|v\d.*|utf.*", re.IGNORECASE)
_DIGIT_EDGES = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")
_MAX_WORD = 60


def with_letters(text: str) -> str:
    """Return the text with the letters that JSON escapes."""
    return _ESCAPED_LETTER.sub(lambda escaped: chr(int(escaped[1], 16)), text)


def is_unlike_words(value: str, min_length: int = _MIN_LENGTH) -> bool:
    """Return whether a value is no word of a sentence, and no id, date, version or path.

    It has letters and digits, or a sign inside, or its letters stand in an order that no language
    has.
    """
    value = with_letters(value.rstrip(".,;:?)]}"))
    if len(value) < min_length or _KNOWN_FORM.match(value):
        return False
    if _LETTERS.fullmatch(value):
        return (
            len(_CASE_CHANGES.findall(value)) >= 3
            or not _is_pronounceable(value.lower())
            or is_unknown_word(value)
        )
    has_digit = len(value) >= 8 and _WITH_DIGIT.match(value) is not None
    return has_digit or _SIGN_INSIDE.search(value) is not None


def is_password_shaped(value: str) -> bool:
    """Return whether a value has what rules for passwords ask for, and names of computers lack."""
    value = value.rstrip(".,;:)]}")
    if len(value) < _MIN_LENGTH or _KNOWN_FORM.match(value):
        return False
    has_digit = any(map(str.isdigit, value))
    has_both_cases = value != value.lower() and value != value.upper()
    return (has_digit and has_both_cases) or (
        (has_digit or has_both_cases) and _SIGN.search(value) is not None
    )


def is_unmistakable(value: str) -> bool:
    """Return whether a value is a password or a token wherever it stands near the name of one.

    It has letters, digits and a sign that no word, id, path or address has there, or small letters,
    capital letters and digits in the order of a random generator.
    """
    value = value.rstrip(".,;:)]}")
    if not _MIN_LETTERS <= len(value) <= _MAX_WORD or _KNOWN_FORM.match(value):
        return False
    if not _WITH_DIGIT.match(value):
        return False
    if _STRONG_SIGN.search(value):
        return _OTHER_WITH_SIGN.match(value) is None
    return value.isalnum() and has_changing_classes(value)


def is_made_of_words(value: str) -> bool:
    """Return whether a value is words with a number, or with digits for letters: Kettle-84, W1ll0w28."""
    value = value.rstrip(".,;:)]}")
    if _MADE_OF_WORDS.fullmatch(value):
        return True
    is_id = value == value.upper() or _HEXADECIMAL.fullmatch(value) is not None
    return not is_id and value.isalnum() and len(_DIGIT_EDGES.findall(value)) >= 3


def is_like_password(value: str) -> bool:
    """Return whether a value has one of the shapes of passwords, beside an account or in its place.

    What has both cases and digits, as a device or a product with its version, needs a sign or letters in
    an order that no language has.
    """
    value = value.rstrip(".,;:)]}")
    if " " in value or _PRODUCT.fullmatch(value):
        return False
    if is_unmistakable(value) or is_made_of_words(value):
        return True
    letters = "".join(_LETTERS.findall(value)).lower()
    return is_password_shaped(value) and (
        _SIGN.search(value) is not None or not _is_pronounceable(letters)
    )


def is_like_secret(word: str) -> bool:
    """Return whether a word of a text may be one that `is_unlike_words` or `SECRET_LOOKING` describes.

    A word is none if it has no digits and signs, and its letters are those of words, or if it is
    short or a number.
    """
    if len(word) > _MAX_WORD:
        return True
    if _DIGIT_OR_SIGN.search(word):
        core = word.strip(_PUNCTUATION)
        if len(core) < _MIN_LENGTH and not _FOUR_DIGITS.search(core):
            return False
        return _PLAIN.fullmatch(core) is None
    return (
        len(_CASE_CHANGES.findall(word)) >= 3
        or _TWO_JOINTS.search(word) is not None
        or not all(map(_is_pronounceable, _LETTERS.findall(word.lower())))
        or is_unknown_word(word.strip(_PUNCTUATION))
    )


def _is_pronounceable(letters: str) -> bool:
    """Return whether the letters, in lower case, follow each other as in words."""
    if len(letters) < _MIN_LETTERS:
        return True
    score = sum(
        int(_PAIRS[ord(first) - 97][ord(second) - 97]) - _CHANCE
        for first, second in pairwise(letters)
    )
    return score >= 0
