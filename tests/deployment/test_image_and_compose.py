"""What the image and the compose file ask for exists in the project, and production is sound."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from operations.catalog import Queue

ROOT = Path(settings.BASE_DIR)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("build")}
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "DATABASE_URL": "postgresql://nobody@/check?host=/nonexistent",
    "REDIS_URL": "redis://localhost:6379/0",
    "SECRET_KEY": "k" * 25 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "CREDENTIAL_KEYS": "v1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "ALLOWED_HOSTS": "runs.example.com",
}


def production(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program of ours with production settings, in an environment with nothing else."""
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, **more}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def settings_variables() -> set[str]:
    """The names of the variables that the settings read."""
    sources = [path.read_text() for path in (ROOT / "config" / "settings").glob("*.py")]
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', "\n".join(sources))) | {"DATABASE_URL"}


def test_every_process_of_the_product_is_there() -> None:
    assert set(OURS) == {"migrate", "web", "worker", "ticks", "beat"}
    assert set(SERVICES) - set(OURS) == {"postgres", "redis"}
    assert {service["image"] for service in OURS.values()} == {"runledger"}


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    image_command = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert image_command
    program, *arguments = OURS[name].get("command") or yaml.safe_load(image_command[1])

    if program == "python":
        assert arguments[0] == "manage.py"
        assert arguments[1] in get_commands()
    else:
        assert (Path(sys.executable).parent / program).exists()


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_read_by_the_settings(name: str) -> None:
    given = set(OURS[name]["environment"]) - {"DJANGO_SETTINGS_MODULE"}

    assert given <= settings_variables()


def test_no_secret_stands_in_the_file_and_a_missing_one_is_an_error() -> None:
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


def test_the_workers_listen_to_every_queue_and_no_work_keeps_the_ticks_waiting() -> None:
    assert queues_of("ticks") == ["ticks"]
    assert sorted(queues_of("ticks") + queues_of("worker")) == sorted(settings.QUEUES)
    assert "ticks" not in set(Queue)


def test_the_broker_keeps_what_it_was_given() -> None:
    command = " ".join(SERVICES["redis"]["command"])

    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


def test_every_long_lived_service_restarts_and_the_servers_have_health_checks() -> None:
    assert all(
        service["restart"] == "unless-stopped"
        for name, service in SERVICES.items()
        if name != "migrate"
    )
    assert all("healthcheck" in SERVICES[name] for name in ("postgres", "redis", "web", "worker"))


def test_the_image_runs_as_nobody_special_and_holds_every_app() -> None:
    users = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    apps = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}
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


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_steps_of_the_image_work_in_a_plain_virtual_environment(tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    install = [f"{home}/bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run(
        [*install, "--require-hashes", "-r", "requirements/base.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode and "Connection" in installed.stderr:
        pytest.skip("Offline: the packages of the image cannot be fetched.")
    assert installed.returncode == 0, installed.stderr

    path = f"{home}/bin:{os.environ['PATH']}"
    static = tmp_path / "static"
    for step in (
        "python manage.py collectstatic --noinput",
        "python manage.py check",
        "gunicorn config.wsgi --check-config",
        "celery -A config report",
    ):
        done = production(*shlex.split(step), PATH=path, STATIC_ROOT=str(static))
        assert done.returncode == 0, (step, done.stderr)
    assert (static / "staticfiles.json").exists()


def test_every_setting_is_explained() -> None:
    explained = set(
        re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    )

    assert explained == settings_variables()
