"""The chain: what was changed or removed is found, and retention removes only what is old."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from audit import chain, tasks
from audit.chain import find_recent_problems, remove_old_entries, seal_entries
from audit.checks import retention_setting_is_valid
from audit.events import record
from audit.models import AuditEntry, AuditLink
from operations.maintenance.integrity import check_invariants
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db


def add_entries(count: int) -> list[int]:
    for number in range(count):
        record("sign_in_failed", subject=f"name {number}")
    return list(AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[:count])[::-1]


def bypass_guards(statement: str, *values: Any) -> None:
    """Run a statement as an administrator of the database who disables the guards."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in ("audit_entries", "audit_links"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        for table in ("audit_entries", "audit_links"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def verify(**options: str) -> tuple[int, str]:
    """Return the exit code and the output of the command."""
    output, code = StringIO(), 0
    try:
        call_command("verify_audit", stdout=output, **options)
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, output.getvalue()


def newest_seal() -> str:
    return verify()[1].strip().rpartition(" ")[2]


def test_the_tick_seals_each_entry_once() -> None:
    ids = add_entries(3)
    tasks.seal_audit_log()
    tasks.seal_audit_log()

    links = list(AuditLink.objects.order_by("position"))
    assert [link.entry_id for link in links] == ids
    assert [link.position for link in links] == [1, 2, 3]
    assert bytes(links[1].previous_hash) == bytes(links[0].hash)


def test_an_intact_log() -> None:
    add_entries(3)

    code, output = verify()

    assert code == 0
    assert output.startswith("OK       3 entries. The newest seal: 3:")


def test_an_empty_log_is_intact() -> None:
    assert verify() == (0, "OK       The log is empty, so there is no seal.\n")


REMOVE_WITH_SEAL = (
    "WITH link AS (DELETE FROM audit_links WHERE entry_id = %s RETURNING entry_id)"
    " DELETE FROM audit_entries WHERE id IN (SELECT entry_id FROM link)"
)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("UPDATE audit_entries SET object_name = 'x' WHERE id = %s", "was changed"),
        ("UPDATE audit_entries SET details = '{\"a\": 1}' WHERE id = %s", "was changed"),
        ("UPDATE audit_entries SET workspace_id = 7 WHERE id = %s", "was changed"),
        ("UPDATE audit_entries SET address = '192.0.2.9' WHERE id = %s", "was changed"),
        (
            "UPDATE audit_entries SET created_at = created_at + interval '1 us' WHERE id = %s",
            "was changed",
        ),
        ("DELETE FROM audit_entries WHERE id = %s", "was removed"),
        (
            REMOVE_WITH_SEAL,
            "follows entries that were removed with their seals",
        ),
        (
            "UPDATE audit_links SET hash = sha256('') WHERE entry_id = %s",
            "does not continue the seal before it",
        ),
    ],
)
def test_a_change_around_the_guards_is_found(attack: str, message: str) -> None:
    ids = add_entries(5)
    seal_entries()

    bypass_guards(attack, ids[2])

    code, output = verify()
    assert code == 1
    assert message in output
    assert f"Entry {ids[2]} " in output or f"Entry {ids[3]} " in output


def test_the_removal_of_the_oldest_or_newest_entries_is_found() -> None:
    ids = add_entries(5)
    seal = newest_seal()

    bypass_guards("DELETE FROM audit_links WHERE position = 5")
    bypass_guards("DELETE FROM audit_entries WHERE id = %s", ids[4])
    assert verify()[0] == 0
    assert verify(expect=seal) == (1, f"VIOLATED The log has no seal {seal}.\n")

    bypass_guards("DELETE FROM audit_links WHERE position = 1")
    bypass_guards("DELETE FROM audit_entries WHERE id = %s", ids[0])
    assert "retention did not remove the others" in verify()[1]


