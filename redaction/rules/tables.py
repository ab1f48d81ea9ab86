"""Secrets in tables, below or beside their name."""

from __future__ import annotations

from redaction.rules.rule import Rule
from redaction.tables import mask_aligned, mask_columns

#: A table can begin behind what introduces it, such as the name of an error; a slash is that of a path.
_LINE_START = r"(?:\A|(?<=\n)|(?<=\w:[ ])|(?<=:[ ]/))"
_DASHES = r"[ ]{0,8}-{2,80}(?:[ ]{1,60}-{2,80}){1,20}"
_ROWS = r"(?P<rows>[^\n]{3,2000}(?:\n[^\n]{3,2000}){0,200})"

RULES = (
    Rule(
        name="rows below their names",
        hints=("values",),
        with_name=True,
        pattern=r"""\((?P<names>[^()\n]{3,400})\)\s{0,4}values\s{0,4}\(
            (?P<rows>[^()\n]{3,2000})\)""",
        gate=r"\)\s{0,4}values\s{0,4}\(",
        replacement=mask_columns,
        rationale="INSERT INTO users (name, password) VALUES ('x', 'y')",
    ),
    Rule(
        name="table with a header",
        hints=("\n",),
        with_name=True,
        pattern=rf"""{_LINE_START}(?P<names>(?:[\w "'.\-]{{1,40}}[,;|]){{1,30}}[\w "'.\-]{{1,40}})\n
            {_ROWS}""",
        gate=r"[,;|][^\n]*\n|\n[^\n]*[,;|]",
        replacement=mask_columns,
        rationale="the rows of a CSV file below its header",
    ),
    Rule(
        name="table between bars",
        hints=("|", "│", "┃", "║"),
        with_name=True,
        pattern=rf"""{_LINE_START}[ ]{{0,8}}
            (?P<names>\|?[|│┃║][^|│┃║\n]{{1,60}}(?:\|?[|│┃║][^|│┃║\n]{{1,60}}){{1,20}}[|│┃║]{{1,2}})[ ]{{0,8}}\n
            (?P<rows>[ ]{{0,8}}[|+│┃║├╠╟┣][^\n]{{3,2000}}
            (?:\n[ ]{{0,8}}[|+│┃║├╠╟┣][^\n]{{3,2000}}){{0,200}})""",
        gate=r"[|│┃║][ ]{0,8}\n[ ]{0,8}[|+│┃║├╠╟┣]",
        replacement=mask_columns,
        rationale="Markdown, and the tables of database clients and of command-line tools",
    ),
    Rule(
        name="table of aligned columns",
        hints=("  ", "--"),
        with_name=True,
        pattern=rf"""{_LINE_START}(?=[^\n]{{0,300}}?[ ]{{2}}|[^\n]{{1,300}}\n[ \-]{{3,400}}\n)
            (?P<names>[A-Z][^\n|,;:=]{{4,300}})\n
            (?:(?P<dashes>{_DASHES})[ ]{{0,8}}\n)?
            (?P<rows>[^\n]{{3,600}}(?:\n[^\n]{{3,600}}){{0,200}})""",
        gate=r"[^\n:= ][ ]{2}[^\n]{0,300}\n|\n[ ]{0,8}-{2}",
        replacement=mask_aligned,
        rationale="tables of PowerShell and of command-line tools",
    ),
)
