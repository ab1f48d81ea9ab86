"""What a rule is."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from redaction.patterns import FOREIGN_HINTS

Replacement = str | Callable[[re.Match[str]], str]

#: What a text with the name of a secret contains, in lower case.
NAME_HINTS = (
    "pass", "pwd", "psk", "secret", "token", "key", "code", "pin", "challenge", "hash", "string",
    "assertion", "saml", "verifier", "sig", "authorization", "credential", "cookie", "estsauth",
    "sess", "sid", "otp", "clientstate", "client_state", "authtok", "puk", "community", "pw",
    "sonar.login", "mnemonic", "phrase", "seed", "mdp", "ww ", "ww:", "ww=", "masterauth", "answer",
    "salt", "bprt", "bearer", *FOREIGN_HINTS,
)  # fmt: skip


#: How many characters before a name are looked at.
_BEFORE = 80


@dataclass(frozen=True)
class Rule:
    """One format of secret.

    The pattern ignores case and is verbose. It is tried only if one of the `hints` (lower case) is
    in the text, which is cheaper. `replacement` is a template or a function as in `re.sub`.
    """

    name: str
    hints: tuple[str, ...]
    pattern: str
    replacement: Replacement
    rationale: str
    #: Fewer hints, one of which a text with a match has too: for the test of all rules at once.
    needs: tuple[str, ...] = ()
    #: Tried first on the text in lower case, if given; most texts with a hint do not match.
    gate: str = ""
    #: Whether its pattern begins with `SENSITIVE_NAME`: then it is tried only where a name is.
    after_name: bool = False
    #: Whether `SENSITIVE_NAME` is elsewhere in its pattern: then a text without one has no match.
    with_name: bool = False
    #: What stands before that name, if it matters.
    before: str = ""
    #: Whether it is also in a text that is one word, without white space, assignment or quotation mark.
    in_word: bool = False
    #: Whether it is also in a text of letters, spaces, commas, periods and hyphens in words alone.
    in_words: bool = False
    #: Whether it only masks values that no word is like: most texts have none.
    unlike_words: bool = False

    @property
    def needs_name(self) -> bool:
        """Whether a text that has this format has the name of a secret."""
        return self.after_name or self.with_name

    def is_possible(self, lowered: str) -> bool:
        """Return whether a text with a hint, in lower case, may have this format."""
        return not self.gate or self._compiled_gate.search(lowered) is not None

    @functools.cached_property
    def _compiled_gate(self) -> re.Pattern[str]:
        return re.compile(self.gate, re.VERBOSE)

    def mask(self, text: str) -> str:
        """Return the text with this format masked, wherever it is."""
        return compiled(self.pattern).sub(self.replacement, text)

    def mask_at(self, text: str, places: list[int]) -> str:
        """Return the text with this format masked where it begins at one of the places."""
        pattern, replace = compiled(self.pattern), self.replacement
        before = compiled(rf"(?:{self.before})\Z") if self.before else None
        parts: list[str] = []
        end = 0
        for place in places:
            match = pattern.match(text, place) if place >= end else None
            if match and (not before or before.search(text, max(end, place - _BEFORE), place)):
                masked = match.expand(replace) if isinstance(replace, str) else replace(match)
                if masked != match[0]:
                    parts += [text[end:place], masked]
                    end = match.end()
        return "".join([*parts, text[end:]])


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a verbose pattern that ignores case."""
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL)
