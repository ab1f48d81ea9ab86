import os
import signal

import psycopg
import pytest

from dev.services.accounts import Account
from dev.services.postgres import Postgres
from dev.services.processes import ServiceError
from tests.dev.services.helpers import eventually, processes_with, read_until, start_python

ACCOUNTS = [Account.NAMESPACE, Account.UNPRIVILEGED] if os.geteuid() == 0 else [Account.SELF]

each_account = pytest.mark.parametrize(
    "account", ACCOUNTS, ids=lambda account: account.name.lower()
)

pytestmark = pytest.mark.integration


@pytest.fixture
def account():
    return ACCOUNTS[0]


@pytest.fixture
def server(folder, account):
    server = Postgres(folder / "pg", durable=False, account=account)
    yield server
    server.stop()
    server.remove()


def query(server: Postgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url("notes"), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@each_account
def test_data_survives_a_restart(server):
    server.start().create_database("notes")
    query(server, "CREATE TABLE note AS SELECT 'kept' AS text")
    server.stop()

    server.start().create_database("notes")

    assert query(server, "SELECT text FROM note") == [("kept",)]


def test_texts_sort_the_same_on_every_machine(server):
    server.start().create_database("notes")

    ordered = query(server, "SELECT x FROM unnest(ARRAY['b', 'a', 'Z', 'é']) AS x ORDER BY x")

    assert ordered == [("Z",), ("a",), ("b",), ("é",)]


def test_stopping_does_not_wait_for_clients(server):
    server.start()

    with psycopg.connect(server.url("postgres")):
        server.stop(grace=10)

    assert server.process.returncode == 0


def test_the_pid_file_of_an_unrelated_process_is_removed(server):
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.data}\n")

    server.start()

    assert server.process.poll() is None


def test_a_killed_server_recovers(server):
    server.start().create_database("notes")
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.stop()

    server.start()

    assert query(server, "SELECT 1") == [(1,)]


def test_an_unfinished_cluster_is_created_again(folder):
    server = Postgres(folder / "pg", durable=False)
    (server.folder / "data.unfinished").mkdir(parents=True)
    (server.folder / "data.unfinished" / "PG_VERSION").write_text("18\n")

    server.start()

    assert not (server.folder / "data.unfinished").exists()
    server.stop()
    server.remove()


def test_two_servers_never_share_a_folder(folder):
    first = Postgres(folder / "pg", durable=False).start()

    with pytest.raises(ServiceError, match="in use"):
        Postgres(folder / "pg", durable=False).start(patience=0.2)

    first.stop()
    first.remove()


def test_the_socket_moves_when_its_path_would_be_too_long(folder):
    deep = folder / ("a" * 60) / "with a space"

    server = Postgres(deep, durable=False).start()

    assert str(deep) not in server.url("postgres")
    psycopg.connect(server.url("postgres")).close()
    server.stop()
    server.remove()


@pytest.mark.chaos
@each_account
def test_the_server_ends_when_its_owner_is_killed(folder, account):
    owner = start_python(
        "import sys, time, pathlib\n"
        "from dev.services.accounts import Account\n"
        "from dev.services.postgres import Postgres\n"
        "server = Postgres(pathlib.Path(sys.argv[1]), durable=False, account=Account[sys.argv[2]])\n"
        "print(server.start().data, 'ready', flush=True)\n"
        "time.sleep(60)",
        folder / "pg",
        account.name,
    )
    data = read_until(owner, "ready")[-1].split()[0]
    assert processes_with(data)

    owner.kill()
    owner.communicate()

    eventually(lambda: not processes_with(data))
    again = Postgres(folder / "pg", durable=False, account=account).start()
    again.stop()
    again.remove()
