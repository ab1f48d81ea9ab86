"""The image and the compose file use what exists in the project, and production settings work."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class
from gunicorn.config import Config as GunicornConfig

from dev.services.processes import free_port
from operations.catalog import Queue
from tests.support.stack import eventually

ROOT = Path(settings.BASE_DIR)
BIN = Path(sys.executable).parent
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("build")}
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "DATABASE_URL": "postgresql://check@/check?host=/nonexistent",
    "REDIS_URL": "redis://localhost:6379/0",
    "SECRET_KEY": "k" * 25 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "CREDENTIAL_KEYS": f"v1:{KEY}",
    "ALLOWED_HOSTS": "runs.example.com",
}


def production(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the production settings as its only environment."""
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, **more}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


#: The settings read the first one by its name in a variable, and the SDK of OpenTelemetry the others.
READ_ELSEWHERE = {
    "DATABASE_URL",
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME"),
    *("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
}


def documented_commands() -> list[list[str]]:
    """The commands of the table in docs/install.md, with which the processes start without Docker."""
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    return [
        line.split()
        for line in re.findall(r"^\| \w+ \| `((?:gunicorn|celery) .*?)` \|", page, re.MULTILINE)
    ]


def settings_variables() -> set[str]:
    """The names of the variables that the settings read."""
    sources = [path.read_text() for path in (ROOT / "config" / "settings").glob("*.py")]
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', "\n".join(sources)))
    return names | READ_ELSEWHERE


def test_the_compose_file_has_every_process_of_the_product() -> None:
    assert set(OURS) == {"migrate", "web", "worker", "notifications", "ticks", "beat"}
    assert set(SERVICES) - set(OURS) == {"postgres", "redis"}
    assert {service["image"] for service in OURS.values()} == {"runledger"}


def image_command() -> list[str]:
    """The default command of the image."""
    match = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert match
    command: list[str] = yaml.safe_load(match[1])
    return command


def is_accepted(program: str, *arguments: str) -> bool:
    """Return whether the program accepts these arguments, without starting it."""
    if program == "python":
        assert arguments[0] == "manage.py"
        command = load_command_class(get_commands()[arguments[1]], arguments[1])
        return bool(command.create_parser("manage.py", arguments[1]).parse_args(arguments[2:]))
    proof = {"gunicorn": "--check-config", "celery": "--help"}[program]
    return production(str(BIN / program), *arguments, proof).returncode == 0


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_accepted(name: str) -> None:
    assert is_accepted(*(OURS[name].get("command") or image_command()))


@pytest.mark.parametrize("command", documented_commands(), ids=" ".join)
def test_every_documented_command_is_accepted(command: list[str]) -> None:
    assert is_accepted(*command)


def test_the_documented_workers_of_one_host_have_different_names_and_all_queues() -> None:
    workers = [command for command in documented_commands() if "worker" in command]
    names, queues = (
        [worker[worker.index(option) + 1] for worker in workers]
        for option in ("--hostname", "--queues")
    )

    assert len(set(names)) == len(workers) == 3
    assert sorted(",".join(queues).split(",")) == sorted(settings.QUEUES)


@pytest.mark.parametrize(
    "command",
    [
        ["celery", "-A", "config", "beat", "--no-such-option"],
        ["celery", "-A", "config", "no-such-command"],
        ["gunicorn", "config.no_such_module"],
        ["gunicorn", "config.wsgi", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_an_invalid_command_is_detected(command: list[str]) -> None:
    assert not is_accepted(*command)


def test_the_health_check_of_the_worker_is_accepted() -> None:
    _, check = OURS["worker"]["healthcheck"]["test"]

    assert is_accepted(*shlex.split(check))


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_read_by_the_settings(name: str) -> None:
    variables = set(OURS[name]["environment"]) - {"DJANGO_SETTINGS_MODULE"}

    assert variables <= settings_variables()


#: Settings of development and of the image, and those that the compose file sets itself.
NOT_PASSED_ON = {
    *("DEBUG", "STATIC_ROOT", "AS_OWNER", "OWNER_DATABASE_URL"),
    *("APP_DATABASE_ROLE", "APP_DATABASE_PASSWORD"),
    *("IMPORT_DATABASE_ROLE", "IMPORT_DATABASE_PASSWORD"),
    "WEB_DATABASE_ROLE",
    # `docker compose exec --env` gives them to the one command that reads them.
    *("BOOTSTRAP_WORKSPACE", "BOOTSTRAP_USERNAME", "BOOTSTRAP_EMAIL", "BOOTSTRAP_PASSWORD"),
}


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_passed_on(name: str) -> None:
    assert settings_variables() - set(OURS[name]["environment"]) <= NOT_PASSED_ON


def interpolated(pattern: str = "") -> set[str]:
    """The names of the variables that the compose file interpolates."""
    text = (ROOT / "docker-compose.yml").read_text()
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)" + pattern, text))


def example(*, commented: bool) -> set[str]:
    """The names in .env.example that are set, or commented out."""
    text = (ROOT / ".env.example").read_text()
    return set(re.findall(r"^# ([A-Z_]+)=" if commented else r"^([A-Z_]+)=", text, re.MULTILINE))


def test_the_example_sets_every_variable_that_compose_requires() -> None:
    assert interpolated(r":\?") <= example(commented=False)
    assert interpolated() <= example(commented=False) | settings_variables()


def test_every_variable_of_the_example_is_read() -> None:
    assert example(commented=False) <= interpolated()
    assert example(commented=True) <= settings_variables()


def test_the_environment_that_compose_makes_of_the_example_is_valid() -> None:
    filled = dict.fromkeys(interpolated(r":\?"), "x" * 60) | {"CREDENTIAL_KEYS": "v1:" + KEY}
    environment = {
        name: re.sub(r"\$\{([A-Z_]+)(?::[?-]([^}]*))?\}", lambda m: filled.get(m[1], m[2]), value)
        for name, value in OURS["web"]["environment"].items()
        if value is not None
    }

    checked = production(sys.executable, "manage.py", "check", **environment)

    assert checked.returncode == 0, checked.stderr


def test_the_web_server_is_open_only_to_a_proxy_on_this_host() -> None:
    assert OURS["web"]["ports"] == ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]
    assert all("ports" not in service for name, service in SERVICES.items() if name != "web")


def test_the_file_contains_no_secret_and_a_missing_one_is_an_error() -> None:
    secrets = ("POSTGRES_PASSWORD", "APP_DATABASE_PASSWORD", "REDIS_PASSWORD")
    for name in ("SECRET_KEY", "CREDENTIAL_KEYS", *secrets):
        used = [
            value
            for service in SERVICES.values()
            for value in map(str, service.get("environment", {}).values())
            if f"{{{name}" in value
        ]
        assert used
        assert all(f"${{{name}:?" in value for value in used)


def queues_of(name: str) -> list[str]:
    command = OURS[name]["command"]
    queues: str = command[command.index("--queues") + 1]
    return queues.split(",")


def test_the_workers_listen_to_every_queue_and_ticks_have_their_own() -> None:
    apart = ["ticks", "notifications"]
    assert [queues_of(name) for name in apart] == [["ticks"], ["notifications"]]
    assert sorted(apart + queues_of("worker")) == sorted(settings.QUEUES)
    assert set(apart).isdisjoint(set(Queue))


def test_the_broker_keeps_every_message() -> None:
    command = " ".join(SERVICES["redis"]["command"])

    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


def test_every_long_lived_service_restarts_and_has_a_health_check() -> None:
    services = [service for name, service in SERVICES.items() if name != "migrate"]

    assert all(service["restart"] == "unless-stopped" for service in services)
    assert all("healthcheck" in service for service in services)


def test_no_service_waits_for_the_server_that_creates_the_database() -> None:
    """The image of PostgreSQL runs it for a moment, on its socket only, and then stops it."""
    _, *check = SERVICES["postgres"]["healthcheck"]["test"]

    assert check[check.index("--host") + 1] == "127.0.0.1"


def test_no_service_is_killed_before_it_can_end_its_work() -> None:
    grace = {
        name: int(service["stop_grace_period"].removesuffix("s"))
        for name, service in SERVICES.items()
        if "stop_grace_period" in service
    }

    for name in ("worker", "notifications", "ticks"):
        assert grace[name] >= settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT + 10
    assert grace["web"] > GunicornConfig().graceful_timeout
    assert grace["postgres"] >= 60


def test_no_log_fills_the_disk() -> None:
    for service in SERVICES.values():
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["pids_limit"]
    assert service["mem_limit"]
    assert all(":size=" in folder for folder in service["tmpfs"])
    if name not in OURS:
        assert service["user"] == name


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("PYTHON_IMAGE", "python:3.13-slim-bookworm"),
        ("POSTGRES_IMAGE", "postgres:18-bookworm"),
        ("REDIS_IMAGE", "redis:8-bookworm"),
    ],
)
def test_every_base_image_can_be_pinned_by_its_digest(variable: str, default: str) -> None:
    compose = (ROOT / "docker-compose.yml").read_text()

    assert f"${{{variable}:-{default}}}" in compose
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"${PYTHON_IMAGE}"}
    assert "ARG PYTHON_IMAGE=python:3.13-slim-bookworm\n" in DOCKERFILE


