"""`manage.py` says in one line what prevents a command, without a traceback and without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, ProgrammingError, connection
from pytest_django import Settings

from config.command_line import describe, execute

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "kX7-never-shown"
#: Every command of the product with arguments with which it needs the database.
COMMANDS: dict[str, list[str]] = {
    "bootstrap": ["--workspace", "Contoso", "--username", "anna", "--no-input"],
    "check_ledger": [],
    "check_start": [],
    "grant_app_role": ["--migrate"],
    "grant_import_role": [],
    "import_legacy_runs": ["--source", f"postgresql://reader:{PASSWORD}@localhost:1/old"],
    "invite": ["contoso", "anna@example.com"],
    "migrate": [],
    "recount_runs": [],
    "reset_second_factor": ["anna"],
    "rotate_credentials": [],
    "runs": ["--json"],
    "sign_in_link": ["anna"],
    "verify_audit": [],
}
WITHOUT_DATABASE = {"openapi_document"}


@pytest.fixture
def unreachable_database(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the next connections fail, as while PostgreSQL is down."""
    with django_db_blocker.unblock():
        connection.close()
        for name, value in {"HOST": "127.0.0.1", "PORT": "1", "PASSWORD": PASSWORD}.items():
            monkeypatch.setitem(connection.settings_dict, name, value)
        yield
        connection.close()


def test_every_command_of_the_product_is_tried() -> None:
    paths = ROOT.glob("*/management/commands/[!_]*.py")

    assert {path.stem for path in paths if path.relative_to(ROOT).parts[0] != "dev"} == {
        *COMMANDS,
        *WITHOUT_DATABASE,
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_its_database_says_so(
    name: str,
    unreachable_database: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.APP_DATABASE_PASSWORD = settings.IMPORT_DATABASE_PASSWORD = PASSWORD

    with pytest.raises(SystemExit) as ended:
        execute(["manage.py", name, "--skip-checks", *COMMANDS[name]])

    output = "".join([*capsys.readouterr(), str(ended.value.code)])
    assert ended.value.code != 0
    assert "database" in output or "cannot be checked" in output
    assert "Traceback" not in output
    assert PASSWORD not in output


@pytest.mark.usefixtures("unreachable_database")
def test_the_description_of_an_unreachable_database_names_its_address() -> None:
    with pytest.raises(SystemExit, match=r"^The database cannot be used: .*127\.0\.0\.1.*port 1 "):
        execute(["manage.py", "runs", "--skip-checks"])


@pytest.mark.usefixtures("unreachable_database")
def test_a_traceback_can_be_requested() -> None:
    with pytest.raises(OperationalError):
        execute(["manage.py", "runs", "--skip-checks", "--traceback"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "description"),
    [
        ("SELECT 1 FROM later_table", "The database does not have the tables of this version"),
        (
            "SELECT later FROM operation_runs",
            "The database does not have the tables of this version",
        ),
        ("SELECT later_function()", "The database does not have the tables of this version"),
        (
            "SET LOCAL ROLE pg_monitor; SELECT 1 FROM operation_runs",
            "The database role of this process may not do this: permission denied for table",
        ),
    ],
)
def test_what_the_database_refuses_is_described_without_the_statement(
    statement: str, description: str
) -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError) as error:
        cursor.execute(statement)

    assert describe(error.value).startswith(description)
    assert "SELECT" not in describe(error.value)


def test_a_defect_is_not_described() -> None:
    assert describe(IntegrityError("two rows")) == ""
    assert describe(ProgrammingError("the query is wrong")) == ""


def test_invalid_settings_are_described() -> None:
    assert describe(ImproperlyConfigured("X is 'y'.")) == "The settings are not valid. X is 'y'."
