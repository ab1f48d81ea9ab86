"""`manage.py graph_sandbox --samples` adds a tenant with the policies exported to a folder."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.graph_sandbox.main import main
from dev.graph_sandbox.process import ROOT
from dev.graph_sandbox.samples import read_samples, sample_tenant
from dev.graph_sandbox.seed.tenant import seed_tenant
from providers.graph.kinds import KIND
from tests.support.factories.providers import SIZES, SandboxTenant
from tests.support.samples import NEEDED, SAMPLES

FOLDERS = {
    "conditional-access": "conditional_access",
    "named-locations": "named_location",
    "compliance": "compliance",
    "groups": "groups",
}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A folder with one file for each policy, several groups in one file, and some ids missing."""
    objects = seed_tenant("t", "Contoso", "a", SIZES)
    for folder, kind in FOLDERS.items():
        for number, entry in enumerate(objects[kind]):
            has_id = number % 2
            content = {k: v for k, v in entry.items() if k != "id" or has_id}
            write(tmp_path / folder / f"{number}.json", content)
    write(tmp_path / "compliance" / "linux.json", objects["linux_compliance"][0])
    write(
        tmp_path / "groups" / "more.json", {"groups": [{"displayName": "A"}, {"displayName": "B"}]}
    )
    write(tmp_path / "user-settings" / "First.json", {"displayName": "First warning"})
    return tmp_path


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8-sig")


