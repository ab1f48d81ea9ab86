"""A tenant that looks like one, the same each time for the same seed."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from dev.graph_sandbox import vocabulary as words
from dev.graph_sandbox.messages import Json

DEFAULT_SIZES = {
    "settings_catalog": 34,
    "device_configuration": 15,
    "compliance": 7,
    "linux_compliance": 1,
    "conditional_access": 14,
    "named_location": 5,
    "app_protection": 4,
    "groups": 1200,
    "role_definitions": 24,
    "assignment_filters": 4,
    "scope_tags": 3,
}
#: How many settings the first policies have; the rest have between 3 and 24.
LARGE_POLICIES = (118, 74, 61, 45, 33, 29, 26)
PLATFORMS = {"ios": "iOS", "android": "Android"}
STRENGTH = "00000000-0000-0000-0000-000000000004"


def seed_tenant(
    tenant_id: str, name: str, seed: str, sizes: Mapping[str, int]
) -> dict[str, list[Json]]:
    """The objects of a tenant by kind; `sizes` gives the number of some kinds."""
    unknown = set(sizes) - set(DEFAULT_SIZES)
    if unknown:
        raise KeyError(f"no kind {', '.join(sorted(unknown))}")
    return _Seeder(tenant_id, name, seed, {**DEFAULT_SIZES, **sizes}).everything()


class _Seeder:
    """Each kind draws from a generator of its own, so that sizes do not change each other."""

    def __init__(self, tenant_id: str, name: str, seed: str, sizes: Mapping[str, int]) -> None:
        self._tenant_id, self._name, self._seed, self._sizes = tenant_id, name, seed, sizes
        self._rng = random.Random(seed)  # noqa: S311 - nothing here is secret
        self._groups: list[Json] = []
        self._filters: list[Json] = []
        self._locations: list[Json] = []

    def everything(self) -> dict[str, list[Json]]:
        found = {"organization": [self._organization()]}
        # What others refer to comes first.
        for kind, make in self._makers().items():
            self._rng = random.Random(f"{self._seed}/{kind}")  # noqa: S311
            found[kind] = [make(number) for number in range(self._sizes[kind])]
            self._remember(kind, found[kind])
        return found

    def _makers(self) -> dict[str, Callable[[int], Json]]:
        return {
            "groups": self._group,
            "assignment_filters": self._filter,
            "scope_tags": self._scope_tag,
            "role_definitions": self._role,
            "named_location": self._location,
            "conditional_access": self._conditional_access,
            "settings_catalog": self._settings_policy,
            "device_configuration": self._device_configuration,
            "compliance": self._compliance,
            "linux_compliance": self._linux_compliance,
            "app_protection": self._app_protection,
        }

    def _remember(self, kind: str, made: list[Json]) -> None:
        if kind == "groups":
            self._groups = made
        if kind == "assignment_filters":
            self._filters = made
        if kind == "named_location":
            self._locations = made

    # --- Small parts ------------------------------------------------------------------------

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _times(self, modified: str = "lastModifiedDateTime") -> Json:
        created = dt.datetime(2023, 2, 1, tzinfo=dt.UTC) + dt.timedelta(
            seconds=self._rng.randrange(80_000_000)
        )
        changed = created + dt.timedelta(seconds=self._rng.randrange(1, 20_000_000))
        return {
            "createdDateTime": f"{created:%Y-%m-%dT%H:%M:%S.%f}0Z",
            modified: f"{changed:%Y-%m-%dT%H:%M:%S.%f}0Z",
        }

    def _named(self, names: tuple[Any, ...], number: int) -> tuple[str, Any]:
        """A name from the list; past its end, again with a ring."""
        name, *rest = names[number % len(names)]
        ring = number // len(names)
        return (f"{name} - Ring {ring}" if ring else name), rest

    def _group_id(self) -> str:
        return str(self._rng.choice(self._groups)["id"]) if self._groups else self._id()

    def _assignments(self, policy_id: str) -> list[Json]:
        shape = self._rng.random()
        if shape < 0.1:
            return []
        targets = [self._include(shape)]
        if shape > 0.5:
            targets.append(_target("exclusionGroupAssignmentTarget", groupId=self._group_id()))
        return [
            {
                "id": f"{policy_id}_{target.get('groupId', self._id())}",
                "source": "direct",
                "sourceId": policy_id,
                "target": target,
            }
            for target in targets
        ]

    def _include(self, shape: float) -> Json:
        extra: Json = {}
        if self._filters and shape < 0.3:
            extra["deviceAndAppManagementAssignmentFilterId"] = self._rng.choice(self._filters)[
                "id"
            ]
            extra["deviceAndAppManagementAssignmentFilterType"] = "include"
        if shape < 0.25:
            return _target("allDevicesAssignmentTarget", **extra)
        if shape < 0.4:
            return _target("allLicensedUsersAssignmentTarget", **extra)
        return _target("groupAssignmentTarget", groupId=self._group_id(), **extra)

    # --- Directory --------------------------------------------------------------------------

    def _organization(self) -> Json:
        domain = "".join(char for char in self._name.lower() if char.isalnum()) or "tenant"
        return {
            "id": self._tenant_id,
            "displayName": self._name,
            "verifiedDomains": [
                {"name": f"{domain}.onmicrosoft.com", "isInitial": True, "isDefault": False},
                {"name": f"{domain}.example", "isInitial": False, "isDefault": True},
            ],
        }

    def _group(self, number: int) -> Json:
        place = words.PLACES[number % len(words.PLACES)]
        department = words.DEPARTMENTS[number // len(words.PLACES) % len(words.DEPARTMENTS)]
        purpose = words.PURPOSES[
            number // (len(words.PLACES) * len(words.DEPARTMENTS)) % len(words.PURPOSES)
        ]
        dynamic = self._rng.random() < 0.3
        rule = f'(user.department -eq "{department}") and (user.city -eq "{place}")'
        return {
            "id": self._id(),
            "displayName": f"{department} {place} - {purpose}",
            "description": f"{purpose} of {department}, {place}",
            "groupTypes": ["DynamicMembership"] if dynamic else [],
            "securityEnabled": True,
            "mailEnabled": False,
            "mailNickname": f"g{number:05d}",
            "membershipRule": rule if dynamic else None,
            "membershipRuleProcessingState": "On" if dynamic else None,
            "onPremisesSyncEnabled": True if self._rng.random() < 0.2 else None,
            "isAssignableToRole": None,
            "createdDateTime": self._times()["createdDateTime"],
        }

    def _role(self, number: int) -> Json:
        built_in = number < len(words.ROLES)
        role_id, name = (
            words.ROLES[number] if built_in else (self._id(), f"Custom helpdesk role {number}")
        )
        actions = [f"microsoft.directory/{part}/standard/read" for part in ("users", "groups")]
        return {
            "id": role_id,
            "displayName": name,
            "description": f"Can do what a {name} does.",
            "isBuiltIn": built_in,
            "isEnabled": True,
            "templateId": role_id,
            "version": "1",
            "resourceScopes": ["/"],
            "rolePermissions": [{"allowedResourceActions": actions, "condition": None}],
        }

    def _filter(self, number: int) -> Json:
        name, (platform, rule) = self._named(words.FILTERS, number)
        return {
            "id": self._id(),
            "displayName": name,
            "description": "",
            "platform": platform,
            "rule": rule,
            "roleScopeTags": ["0"],
            **self._times("lastModifiedDateTime"),
        }

    def _scope_tag(self, number: int) -> Json:
        name = "Default" if number == 0 else f"Region {words.PLACES[number]}"
        return {
            "id": str(number),
            "displayName": name,
            "description": "",
            "isBuiltIn": number == 0,
        }

    # --- Conditional access -----------------------------------------------------------------

    def _location(self, number: int) -> Json:
        name, (network,) = self._named(words.LOCATIONS, number)
        common = {"id": self._id(), "displayName": name, **self._times("modifiedDateTime")}
        if not network:
            countries = self._rng.sample(words.COUNTRIES, 5)
            return {
                "@odata.type": "#microsoft.graph.countryNamedLocation",
                **common,
                "countriesAndRegions": sorted(countries),
                "includeUnknownCountriesAndRegions": False,
                "countryLookupMethod": "clientIpAddress",
            }
        ranges = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": network}]
        return {
            "@odata.type": "#microsoft.graph.ipNamedLocation",
            **common,
            "isTrusted": number < 2,
            "ipRanges": ranges,
        }

    def _conditional_access(self, number: int) -> Json:
        name, (control, application) = self._named(words.CONDITIONAL_ACCESS, number)
        admins = "Admins" in name
        return {
            "id": self._id(),
            "templateId": None,
            "displayName": name,
            **self._times("modifiedDateTime"),
            "state": self._rng.choice(
                ("enabled", "enabled", "enabled", "enabledForReportingButNotEnforced", "disabled")
            ),
            "conditions": {
                "userRiskLevels": [],
                "signInRiskLevels": ["high"] if "High risk" in name else [],
                "clientAppTypes": ["exchangeActiveSync", "other"] if "legacy" in name else ["all"],
                "platforms": None,
                "locations": self._locations_condition(control),
                "devices": None,
                "applications": {
                    "includeApplications": [application],
                    "excludeApplications": [],
                    "includeUserActions": [],
                },
                "users": {
                    "includeUsers": [] if admins else ["All"],
                    "excludeUsers": [],
                    "includeGroups": [],
                    "excludeGroups": sorted({self._group_id(), self._group_id()}),
                    "includeRoles": [role for role, _ in words.ROLES[:6]] if admins else [],
                    "excludeRoles": [],
                },
            },
            "grantControls": _grant(control),
            "sessionControls": _session(control),
        }

    def _locations_condition(self, control: str) -> Json | None:
        if control != "location" or not self._locations:
            return None
        chosen = self._rng.choice(self._locations)["id"]
        return {"includeLocations": ["All"], "excludeLocations": [chosen]}

    # --- Intune -----------------------------------------------------------------------------

    def _settings_policy(self, number: int) -> Json:
        name, (area,) = self._named(words.SETTINGS_POLICIES, number)
        count = LARGE_POLICIES[number] if number < len(LARGE_POLICIES) else self._rng.randint(3, 24)
        policy_id = self._id()
        apple = area in ("filevault", "macos", "ios")
        return {
            "id": policy_id,
            "name": name,
            "description": f"Set by the {self._name} endpoint team.",
            "platforms": _platform(area),
            "technologies": "mdm,appleRemoteManagement" if apple else "mdm",
            "roleScopeTagIds": ["0"],
            "creationSource": None,
            "priorityMetaData": None,
            "templateReference": {
                "templateId": "",
                "templateFamily": "none",
                "templateDisplayName": None,
                "templateDisplayVersion": None,
            },
            **self._times(),
            "settings": self._settings(area, count),
            "assignments": self._assignments(policy_id),
        }

    def _settings(self, area: str, count: int) -> list[Json]:
        """Settings of the area first, then of others until there are enough."""
        names = [(area, name) for name in words.AREAS[area]]
        others = [(a, name) for a, many in words.AREAS.items() if a != area for name in many]
        chosen = (names + self._rng.sample(others, len(others)))[:count]
        chosen += [(area, f"option{number}") for number in range(len(chosen), count)]
        return [self._setting(n, a, name) for n, (a, name) in enumerate(chosen)]

    def _setting(self, number: int, area: str, name: str) -> Json:
        definition = f"device_vendor_msft_policy_config_{area}_{name}"
        kind, value = self._value(definition)
        instance = {
            "@odata.type": f"#microsoft.graph.deviceManagementConfiguration{kind}",
            "settingDefinitionId": definition,
            "settingInstanceTemplateReference": None,
            **value,
        }
        return {
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
            "id": str(number),
            "settingInstance": instance,
        }

    def _value(self, definition: str) -> tuple[str, Json]:
        shape, prefix = self._rng.random(), "#microsoft.graph.deviceManagementConfiguration"
        no_template = {"settingValueTemplateReference": None}
        if shape < 0.7:
            value = f"{definition}_{self._rng.randint(0, 3)}"
            choice: Json = {**no_template, "value": value, "children": []}
            return "ChoiceSettingInstance", {"choiceSettingValue": choice}
        integer = {
            "@odata.type": f"{prefix}IntegerSettingValue",
            **no_template,
            "value": self._rng.randint(1, 60),
        }
        if shape < 0.9:
            return "SimpleSettingInstance", {"simpleSettingValue": integer}
        texts = [
            {
                "@odata.type": f"{prefix}StringSettingValue",
                **no_template,
                "value": f"https://{place.lower()}.example",
            }
            for place in self._rng.sample(words.PLACES, 2)
        ]
        return "SimpleSettingCollectionInstance", {"simpleSettingCollectionValue": texts}

    def _device_configuration(self, number: int) -> Json:
        name, (odata_type,) = self._named(words.DEVICE_CONFIGURATIONS, number)
        policy_id = self._id()
        return {
            "@odata.type": f"#microsoft.graph.{odata_type}",
            "id": policy_id,
            **self._times(),
            "roleScopeTagIds": ["0"],
            "supportsScopeTags": True,
            "deviceManagementApplicabilityRuleOsEdition": None,
            "deviceManagementApplicabilityRuleOsVersion": None,
            "deviceManagementApplicabilityRuleDeviceMode": None,
            "displayName": name,
            "description": f"{name}, maintained by the endpoint team.",
            "version": self._rng.randint(1, 30),
            **self._details(odata_type),
            "assignments": self._assignments(policy_id),
        }

    def _details(self, odata_type: str) -> Json:
        if "Wi" in odata_type and "Fi" in odata_type.replace("fi", "Fi"):
            return {
                "networkName": "Corporate",
                "ssid": "corp-wifi",
                "connectAutomatically": True,
                "connectWhenNetworkNameIsHidden": False,
            }
        if odata_type == "windowsUpdateForBusinessConfiguration":
            return {
                "qualityUpdatesDeferralPeriodInDays": self._rng.randint(0, 10),
                "featureUpdatesDeferralPeriodInDays": self._rng.choice((0, 30, 60)),
                "qualityUpdatesPaused": False,
                "featureUpdatesPaused": False,
                "qualityUpdatesWillBeRolledBack": None,
                "featureUpdatesWillBeRolledBack": None,
                "qualityUpdatesPauseStartDate": None,
                "businessReadyUpdatesOnly": "userDefined",
                "automaticUpdateMode": "autoInstallAtMaintenanceTime",
            }
        if odata_type == "windows10CustomConfiguration":
            return {"omaSettings": [self._oma(number) for number in range(3)]}
        return {"enabled": True, "timeoutInMinutes": self._rng.randint(5, 60)}

    def _oma(self, number: int) -> Json:
        return {
            "@odata.type": "#microsoft.graph.omaSettingString",
            "displayName": f"Language pack {number + 1}",
            "description": None,
            "omaUri": f"./Device/Vendor/MSFT/Policy/Config/LanguagePack/Option{number + 1}",
            "value": "****" if number == 2 else words.COUNTRIES[number].lower(),
            "isEncrypted": number == 2,
            "secretReferenceValueId": self._id() if number == 2 else None,
        }

    def _compliance(self, number: int) -> Json:
        name, (odata_type,) = self._named(words.COMPLIANCE, number)
        policy_id = self._id()
        return {
            "@odata.type": f"#microsoft.graph.{odata_type}",
            "id": policy_id,
            **self._times(),
            "roleScopeTagIds": ["0"],
            "displayName": name,
            "description": None,
            "version": self._rng.randint(1, 12),
            "passwordRequired": True,
            "passwordMinimumLength": self._rng.choice((6, 8, 12)),
            "passwordMinutesOfInactivityBeforeLock": self._rng.choice((5, 10, 15)),
            "osMinimumVersion": f"{self._rng.randint(10, 18)}.{self._rng.randint(0, 6)}",
            "storageRequireEncryption": True,
            "securityBlockJailbrokenDevices": True,
            "scheduledActionsForRule": [self._actions()],
            "assignments": self._assignments(policy_id),
        }

    def _actions(self) -> Json:
        steps = (("block", 0), ("retire", self._rng.choice((720, 1080))))
        return {
            "id": self._id(),
            "ruleName": None,
            "scheduledActionConfigurations": [
                {
                    "id": self._id(),
                    "actionType": action,
                    "gracePeriodHours": hours,
                    "notificationTemplateId": "00000000-0000-0000-0000-000000000000",
                    "notificationMessageCCList": [],
                }
                for action, hours in steps
            ],
        }

    def _linux_compliance(self, number: int) -> Json:
        policy_id = self._id()
        names = ("linux_deviceencryption_required", "linux_passwordpolicy_minimumlength")
        settings = [self._setting(place, "linux", name) for place, name in enumerate(names)]
        return {
            "id": policy_id,
            "name": "Linux - Compliance - Baseline" + (f" {number + 1}" if number else ""),
            "description": "",
            "platforms": "linux",
            "technologies": "linuxMdm",
            "roleScopeTagIds": ["0"],
            "creationSource": None,
            **self._times(),
            "settings": settings,
            "scheduledActionsForRule": [self._actions()],
            "assignments": self._assignments(policy_id),
        }

    def _app_protection(self, number: int) -> Json:
        policy_id = self._id()
        if number % 4 == 3:
            return self._app_configuration(policy_id)
        platform = ("ios", "android")[number % 2]
        level = number // 2 + 1
        apps = words.APPS[platform]
        return {
            "@odata.type": f"#microsoft.graph.{platform}ManagedAppProtection",
            "id": policy_id,
            "displayName": f"{PLATFORMS[platform]} - App protection - Level {level}",
            "description": "",
            **self._times(),
            "roleScopeTagIds": ["0"],
            "version": f'"{self._rng.getrandbits(32):08x}"',
            "periodOfflineBeforeAccessCheck": "PT12H",
            "periodOnlineBeforeAccessCheck": "PT30M",
            "allowedInboundDataTransferSources": "managedApps",
            "allowedOutboundDataTransferDestinations": "managedApps",
            "pinRequired": True,
            "minimumPinLength": self._rng.choice((4, 6)),
            "maximumPinRetries": 5,
            "dataBackupBlocked": True,
            "isAssigned": True,
            "deployedAppCount": len(apps),
            "apps": [self._app(platform, app) for app in apps],
            "assignments": self._assignments(policy_id),
        }

    def _app(self, platform: str, app: str) -> Json:
        key = "bundleId" if platform == "ios" else "packageId"
        return {
            "id": f"{app}.{platform}",
            "version": str(self._rng.randrange(10**9)),
            "mobileAppIdentifier": {
                "@odata.type": f"#microsoft.graph.{platform}MobileAppIdentifier",
                key: app,
            },
        }

    def _app_configuration(self, policy_id: str) -> Json:
        """Listed among the app protection policies, but none."""
        return {
            "@odata.type": "#microsoft.graph.targetedManagedAppConfiguration",
            "id": policy_id,
            "displayName": "Outlook - Configuration",
            "description": "",
            **self._times(),
            "version": '"1"',
            "customSettings": [
                {"name": "com.microsoft.outlook.Mail.FocusedInbox", "value": "true"}
            ],
            "assignments": [],
            "apps": [],
        }


def _target(kind: str, **more: object) -> Json:
    return {
        "@odata.type": f"#microsoft.graph.{kind}",
        "deviceAndAppManagementAssignmentFilterId": None,
        "deviceAndAppManagementAssignmentFilterType": "none",
        **more,
    }


def _platform(area: str) -> str:
    apple = {"filevault": "macOS", "macos": "macOS", "ios": "iOS", "android": "android"}
    return apple.get(area, "windows10")


def _grant(control: str) -> Json | None:
    if control == "session":
        return None
    built_in = {
        "mfa": ["mfa"],
        "register": ["mfa"],
        "block": ["block"],
        "location": ["block"],
        "device": ["compliantDevice", "compliantApplication"],
        "strength": [],
    }
    strength = {"id": STRENGTH, "displayName": "Phishing-resistant MFA", "policyType": "builtIn"}
    return {
        "operator": "OR",
        "builtInControls": built_in[control],
        "customAuthenticationFactors": [],
        "termsOfUse": [],
        "authenticationStrength": strength if control == "strength" else None,
    }


def _session(control: str) -> Json | None:
    if control != "session":
        return None
    return {
        "disableResilienceDefaults": None,
        "applicationEnforcedRestrictions": None,
        "cloudAppSecurity": None,
        "persistentBrowser": None,
        "signInFrequency": {
            "value": 4,
            "type": "hours",
            "authenticationType": "primaryAndSecondaryAuthentication",
            "frequencyInterval": "timeBased",
            "isEnabled": True,
        },
    }
