"""The commands of docs/backup.md, between two real servers: dump, encrypt, restore, downgrade."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from dev.services.postgres import Postgres, find_programs
from providers.models import ProviderConnection
from tenancy.models import Tenant
from tests.support.broker import Broker
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.factories.legacy_runs import create_legacy_runs_of_every_kind
from tests.support.factories.operations import create_ended_run
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import create_restore
from tests.support.stack import ROOT, database_url, eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.direct,  # pg_dump needs a server connection
    pytest.mark.django_db(transaction=True),
]

PAGE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
SECRET = "client-secret-3c1f"
POLICY = "Require compliant device"


def commands(beginning: str, *, containing: str = "") -> str:
    """Return the commands of the first block of the page that begins so, as a script."""
    blocks = [
        textwrap.dedent(block) for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    ]
    block = next(
        block for block in blocks if block.startswith(f"$ {beginning}") and containing in block
    )
    return re.sub(r"^\$ ", "", block, flags=re.MULTILINE)


DUMP = commands("pg_dump")
DUMP_WITH_AGE = commands("age-keygen")
DUMP_WITH_GPG = commands("pg_dump", containing="gpg")
RESTORE = commands("pg_restore")
RESTORE_WITH_AGE = commands("age --decrypt")
RESTORE_WITH_GPG = commands("gpg --decrypt")
BASE_BACKUP = commands("pg_basebackup")
RECOVER = commands("cp --archive")
SKIP_IDS = commands("psql", containing="setval")
GRANT = commands("DATABASE_URL=").replace("APP_DATABASE_PASSWORD=…", "APP_DATABASE_PASSWORD=secret")


class Shell:
    """Runs the commands of the page in a folder, with the addresses that the page names."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        programs = (find_programs(), Path(sys.executable).parent)
        self.environment = os.environ | {
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "GNUPGHOME": str(folder / "gnupg"),
            **environment,
        }

    def run(self, script: str) -> str:
        script = "set -euo pipefail\n" + script.replace(
            "python manage.py", f"{sys.executable} {ROOT}/manage.py"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that has never heard of Runledger or its roles."""
    server = Postgres(tmp_path_factory.mktemp("new-server"), durable=False)
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def ledger(tenant: Tenant, app_role: str) -> ProviderConnection:
    """Rows of every app; the application's role has privileges on the tables, as in production."""
    create_ended_run(tenant, total=1, processed=1, failed=1)
    create_legacy_runs_of_every_kind(tenant)
    item = BackupItemFactory(
        backup_set=BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)),
        version__payload={"displayName": POLICY},
    )
    finish(item.backup_set, item_count=1)
    create_restore(tenant, executing=True)
    provider: ProviderConnection = ProviderConnectionFactory(tenant=tenant)
    provider.set_credential(SECRET)
    provider.save()
    return provider


@pytest.fixture
def shell(tmp_path: Path, new_server: Postgres) -> Shell:
    """Addresses of the old and the new server; the new owner is not a superuser."""
    return Shell(
        tmp_path,
        OLD_URL=database_url(),
        ADMIN_URL=new_server.url("postgres"),
        NEW_URL=new_server.url("runledger").replace("postgres@", "runledger@"),
    )


def on_old(script: str) -> str:
    return script.replace("$OWNER_URL", "$OLD_URL")


def on_new(script: str) -> str:
    return script.replace("$OWNER_URL", "$NEW_URL")


def digests(url: str) -> dict[str, Any]:
    """The number of rows of each table and the hash of their text."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SET timezone = 'UTC'")
        tables = session.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = 'public'::regnamespace ORDER BY relname"
        ).fetchall()
        return {
            table: session.execute(
                "SELECT count(*), md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), ''))"
                f" FROM {table} row"
            ).fetchone()
            for (table,) in tables
        }


def create_new_database(shell: Shell) -> None:
    # The new server trusts its socket, and the prompt for a password needs a terminal.
    shell.run(re.sub(r"^.*password.*\n", "", commands("psql"), flags=re.MULTILINE))


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where a program is missing, except in CI, which installs it."""
    is_missing = shutil.which(program) is None and "CI" not in os.environ
    return pytest.mark.skipif(is_missing, reason=f"Not installed: {program}.")


@pytest.mark.parametrize(
    ("dump", "restore"),
    [
        (DUMP, RESTORE),
        pytest.param(DUMP_WITH_AGE, RESTORE_WITH_AGE, marks=needs("age")),
        pytest.param(DUMP_WITH_GPG, RESTORE_WITH_GPG, marks=needs("gpg")),
    ],
    ids=["in clear", "age", "gpg"],
)
def test_a_dump_is_restored_onto_a_new_server_as_the_page_says(
    shell: Shell, ledger: ProviderConnection, broker: Broker, dump: str, restore: str
) -> None:
    if "gpg" in dump:
        create_gpg_key(shell)
    shell.run(on_old(dump))

    create_new_database(shell)
    output = shell.run(on_new(restore))

    assert "error" not in output.lower()
    assert digests(shell.environment["NEW_URL"]) == digests(database_url())
    for _ in range(2):  # again after each upgrade
        assert "cannot change the guards" in shell.run(on_new(GRANT))
    check_the_new_installation(shell, broker)


def create_gpg_key(shell: Shell) -> None:
    shell.run(
        "mkdir -m 700 gnupg && gpg --batch --quiet --passphrase '' --quick-generate-key"
        " backup@example.com future-default default never"
    )


