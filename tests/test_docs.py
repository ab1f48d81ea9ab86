"""The documentation is complete, and what it refers to exists."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from dev.demo.fleet import SLUG as FLEET
from dev.demo.scenario import WORKSPACE

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAX_COLUMNS = 100

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def links_of(page: Path) -> list[tuple[Path, str]]:
    """The file and the anchor of each relative link of a page."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    relative = [target.partition("#") for target in targets if "://" not in target]
    return [
        ((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in relative
    ]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def code_of(page: Path) -> str:
    """Everything between backticks, one piece per line."""
    return "\n".join(re.findall(r"`+([^`]+)`+", page.read_text(encoding="utf-8")))


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {path for path, _ in links_of(ROOT / "README.md")}

    assert set(PAGES) - linked == {ROOT / "README.md"}


@every_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for path, anchor in links_of(page):
        assert path.exists(), f"{page}: {path}"
        assert not anchor or anchor in anchors_of(path), f"{page}: {path}#{anchor}"


@every_page
def test_lines_fit_into_the_columns_except_tables_and_code(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)

    assert not [
        line for line in prose.splitlines() if len(line) > MAX_COLUMNS and not is_table_row(line)
    ]


def is_table_row(line: str) -> bool:
    return line.lstrip().startswith("|")


@every_page
def test_every_path_in_code_exists(page: Path) -> None:
    paths = re.findall(
        r"^(?:[a-z_]+/)+(?:[\w-]+\.(?:py|md|html|sql))?$", code_of(page), re.MULTILINE
    )
    # Within the row of a package, the README names its folders without the package.
    folders = ["", "operations", "tests", "<app>"]

    assert not [path for path in paths if not any((ROOT / f / path).exists() for f in folders)]


@every_page
def test_every_test_file_in_code_exists(page: Path) -> None:
    names = re.findall(r"\btest_\w+\.py\b", code_of(page))

    assert not [name for name in names if not list(ROOT.glob(f"tests/**/{name}"))]


@every_page
def test_every_command_in_code_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    of_django = {"check", "collectstatic", "createsuperuser", "flush", "makemigrations", "migrate"}
    of_django |= {"shell", "showmigrations"}
    code = code_of(page)

    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets
    assert set(re.findall(r"\bmanage\.py ([a-z_]+)", code)) <= commands | of_django


def commands_of(page: Path) -> list[list[str]]:
    """Each `manage.py` command line in the console blocks of a page, without `manage.py`."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = re.findall(r"manage\.py (.+)", "\n".join(blocks).replace("\\\n", " "))
    return [shlex.split(line, comments=True) for line in lines]


@every_page
def test_every_command_line_has_arguments_that_its_command_knows(page: Path) -> None:
    for name, *arguments in commands_of(page):
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        if "--help" not in arguments:
            parser.parse_args(arguments)


def test_the_readme_names_workspaces_of_the_demo() -> None:
    lines = commands_of(ROOT / "README.md")
    named = {
        argument
        for line in lines
        for option, argument in itertools.pairwise(line)
        if option == "--workspace"
    }

    assert len(lines) > 5
    assert named
    assert named <= {WORKSPACE[1], FLEET}


def test_the_defaults_of_numbers_in_the_documentation_are_those_of_the_settings() -> None:
    source = (ROOT / "config/settings/base.py").read_text(encoding="utf-8")
    defaults = re.findall(r'env\.(?:int|float)\(\s*"([A-Z_]+)", default=([\d.]+)\)', source)
    table = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+)", table, re.MULTILINE))

    assert len(defaults) > 10
    assert {name: documented.get(name) for name, _ in defaults} == dict(defaults)
