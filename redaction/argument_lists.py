"""Command lines whose arguments are a list of texts, as programs log them: `['tool', '-p', 'x']`."""

from __future__ import annotations

import re
from collections.abc import Callable

_QUOTE = r"""(?P<q>\\{0,3}["'])"""
_ITEM = r"""(?:\\{0,3}"[^"'\\\n]{0,300}\\{0,3}"|\\{0,3}'[^"'\\\n]{0,300}\\{0,3}')"""
_BETWEEN = r"(?:\s{0,8},\s{0,40}|[ ]a\d{1,2}=)"
_LIST = re.compile(rf"{_ITEM}(?:{_BETWEEN}{_ITEM}){{2,60}}")
_TEXT = re.compile(rf"""{_QUOTE}(?P<item>[^"'\\\n]*)(?P=q)""")
_ARGUMENT = re.compile(r'"[^"]*"|\S+')
# An option is among the arguments.
_GATE = re.compile(rf"""["']{_BETWEEN}\\{{0,3}}["'][-/]""")


def mask_argument_lists(text: str, mask_command: Callable[[str], str]) -> str:
    """Return the text with what `mask_command` masks in a command line masked in lists of arguments."""
    if not _GATE.search(text):
        return text

    def mask_list(match: re.Match[str]) -> str:
        items = [item["item"] for item in _TEXT.finditer(match[0])]
        command = " ".join(item if item.split() == [item] else f'"{item}"' for item in items)
        masked = mask_command(command)
        arguments = _ARGUMENT.findall(masked)
        if masked == command or len(arguments) != len(items):
            return match[0]
        remaining = iter(arguments)
        return _TEXT.sub(
            lambda item: f"{item['q']}{next(remaining).strip(chr(34))}{item['q']}", match[0]
        )

    return _LIST.sub(mask_list, text)
