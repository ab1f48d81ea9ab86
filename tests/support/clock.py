"""A simulated clock of the database, and time-zone rules of another version."""

from __future__ import annotations

import datetime as dt
import shutil
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest
import tzdata
from django.db import connection

from backups import misfire, slots


class DatabaseClock:
    """Sets what `clock_timestamp()` returns in this connection, also inside triggers."""

    def set(self, now: dt.datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('simulated.now', %s, false)", [now.isoformat()])


@contextmanager
def simulated_clock() -> Iterator[DatabaseClock]:
    """Replace the clock of the database for this connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA simulated_clock;"
            "CREATE FUNCTION simulated_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " STABLE AS $$ SELECT current_setting('simulated.now')::timestamptz $$;"
            "SELECT set_config('search_path', 'simulated_clock, pg_catalog, public', false)"
        )
    try:
        yield DatabaseClock()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET search_path; DROP SCHEMA simulated_clock CASCADE")


@pytest.fixture
def database_clock(transactional_db: None) -> Iterator[DatabaseClock]:
    with simulated_clock() as clock:
        yield clock


UseRules = Callable[..., None]


@pytest.fixture
def use_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UseRules]:
    """Return a function that installs rules of another version, from the data of real zones.

    `use_rules("2027a", {"Europe/Berlin": "Africa/Lagos"})`: by that version, Berlin has the
    rules that Lagos has in the package.
    """

    def use(version: str, zones: dict[str, str] | None = None) -> None:
        folder = tmp_path / version
        for name, source in (zones or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with resources.as_file(resources.files(tzdata) / "zoneinfo" / source) as data:
                shutil.copyfile(data, path)
        monkeypatch.setattr(tzdata, "IANA_VERSION", version)
        zoneinfo.reset_tzpath((str(folder),) if zones else ())
        forget_slots()

    yield use
    zoneinfo.reset_tzpath(())
    forget_slots()


def forget_slots() -> None:
    """Forget time zones and computed slots; the rules of a process do not change otherwise."""
    zoneinfo.ZoneInfo.clear_cache()
    for computed in (slots._next_slot, misfire._latest_slot, misfire._missed_slots):
        computed.cache_clear()
