"""Every time that is stored or compared is the database's: no process trusts its host's clock."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Names that read the clock of the host, or fields that Django fills from it.
CLOCKS = {
    "timezone.now",
    *("timezone.localtime", "timezone.localdate"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("time.time", "time.time_ns", "time.gmtime", "time.localtime", "time.ctime"),
    *("auto_now", "auto_now_add"),
}
#: The exceptions, each with the reason why a wrong clock does no harm.
ALLOWED = {
    ("operations/failpoints.py", "time.time"): "tests: the same host sets the end of the faults",
    ("operations/maintenance/preflight.py", "datetime.now"): "compared with the database's",
    ("telemetry/recording.py", "time.time_ns"): "the times of spans, which Runledger never reads",
    ("backups/models/schedules.py", "auto_now"): "shown to staff, never compared",
    ("providers/models.py", "auto_now"): "shown to staff, never compared",
    ("providers/models.py", "auto_now_add"): "shown to staff, never compared",
    ("tenancy/models.py", "auto_now_add"): "shown to staff, never compared",
}


def clocks_in(source: str) -> Iterator[str]:
    """The clocks that a module reads, whether it calls them or passes them on."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield from CLOCKS & {".".join(ast.unparse(node).split(".")[-2:])}
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.rsplit(".", 1)[-1]
            yield from CLOCKS & {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.keyword):
            yield from CLOCKS & {str(node.arg)}


def product_files(pattern: str) -> Iterator[Path]:
    packages = {path.parent for path in ROOT.glob("*/__init__.py")}
    for package in packages - {ROOT / "dev", ROOT / "tests"}:
        files = package.rglob(pattern)
        yield from (path for path in files if "migrations" not in path.parts)


def test_no_module_reads_the_clock_of_its_host() -> None:
    """Use `database_now`, `request_now`, `Now()` or `clock_timestamp()` instead."""
    reads = {
        (str(path.relative_to(ROOT)), clock)
        for path in product_files("*.py")
        for clock in clocks_in(path.read_text())
    }

    assert reads - set(ALLOWED) == set()


def test_no_template_reads_the_clock_of_its_host() -> None:
    tag = re.compile(r"\{%\s*now\b|\|\s*(timesince|timeuntil|naturaltime)\b")
    templates = [*(ROOT / "templates").rglob("*.html"), *product_files("*.html")]

    assert [path.name for path in templates if tag.search(path.read_text())] == []


@pytest.mark.parametrize(
    "planted",
    [
        "at = timezone.now()",
        "at = django.utils.timezone.now()",
        "from django.utils.timezone import now",
        "at = dt.datetime.now(dt.UTC)",
        "today = datetime.date.today()",
        "at = time.time()",
        "from time import time_ns",
        "at = models.DateTimeField(default=timezone.now)",
        "at = models.DateTimeField(auto_now_add=True)",
    ],
)
def test_a_new_reading_is_found(planted: str) -> None:
    assert list(clocks_in(planted))


@pytest.mark.parametrize(
    "accepted", ["time.monotonic()", "database_now()", "Now()", "dt.datetime(2026, 1, 1)"]
)
def test_other_times_are_accepted(accepted: str) -> None:
    assert not list(clocks_in(accepted))
