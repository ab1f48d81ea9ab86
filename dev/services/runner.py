"""`make run`: all of Runledger in one terminal.

PostgreSQL and Valkey are embedded unless DATABASE_URL or REDIS_URL is set. With the embedded
PostgreSQL, workers and beat, and web, connect with their roles, as in production. Ctrl-C
stops all programs in order; no process survives if the runner is killed (`processes.run_guarded`).
"""

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from dev.demo.fleet import DEFAULT_TENANTS, FEWEST_TENANTS, MOST_TENANTS
from dev.services.changes import CodeChanges
from dev.services.console import Console
from dev.services.launch import die_with_parent
from dev.services.postgres import Postgres
from dev.services.probes import probe_https, probe_web
from dev.services.processes import ServiceError, is_listening, run_guarded
from dev.services.state import StateFolder
from dev.services.supervisor import Program, ServiceEndedError, StopRequestedError, Supervisor
from dev.services.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "runledger"
APP_ROLE = "runledger_app"
WEB_ROLE = "runledger_web"
QUEUES = "notifications,default,sync,backup,restore"
SETTINGS = "config.settings.development"
# Long enough for running tasks to complete or to be requeued; every Ctrl-C waits for it.
WORKER_SOFT_SHUTDOWN_SECONDS = 2


class Runner:
    """One execution of `make run`."""

    def __init__(self, state: StateFolder, *, port: int, reload: bool) -> None:
        self.state = state
        self.port = port
        self.web_env: dict[str, str] = {}
        self.reload = reload
        self.started_at = time.monotonic()
        env = os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS, "PYTHONUNBUFFERED": "1"}
        self.supervisor = Supervisor(env=env, cwd=ROOT, console=Console())

    def run(self) -> int:
        """Start everything, watch it, stop everything, and return the exit code."""
        self.supervisor.handle_signals()
        code = 0
        try:
            self._start()
            self._watch()
        except StopRequestedError:
            self.supervisor.console.write("")
        except ServiceEndedError as error:
            self.supervisor.log(str(error))
            code = error.exit_code
        except ServiceError as error:
            self.supervisor.log(str(error))
            code = 1
        finally:
            self.supervisor.stop_all()
            self.state.withdraw()
        return code

    def _start(self) -> None:
        self._start_servers()
        self.supervisor.log("migrating the database")
        self._migrate()
        self._start_graph()
        self.supervisor.log("creating the demo data")
        logins = self._run_command("demo", "demo_data")
        self._run_command("demo", "demo_legacy_runs", AS_OWNER="1")
        self._run_command("demo", "demo_fleet", f"--tenants={fleet_size()}", AS_OWNER="1")
        for program in self._programs():
            self.supervisor.start(program)
        self.supervisor.wait_until("the app", lambda: probe_web(self.port), interval=1)
        self._announce(logins)

    def _start_servers(self) -> None:
        services = {
            **self._database_settings(),
            "REDIS_URL": os.environ.get("REDIS_URL") or self._start_valkey(),
            "SECRET_KEY": os.environ.get("SECRET_KEY") or self.state.secret_key(),
            "CREDENTIAL_KEYS": os.environ.get("CREDENTIAL_KEYS") or self.state.credential_keys(),
            **self._graph_settings(),
        }
        self.supervisor.env.update(services)
        self.state.publish(services)

    def _database_settings(self) -> dict[str, str]:
        """Return the URLs of the application's role and of the owner.

        With a DATABASE_URL from the environment, its role is both.
        """
        if url := os.environ.get("DATABASE_URL"):
            return {"DATABASE_URL": url, "OWNER_DATABASE_URL": url}
        server = Postgres(self.state.folder / "postgres").start()
        self.supervisor.add("postgres", server)
        server.create_database(DATABASE)
        self.supervisor.log(f"PostgreSQL runs ({server.account.value}); data in {server.folder}")
        self.web_env = {"DATABASE_URL": server.url(DATABASE, WEB_ROLE)}
        return {
            "DATABASE_URL": server.url(DATABASE, APP_ROLE),
            "OWNER_DATABASE_URL": server.url(DATABASE),
            "REQUIRE_APP_ROLE": "true",
        }

    def _start_valkey(self) -> str:
        server = Valkey(self.state.folder / "valkey").start()
        self.supervisor.add("valkey", server)
        self.supervisor.log("Valkey runs")
        return server.url()

    def _graph_settings(self) -> dict[str, str]:
        """Return the settings of the Graph sandbox; those of the environment, even empty, win."""
        url = os.environ.get("GRAPH_SANDBOX_URL")
        if url is not None:
            return {
                "GRAPH_SANDBOX_URL": url,
                "GRAPH_CA_BUNDLE": os.environ.get("GRAPH_CA_BUNDLE", ""),
            }
        return {
            "GRAPH_SANDBOX_URL": f"https://localhost:{self.state.graph_port()}",
            "GRAPH_CA_BUNDLE": str(self._graph_folder / "ca.pem"),
        }

    @property
    def _graph_folder(self) -> Path:
        return self.state.folder / "graph"

    def _start_graph(self) -> None:
        if "GRAPH_SANDBOX_URL" in os.environ:
            return
        port, folder = self.state.graph_port(), self._graph_folder
        if is_listening(port):
            raise ServiceError(
                f"Port {port} of the Graph sandbox is in use. Stop the program that uses it, or "
                f"delete the port from {self.state.values_file}."
            )
        command = manage(
            "graph_sandbox",
            "--port",
            str(port),
            "--tls-dir",
            folder,
            "--data",
            folder / "state.json",
        )
        self.supervisor.start(Program("graph", command))
        self.supervisor.wait_until(
            "the Graph sandbox", lambda: probe_https(port, folder / "ca.pem")
        )

    def _migrate(self) -> None:
        env = self.supervisor.env
        if env["DATABASE_URL"] == env["OWNER_DATABASE_URL"]:
            self._run_command("migrate", "migrate", "--no-input", "--verbosity", "1")
            return
        password = self.state.get_or_create("app_database_password", lambda: secrets.token_hex(16))
        self._run_command(
            *("migrate", "grant_app_role", "--migrate"),
            AS_OWNER="1", APP_DATABASE_ROLE=APP_ROLE, WEB_DATABASE_ROLE=WEB_ROLE, APP_DATABASE_PASSWORD=password,
        )  # fmt: skip

    def _run_command(self, name: str, *arguments: str, **env: str) -> list[str]:
        lines = self.supervisor.run(Program(name, manage(*arguments), env=env))
        for line in lines:
            if name == "migrate" and line.strip():
                self.supervisor.console.log(name, line)
        return lines

    def _programs(self) -> list[Program]:
        """Return the programs in the order of their start; they stop in the reverse order."""
        beat_file = self.state.folder / "beat-schedule"
        return [
            worker("worker", QUEUES, 2),
            # A separate worker: schedules start and lost runs end while every other slot is busy.
            worker("ticks", "ticks", 1),
            Program(
                "web",
                python(
                    "gunicorn",
                    "config.wsgi",
                    "--bind",
                    f"127.0.0.1:{self.port}",
                    "--worker-class",
                    "config.web_worker.Worker",
                    "--workers",
                    "2",
                    "--threads",
                    "8",
                    "--graceful-timeout",
                    "3",
                    "--no-control-socket",
                ),
                env=self.web_env,
                grace=6,
            ),
            Program("beat", celery("beat", "--schedule", beat_file, "--loglevel", "WARNING")),
        ]

    def _announce(self, logins: Iterable[str]) -> None:
        self.supervisor.log(f"up in {time.monotonic() - self.started_at:.1f} s")
        for line in ("", f"Runledger is at http://localhost:{self.port}/", ""):
            self.supervisor.console.write(line)
        for line in logins:
            self.supervisor.console.write(line)
        self.supervisor.console.write("\nCtrl-C stops everything; the data stays in .dev.\n")

    def _watch(self) -> None:
        if not self.reload:
            self.supervisor.watch()
            return
        self.supervisor.reloads = True
        changes = CodeChanges(ROOT)
        services = [self.supervisor.services[name] for name in ("worker", "ticks", "web", "beat")]
        programs = [service for service in services if isinstance(service, Program)]
        try:
            self.supervisor.watch(lambda: programs if changes.take() else ())
        finally:
            changes.close()


