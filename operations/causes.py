"""The cause of a run's problem, the same text for every tenant that has it.

A cause is the code of the most frequent failure, and for some reasons a detail that is the same on
every tenant, such as the missing permission or the host that does not answer:
`permission_missing:Policy.Read.All`. The reason says which of its parameters make the detail; they
are read from the stored message.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from operations.reasons import Reason, all_reasons, get_reason
from web.letter_case import ignore_case

MAX_DETAIL = 80
#: Reasons that say how much is missing, not why; they are the cause if there is no other.
SECONDARY = frozenset({"not_attempted", "other_causes"})
UNKNOWN = "cause_unknown"
_PLAIN = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 .,_:/+-]{{0,{MAX_DETAIL - 1}}}", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


def cause_of(failures: Iterable[Mapping[str, Any]]) -> str:
    """Return the cause of a stored `failure_summary`: that of its most frequent failures."""
    counts: Counter[str] = Counter()
    for failure in failures:
        counts[_cause(failure["code"], failure["message"])] += failure["count"]
    primary = {cause: number for cause, number in counts.items() if cause not in SECONDARY}
    candidates = primary or counts
    return max(candidates, key=candidates.__getitem__, default=UNKNOWN)


def describe_cause(cause: str) -> str:
    """Return the text of a cause: “Permission missing: Policy.Read.All”."""
    code, _, detail = cause.partition(":")
    label = get_reason(code).label
    return f"{label}: {detail}" if detail else label


def next_step_of(cause: str) -> str:
    """Return what to do about a cause; empty if that depends on the tenant."""
    code, _, detail = cause.partition(":")
    reason = get_reason(code)
    step = reason.next_step.replace(reason.cause, detail) if detail else reason.next_step
    return "" if "{" in step else step


def codes_with(text: str) -> list[str]:
    """Return the codes of the reasons whose label contains a text, whatever its case."""
    return [
        reason.code for reason in all_reasons() if ignore_case(text) in ignore_case(reason.label)
    ]


def _cause(code: str, message: str) -> str:
    detail = _detail(get_reason(code), message)
    return f"{code}:{detail}" if detail else code


def _detail(reason: Reason, message: str) -> str:
    """Return the detail of a reason; empty if the message has none that fits every tenant."""
    match = _pattern(reason.message).fullmatch(message) if reason.cause else None
    if match is None:
        return ""
    detail = reason.cause.format_map(match.groupdict()).strip()
    is_neutral = _PLAIN.fullmatch(detail) and not _GUID.search(detail)
    return detail if is_neutral else ""


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    """Return the expression that reads the parameters of a template from its filled text."""
    parts: list[str] = []
    names: set[str] = set()
    for literal, name, _, _ in string.Formatter().parse(template):
        parts.append(re.escape(literal))
        if name is None:
            continue
        parts.append(f"(?P={name})" if name in names else f"(?P<{name}>.+?)")
        names.add(name)
    return re.compile("".join(parts), re.DOTALL)
