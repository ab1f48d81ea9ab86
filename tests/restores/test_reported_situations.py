"""Situations from public bug reports of other backup tools, in one backup and one restore."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator
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
COMPLIANCE = "compliance"
KINDS = [CATALOG, ACCESS, LOCATION, COMPLIANCE]
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
NO_OBJECT = "5a5a5a5a-0000-4000-8000-00000000dead"
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


def reference_to_reusable_settings() -> Json:
    value = {
        "@odata.type": f"{GRAPH}deviceManagementConfigurationReferenceSettingValue",
        "value": NO_OBJECT,
    }
    instance = {
        "@odata.type": f"{GRAPH}deviceManagementConfigurationSimpleSettingCollectionInstance",
        "settingDefinitionId": "vendor_msft_firewall_rules_remoteaddressdynamickeywords",
        "simpleSettingCollectionValue": [value],
    }
    return {"id": "0", "settingInstance": instance}


def compliance_policy(name: str) -> Json:
    """A policy that notifies by a template, names a group, and is checked by a script."""
    actions = [
        {"id": "1", "actionType": "block", "gracePeriodHours": 0},
        {
            "id": "2",
            "actionType": "notification",
            "gracePeriodHours": 24,
            "notificationTemplateId": NO_OBJECT,
            "notificationMessageCCList": [NO_OBJECT],
        },
    ]
    return {
        "@odata.type": f"{GRAPH}windows10CompliancePolicy",
        "displayName": name,
        "roleScopeTagIds": ["0"],
        "assignments": [],
        "deviceCompliancePolicyScript": {"deviceComplianceScriptId": NO_OBJECT},
        "scheduledActionsForRule": [
            {"id": "1", "ruleName": None, "scheduledActionConfigurations": actions}
        ],
    }


#: How the assignments of a policy that has one group and one exclusion are changed.
ASSIGNMENT_CHANGES: dict[str, Callable[[str], list[Json]]] = {
    "exclusion lost": lambda group: [target("group", groupId=group)],
    "one more": lambda group: [
        target("group", groupId=group),
        target("exclusionGroup", groupId=group),
        target("allLicensedUsers"),
    ],
    "other type": lambda group: [target("allDevices"), target("exclusionGroup", groupId=group)],
    "no assignments": lambda group: [],
}


@dataclass
class Reported:
    """The objects as they were, and the rows of the restore, by a name for each situation."""

    scenario: RestoreScenario
    ids: dict[str, tuple[str, str]] = field(default_factory=dict)
    before: dict[str, Json] = field(default_factory=dict)
    rows: dict[str, RestoreItem] = field(default_factory=dict)
    items: dict[str, BackupItem] = field(default_factory=dict)
    #: The ids in the paths of the requests of the restore that write.
    written: str = ""

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
    pair = [target("group", groupId=group), target("exclusionGroup", groupId=group)]
    for change in ASSIGNMENT_CHANGES:
        reported.add(change, CATALOG, catalog_policy(f"Assigned, {change}", assignments=pair))
    reported.add("renamed", CATALOG, catalog_policy("Before"))
    reported.add("tag gone", CATALOG, catalog_policy("Tagged", roleScopeTagIds=["0", "4242"]))
    filtered = target("allDevices", deviceAndAppManagementAssignmentFilterId=NO_OBJECT)
    reported.add("filter gone", CATALOG, catalog_policy("Filtered", assignments=[filtered]))
    reusable = catalog_policy("Firewall", settings=[reference_to_reusable_settings()])
    reported.add("reusable settings gone", CATALOG, {**reusable, "settingCount": 1})
    reported.add("template, group and script gone", COMPLIANCE, compliance_policy("Checked"))


def _lose_and_restore(reported: Reported) -> None:
    scenario = reported.scenario
    scenario.backup_set = scenario.back_up(scenario.schedule).backup_set
    stored = {(item.kind, item.graph_id): item for item in scenario.items()}
    reported.items = {situation: stored[key] for situation, key in reported.ids.items()}
    lost = {key: item for key, item in reported.items.items() if key != "case kept"}
    scenario.change(lost["many settings"], settings=[setting(0)], settingCount=1)
    scenario.change(lost["assignments"], assignments=[])
    scenario.change(lost["renamed"], name="After", description="changed")
    group = next(iter(scenario.objects("groups")))
    for change, assignments in ASSIGNMENT_CHANGES.items():
        scenario.change(lost[change], assignments=assignments(group))
    kept = {"many settings", "assignments", "renamed", *ASSIGNMENT_CHANGES}
    for situation, item in lost.items():
        if situation not in kept:
            scenario.delete(item)
    scenario.graph.clear_log()
    restore, _ = scenario.restore(
        list(lost.values()), assignments="backup", access_state="as_backed_up"
    )
    log = scenario.graph.log(scenario.tenant.external_id)
    reported.written = " ".join(each["path"] for each in log if each["method"] != "GET")
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


@pytest.mark.parametrize("change", ASSIGNMENT_CHANGES)
def test_assignments_come_back_whatever_changed_about_them(reported: Reported, change: str) -> None:
    assert reported.rows[change].state == ItemState.VERIFIED, reported.rows[change].outcome_message
    types = [each["target"]["@odata.type"] for each in reported.now(change)["assignments"]]
    assert sorted(types) == [
        f"{GRAPH}exclusionGroupAssignmentTarget",
        f"{GRAPH}groupAssignmentTarget",
    ]


def test_a_renamed_and_changed_policy_is_changed_back_and_not_doubled(reported: Reported) -> None:
    row = reported.rows["renamed"]

    assert (row.action, row.state) == (Action.CONFLICT, ItemState.VERIFIED)
    names = [entry["name"] for entry in reported.scenario.objects(CATALOG).values()]
    assert (names.count("Before"), names.count("After")) == (1, 0)


@pytest.mark.parametrize(
    ("situation", "kinds"),
    [
        ("tag gone", {"scope_tags"}),
        ("filter gone", {"assignment_filters"}),
        ("reusable settings gone", {"reusable_settings"}),
        (
            "template, group and script gone",
            {"notification_templates", "groups", "compliance_scripts"},
        ),
    ],
)
def test_what_an_object_names_and_the_tenant_lacks_blocks_it(
    reported: Reported, situation: str, kinds: set[str]
) -> None:
    row = reported.rows[situation]

    assert (row.action, row.reason_code) == (Action.BLOCKED, "restore_reference_missing")
    assert {each["kind"] for each in row.missing} == kinds


def test_nothing_is_written_but_what_was_selected(reported: Reported) -> None:
    _, unselected = reported.ids["case kept"]

    assert reported.rows["renamed"].graph_id in reported.written
    assert unselected not in reported.written