def check_the_new_installation(shell: Shell, broker: Broker) -> None:
    """Web, worker and beat could start with the new role, and the ledger is intact."""
    app_url = shell.environment["NEW_URL"].replace("runledger@", "runledger_app@")
    production = (
        f"export DJANGO_SETTINGS_MODULE=config.settings.production DATABASE_URL='{app_url}'"
        f" REDIS_URL='{broker.url}' ALLOWED_HOSTS=localhost\n"
    )
    for command, expected in {
        "check_start": "Web, worker and beat can start.",
        "rotate_credentials": "unreadable: 0",
        "check_ledger": "",
    }.items():
        assert expected in shell.run(f"{production}python manage.py {command}")
    with psycopg.connect(app_url, autocommit=True) as app:
        for attack in (
            "DELETE FROM operation_run_events",
            "UPDATE policy_versions SET payload = '{}'",
            "SELECT legacy_runs_import('inventory_sync_runs', '[]')",
            "CREATE TEMP TABLE backup_sets (id bigint)",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(attack)


def test_a_dump_contains_policies_in_clear_and_credentials_encrypted(
    shell: Shell, ledger: ProviderConnection
) -> None:
    """That is what the page warns of."""
    text = shell.run(on_old(DUMP) + "pg_restore --file - runledger.dump")

    assert POLICY in text
    assert SECRET not in text


@needs("age")
def test_an_encrypted_dump_reveals_nothing(shell: Shell, ledger: ProviderConnection) -> None:
    shell.run(on_old(DUMP_WITH_AGE))

    encrypted = (shell.folder / "runledger.dump.age").read_bytes()
    assert encrypted.startswith(b"age-encryption.org/v1")
    assert b"policy_versions" not in encrypted


def test_a_restore_that_fails_leaves_nothing_behind(
    shell: Shell, ledger: ProviderConnection
) -> None:
    shell.run(on_old(DUMP))
    create_new_database(shell)
    dump = shell.folder / "runledger.dump"
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])

    with pytest.raises(AssertionError, match="pg_restore: error"):
        shell.run(on_new(RESTORE))

    assert digests(shell.environment["NEW_URL"]) == {}


def test_a_server_returns_to_a_point_in_time_and_gives_no_id_again(
    shell: Shell, archiving_server: Postgres, ledger: ProviderConnection, broker: Broker
) -> None:
    server = archiving_server
    shell.environment |= {
        "ADMIN_URL": server.url("postgres"),
        "NEW_URL": server.url("runledger").replace("postgres@", "runledger@"),
        "BASE": str(server.folder / "base"),
        "ARCHIVE": str(server.folder / "archive"),
        "DATA": str(server.data),
    }
    shell.run(on_old(DUMP))
    create_new_database(shell)
    shell.run(on_new(RESTORE) + on_new(GRANT))
    shell.run(BASE_BACKUP)
    url = server.url("runledger")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("UPDATE tenants SET name = 'Kept'")
        (moment,) = one_row(session, "SELECT clock_timestamp()")
        shell.environment["TIME"] = moment.isoformat()
        session.execute("UPDATE tenants SET name = 'Lost'")
        (last_id,) = one_row(
            session, "SELECT setval(pg_get_serial_sequence('operation_runs', 'id'), 5000)"
        )
        session.execute("SELECT pg_switch_wal()")
    server.stop()  # after the last segments have been archived
    server.data.rename(server.folder / "data.lost")
    shell.run(RECOVER)
    give_to(server, server.data)
    server.start()

    with psycopg.connect(url, autocommit=True) as session:
        eventually(lambda: one_row(session, "SELECT pg_is_in_recovery()") == (False,))
        assert one_row(session, "SELECT DISTINCT name FROM tenants") == ("Kept",)
        shell.run(on_new(SKIP_IDS))
        next_id = "SELECT nextval(pg_get_serial_sequence('operation_runs', 'id'))"
        assert one_row(session, next_id)[0] > last_id
    check_the_new_installation(shell, broker)


@pytest.fixture
def archiving_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that archives its write-ahead log, in the folder `archive` beside its data."""
    server = Postgres(tmp_path_factory.mktemp("archiving-server"))
    archive = server.folder / "archive"
    server.settings = [
        "archive_mode=on",
        f"archive_command=test ! -f {archive}/%f && cp %p {archive}/%f",
    ]
    archive.mkdir(parents=True)
    server.start()
    give_to(server, archive)
    yield server
    server.stop()
    server.remove()


def give_to(server: Postgres, folder: Path) -> None:
    """Make the account of the server the owner of a folder and of everything in it."""
    owner = server.folder.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def one_row(session: psycopg.Connection[Any], statement: str) -> tuple[Any, ...]:
    row = session.execute(statement).fetchone()
    assert row is not None
    return tuple(row)


#: The last migrations of version 0.1.0; apps that it did not have are removed completely.
VERSION_0_1_0 = {
    "backups": "0002_guards",
    "inventory": "0001_initial",
    "legacy_runs": "0002_guards",
    "operations": "0002_guards",
    "providers": "0001_initial",
    "restores": "0002_guards",
    "tenancy": "0002_guards",
}


@pytest.mark.long
def test_the_migrations_of_this_version_are_undone_and_applied_again(
    ledger: ProviderConnection,
) -> None:
    """Downgrade: rows stay, and what the migrations add is removed."""
    own = [config.label for config in apps.get_app_configs() if (ROOT / config.label).is_dir()]
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    before = count_rows()
    try:
        targets = [(app, VERSION_0_1_0.get(app)) for app, _ in leaves if app in own]
        MigrationExecutor(connection).migrate(targets)
        kept = count_rows()
    finally:
        MigrationExecutor(connection).migrate(leaves)

    assert {table: before[table] for table in kept} == kept
    assert {"operation_runs", "backup_items", "policy_versions", "restore_items"} <= set(kept)
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def count_rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        return {
            name: cursor.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in names
            if name != "django_migrations"
        }