@contextlib.contextmanager
def started(folder: Path, tls: Path) -> Iterator[tuple[list[str], SandboxTenant]]:
    """Run the command; yields the lines of its output and the tenant that it added."""
    command = [sys.executable, "manage.py", "graph_sandbox", "--samples", str(folder)]
    process = subprocess.Popen(
        [*command, "--tls-dir", str(tls), "--die-with-parent"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        lines: list[str] = []
        while not (lines and lines[-1].startswith("Graph sandbox")):
            lines.append(process.stdout.readline().strip())
            assert process.poll() is None, lines
        yield lines, tenant_of(lines, tls)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def tenant_of(lines: list[str], tls: Path) -> SandboxTenant:
    values = dict(line.rsplit(" ", 1) for line in lines)
    return SandboxTenant.existing(
        values["Graph sandbox at"],
        tls / "ca.pem",
        tenant_id=uuid.UUID(values["tenant"]),
        client_id=uuid.UUID(values["client"]),
        secret=values["secret"],
    )


def test_exported_objects_are_listed_and_captured(exported: Path, tmp_path: Path) -> None:
    with started(exported, tmp_path / "tls") as (lines, sandbox_tenant):
        assert "user-settings/First.json: skipped, unknown kind of object" in lines
        assert "groups/more.json: 2 groups" in lines
        with sandbox_tenant.client() as client:
            for kind in ("conditional_access", "named_location", "compliance", "linux_compliance"):
                listed = list(KIND[kind].list_objects(client))
                assert len(listed) == (1 if kind == "linux_compliance" else SIZES[kind])
                assert all(KIND[kind].capture(client, one).missing == [] for one in listed)
            groups = [group["displayName"] for group in client.list("/v1.0/groups")]
            assert {"A", "B"} <= set(groups)
            assert len(groups) == SIZES["groups"] + 2
            assert list(KIND["settings_catalog"].list_objects(client)) == []


def test_an_object_without_an_id_gets_the_same_one_each_time(exported: Path) -> None:
    first, second = (sample_tenant(read_samples(exported)) for _ in range(2))

    assert first == second
    ids = [entry["id"] for entries in first.values() for entry in entries]
    assert len(set(ids)) == len(ids)


NAME = {"displayName": "Étage 2", "description": "日本"}
CONTEXT = "https://graph.microsoft.com/beta/$metadata#"


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        # IntuneManagement: a folder for each type of object, with Graph's annotations.
        ("Contoso/MacCustomAttributes/Étage 2.json", json.dumps(NAME), "custom_attributes"),
        ("DeviceConfiguration/a_1.json", json.dumps(NAME), "device_configuration"),
        (
            "Else/a.json",
            json.dumps(
                NAME
                | {"@odata.context": f"{CONTEXT}deviceManagement/configurationPolicies/$entity"}
            ),
            "settings_catalog",
        ),
        (
            "Else/b.json",
            json.dumps(
                NAME | {"@odata.context": f"{CONTEXT}deviceManagement/intents('a-b')/$entity"}
            ),
            "endpoint_security",
        ),
        # IntuneCD: JSON or YAML in nested folders.
        ("Scripts/Powershell/a.json", json.dumps(NAME), "device_management_scripts"),
        ("Compliance Policies/Policies/a.yaml", yaml.safe_dump(NAME), "compliance"),
        (
            "Conditional Access/a.yml",
            yaml.safe_dump(NAME, allow_unicode=True),
            "conditional_access",
        ),
        # Microsoft365DSC: a list of resources.
        (
            "M365TenantConfig.json",
            json.dumps(
                [
                    {
                        "ResourceName": "AADNamedLocation",
                        "ResourceInstanceName": "x",
                        "DisplayName": NAME["displayName"],
                        "Description": NAME["description"],
                    }
                ]
            ),
            "named_location",
        ),
        # Graph: the response of a list.
        (
            "a.json",
            json.dumps({"@odata.context": f"{CONTEXT}groups(id,displayName)", "value": [NAME]}),
            "groups",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_exports_of_other_tools_are_read(
    tmp_path: Path, path: str, content: str, kind: str, encoding: str
) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(content, encoding=encoding)

    (sample,) = read_samples(tmp_path)

    assert str(sample) == f"{path}: 1 {kind}"
    assert NAME.items() <= sample.objects[kind][0].items()


def test_flattened_properties_are_put_where_graph_has_them(tmp_path: Path) -> None:
    policy = {
        "ResourceName": "AADConditionalAccessPolicy",
        "ResourceInstanceName": "x",
        "DisplayName": "MFA",
        "State": "enabled",
        "IncludeApplications": ["All"],
        "ExcludeGroups": ["Break glass"],
        "ExcludeLocations": ["AllTrusted"],
        "DeviceFilterMode": "exclude",
        "DeviceFilterRule": "device.isCompliant -eq True",
        "GrantControlOperator": "OR",
        "TermsOfUse": "House rules",
        "SignInFrequencyType": "Days",
        "SignInFrequencyValue": 4,
        "AuthenticationStrength": "Phishing-resistant MFA",
        "ApplicationSecret": "not exported",
    }
    location = {
        "ResourceName": "AADNamedLocationPolicy",
        "OdataType": "#microsoft.graph.ipNamedLocation",
        "DisplayName": "HQ",
        "IpRanges": ["192.0.2.0/24", "2001:db8::/32"],
    }
    profile = {
        "ResourceName": "IntuneDeviceConfigurationPolicyWindows10",
        "DisplayName": "Baseline",
        "Assignments": [
            {
                "dataType": "#microsoft.graph.groupAssignmentTarget",
                "groupId": "g",
                "groupDisplayName": "Sales",
            }
        ],
    }
    other = {"ResourceName": "EXOMailbox", "DisplayName": "Unknown"}
    (tmp_path / "a.json").write_text(json.dumps([policy, location, other]))
    (tmp_path / "DeviceConfiguration").mkdir()
    (tmp_path / "DeviceConfiguration" / "b.json").write_text(json.dumps(profile))

    both, single = sorted(read_samples(tmp_path), key=lambda sample: len(str(sample.path)))

    assert str(both) == (
        "a.json: 1 conditional_access, 1 named_location, "
        "12 flattened properties put in their places, 1 of other kinds skipped"
    )
    (access,) = both.objects["conditional_access"]
    assert access["conditions"] == {
        "applications": {"includeApplications": ["All"]},
        "users": {"excludeGroups": ["Break glass"]},
        "locations": {"excludeLocations": ["AllTrusted"]},
        "devices": {
            "deviceFilter": {"mode": "exclude", "rule": "device.isCompliant -eq True"},
        },
    }
    assert access["grantControls"] == {
        "operator": "OR",
        "termsOfUse": ["House rules"],
        "authenticationStrength": {"id": "Phishing-resistant MFA"},
    }
    assert access["sessionControls"] == {"signInFrequency": {"type": "days", "value": 4}}
    assert "not exported" not in str(access)
    (named,) = both.objects["named_location"]
    assert named["@odata.type"] == "#microsoft.graph.ipNamedLocation"
    assert [each["@odata.type"] for each in named["ipRanges"]] == [
        "#microsoft.graph.iPv4CidrRange",
        "#microsoft.graph.iPv6CidrRange",
    ]
    (assigned,) = single.objects["device_configuration"]
    assert assigned["assignments"][0]["target"] == {
        "@odata.type": "#microsoft.graph.groupAssignmentTarget",
        "groupId": "g",
    }


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"{", "its content cannot be read"),
        ("a.yaml", b"a: [", "its content cannot be read"),
        ("a.json", b"\xff\xfeab\xd8", "its content cannot be read"),
        ("a.json", b"3", "its content is not an object"),
        ("a.json", b"[]", "it has no object"),
        ("a.txt", b"{}", "neither JSON nor YAML"),
        ("a.json", b"{}", "unknown kind of object"),
    ],
)
def test_of_each_file_it_is_said_why_it_is_skipped(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)

    (sample,) = read_samples(tmp_path)

    assert str(sample) == f"{name}: skipped, {reason}"


def test_a_folder_without_exports_is_rejected(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dev.graph_sandbox", "--samples", str(tmp_path)]

    process = subprocess.run(
        [*command, "--tls-dir", str(tmp_path / "tls")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert "has no exported object of a known kind" in process.stderr


def test_a_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is not a folder"):
        main(["--samples", str(tmp_path / "missing"), "--tls-dir", str(tmp_path / "tls")])


@NEEDED
def test_real_exports_become_a_tenant(tmp_path: Path) -> None:
    expected = {
        kind: {entry["id"] for entry in objects}
        for kind, objects in sample_tenant(read_samples(SAMPLES)).items()
    }
    with (
        started(SAMPLES, tmp_path / "tls") as (_, sandbox_tenant),
        sandbox_tenant.client() as client,
    ):
        for kind in ("conditional_access", "compliance", "app_protection"):
            assert {one["id"] for one in KIND[kind].list_objects(client)} <= expected[kind]
        assert len(list(client.list("/v1.0/groups"))) == len(expected["groups"])
