"""The repository is written in plain, standard American English.

Every text is checked: templates, documentation, docstrings, comments, strings and, in Python, the
names of modules, classes, functions, arguments, variables and attributes.

`python tests/test_wording.py [PATH …]` lists the offenses below the paths, relative to the current
folder.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Words that are not used, and what to write instead. Spaces match any white space, so that a phrase
#: is found across line breaks; in identifiers they match underscores and camel case.
WORDS = {
    "told|tells?|telling|tellers?": "describe, report, show, notify",
    "untold": "unmanaged",
    "somebody": "someone, a user, an operator",
    "nobody": "no one; or name who or what does not",
    "whoever": "the user who, anyone who",
    "of its own": "its own, separate",
    "what became of": "the result of",
    "lets? go|letting go": "discard, release, remove",
    "doors?": "name what is allowed",
    "who wins": "which side to use",
    "mends?|mended|mending": "repair, correct",
    "anew": "again",
    "furnish(?:e[sd]|ing)?": "provide",
    "crews?": "workers, processes",
    "held": "kept, stored, locked, contained",
    "do(?:es)? not pay": "is not worth it",
    "brought home": "completed",
    "look(?:s|ed|ing)? after": "manage, maintain",
    "(?:is|are|was|were|be) at work": "is running",
    "stand[-_]?ins?": "Graph sandbox",
    # American spelling. "cancelled" is a stored value, so the double l is the house style there.
    "for ever": "forever",
    "catalogues?": "catalog",
    "cent(?:re|res|red)": "center",
    "licen(?:ce|ces|ced)": "license",
    "(?:behavi|col|fav|flav|hon|hum|lab|neighb|rum|vig)our\\w*": "-or",
    "(?:def|off)ences?": "-ense",
    "grey(?:s|ed)?": "gray",
    "programmes?": "program",
    "artefacts?": "artifact",
    "judgements?": "judgment",
    "(?:mod|lab|trav|sign|fu|chann|tunn)(?:el|al)l(?:ed|ing|er|ers)": "a single l",
    "fulfil|fulfils|enrol|enrols": "a double l",
    "whilst|amongst": "while, among",
    "analys(?:e|ed|ing)": "analyze",
    "(?:anonym|apolog|author|canonical|capital|categor|central|character|custom|emphas|equal|final"
    "|formal|general|initial|item|local|material|maxim|memor|minim|modern|neutral|normal|optim"
    "|organ|parameter|penal|polar|popular|priorit|random|real|recogn|sanit|scrutin|serial|special"
    "|stabil|standard|steril|summar|symbol|synchron|token|trivial|util|virtual|visual)"
    "is(?:e|es|ed|er|ers|ing|ation|ations|able)": "-ize",
}

#: Words that no name may contain; in prose they are plain English.
PARTS_OF_NAMES = {"things?": "name what it is", "stand ins?": "graph_sandbox"}

#: Participles that say nothing as the whole name of a value; longer names and classes may contain them.
PARTICIPLES = {"found", "given", "mine", "gone"}


@dataclass(frozen=True)
class Allowed:
    """A word that one file may contain; `*` is every word."""

    path: str
    word: str
    reason: str


ALLOWED = (
    Allowed("tests/test_wording.py", "*", "the list itself and the snippets that it is tried on"),
    Allowed("redaction/patterns.py", "door", "what a code opens"),
    Allowed("redaction/rules/codes.py", "door", "what a code opens"),
)

#: Folders whose files others wrote or tools generate.
SKIPPED_FOLDERS = {
    "vendor",
    "requirements",
    "samples",
    "node_modules",
    "staticfiles",
    "__pycache__",
}
TEXT_SUFFIXES = {".md", ".html", ".txt", ".js", ".css", ".sql", ".toml", ".yml", ".yaml"}
TEXT_NAMES = {"Makefile", "Dockerfile", ".env.example", ".pre-commit-config.yaml", ".ci", "run"}


@dataclass(frozen=True, order=True)
class Offense:
    """One word that should be another."""

    path: str
    line: int
    word: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r} (better: {self.advice})"


class Vocabulary:
    """Several expressions as one, which also knows the advice for a match."""

    def __init__(self, words: dict[str, str]) -> None:
        flexible = {word.replace(" ", r"\s+"): advice for word, advice in words.items()}
        self._advice = {re.compile(word): advice for word, advice in flexible.items()}
        # `search` checks the letter before a match: a look-behind would take most of the time.
        self._any = re.compile(f"(?:{'|'.join(flexible)})(?![a-z])")

    def search(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Position, matched words and advice of each match."""
        lowered = text.lower()
        for match in self._any.finditer(lowered):
            if not lowered[: match.start()][-1:].isalpha():
                yield match.start(), " ".join(match[0].split()), self._advice_for(match[0])

    def _advice_for(self, words: str) -> str:
        return next(advice for word, advice in self._advice.items() if word.fullmatch(words))


