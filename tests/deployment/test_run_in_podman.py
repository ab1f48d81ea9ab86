"""`dev/compose/run-in-podman` starts what the compose file says, and skips where it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dev.compose import podman
from dev.compose.podman import CannotRunError, Podman
from dev.compose.services import load_services, run_arguments
from tests.support.stack import ROOT


def test_the_containers_have_the_restrictions_of_the_compose_file() -> None:
    services = load_services({"TICK_SECONDS": "5"})

    arguments = run_arguments(services["worker"], project="test")

    assert {"--read-only", "--cap-drop=ALL", "--init", "--tmpfs=/tmp:size=64m"} <= set(arguments)
    assert {"--memory=2g", "--pids-limit=512"} <= set(arguments)
    assert {"--security-opt=no-new-privileges:true", "--stop-timeout=20"} <= set(arguments)
    assert {"--restart=unless-stopped", "--env=TICK_SECONDS=5"} <= set(arguments)
    assert arguments[arguments.index("runledger") + 1 :][:2] == ["celery", "-A"]


def test_variables_and_dollar_signs_are_replaced_as_compose_does() -> None:
    services = load_services({})
    password = services["redis"]["environment"]["REDIS_PASSWORD"]

    assert services["web"]["environment"]["REDIS_URL"] == f"redis://:{password}@redis:6379/0"
    assert services["web"]["environment"]["TRUSTED_PROXIES"] == "0"
    assert "celery@$(hostname)" in services["worker"]["healthcheck"]["test"][1]
    assert "$$" not in str(services)


def test_a_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(podman, "PROGRAMS", ("sh", "no-such-program"))

    with pytest.raises(CannotRunError, match="apt-get install no-such-program"):
        Podman(ROOT / ".dev" / "unused").check()


def test_the_script_skips_where_podman_is_missing() -> None:
    script = subprocess.run(
        [sys.executable, "-c", SKIP],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert script.returncode == 0, script.stderr
    assert script.stdout.startswith("Skipped: Not installed: no-such-program")


SKIP = """
from dev.compose import __main__, podman
podman.PROGRAMS = ("no-such-program",)
raise SystemExit(__main__.main())
"""