def test_the_broker_refuses_before_it_exhausts_its_memory() -> None:
    """Otherwise the system kills it, and it loses what it did not write yet."""
    service = SERVICES["redis"]
    limit = re.search(r"--maxmemory (\d+)mb", " ".join(service["command"]))

    assert limit
    assert 2 * int(limit[1]) < int(service["mem_limit"].removesuffix("m"))


def test_the_image_runs_unprivileged_and_contains_every_app_of_the_product() -> None:
    users = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    apps = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()} - {"dev"}
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert users == ["runledger"]
    assert all((ROOT / source).exists() for source in copied)
    assert apps | {"config", "templates", "static", "manage.py"} <= set(copied)
    assert set(allowed) == set(copied)


def test_production_settings_pass_the_deployment_checks() -> None:
    checked = production(
        sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"
    )

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


@pytest.mark.parametrize("name", ["SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL", "REDIS_URL"])
def test_production_does_not_start_without_its_secrets(name: str) -> None:
    environment = {key: value for key, value in PRODUCTION.items() if key != name}
    started = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode != 0
    assert name in started.stderr
    assert "Traceback" not in started.stderr


def last_stage() -> list[tuple[str, str]]:
    """The instructions of the last stage, in order: ("COPY", "config config")."""
    text = DOCKERFILE.rpartition("\nFROM ")[2].replace("\\\n", " ")
    return [(name, rest) for name, rest in re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE)]


