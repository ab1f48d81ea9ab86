"""The kinds of object that Runledger reads. A new kind is an entry here and its permission."""

from __future__ import annotations

from providers.graph.capture import with_detail, with_settings
from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore

_ASSIGNMENTS = {"$expand": "assignments"}
_ACTIONS = "scheduledActionsForRule($expand=scheduledActionConfigurations)"
_APPS = "/beta/deviceAppManagement"

_KINDS = (
    PolicyKind(
        key="settings_catalog",
        label="Settings catalog policy",
        label_plural="Settings catalog policies",
        list_path="/beta/deviceManagement/configurationPolicies",
        list_params=_ASSIGNMENTS,
        detail_params=_ASSIGNMENTS,
        name_field="name",
        read=with_settings,
        noise=Noise(strip=("settingCount", "creationSource", "priorityMetaData")),
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="device_configuration",
        label="Device configuration profile",
        label_plural="Device configuration profiles",
        list_path="/beta/deviceManagement/deviceConfigurations",
        list_params=_ASSIGNMENTS,
        detail_params=_ASSIGNMENTS,
        read=with_detail,
        noise=Noise(
            strip=(
                "qualityUpdatesPauseStartDate",
                "featureUpdatesPauseStartDate",
                "qualityUpdatesWillBeRolledBack",
                "featureUpdatesWillBeRolledBack",
            ),
        ),
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="compliance",
        label="Compliance policy",
        label_plural="Compliance policies",
        list_path="/beta/deviceManagement/deviceCompliancePolicies",
        list_params=_ASSIGNMENTS,
        detail_params={"$expand": f"assignments,{_ACTIONS}"},
        read=with_detail,
        has_scheduled_actions=True,
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="linux_compliance",
        label="Linux compliance policy",
        label_plural="Linux compliance policies",
        list_path="/beta/deviceManagement/compliancePolicies",
        list_params=_ASSIGNMENTS,
        detail_params={"$expand": f"assignments,{_ACTIONS}"},
        name_field="name",
        read=with_settings,
        noise=Noise(strip=("settingCount", "creationSource")),
        restore=Restore.PREVIEW_ONLY,
    ),
    PolicyKind(
        key="named_location",
        label="Named location",
        label_plural="Named locations",
        list_path="/v1.0/identity/conditionalAccess/namedLocations",
        noise=Noise(unordered_ids=True),
        restore=Restore.FULL,
    ),
    PolicyKind(
        key="conditional_access",
        label="Conditional access policy",
        label_plural="Conditional access policies",
        list_path="/v1.0/identity/conditionalAccess/policies",
        noise=Noise(strip=("templateId",), unordered_ids=True),
        restore=Restore.FULL,
        depends_on=("named_location",),
    ),
    PolicyKind(
        key="app_protection",
        label="App protection policy",
        label_plural="App protection policies",
        list_path=f"{_APPS}/managedAppPolicies",
        detail_params={"$expand": "apps,assignments"},
        read=with_detail,
        collections={
            "#microsoft.graph.iosManagedAppProtection": f"{_APPS}/iosManagedAppProtections",
            "#microsoft.graph.androidManagedAppProtection": f"{_APPS}/androidManagedAppProtections",
            "#microsoft.graph.windowsManagedAppProtection": f"{_APPS}/windowsManagedAppProtections",
            "#microsoft.graph.mdmWindowsInformationProtectionPolicy": (
                f"{_APPS}/mdmWindowsInformationProtectionPolicies"
            ),
        },
        noise=Noise(strip=("deployedAppCount",), strip_within=("version",)),
        restore=Restore.PREVIEW_ONLY,
    ),
    PolicyKind(
        key="groups",
        label="Group",
        label_plural="Groups",
        list_path="/v1.0/groups",
        list_params={
            "$select": "id,displayName,description,groupTypes,securityEnabled,mailEnabled,"
            "membershipRule,membershipRuleProcessingState,onPremisesSyncEnabled,isAssignableToRole",
            "$top": "999",
        },
    ),
    PolicyKind(
        key="role_definitions",
        label="Directory role",
        label_plural="Directory roles",
        list_path="/v1.0/roleManagement/directory/roleDefinitions",
    ),
    PolicyKind(
        key="assignment_filters",
        label="Assignment filter",
        label_plural="Assignment filters",
        list_path="/beta/deviceManagement/assignmentFilters",
    ),
    PolicyKind(
        key="scope_tags",
        label="Scope tag",
        label_plural="Scope tags",
        list_path="/beta/deviceManagement/roleScopeTags",
    ),
)

#: Every kind by its key; kinds that others refer to come first.
KIND: dict[str, PolicyKind] = {kind.key: kind for kind in _KINDS}

_REFERENCES = frozenset({"groups", "role_definitions", "assignment_filters", "scope_tags"})

#: The kinds of policy, which backups contain.
KINDS: dict[str, PolicyKind] = {k: v for k, v in KIND.items() if k not in _REFERENCES}
#: The kinds that are read only to resolve ids to names.
REFERENCE_KINDS: dict[str, PolicyKind] = {k: v for k, v in KIND.items() if k in _REFERENCES}
