"""The services of docker-compose.yml as arguments of `podman run`."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dev.services.keys import new_credential_keys, new_secret_key

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$\$|\$\{([A-Z_]+)(?::([?-])([^}]*))?\}")


def load_services(overrides: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services with generated secrets; `overrides` are optional settings of the app."""
    variables = {
        **{name: secrets.token_hex(12) for name in _PASSWORDS},
        "SECRET_KEY": new_secret_key(),
        "CREDENTIAL_KEYS": new_credential_keys(),
        "ALLOWED_HOSTS": "localhost",
    }
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    for service in services.values():
        environment = service.get("environment", {})
        values = {**environment, **{k: v for k, v in overrides.items() if k in environment}}
        service["environment"] = {
            name: _interpolate(str(value), variables)
            for name, value in values.items()
            if value is not None
        }
        service["image"] = _interpolate(service["image"], variables)
        if "command" in service:
            service["command"] = [_interpolate(part, variables) for part in service["command"]]
        if "healthcheck" in service:
            test = service["healthcheck"]["test"]
            service["healthcheck"]["test"] = [_interpolate(part, variables) for part in test]
    return services


#: Keys of a service and the options of `podman run` that do the same.
_LIMITS = {
    "user": "--user",
    "pids_limit": "--pids-limit",
    "mem_limit": "--memory",
    "shm_size": "--shm-size",
}
_PASSWORDS = ("POSTGRES_PASSWORD", "APP_DATABASE_PASSWORD", "REDIS_PASSWORD")


def _interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME:?error}`, `${NAME:-default}` and `$$` as Compose does."""

    def replace(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        if name is None:
            return "$"
        if kind == "?":
            return variables[name]
        return variables.get(name, default or "")

    return _VARIABLE.sub(replace, text)


def run_arguments(service: Mapping[str, Any], *, project: str) -> list[str]:
    """Return the arguments of `podman run`: options, image and command.

    Ports are not published; the checks run inside the containers.
    """
    options = [f"--env={name}={value}" for name, value in service["environment"].items()]
    options += [f"--tmpfs={folder}" for folder in service.get("tmpfs", [])]
    options += [f"--security-opt={option}" for option in service.get("security_opt", [])]
    options += [f"--cap-drop={name}" for name in service.get("cap_drop", [])]
    options += [f"--volume={project}-{volume}" for volume in service.get("volumes", [])]
    options += [f"{option}={service[key]}" for key, option in _LIMITS.items() if key in service]
    if service.get("init"):
        options.append("--init")
    if service.get("read_only"):
        options += ["--read-only", "--read-only-tmpfs=false"]
    if grace := service.get("stop_grace_period"):
        options.append(f"--stop-timeout={grace.removesuffix('s')}")
    if check := service.get("healthcheck"):
        kind, *words = check["test"]
        command = words[0] if kind == "CMD-SHELL" else shlex.join(words)
        # Without systemd, podman has no timer for it; the script asks for it.
        options.append(f"--health-cmd={json.dumps(['CMD-SHELL', command])}")
        options.append("--health-interval=disable")
    options.append(f"--restart={service.get('restart', 'no')}")
    return [*options, service["image"], *service.get("command", [])]