def python(module: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command line of a Python module."""
    return [sys.executable, "-m", module, *arguments]


def celery(*arguments: str | Path) -> list[str | Path]:
    """Return the command line of a Celery command."""
    return python("celery", "-A", "config", *arguments)


def worker(name: str, queues: str, concurrency: int) -> Program:
    """Return a worker for some queues that is restarted when it ends."""
    grace = os.environ.get("WORKER_SOFT_SHUTDOWN_SECONDS", str(WORKER_SOFT_SHUTDOWN_SECONDS))
    options = ["--concurrency", str(concurrency), "--queues", queues, "--loglevel", "INFO"]
    cluster_options = ["--hostname", f"{name}@%h", "--without-mingle", "--without-gossip"]
    return Program(
        name,
        celery("worker", *options, *cluster_options),
        env={"WORKER_SOFT_SHUTDOWN_SECONDS": grace},
        grace=15,
        restarts=True,
    )


def manage(*arguments: str | Path) -> list[str | Path]:
    """Return the command line of a Django command."""
    return [sys.executable, ROOT / "manage.py", *arguments]


def web_port() -> int:
    """Return the port of the web server: PORT, or 8000.

    Raises:
        ServiceError: PORT is not a port number, or the port is in use.
    """
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ServiceError(f"PORT={port} is not a port number.")
    if is_listening(int(port)):
        raise ServiceError(
            f"Port {port} is in use. Stop the program that uses it, or select another port: "
            "PORT=8001 make run"
        )
    return int(port)


def fleet_size() -> int:
    """Return the number of tenants of the second demo workspace: FLEET_TENANTS, or 150.

    Raises:
        ServiceError: FLEET_TENANTS is not such a number.
    """
    text = os.environ.get("FLEET_TENANTS") or str(DEFAULT_TENANTS)
    if not text.isdecimal() or not FEWEST_TENANTS <= int(text) <= MOST_TENANTS:
        raise ServiceError(
            f"FLEET_TENANTS={text} is not a number from {FEWEST_TENANTS} to {MOST_TENANTS}."
        )
    return int(text)


def main() -> None:
    if "--die-with-parent" in sys.argv[1:]:
        # The runner must end when `make run` is killed.
        die_with_parent(signal.SIGTERM, os.getppid())
    port = web_port()
    fleet_size()
    state = StateFolder(ROOT / ".dev")
    state.claim()
    reload = os.environ.get("RELOAD", "") not in ("", "0")
    run_guarded(Runner(state, port=port, reload=reload).run, afterward=state.withdraw)


if __name__ == "__main__":
    main()
