"""Production reads each secret from a variable or from the file that another variable names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SECRETS = {
    "DATABASE_URL": "postgresql://app:pa%24s@db.example.com/runledger",
    "REDIS_URL": "redis://:secret@broker.example.com:6379/0",
    "SECRET_KEY": "s" * 60,
    "CREDENTIAL_KEYS": "v1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "APP_DATABASE_PASSWORD": "p'w $x",
    "REDIS_SENTINEL_PASSWORD": "of the sentinels",
}
PROGRAM = """
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
try:
    print(settings.SECRET_KEY, settings.CREDENTIAL_KEYS, settings.DATABASES["default"]["PASSWORD"],
          settings.CELERY_BROKER_URL, settings.APP_DATABASE_PASSWORD,
          settings.CELERY_BROKER_TRANSPORT_OPTIONS["sentinel_kwargs"]["password"], sep="|")
except ImproperlyConfigured as error:
    print("refused:", error)
"""


def production(variables: dict[str, str]) -> str:
    """Print the secrets that production reads from these variables alone."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        **variables,
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Write each secret to a file; return the variables that name the files."""
    variables = {}
    for name, value in SECRETS.items():
        file = tmp_path / name.lower()
        file.write_text(f"{value}\n", encoding="utf-8")
        variables[f"{name}_FILE"] = str(file)
    return variables


def test_secrets_from_files_are_those_from_variables(files: dict[str, str]) -> None:
    from_files = production(files)

    assert from_files == production(SECRETS)
    assert from_files.startswith("s" * 60 + "|v1:")


def test_a_secret_that_is_set_in_both_ways_is_an_error(files: dict[str, str]) -> None:
    answer = production({**files, "SECRET_KEY": "t" * 60})

    assert answer == ("refused: SECRET_KEY and SECRET_KEY_FILE are both set. Remove one of them.")
    assert production({**files, "SECRET_KEY": ""}) == production(files)


def test_a_file_that_cannot_be_read_is_an_error(files: dict[str, str], tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    (binary := tmp_path / "binary").write_bytes(b"\xff\xfe")

    assert production({**files, "SECRET_KEY_FILE": missing}) == (
        f"refused: SECRET_KEY_FILE: {missing} can't be read: No such file or directory."
    )
    assert "it is not UTF-8 text" in production({**files, "SECRET_KEY_FILE": str(binary)})