PROSE = Vocabulary(WORDS)
NAME_PARTS = Vocabulary(WORDS | PARTS_OF_NAMES)


def offenses_in_text(path: str, text: str, first_line: int = 1) -> Iterator[Offense]:
    """The offenses in prose, or in a file that is read as prose."""
    for position, word, advice in PROSE.search(text):
        yield Offense(path, first_line + text.count("\n", 0, position), word, advice)


@cache
def advice_for_name(name: str) -> str:
    """What an identifier should be instead; empty if it is fine."""
    if name.strip("_") in PARTICIPLES:
        return "a noun that says what the value is"
    words = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))
    return next((advice for _, _, advice in NAME_PARTS.search(words)), "")


def offenses_in_python(path: str, source: str) -> Iterator[Offense]:
    """The offenses in names, strings and comments of a module."""
    # Most modules have none, which shows without parsing them.
    joined_lines = re.sub(r"""\s*["']?\n\s*[#:f"']*\s*""", "\n", source)
    has_prose = any(PROSE.search(joined_lines))
    has_names = any(advice_for_name(name) for name in set(re.findall(r"\w+", source)))
    if not (has_prose or has_names):
        return
    tree = ast.parse(source)
    if has_names:
        yield from _offenses_in_names(path, tree)
    if has_prose:
        yield from _offenses_in_strings(path, tree, source.splitlines())
        yield from _offenses_in_comments(path, source)


def _offenses_in_names(path: str, tree: ast.Module) -> Iterator[Offense]:
    for node in ast.walk(tree):
        for name in _names_of(node):
            advice = advice_for_name(name)
            if advice:
                yield Offense(path, getattr(node, "lineno", 1), name, advice)


def _offenses_in_strings(path: str, tree: ast.Module, lines: list[str]) -> Iterator[Offense]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for _, word, advice in PROSE.search(node.value):
                yield Offense(path, _line_of(word, lines, node), word, advice)


def _line_of(words: str, lines: list[str], node: ast.Constant) -> int:
    """The first line of a string that has the first word; a string may be in several pieces."""
    first_word = words.split(maxsplit=1)[0]
    for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        if first_word in lines[number - 1].lower():
            return number
    return node.lineno


