"""Seeds device configuration profiles."""

from __future__ import annotations

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import vocabulary
from dev.graph_sandbox.seed.draw import Draw, cycle_names
from dev.graph_sandbox.seed.registry import seeds


@seeds("device_configuration", count=15)
def device_configuration(draw: Draw, number: int) -> Json:
    name, (odata_type,) = cycle_names(vocabulary.DEVICE_CONFIGURATIONS, number)
    policy_id = draw.new_id()
    return {
        "@odata.type": f"#microsoft.graph.{odata_type}",
        "id": policy_id,
        **draw.times(),
        "roleScopeTagIds": ["0"],
        "supportsScopeTags": True,
        "deviceManagementApplicabilityRuleOsEdition": None,
        "deviceManagementApplicabilityRuleOsVersion": None,
        "deviceManagementApplicabilityRuleDeviceMode": None,
        "displayName": name,
        "description": f"{name}, maintained by the endpoint team.",
        "version": draw.rng.randint(1, 30),
        **_details(draw, odata_type),
        "assignments": draw.assignments(policy_id),
    }


def _details(draw: Draw, odata_type: str) -> Json:
    if "Wi" in odata_type and "Fi" in odata_type.replace("fi", "Fi"):
        return {
            "networkName": "Corporate",
            "ssid": "corp-wifi",
            "connectAutomatically": True,
            "connectWhenNetworkNameIsHidden": False,
        }
    if odata_type == "windowsUpdateForBusinessConfiguration":
        return {
            "qualityUpdatesDeferralPeriodInDays": draw.rng.randint(0, 10),
            "featureUpdatesDeferralPeriodInDays": draw.rng.choice((0, 30, 60)),
            "qualityUpdatesPaused": False,
            "featureUpdatesPaused": False,
            "qualityUpdatesWillBeRolledBack": None,
            "featureUpdatesWillBeRolledBack": None,
            "qualityUpdatesPauseStartDate": None,
            "businessReadyUpdatesOnly": "userDefined",
            "automaticUpdateMode": "autoInstallAtMaintenanceTime",
        }
    if odata_type == "windows10CustomConfiguration":
        return {"omaSettings": [_oma_setting(draw, number) for number in range(3)]}
    return {"enabled": True, "timeoutInMinutes": draw.rng.randint(5, 60)}


def _oma_setting(draw: Draw, number: int) -> Json:
    return {
        "@odata.type": "#microsoft.graph.omaSettingString",
        "displayName": f"Language pack {number + 1}",
        "description": None,
        "omaUri": f"./Device/Vendor/MSFT/Policy/Config/LanguagePack/Option{number + 1}",
        "value": "****" if number == 2 else vocabulary.COUNTRIES[number].lower(),
        "isEncrypted": number == 2,
        "secretReferenceValueId": draw.new_id() if number == 2 else None,
    }
