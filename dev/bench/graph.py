"""Measures backups, previews and syncs of a large tenant against an earlier build; prints ratios.

    git archive COMMIT | tar -x -C DIRECTORY
    python -m dev.bench.graph --base DIRECTORY [--policies 1000] [--groups 20000] [--latency 80]

Both builds read the same tenants of one Graph sandbox, whose responses are late by the latency, each
in a separate process with a separate database. It also compares the content that they stored.
Without `--base`, it prints the figures of this build only.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: The shares of the kinds in the policies of the tenant.
SHARES = {
    "settings_catalog": 0.57,
    "device_configuration": 0.25,
    "compliance": 0.12,
    "app_protection": 0.03,
    "conditional_access": 0.03,
}
PREVIEWED = ("settings_catalog", "device_configuration", "compliance")
PREVIEW_ITEMS = 200
STEPS = ("first backup", "unchanged backup", "preview", "first sync", "unchanged sync")


def measure(options: argparse.Namespace) -> None:
    """Take each step once with the build on the path; print a JSON object of the results."""
    from dev.bench.database import own_database
    from dev.graph_sandbox.control import SandboxControl

    control = SandboxControl.at(options.url, options.ca, options.token)
    with own_database():
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE = options.url, options.ca
        call_command("migrate", verbosity=0)
        results = _steps(options, control)
    sys.stdout.write(json.dumps(results) + "\n")


def _steps(options: argparse.Namespace, control: Any) -> dict[str, Any]:
    from backups import services as backups
    from backups.models import BackupSchedule, BackupSet
    from inventory import services as inventory
    from operations.testing import run_now
    from operations.types import OperationRunType
    from restores import services as restores
    from restores.bodies import Options

    tenant, user = create_tenant(options.tenant, control)
    schedule = backups.save(
        BackupSchedule(
            workspace=tenant.workspace,
            tenant=tenant,
            name="Bench",
            kinds=list(SHARES),
            cron="0 2 * * *",
        ),
        user,
    )
    schedule = BackupSchedule.objects.with_scope().get(pk=schedule.pk)

    def back_up() -> Any:
        return backups.run_now(schedule, user).run

    def preview() -> Any:
        backup_set = BackupSet.objects.with_scope().latest("pk")
        items = list(backup_set.items.filter(kind__in=PREVIEWED)[:PREVIEW_ITEMS])
        return restores.start_preview(backup_set, items, Options(), by=user)[1].run

    def sync() -> Any:
        kind = OperationRunType.DIRECTORY_GROUPS_SYNC
        return inventory.start_sync(kind, tenant, by=user).run

    results: dict[str, Any] = {}
    for name, start in zip(STEPS, (back_up, back_up, preview, sync, sync), strict=True):
        control.clear_log()
        # The request is not measured: it looks for the broker, which does not exist.
        requested = start()
        started, cpu = time.perf_counter(), time.process_time()
        run = run_now(requested)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert run.outcome == "succeeded", (name, run.outcome, run.failures)
        requests = sum(not each.get("in_batch") for each in control.log(options.tenant))
        results[name] = {"seconds": seconds, "cpu": cpu, "requests": requests}
        results[name]["counts"] = str(run.counts)
        if start is back_up:
            results[name]["content"] = _contents()
    results["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return results


def create_tenant(external_id: str, control: Any) -> tuple[Any, Any]:
    """Create a tenant of the Graph sandbox, with a connection that may read it, and a user."""
    from providers.models import ProviderConnection
    from tenancy.models import Tenant, User, Workspace

    secret = uuid.uuid4().hex
    client_id = uuid.uuid4()
    control.add_tenant(external_id, client_id, secret)
    user = User.objects.create(username="bench", is_superuser=True)
    workspace = Workspace.objects.create(name="Bench", slug="bench")
    tenant = Tenant.objects.create(workspace=workspace, name="Bench", external_id=external_id)
    connection = ProviderConnection.objects.create(
        workspace=workspace, tenant=tenant, name="Sandbox", cloud="sandbox", client_id=client_id,
        is_default=True,
    )  # fmt: skip
    connection.set_credential(secret)
    return tenant, user


def _contents() -> dict[str, list[Any]]:
    """Return the hash of each object in the last set, and whether it is complete."""
    from backups.models import BackupSet

    items = BackupSet.objects.latest("pk").items.order_by("kind", "graph_id")
    rows = items.values_list("kind", "graph_id", "version__content_hash", "complete")
    return {f"{kind}/{graph_id}": state for kind, graph_id, *state in rows}


def run_build(tree: Path, control: Any, tenant: str, url: str, ca: str) -> dict[str, Any]:
    """Measure the build in this directory in a separate process."""
    # Not at the top: the earlier build that measures itself with this file may lack it.
    from dev.bench.revisions import result_of

    command = [sys.executable, __file__, "--measure", "--url", url, "--ca", ca]
    command += ["--token", control, "--tenant", tenant]
    results: dict[str, Any] = result_of(command, tree)
    return results


def compare(options: argparse.Namespace) -> None:
    """Measure both builds against one sandbox, and print the ratios."""
    from dev.graph_sandbox.process import SandboxProcess

    tenant = str(uuid.uuid4())
    sizes = {kind: round(options.policies * share) for kind, share in SHARES.items()}
    with tempfile.TemporaryDirectory() as folder, SandboxProcess(Path(folder)) as sandbox:
        control = sandbox.control
        control.add_tenant(
            tenant, uuid.uuid4(), uuid.uuid4().hex, seed="bench", sizes={**sizes, "groups": options.groups}
        )  # fmt: skip
        control.fault(tenant, "slow", ms=options.latency)
        trees = {"base": options.base, "this": ROOT} if options.base else {"this": ROOT}
        results = {}
        for name, tree in trees.items():
            results[name] = run_build(tree, sandbox.token, tenant, sandbox.url, str(sandbox.ca))
            for step in STEPS:
                _print_step(
                    name, step, results[name][step], results["base" if options.base else name][step]
                )
            sys.stdout.write(f"{name}: peak memory {results[name]['memory']:.0f} MB\n")
            sys.stdout.flush()


def _print_step(build: str, step: str, result: dict[str, Any], base: dict[str, Any]) -> None:
    ratio = base["seconds"] / result["seconds"]
    text = f"{build}: {step:18} {result['seconds']:7.2f} s {result['cpu']:7.2f} s CPU"
    text += f" {result['requests']:6} requests"
    sys.stdout.write(f"{text} {ratio:6.1f} x as fast{_differences(result, base)}\n")


def _differences(result: dict[str, Any], base: dict[str, Any]) -> str:
    """Say how many objects of each kind have another content than in the earlier build."""
    contents, earlier = result.get("content", {}), base.get("content", {})
    different = {key for key in contents | earlier if contents.get(key) != earlier.get(key)}
    kinds = Counter(key.partition("/")[0] for key in different)
    return "".join(f"  DIFFERENT: {count} {kind}" for kind, count in kinds.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="directory of the build to compare with")
    parser.add_argument("--policies", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--latency", type=int, default=80, help="milliseconds of each response")
    for name in ("--url", "--ca", "--token", "--tenant"):
        parser.add_argument(name, default="", help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options)
    else:
        compare(options)


if __name__ == "__main__":
    main()
