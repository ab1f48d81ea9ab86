"""Situations from public bug reports of other backup tools, in one backup and one restore."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from django.test import override_settings

from backups import services
from backups.models import BackupItem, BackupSchedule
from dev.graph_sandbox.process import SandboxProcess
from operations.models import OperationRun
from operations.testing import run_now
from providers.models import Access
from restores import verifying
from restores.models import Action, ItemState, RestoreItem
from tenancy.roles import Role
from tests.support.database import SharedRows
from tests.support.factories import TenantFactory, WorkspaceFactory, create_member
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.restores import RestoreScenario
from tests.support.sandbox import connect_to_graph

pytestmark = pytest.mark.django_db

CATALOG, ACCESS, LOCATION = "settings_catalog", "conditional_access", "named_location"
KINDS = [CATALOG, ACCESS, LOCATION]
GRAPH = "#microsoft.graph."
ODD_NAMES = [
    'a/b\\c:*?"<>|',
    "Ünïcödé 🛡️ policy",
    "O'Brien's \"quoted\" & <b>bold</b>",
    " leading and trailing ",
    "x" * 250,
    "\u202eRTL\u202c",
    "100% #1 [Win] {prod} $top=5",
    "null",
    "tab\tand\nnewline",
]
Json = dict[str, Any]


def setting(number: int) -> Json:
    return {
        "id": str(number),
        "settingInstance": {
            "@odata.type": f"{GRAPH}deviceManagementConfigurationChoiceSettingInstance",
            "settingDefinitionId": f"device_vendor_msft_policy_{number}",
            "choiceSettingValue": {"value": "on", "children": []},
        },
    }


def catalog_policy(name: str, count: int = 2, **columns: Any) -> Json:
    return {
        "name": name,
        "description": "",
        "platforms": "windows10",
        "technologies": "mdm",
        "roleScopeTagIds": ["0"],
        "templateReference": {"templateId": "", "templateFamily": "none"},
        "assignments": [],
        "settings": [setting(number) for number in range(count)],
        "settingCount": count,
        **columns,
    }


def access_policy(name: str, **columns: Any) -> Json:
    policy = {
        "displayName": name,
        "state": "enabled",
        "conditions": {
            "clientAppTypes": ["all"],
            "applications": {"includeApplications": ["All"], "excludeApplications": []},
            "users": {"includeUsers": ["All"], "excludeGroups": []},
        },
        "grantControls": {"operator": "OR", "builtInControls": ["mfa"], "termsOfUse": []},
        "sessionControls": None,
    }
    return policy | columns


def target(name: str, **properties: Any) -> Json:
    return {"id": name, "target": {"@odata.type": f"{GRAPH}{name}AssignmentTarget", **properties}}


def with_preview_conditions() -> Json:
    policy = access_policy("Guests and flows")
    policy["conditions"] |= {
        "authenticationFlows": {"transferMethods": "deviceCodeFlow,authenticationTransfer"},
        "insiderRiskLevels": "elevated",
        "devices": {"deviceFilter": {"mode": "exclude", "rule": 'device.trustType -eq "ServerAD"'}},
        "users": {
            "includeUsers": [],
            "includeGuestsOrExternalUsers": {
                "guestOrExternalUserTypes": "b2bCollaborationGuest,serviceProvider",
                "externalTenants": {
                    "@odata.type": f"{GRAPH}conditionalAccessEnumeratedExternalTenants",
                    "membershipKind": "enumerated",
                    "members": ["aaaaaaaa-0000-4000-8000-000000000001"],
                },
            },
        },
    }
    policy["sessionControls"] = {
        "signInFrequency": {"value": 4, "type": "hours", "isEnabled": True},
        "secureSignInSession": {"isEnabled": True},
    }
    return policy


@dataclass
class Reported:
    """The objects as they were, and the rows of the restore, by a name for each situation."""

    scenario: RestoreScenario
    ids: dict[str, tuple[str, str]] = field(default_factory=dict)
    before: dict[str, Json] = field(default_factory=dict)
    rows: dict[str, RestoreItem] = field(default_factory=dict)
    items: dict[str, BackupItem] = field(default_factory=dict)

    def add(self, situation: str, kind: str, entry: Json) -> None:
        """Put an object into the tenant."""
        tenant_id = self.scenario.tenant.external_id
        graph_id = self.scenario.graph.put_object(tenant_id, kind, entry)
        self.ids[situation], self.before[situation] = (kind, graph_id), copy.deepcopy(entry)

    def now(self, situation: str) -> Json:
        """The object in the tenant after the restore."""
        row = self.rows[situation]
        return self.scenario.objects(row.kind)[row.result_id]


@pytest.fixture(scope="module")
def reported(shared_rows: SharedRows, graph_sandbox: SandboxProcess) -> Iterator[Reported]:
    """Everything was backed up; what is not kept was deleted, and all of it restored."""
    sandbox = {
        "GRAPH_SANDBOX_URL": graph_sandbox.url,
        "GRAPH_CA_BUNDLE": str(graph_sandbox.ca),
        "GRAPH_QUOTAS": {},
    }
    delays = mock.patch.object(verifying, "READ_BACK_DELAYS", (0.0, 0.05, 0.2, 0.4))
    with shared_rows(), override_settings(**sandbox), delays:
        result = Reported(_open_scenario(graph_sandbox))
        _add_objects(result)
        _lose_and_restore(result)
    yield result
    graph_sandbox.control.remove_tenant(result.scenario.tenant.external_id)


def _open_scenario(graph_sandbox: SandboxProcess) -> RestoreScenario:
    workspace = WorkspaceFactory()
    tenant = TenantFactory(workspace=workspace)
    manager = create_member(workspace, Role.MANAGER)
    connection = connect_to_graph(graph_sandbox.control, tenant, sizes=dict.fromkeys(KINDS, 0))
    connection.access = Access.READ_WRITE
    connection.save()

    def back_up(schedule: BackupSchedule) -> OperationRun:
        scoped = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
        return run_now(services.run_now(scoped, manager).run)

    schedule = BackupScheduleFactory(tenant=tenant, kinds=KINDS)
    first = back_up(schedule).backup_set
    return RestoreScenario(tenant, graph_sandbox.control, first, schedule, manager, back_up)


def _add_objects(reported: Reported) -> None:
    for number, name in enumerate(ODD_NAMES):
        reported.add(f"name {number}", CATALOG, catalog_policy(name))
    reported.add("many settings", CATALOG, catalog_policy("Huge", 2600))
    reported.add("case kept", ACCESS, access_policy("block legacy"))
    reported.add("case", ACCESS, access_policy("Block Legacy"))
    reported.add("preview conditions", ACCESS, with_preview_conditions())
    read_only: Json = {
        "createdByAppId": "x",
        "creationSource": None,
        "priorityMetaData": {"priority": 1},
    }
    reported.add("read-only", CATALOG, catalog_policy("Read-only", **read_only, isAssigned=False))
    template = {"templateId": "t", "deletedDateTime": None, "partialEnablementStrategy": None}
    reported.add("read-only access", ACCESS, access_policy("Read-only access", **template))
    network = {"@odata.type": f"{GRAPH}compliantNetworkNamedLocation", "displayName": "Network"}
    reported.add("network", LOCATION, network)
    group = next(iter(reported.scenario.objects("groups")))
    no_filter = {"deviceAndAppManagementAssignmentFilterId": str(uuid.UUID(int=0))}
    assignments = [
        target("group", groupId=group),
        target("exclusionGroup", groupId=group),
        target("allDevices", **no_filter),
        target("configurationManagerCollection", collectionId="PS100012"),
    ]
    reported.add("assignments", CATALOG, catalog_policy("Assigned", assignments=assignments))


def _lose_and_restore(reported: Reported) -> None:
    scenario = reported.scenario
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    stored = {(item.kind, item.graph_id): item for item in scenario.items()}
    reported.items = {situation: stored[key] for situation, key in reported.ids.items()}
    lost = {key: item for key, item in reported.items.items() if key != "case kept"}
    scenario.change(lost["many settings"], settings=[setting(0)], settingCount=1)
    scenario.change(lost["assignments"], assignments=[])
    for situation, item in lost.items():
        if situation not in ("many settings", "assignments"):
            scenario.delete(item)
    restore, _ = scenario.restore(
        list(lost.values()), assignments="backup", access_state="as_backed_up"
    )
    rows = {(row.kind, row.graph_id): row for row in restore.items.all()}
    reported.rows = {key: rows[item.kind, item.graph_id] for key, item in lost.items()}


@pytest.mark.parametrize("number", range(len(ODD_NAMES)), ids=lambda n: repr(ODD_NAMES[n][:12]))
def test_an_object_with_any_name_comes_back_under_it(reported: Reported, number: int) -> None:
    row = reported.rows[f"name {number}"]

    assert (row.action, row.state) == (Action.CREATE, ItemState.VERIFIED), row.outcome_message
    assert reported.now(f"name {number}")["name"] == ODD_NAMES[number]


def test_every_page_of_settings_is_restored(reported: Reported) -> None:
    version = reported.items["many settings"].version

    assert version
    assert len(version.payload["settings"]) == 2600
    assert reported.rows["many settings"].state == ItemState.VERIFIED
    assert len(reported.now("many settings")["settings"]) == 2600


def test_names_that_differ_in_case_are_different_objects(reported: Reported) -> None:
    row = reported.rows["case"]

    assert (row.action, row.state) == (Action.CREATE, ItemState.VERIFIED)


def test_preview_conditions_come_back_unchanged(reported: Reported) -> None:
    before, now = reported.before["preview conditions"], reported.now("preview conditions")

    assert reported.rows["preview conditions"].state == ItemState.VERIFIED
    for part in ("conditions", "sessionControls", "grantControls", "state"):
        assert now[part] == before[part]


@pytest.mark.parametrize("situation", ["read-only", "read-only access"])
def test_properties_that_graph_refuses_are_not_sent(reported: Reported, situation: str) -> None:
    row = reported.rows[situation]

    assert (row.action, row.state) == (Action.CREATE, ItemState.VERIFIED), row.outcome_message


def test_a_location_that_microsoft_creates_is_not_restored(reported: Reported) -> None:
    row = reported.rows["network"]

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_kind_refused")
    assert "compliant network" in row.message


def test_assignments_of_every_type_come_back(reported: Reported) -> None:
    row = reported.rows["assignments"]

    assert row.state == ItemState.VERIFIED, row.outcome_message
    now = [each["target"] for each in reported.now("assignments")["assignments"]]
    before = [each["target"] for each in reported.before["assignments"]["assignments"]]
    # The zero id is no filter.
    before[2].pop("deviceAndAppManagementAssignmentFilterId")
    assert sorted(now, key=str) == sorted(before, key=str)