def test_a_seal_that_was_noted_is_found_again_later() -> None:
    add_entries(2)
    seal = newest_seal()
    add_entries(2)

    assert verify(expect=seal)[0] == 0
    assert newest_seal() != seal


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_is_committed_late_is_sealed_later() -> None:
    with psycopg.connect(database_url()) as slow:
        slow.execute("SELECT audit_record_event('signed_in', NULL, 'slow', NULL, '{}', '{}')")
        (fast,) = add_entries(1)
        assert seal_entries() == 1
        slow.commit()

    assert seal_entries() == 1
    late = AuditEntry.objects.get(object_name="slow")
    assert late.pk < fast
    assert AuditLink.objects.get(entry_id=late.pk).position == 2
    assert verify()[0] == 0


# --- retention ------------------------------------------------------------------------------------


def make_older(ids: list[int], days: int) -> None:
    bypass_guards(
        "UPDATE audit_entries SET created_at = created_at - %s WHERE id = ANY (%s)",
        dt.timedelta(days=days),
        ids,
    )


def test_retention_removes_the_oldest_entries_and_says_so(settings: Settings) -> None:
    settings.AUDIT_KEEP_DAYS = 1000
    ids = add_entries(6)
    make_older(ids[:3], 1001)
    make_older(ids[3:4], 999)
    seal_entries()

    tasks.remove_old_audit_entries()

    kept = AuditEntry.objects.filter(pk__in=ids).values_list("pk", flat=True)
    assert set(kept) == set(ids[3:])
    entry = AuditEntry.objects.get(action="retention")
    assert (entry.details["removed"], entry.details["last_position"]) == (3, 3)
    assert entry.origin == "task audit.tasks.remove_old_audit_entries"
    assert verify()[0] == 0


def test_retention_keeps_the_newest_entry_and_what_is_not_sealed(settings: Settings) -> None:
    ids = add_entries(3)
    make_older(ids, 5000)
    assert remove_old_entries() == 0
    seal_entries()

    assert remove_old_entries() == 2
    assert AuditEntry.objects.filter(pk=ids[2]).exists()


def test_retention_keeps_everything_after_an_entry_that_is_missing() -> None:
    ids = add_entries(4)
    make_older(ids, 5000)
    seal_entries()
    bypass_guards("DELETE FROM audit_entries WHERE id = %s", ids[1])

    assert remove_old_entries() == 1
    assert verify()[0] == 1


@pytest.mark.django_db(transaction=True)
def test_the_application_cannot_remove_a_year(app_role: str) -> None:
    ids = add_entries(3)
    make_older(ids[:1], 366)
    make_older(ids[1:], 364)
    seal_entries()
    with psycopg.connect(app_role, autocommit=True) as session:
        row = session.execute("SELECT audit_remove_old(0, 1000, '{}')").fetchone()

    assert row == (1,)
    assert set(AuditEntry.objects.values_list("pk", flat=True)) >= set(ids[1:])


@pytest.mark.django_db(transaction=True)
def test_the_application_records_events_and_seals_them(app_role: str) -> None:
    with psycopg.connect(app_role, autocommit=True) as session:
        session.execute("SELECT audit_record_event('signed_in', NULL, 'olga', NULL, '{}', '{}')")
        assert session.execute("SELECT audit_seal(1000, 10000)").fetchone() == (1,)

    assert verify()[0] == 0


@pytest.mark.parametrize(("days", "errors"), [(364, 1), (365, 0), (40_000, 1)])
def test_a_retention_that_the_database_would_not_follow_is_an_error(
    settings: Settings, days: int, errors: int
) -> None:
    settings.AUDIT_KEEP_DAYS = days

    assert len(retention_setting_is_valid()) == errors


def test_the_check_of_the_ledger_finds_a_changed_entry() -> None:
    assert find_recent_problems() == []
    ids = add_entries(5)
    seal_entries()
    assert find_recent_problems() == []

    bypass_guards("UPDATE audit_entries SET object_name = 'x' WHERE id = %s", ids[3])

    result = next(row for row in check_invariants() if row.name == "audit_log_is_sealed")
    assert result.offenders == [ids[3]]


def test_the_check_of_the_ledger_reads_only_recent_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "RECENT_LINKS", 3)
    ids = add_entries(6)
    seal_entries()

    bypass_guards(
        "UPDATE audit_entries SET object_name = 'x' WHERE id = ANY (%s)", [ids[1], ids[4]]
    )

    assert [problem.entry_id for problem in find_recent_problems()] == [ids[4]]
