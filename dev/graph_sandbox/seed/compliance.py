"""Seeds compliance policies, those for Linux included."""

from __future__ import annotations

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import vocabulary
from dev.graph_sandbox.seed.draw import Draw, cycle_names
from dev.graph_sandbox.seed.registry import seeds
from dev.graph_sandbox.seed.settings_catalog import setting


@seeds("compliance", count=7)
def compliance_policy(draw: Draw, number: int) -> Json:
    name, (odata_type,) = cycle_names(vocabulary.COMPLIANCE, number)
    policy_id = draw.new_id()
    return {
        "@odata.type": f"#microsoft.graph.{odata_type}",
        "id": policy_id,
        **draw.times(),
        "roleScopeTagIds": ["0"],
        "displayName": name,
        "description": None,
        "version": draw.rng.randint(1, 12),
        "passwordRequired": True,
        "passwordMinimumLength": draw.rng.choice((6, 8, 12)),
        "passwordMinutesOfInactivityBeforeLock": draw.rng.choice((5, 10, 15)),
        "osMinimumVersion": f"{draw.rng.randint(10, 18)}.{draw.rng.randint(0, 6)}",
        "storageRequireEncryption": True,
        "securityBlockJailbrokenDevices": True,
        "scheduledActionsForRule": [_scheduled_actions(draw)],
        "assignments": draw.assignments(policy_id),
    }


@seeds("linux_compliance", count=1)
def linux_compliance_policy(draw: Draw, number: int) -> Json:
    policy_id = draw.new_id()
    names = ("linux_deviceencryption_required", "linux_passwordpolicy_minimumlength")
    settings = [setting(draw, place, "linux", name) for place, name in enumerate(names)]
    return {
        "id": policy_id,
        "name": "Linux - Compliance - Baseline" + (f" {number + 1}" if number else ""),
        "description": "",
        "platforms": "linux",
        "technologies": "linuxMdm",
        "roleScopeTagIds": ["0"],
        "creationSource": None,
        **draw.times(),
        "settings": settings,
        "scheduledActionsForRule": [_scheduled_actions(draw)],
        "assignments": draw.assignments(policy_id),
    }


def _scheduled_actions(draw: Draw) -> Json:
    steps = (("block", 0), ("retire", draw.rng.choice((720, 1080))))
    return {
        "id": draw.new_id(),
        "ruleName": None,
        "scheduledActionConfigurations": [
            {
                "id": draw.new_id(),
                "actionType": action,
                "gracePeriodHours": hours,
                "notificationTemplateId": "00000000-0000-0000-0000-000000000000",
                "notificationMessageCCList": [],
            }
            for action, hours in steps
        ],
    }
