"""Times on pages: one time zone, one notation, one module that writes them."""

from __future__ import annotations

import ast
import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tenancy.models import User, Workspace
from tenancy.times import display_zone, exact_text, short_text, title_text

ROOT = Path(__file__).resolve().parent.parent.parent
AT = dt.datetime(2026, 11, 3, 1, 0, 5, tzinfo=dt.UTC)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: Modules that write times in another way, each with the reason.
ALLOWED = {
    "tenancy/times.py": "the module that writes them",
    "backups/templatetags/backups.py": "slots in the time zone of their schedule, which is named",
    "backups/today.py": "the hours of a chart whose time zone is named",
    "backups/overview.py": "the days of a chart",
    "backups/downloads.py": "the name of an archive",
    "backups/exporting.py": "the name of an archive",
    "backups/retention.py": "a stored event, in UTC",
    **dict.fromkeys(
        ("operations/filters.py", "providers/forms.py", "tenancy/filtering.py"),
        "the value of a date input",
    ),
    "operations/context.py": "the stored form of a slot",
    "operations/models.py": "the administration site",
    "operations/presentation/charts.py": "the hours of a chart whose time zone is named",
    "providers/graph/audit_logs.py": "the value of a filter of Microsoft Graph",
    "providers/pem.py": "a day without a time",
}


@pytest.mark.parametrize(
    ("own", "of_workspace", "zone"),
    [
        ("Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo"),
        ("", "Europe/Berlin", "Europe/Berlin"),
        ("", None, "UTC"),
        ("Asia/Tokyo", None, "Asia/Tokyo"),
        # Data of another version may lack a zone, and no name opens a file.
        ("Mars/Olympus", "Europe/Berlin", "Europe/Berlin"),
        ("../../etc/passwd", "Mars/Olympus", "UTC"),
    ],
)
def test_the_zone_of_the_user_comes_first_then_that_of_the_workspace(
    own: str, of_workspace: str | None, zone: str
) -> None:
    workspace = Workspace(timezone=of_workspace) if of_workspace else None

    assert str(display_zone(User(timezone=own), workspace)) == zone


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (AT, BERLIN, "3 Nov 2026, 02:00:05 CET"),
        (AT.replace(second=0), BERLIN, "3 Nov 2026, 02:00 CET"),
        (AT.replace(month=7), BERLIN, "3 Jul 2026, 03:00:05 CEST"),
        (AT, dt.UTC, "3 Nov 2026, 01:00:05 UTC"),
        (AT, zoneinfo.ZoneInfo("Asia/Kathmandu"), "3 Nov 2026, 06:45:05 UTC+05:45"),
        (AT, zoneinfo.ZoneInfo("America/Sao_Paulo"), "2 Nov 2026, 22:00:05 UTC-03:00"),
        # The hour that the end of summer time repeats.
        (dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC), BERLIN, "25 Oct 2026, 02:30 CEST"),
        (dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC), BERLIN, "25 Oct 2026, 02:30 CET"),
    ],
)
def test_an_exact_time_names_its_zone(moment: dt.datetime, zone: dt.tzinfo, text: str) -> None:
    assert exact_text(moment, zone) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (AT, "3 Nov, 02:00"),
        (AT.replace(year=2025), "3 Nov 2025, 02:00"),
        # In Berlin, the year has begun.
        (dt.datetime(2026, 12, 31, 23, 30, tzinfo=dt.UTC), "1 Jan 2027, 00:30"),
    ],
)
def test_a_list_shows_the_year_if_it_is_another_one(moment: dt.datetime, text: str) -> None:
    with mock.patch("tenancy.times.request_now", return_value=AT):
        assert short_text(moment, BERLIN) == text


def test_the_title_has_the_time_in_utc_too() -> None:
    assert title_text(AT, dt.UTC) == "2026-11-03 01:00:05 UTC"
    in_both = "2026-11-03 01:00:05 UTC · 2026-11-03 02:00:05 Europe/Berlin"
    assert title_text(AT, BERLIN) == in_both


def notations_in(source: str) -> Iterator[str]:
    """What writes a time as text: format codes, `isoformat` without a zone, Django's filters."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A digit follows in percent-encoded bytes, such as "%B1".
            yield from re.findall(r"%[YbBHMdy](?!\d)", node.value)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = " ".join(f"{node.module}.{alias.name}" for alias in node.names)
            yield from re.findall(r"django\.utils\.(?:dateformat|formats|timesince)", names)


def test_one_module_writes_the_times_of_pages() -> None:
    """Use `tenancy.times`, or the tags of `runledger` in templates."""
    packages = {path.parent for path in ROOT.glob("*/__init__.py")} - {ROOT / "dev", ROOT / "tests"}
    modules = {path for package in packages for path in package.rglob("*.py")}
    writing = {
        str(path.relative_to(ROOT))
        for path in modules
        if "migrations" not in path.parts and any(notations_in(path.read_text()))
    }

    assert writing - ALLOWED.keys() == set()
    assert ALLOWED.keys() - writing == set(), "these need no exception"


def test_no_template_formats_a_time_itself() -> None:
    """Use the tags `when`, `age`, `exact` and `slot`, which know the time zone of the page."""
    own = re.compile(r"\|\s*(date|time|localtime|timezone|utc)\b|\{%\s*(now|localtime|timezone)\b")
    files = [path for suffix in ("html", "txt") for path in ROOT.rglob(f"templates/**/*.{suffix}")]
    templates = [path for path in files if not {".venv", ".tools", ".dev"} & set(path.parts)]

    assert templates
    assert [path.name for path in templates if own.search(path.read_text())] == []


@pytest.mark.parametrize(
    "planted",
    ['at.strftime("%Y-%m-%d")', 'f"{at:%H:%M}"', "from django.utils import dateformat"],
)
def test_a_new_notation_is_found(planted: str) -> None:
    assert list(notations_in(planted))
