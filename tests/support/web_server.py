"""Gunicorn with production settings and the command of the image, for tests that need a real server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml
from django.conf import settings
from django.test import Client

from dev.services.processes import spawn, stop
from tenancy.models import User
from tests.support.sessions import open_session
from tests.support.stack import ROOT, database_url, eventually

#: What a proxy that terminates TLS adds.
BEHIND_TLS = {"Host": "runs.example.com", "X-Forwarded-Proto": "https"}
COOKIE = "__Host-sessionid"


def image_command() -> list[str]:
    """Return the command of the image: gunicorn and its options."""
    match = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert match
    command: list[str] = yaml.safe_load(match[1])
    return command


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collect the static files once, as the image does."""
    folder = tmp_path_factory.mktemp("static")
    environment = os.environ | production_environment(
        REDIS_URL="redis://localhost", STATIC_ROOT=str(folder)
    )
    command = [sys.executable, "manage.py", "collectstatic", "--noinput"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return folder


def production_environment(**more: str) -> dict[str, str]:
    """Return the settings of an installation behind one proxy that terminates TLS."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "DATABASE_URL": database_url(),
        # The tests open sessions for their users.
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": "v1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "ALLOWED_HOSTS": "runs.example.com",
        "CSRF_TRUSTED_ORIGINS": "https://runs.example.com",
        "TRUSTED_PROXIES": "1",
        # The tests connect as the owner of the tables.
        "REQUIRE_APP_ROLE": "false",
        **more,
    }


@contextmanager
def web_server(
    folder: Path, static: Path, redis_url: str, *, workers: int = 2, **environment: str
) -> Iterator[httpx2.Client]:
    """Run the web process of the image on a socket; provide a client that speaks as its proxy."""
    address, log = folder / "web.sock", folder / "web.log"
    program, *options = image_command()
    options[options.index("--bind") + 1] = f"unix:{address}"
    options[options.index("--workers") + 1] = str(workers)
    values = production_environment(REDIS_URL=redis_url, STATIC_ROOT=str(static), **environment)
    with log.open("wb") as output:
        process = spawn(
            [sys.executable, "-m", program, *options],
            output=output.fileno(),
            cwd=ROOT,
            env=os.environ | values,
        )
    transport = httpx2.HTTPTransport(uds=str(address), limits=httpx2.Limits(max_connections=100))
    with httpx2.Client(
        transport=transport, base_url="http://runs.example.com", headers=BEHIND_TLS, timeout=60
    ) as client:
        try:
            eventually(
                lambda: _answers(client, address),
                seconds=180,
                what=f"the web server's start ({log})",
            )
            yield client
        finally:
            stop(process, grace=10)


def cookie_of(user: User) -> dict[str, str]:
    """Return the header of a signed-in browser."""
    client = open_session(Client(), user)
    (morsel,) = client.cookies.values()
    return {"Cookie": f"{COOKIE}={morsel.value}"}


def _answers(web: httpx2.Client, address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        # The client would leave a refused socket open.
        if probe.connect_ex(str(address)):
            return False
    try:
        return web.get("/livez", timeout=10).status_code == 200
    except httpx2.TimeoutException:
        return False
