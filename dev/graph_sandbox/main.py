"""Starting the Graph sandbox: what `manage.py graph_sandbox` and `python -m dev.graph_sandbox` do."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from dev.graph_sandbox.files import write_private
from dev.graph_sandbox.resources import READ_PERMISSIONS
from dev.graph_sandbox.samples import Objects, left_out, sample_tenant
from dev.graph_sandbox.seed.tenant import DEFAULT_SIZES, seed_tenant
from dev.graph_sandbox.server import RunningServer, Sandbox
from dev.graph_sandbox.store import Store
from dev.graph_sandbox.tls import ensure_certificate

TOKEN_FILE = "control-token"  # noqa: S105 - a file's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument(
        "--tls-dir",
        type=Path,
        default=Path(".dev/graph"),
        help="folder of the certificates and the control token (trust its ca.pem)",
    )
    parser.add_argument("--data", type=Path, help="file that keeps the tenants between two starts")
    parser.add_argument("--seed", help="add one tenant seeded with this text, and print its login")
    parser.add_argument(
        "--samples",
        type=Path,
        help="add one tenant with the exported policies of this folder (a folder for each kind: "
        "conditional-access, compliance, groups …), and print its login",
    )
    parser.add_argument(
        "--control-token",
        default=os.environ.get("GRAPH_SANDBOX_TOKEN", ""),
        help="token of the control API (or GRAPH_SANDBOX_TOKEN); by default one is made",
    )
    parser.add_argument("--plain-http", action="store_true", help="no TLS, for debugging only")
    parser.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop (SIGINT, SIGTERM)."""
    token = options.control_token or _kept_token(options.tls_dir)
    store = Store(options.data)
    certificate = None
    if not options.plain_http:
        certificate = ensure_certificate(options.tls_dir, options.host)
    server = RunningServer(Sandbox(store, token), options.host, options.port, certificate)
    if options.seed:
        _announce_tenant(store, options.seed, {})
    if options.samples:
        _announce_samples(store, options.samples)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: server.stop())
    if options.die_with_parent:
        _die_with_parent(server)
    _say(f"Graph sandbox at {server.url}")
    server.serve()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m dev.graph_sandbox", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _kept_token(folder: Path) -> str:
    """The token in the folder, made the first time: whoever can read the file may control us."""
    path = folder / TOKEN_FILE
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text().strip()


def _announce_samples(store: Store, folder: Path) -> None:
    """Seed one tenant that holds what was exported to the folder, and nothing else."""
    found = sample_tenant(folder)
    if not found:
        raise SystemExit(f"{folder} has no folder of a kind with .json files in it.")
    for name in left_out(folder):
        _say(f"left out {name}: no kind of object that is read here")
    _say(", ".join(f"{len(objects)} {kind}" for kind, objects in found.items()))
    _announce_tenant(store, f"samples/{folder.resolve().name}", found)


def _announce_tenant(store: Store, seed: str, given: Objects) -> None:
    """Seed one tenant whose ids follow from the seed; what is given stands for all of its objects."""
    tenant_id, client_id = (str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{seed}/{x}")) for x in ("t", "c"))
    secret = secrets.token_urlsafe(24)
    sizes = dict.fromkeys(DEFAULT_SIZES, 0) if given else {}
    objects = {**seed_tenant(tenant_id, "Contoso", seed, sizes), **given}
    store.add_tenant(tenant_id, "Contoso", objects)
    store.add_app(tenant_id, client_id, secret=secret, certificate="", permissions=READ_PERMISSIONS)
    _say(f"tenant {tenant_id}\nclient {client_id}\nsecret {secret}")


def _die_with_parent(server: RunningServer) -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        server.stop()

    threading.Thread(target=watch, daemon=True).start()