def _names_of(node: ast.AST) -> Iterator[str]:
    """The names that a node introduces; names of other libraries that are only used do not count."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.arg():
            yield node.arg
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.Attribute(ctx=ast.Store()):
            yield node.attr
        case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            yield name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name


def _offenses_in_comments(path: str, source: str) -> Iterator[Offense]:
    """The offenses in comments; lines that follow each other are one text."""
    block: list[str] = []
    last_line = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last_line + 1:
            yield from offenses_in_text(path, "\n".join(block), last_line - len(block) + 1)
            block = []
        block.append(token.string.lstrip("#: "))
        last_line = token.start[0]
    yield from offenses_in_text(path, "\n".join(block), last_line - len(block) + 1)


def offenses_in_file(path: Path, root: Path = ROOT) -> Iterator[Offense]:
    """The offenses in one file and in its name, without those that are allowed."""
    relative = path.relative_to(root)
    name = relative.as_posix()
    text = path.read_text(encoding="utf-8")
    allowed = {entry.word for entry in ALLOWED if entry.path == name}
    if "*" in allowed:
        return
    check = offenses_in_python if path.suffix == ".py" else offenses_in_text
    advice = advice_for_name(path.stem)
    offenses = [Offense(name, 1, path.name, advice)] if advice else []
    for offense in [*offenses, *check(name, text)]:
        if offense.word.lower() not in allowed:
            yield offense


def files_to_check(root: Path = ROOT) -> Iterator[Path]:
    """Every Python and text file of the repository, without those of others."""
    for path in sorted(root.iterdir()):
        hidden = path.name.startswith(".") and path.name not in TEXT_NAMES
        if hidden or path.is_symlink() or path.name in SKIPPED_FOLDERS:
            continue
        if path.is_dir():
            yield from files_to_check(path)
        elif path.suffix in {".py", *TEXT_SUFFIXES} or path.name in TEXT_NAMES:
            yield path


def test_every_text_and_name_is_plain_english() -> None:
    offenses = [offense for path in files_to_check() for offense in offenses_in_file(path)]

    assert not offenses, f"{len(offenses)} offenses:\n" + "\n".join(map(str, sorted(offenses)))


def test_every_allowance_is_needed_and_has_a_reason() -> None:
    for entry in ALLOWED:
        assert entry.reason
        assert (ROOT / entry.path).is_file(), entry
        if entry.word != "*":
            assert entry.word in (ROOT / entry.path).read_text(encoding="utf-8").lower(), entry


@pytest.mark.parametrize(
    "text",
    [
        "The operator is told.",
        "Nobody knows.",
        "a worker of\n   its own",
        "What\nbecame of it",
        "Let go of it",
        "Say who\n  wins.",
        "A run is at work with this set.",
        "Whoever looks after it",
        "The stand-in speaks HTTPS",
        "The licence is for the organisation's centre.",
        '<button title="Open the door">',
        "data-crew",
    ],
)
def test_a_reintroduced_word_is_noticed_in_prose(text: str) -> None:
    assert list(offenses_in_text("page.html", text))


@pytest.mark.parametrize(
    "text",
    [
        "The run was cancelled.",
        "Recommend a cancelled run to someone; intelligent outdoor shelters.",
        "Something else; these things are plain English.",
        "The value that was found is given below.",
        "Raise, promise, otherwise, supervise, precise, enterprise.",
    ],
)
def test_plain_english_is_accepted(text: str) -> None:
    assert not list(offenses_in_text("page.html", text))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def open_the_door(): ...", 1),
        ("class StandInServer: ...", 1),
        ("def f(told): ...", 1),
        ("x = 1\nfound = x", 2),
        ("self.given = 1", 1),
        ("import json as mine", 1),
        ("def test_nobody_is_asked(): ...", 1),
        ("for things_of in []: ...", 1),
        ("colour = 1", 1),
        ('"""Looks\nafter it."""', 1),
        ('x = (\n    "What "\n    "became of it"\n)', 2),
        ('x = f"{x} is told"', 1),
        ("x = 1\n# a thread of\n# its own\n", 2),
        ("x = 1  #: held by us", 1),
    ],
)
def test_a_reintroduced_word_is_noticed_in_python(source: str, line: int) -> None:
    assert [offense.line for offense in offenses_in_python("module.py", source)] == [line]


@pytest.mark.parametrize(
    "source",
    [
        "founder = found_ids = given_name = 1",
        "re.fullmatch(found).told",
        "x = 1  # what was found",
        "cancelled = RunOutcome.CANCELLED",
    ],
)
def test_plain_names_are_accepted(source: str) -> None:
    assert not list(offenses_in_python("module.py", source))


def _main() -> None:
    root = Path.cwd()
    paths = [root / argument for argument in sys.argv[1:]] or [root]
    offenses: list[Offense] = []
    for path in paths:
        for file in files_to_check(path) if path.is_dir() else [path]:
            offenses += offenses_in_file(file, root)
    sys.stdout.writelines(f"{offense}\n" for offense in sorted(offenses))
    sys.exit(bool(offenses))


if __name__ == "__main__":
    _main()
