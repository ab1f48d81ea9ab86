"""`make run`: the whole of Runledger in one terminal, nothing installed, nothing left behind.

PostgreSQL and Valkey are embedded unless DATABASE_URL or REDIS_URL names others. Ctrl-C stops
everything in order; whatever kills us, no process of ours survives (`processes.run_guarded`).
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from dev.services.changes import CodeChanges
from dev.services.console import Console
from dev.services.postgres import Postgres
from dev.services.probes import https_missing, web_missing
from dev.services.processes import ServiceError, die_with_parent, is_listening, run_guarded
from dev.services.state import StateFolder
from dev.services.supervisor import Program, ServiceEndedError, StopRequestedError, Supervisor
from dev.services.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "runledger"
QUEUES = "default,sync,backup,restore"
SETTINGS = "config.settings.development"
# Long enough for a task in hand to finish or be given back; every Ctrl-C waits for it.
WORKER_SOFT_SHUTDOWN_SECONDS = 2


class Runner:
    """One run, from the first server to the last."""

    def __init__(self, state: StateFolder, *, port: int, reload: bool) -> None:
        self.state = state
        self.port = port
        self.reload = reload
        self.began = time.monotonic()
        env = os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS, "PYTHONUNBUFFERED": "1"}
        self.supervisor = Supervisor(env=env, cwd=ROOT, console=Console())

    def run(self) -> int:
        """Bring everything up, stay, take everything down; the exit code says why it ended."""
        self.supervisor.obey_signals()
        code = 0
        try:
            self._bring_up()
            self._stay()
        except StopRequestedError:
            self.supervisor.console.write("")
        except ServiceEndedError as ended:
            self.supervisor.say(str(ended))
            code = ended.exit_code
        except ServiceError as error:
            self.supervisor.say(str(error))
            code = 1
        finally:
            self.supervisor.stop_all()
            self.state.withdraw()
        return code

    def _bring_up(self) -> None:
        self._start_servers()
        self.supervisor.say("bringing the database up to date")
        self._run_to_end("migrate", "migrate", "--no-input", "--verbosity", "1")
        self._start_graph()
        self.supervisor.say("making the demonstration data")
        logins = self._run_to_end("demo", "demo_data")
        self._run_to_end("history", "demo_legacy_runs")
        for program in self._programs():
            self.supervisor.start(program)
        self.supervisor.wait_until("the app", lambda: web_missing(self.port), every=1)
        self._announce(logins)

    def _start_servers(self) -> None:
        services = {
            "DATABASE_URL": os.environ.get("DATABASE_URL") or self._start_postgres(),
            "REDIS_URL": os.environ.get("REDIS_URL") or self._start_valkey(),
            "SECRET_KEY": os.environ.get("SECRET_KEY") or self.state.secret_key(),
            "CREDENTIAL_KEYS": os.environ.get("CREDENTIAL_KEYS") or self.state.credential_keys(),
            **self._graph_address(),
        }
        self.supervisor.env.update(services)
        self.state.publish(services)

    def _start_postgres(self) -> str:
        server = Postgres(self.state.folder / "postgres").start()
        self.supervisor.keep("postgres", server)
        server.create_database(DATABASE)
        self.supervisor.say(f"PostgreSQL runs ({server.account.value}); data in {server.folder}")
        return server.url(DATABASE)

    def _start_valkey(self) -> str:
        server = Valkey(self.state.folder / "valkey").start()
        self.supervisor.keep("valkey", server)
        self.supervisor.say("Valkey runs")
        return server.url()

    def _graph_address(self) -> dict[str, str]:
        """Where Microsoft Graph is; an address in the environment, even an empty one, wins."""
        given = os.environ.get("GRAPH_SANDBOX_URL")
        if given is not None:
            return {
                "GRAPH_SANDBOX_URL": given,
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
                f"Port {port}, which the Graph sandbox has had since the first run, is "
                f"taken. Stop what uses it, or take it out of {self.state.kept}."
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
            "the Graph sandbox", lambda: https_missing(port, folder / "ca.pem")
        )

    def _run_to_end(self, name: str, *arguments: str) -> list[str]:
        lines = self.supervisor.run(Program(name, manage(*arguments)))
        for line in lines:
            if name == "migrate" and line.strip():
                self.supervisor.console.say(name, line)
        return lines

    def _programs(self) -> list[Program]:
        """What serves: stopped in the reverse order, so that nothing is sent to nobody."""
        beat_file = self.state.folder / "beat-schedule"
        return [
            worker("worker", QUEUES, 2),
            # Of its own, so that schedules fire and lost runs end while every slot is busy.
            worker("ticks", "ticks", 1),
            Program(
                "web",
                python(
                    "gunicorn",
                    "config.wsgi",
                    "--bind",
                    f"127.0.0.1:{self.port}",
                    "--worker-class",
                    "gthread",
                    "--workers",
                    "2",
                    "--threads",
                    "8",
                    "--graceful-timeout",
                    "3",
                    "--no-control-socket",
                ),
                grace=6,
            ),
            Program("beat", celery("beat", "--schedule", beat_file, "--loglevel", "WARNING")),
        ]

    def _announce(self, logins: Iterable[str]) -> None:
        self.supervisor.say(f"up in {time.monotonic() - self.began:.1f} s")
        for line in ("", f"Runledger is at http://localhost:{self.port}/", ""):
            self.supervisor.console.write(line)
        for line in logins:
            self.supervisor.console.write(line)
        self.supervisor.console.write("\nCtrl-C stops everything; the data stays in .dev.\n")

    def _stay(self) -> None:
        if not self.reload:
            self.supervisor.watch()
            return
        self.supervisor.following_changes = True
        changes = CodeChanges(ROOT)
        reloaded = [self.supervisor.services[name] for name in ("worker", "ticks", "web", "beat")]
        programs = [service for service in reloaded if isinstance(service, Program)]
        try:
            self.supervisor.watch(lambda: programs if changes.taken() else ())
        finally:
            changes.close()


def python(module: str, *arguments: str | Path) -> list[str | Path]:
    """A command line of a module of our environment."""
    return [sys.executable, "-m", module, *arguments]


def celery(*arguments: str | Path) -> list[str | Path]:
    """A command line of our Celery app."""
    return python("celery", "-A", "config", *arguments)


def worker(name: str, queues: str, concurrency: int) -> Program:
    """A worker on some queues, started again when it ends."""
    grace = os.environ.get("WORKER_SOFT_SHUTDOWN_SECONDS", str(WORKER_SOFT_SHUTDOWN_SECONDS))
    options = ["--concurrency", str(concurrency), "--queues", queues, "--loglevel", "INFO"]
    alone = ["--hostname", f"{name}@%h", "--without-mingle", "--without-gossip"]
    return Program(
        name,
        celery("worker", *options, *alone),
        env={"WORKER_SOFT_SHUTDOWN_SECONDS": grace},
        grace=15,
        restarts=True,
    )


def manage(*arguments: str | Path) -> list[str | Path]:
    """A command line of Django."""
    return [sys.executable, ROOT / "manage.py", *arguments]


def chosen_port() -> int:
    """The web server's port, PORT or 8000.

    Raises:
        ServiceError: it is not a port, or something listens there.
    """
    given = os.environ.get("PORT") or "8000"
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise ServiceError(f"PORT={given} is not a port number.")
    if is_listening(int(given)):
        raise ServiceError(
            f"Port {given} is in use. Stop what uses it, or choose another: PORT=8001 make run"
        )
    return int(given)


def main() -> None:
    if "--die-with-parent" in sys.argv[1:]:
        # `make run` killed by force must not leave us behind.
        die_with_parent(signal.SIGTERM, parent=os.getppid())()
    port = chosen_port()
    state = StateFolder(ROOT / ".dev")
    state.claim()
    reload = os.environ.get("RELOAD", "") not in ("", "0")
    run_guarded(Runner(state, port=port, reload=reload).run, afterward=state.withdraw)


if __name__ == "__main__":
    main()