def copy_as_the_image_does(into: Path) -> None:
    """Copy the files of the image, and no others, into a folder."""
    for name, rest in last_stage():
        if name == "COPY" and not rest.startswith("--from"):
            source, target = rest.split()
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, into / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, into / target)


@pytest.mark.long
@pytest.mark.integration
def test_the_steps_of_the_image_work_with_the_copied_files_only(tmp_path: Path) -> None:
    home, image = tmp_path / "venv", tmp_path / "image"
    image.mkdir()
    venv.create(home, with_pip=True)
    install = [f"{home}/bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    # What the steps import is compiled when they do.
    installed = subprocess.run(
        [*install, "--no-compile", "--require-hashes", "-r", "requirements/base.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode and "Connection" in installed.stderr:
        pytest.skip("Offline: the packages of the image cannot be fetched.")
    assert installed.returncode == 0, installed.stderr
    copy_as_the_image_does(image)
    built = {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
    }

    steps = [
        (rest, built) for name, rest in last_stage() if name == "RUN" and "useradd" not in rest
    ]
    assert steps
    started = ("python manage.py check", f"{shlex.join(image_command())} --check-config")
    steps += [(step, {**PRODUCTION, **built}) for step in (*started, "celery -A config report")]
    for step, environment in steps:
        done = subprocess.run(
            ["bash", "-c", step],
            cwd=image,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (step, done.stderr)
    assert (image / "staticfiles" / "staticfiles.json").exists()


@pytest.mark.integration
def test_the_web_process_is_healthy_and_logs_one_object_per_line(tmp_path: Path) -> None:
    port = str(free_port())
    static = production(
        sys.executable, "manage.py", "collectstatic", "--noinput", STATIC_ROOT=str(tmp_path / "s")
    )
    assert static.returncode == 0, static.stderr
    program, *arguments = [
        part.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for part in image_command()
    ]
    _, python, *check = OURS["web"]["healthcheck"]["test"]
    assert python == "python"
    log = tmp_path / "web.log"

    with log.open("w") as output:
        web = subprocess.Popen(
            [str(BIN / program), *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": "/nonexistent",
                "STATIC_ROOT": str(tmp_path / "s"),
                **PRODUCTION,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        command = [sys.executable, *(argument.replace("8000", port) for argument in check)]
        eventually(lambda: production(*command).returncode == 0, what=f"health ({log})")
    finally:
        web.terminate()
        web.wait(60)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("Listening" in line["event"] for line in lines)
    # Neither database nor broker is available, which is a warning.
    assert {line["level"] for line in lines} <= {"info", "warning"}


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE)) == settings_variables()
