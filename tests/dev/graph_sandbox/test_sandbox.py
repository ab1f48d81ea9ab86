"""The Graph sandbox seeds the same tenant each time, stores it, and is controlled with a token."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid

import pytest
from django.core.management import call_command

from dev.graph_sandbox.control import SandboxControl, SandboxError
from dev.graph_sandbox.faults import FAULTS
from dev.graph_sandbox.process import ROOT, SandboxProcess
from dev.graph_sandbox.seed.settings_catalog import LARGE_POLICIES
from dev.graph_sandbox.seed.tenant import seed_tenant
from providers.graph.errors import ConsentMissing
from providers.graph.kinds import KIND
from tests.support.factories.providers import SIZES, SandboxTenant


def test_the_same_seed_produces_the_same_tenant():
    first, second, other = (seed_tenant("t", "Contoso", seed, SIZES) for seed in ("a", "a", "b"))

    assert first == second
    assert first["groups"] != other["groups"]


def test_a_seeded_tenant_is_consistent():
    tenant = seed_tenant("t", "Contoso", "a", {})
    groups = {group["id"] for group in tenant["groups"]}

    sizes = [len(policy["settings"]) for policy in tenant["settings_catalog"]]
    assert tuple(sizes[: len(LARGE_POLICIES)]) == LARGE_POLICIES
    for kind, objects in tenant.items():
        names = [entry.get("name") or entry.get("displayName") for entry in objects]
        assert all(names) or KIND[kind].named_by
        assert kind == "app_protection" or len(set(names)) == len(names)
        assert len({entry["id"] for entry in objects}) == len(objects)
    targets = [
        assignment["target"].get("groupId")
        for policy in tenant["settings_catalog"]
        for assignment in policy["assignments"]
    ]
    assert {target for target in targets if target} <= groups


def test_the_number_of_objects_of_one_kind_does_not_change_other_kinds():
    few, many = (seed_tenant("t", "C", "a", {**SIZES, "compliance": n}) for n in (1, 7))

    assert few["compliance"] == many["compliance"][:1]
    assert few["settings_catalog"] == many["settings_catalog"]


def test_an_administrator_edits_and_removes_objects_between_two_lists(sandbox_tenant):
    path = "/beta/deviceManagement/deviceCompliancePolicies"
    sandbox_tenant.fault("edited", kind="compliance", every=2)
    sandbox_tenant.fault("removed", kind="compliance", every=3, times=1)
    with sandbox_tenant.client() as client:
        lists = [list(client.list(path)) for _ in range(4)]

    assert [len(each) for each in lists] == [SIZES["compliance"]] * 2 + [
        SIZES["compliance"] - 1
    ] * 2
    assert lists[0] != lists[1]
    assert sandbox_tenant.objects("compliance") != lists[0]


def test_an_unknown_kind_cannot_be_seeded(sandbox_tenant):
    with pytest.raises(SandboxError, match="no kind scripts"):
        sandbox_tenant.control.add_tenant(uuid.uuid4(), uuid.uuid4(), "x", sizes={"scripts": 1})


def test_a_command_without_the_right_token_is_refused(graph_sandbox):
    control = SandboxControl(graph_sandbox.url, "wrong", graph_sandbox.ca)

    with pytest.raises(SandboxError, match="token"):
        control.tenants()


def test_a_removed_tenant_is_unknown_to_graph(sandbox_tenant):
    sandbox_tenant.control.remove_tenant(sandbox_tenant.tenant_id)

    with sandbox_tenant.client() as client, pytest.raises(ConsentMissing):
        client.get("/v1.0/groups")


@pytest.mark.parametrize("name", ["nonsense", ""])
def test_an_unknown_fault_is_refused(sandbox_tenant, name):
    with pytest.raises(SandboxError, match="no fault"):
        sandbox_tenant.fault(name)


def test_stored_tenants_survive_a_restart(tmp_path):
    with SandboxProcess(tmp_path, keep=True) as first:
        sandbox_tenant = SandboxTenant(first, sizes={**SIZES, "groups": 5})
        sandbox_tenant.control.put_object(
            sandbox_tenant.tenant_id, "compliance", {"id": "x", "displayName": "Added"}
        )
    with SandboxProcess(tmp_path, keep=True) as second:
        objects = second.control.objects(sandbox_tenant.tenant_id, "compliance")
        sandbox_tenant.url, sandbox_tenant.ca = second.url, str(second.ca)
        with sandbox_tenant.client() as client:
            client.get("/v1.0/groups")

    assert "x" in {entry["id"] for entry in objects}
    assert sandbox_tenant.secret not in (tmp_path / "state.json").read_text()
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0
    assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0


def test_the_sandbox_process_ends_with_its_parent(tmp_path):
    script = (
        "import time; from dev.graph_sandbox.process import SandboxProcess\n"
        "box = SandboxProcess().start(); print(box._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 60
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    return True


def test_faults_are_added_and_removed_on_the_command_line(
    sandbox_tenant, graph_sandbox, settings, capsys
):
    settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE = sandbox_tenant.url, sandbox_tenant.ca
    options = {"token": graph_sandbox.token}
    tenant_id = str(sandbox_tenant.tenant_id)

    call_command("graph_sandbox_fault", tenant_id, "slow", "ms=1", "times=2", **options)
    (fault,) = [f for f in sandbox_tenant.control.faults() if f["tenant_id"] == tenant_id]
    call_command("graph_sandbox_fault", **options)
    call_command("graph_sandbox_fault", tenant_id, clear=True, **options)

    assert (fault["name"], fault["times"], fault["options"]) == ("slow", 2, {"ms": 1})
    assert "throttle" in capsys.readouterr().out
    assert not [f for f in sandbox_tenant.control.faults() if f["tenant_id"] == tenant_id]


def test_every_fault_has_a_description():
    assert all(FAULTS.values())


def test_the_product_does_not_import_the_graph_sandbox():
    script = (
        "import sys, django; django.setup()\n"
        "import providers.connections, providers.admin, providers.graph.kinds\n"
        "assert not [name for name in sys.modules if name.startswith('dev.graph_sandbox')]"
    )

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
