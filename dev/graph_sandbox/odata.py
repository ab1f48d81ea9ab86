"""The part of OData that Runledger uses: `$expand`, `$select`, `$filter`, `$top` and pages."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

from dev.graph_sandbox.messages import Json, RequestRefused

KNOWN = frozenset(
    {"$expand", "$select", "$filter", "$top", "$skiptoken", "$count", "$orderby", "$deltatoken"}
)
_EQUALS = re.compile(r"(\w+) eq (true|false|'(?:[^']|'')*')")
_COMPARES = re.compile(r"(\w+) (ge|le) (\d{4}-\d\d-\d\dT[\d:.]+Z)")
_STARTS = re.compile(r"startswith\((\w+),\s*'((?:[^']|'')*)'\)", re.IGNORECASE)


def check_query(query: Mapping[str, str]) -> None:
    """Refuse unsupported query options.

    Raises:
        RequestRefused: an option is not supported.
    """
    unknown = [name for name in query if name.startswith("$") and name not in KNOWN]
    if unknown:
        raise RequestRefused(
            400, "BadRequest", f"The query option '{unknown[0]}' is not supported."
        )


def expansions(text: str) -> dict[str, str]:
    """Return the properties of an `$expand`, each with the options in its parentheses."""
    return dict(_split(text))


def _split(text: str) -> Iterator[tuple[str, str]]:
    depth, start = 0, 0
    for position, char in enumerate(f"{text},"):
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            name, _, options = text[start:position].strip().partition("(")
            if name:
                yield name, options.removesuffix(")")
            start = position + 1


def select(view: Json, names: str) -> Json:
    """Return the selected properties only."""
    if not names:
        return view
    selected = {"id", "@odata.type", *names.split(",")}
    return {key: value for key, value in view.items() if key in selected}


def matches(view: Json, condition: str) -> bool:
    """Return whether an object meets a `$filter`."""
    if not condition:
        return True
    return all(_meets(view, part.strip()) for part in condition.split(" and "))


def _meets(view: Json, part: str) -> bool:
    if match := _EQUALS.fullmatch(part):
        name, literal = match.groups()
        if literal in ("true", "false"):
            return bool(view.get(name) == (literal == "true"))
        return bool(view.get(name) == literal[1:-1].replace("''", "'"))
    if match := _COMPARES.fullmatch(part):
        at = dt.datetime.fromisoformat(str(view.get(match[1])))
        limit = dt.datetime.fromisoformat(match[3])
        return at >= limit if match[2] == "ge" else at <= limit
    if match := _STARTS.fullmatch(part):
        start = match[2].replace("''", "'").lower()
        return str(view.get(match[1]) or "").lower().startswith(start)
    raise RequestRefused(400, "BadRequest", "Invalid filter clause.")


def page(
    entries: list[Json], query: Mapping[str, str], url: str, *, default: int, most: int
) -> Json:
    """Return one page of entries, with the link to the next page."""
    start, size = _start(query), min(_top(query) or default, most)
    result: Json = {"value": entries[start : start + size]}
    if start + size < len(entries):
        result["@odata.nextLink"] = next_link(url, query, start + size)
    return result


def next_link(url: str, query: Mapping[str, str], start: int) -> str:
    """Return the absolute link to the entries from `start` on."""
    token = base64.urlsafe_b64encode(json.dumps({"from": start}).encode()).decode()
    options = {**query, "$skiptoken": token}
    return link(url, options)


def link(url: str, options: Mapping[str, str]) -> str:
    """Return the absolute address with these query options."""
    return f"{url}?{urlencode(options, quote_via=quote, safe='$,()')}"


def _top(query: Mapping[str, str]) -> int | None:
    if "$top" not in query:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,5}", query["$top"]):
        raise RequestRefused(400, "BadRequest", "Invalid value for '$top' query option.")
    return int(query["$top"])


def _start(query: Mapping[str, str]) -> int:
    if "$skiptoken" not in query:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(query["$skiptoken"]))["from"])
    except (ValueError, KeyError, TypeError):
        raise RequestRefused(400, "BadRequest", "Skip token is not valid.") from None
