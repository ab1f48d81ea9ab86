"""A database that rejects further rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection as database


@pytest.fixture
def fill_the_disk(transactional_db: None) -> Iterator[Callable[..., None]]:
    """Make PostgreSQL reject further rows of a table, as it does when its disk is full."""

    def fill(table: str, *, rows: int) -> None:
        with database.cursor() as cursor:
            cursor.execute(
                f"CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF (SELECT count(*) FROM {table}) >= {rows} THEN"
                f" RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END IF;"
                f" RETURN NEW; END $$;"
                f"CREATE TRIGGER no_space BEFORE INSERT ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION no_space()"
            )

    yield fill
    with database.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS no_space CASCADE")
