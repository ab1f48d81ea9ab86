"""Seeds app protection policies."""

from __future__ import annotations

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import vocabulary
from dev.graph_sandbox.seed.draw import Draw
from dev.graph_sandbox.seed.registry import seeds

_PLATFORMS = {"ios": "iOS", "android": "Android"}


@seeds("app_protection", count=4)
def app_protection_policy(draw: Draw, number: int) -> Json:
    policy_id = draw.new_id()
    if number % 4 == 3:
        return _app_configuration(draw, policy_id)
    platform = ("ios", "android")[number % 2]
    level = number // 2 + 1
    apps = vocabulary.APPS[platform]
    return {
        "@odata.type": f"#microsoft.graph.{platform}ManagedAppProtection",
        "id": policy_id,
        "displayName": f"{_PLATFORMS[platform]} - App protection - Level {level}",
        "description": "",
        **draw.times(),
        "roleScopeTagIds": ["0"],
        "version": f'"{draw.rng.getrandbits(32):08x}"',
        "periodOfflineBeforeAccessCheck": "PT12H",
        "periodOnlineBeforeAccessCheck": "PT30M",
        "allowedInboundDataTransferSources": "managedApps",
        "allowedOutboundDataTransferDestinations": "managedApps",
        "pinRequired": True,
        "minimumPinLength": draw.rng.choice((4, 6)),
        "maximumPinRetries": 5,
        "dataBackupBlocked": True,
        "isAssigned": True,
        "deployedAppCount": len(apps),
        "apps": [_app(draw, platform, app) for app in apps],
        "assignments": draw.assignments(policy_id),
    }


def _app(draw: Draw, platform: str, app: str) -> Json:
    key = "bundleId" if platform == "ios" else "packageId"
    return {
        "id": f"{app}.{platform}",
        "version": str(draw.rng.randrange(10**9)),
        "mobileAppIdentifier": {
            "@odata.type": f"#microsoft.graph.{platform}MobileAppIdentifier",
            key: app,
        },
    }


def _app_configuration(draw: Draw, policy_id: str) -> Json:
    """Graph lists app configurations together with the app protection policies."""
    return {
        "@odata.type": "#microsoft.graph.targetedManagedAppConfiguration",
        "id": policy_id,
        "displayName": "Outlook - Configuration",
        "description": "",
        **draw.times(),
        "version": '"1"',
        "customSettings": [{"name": "com.microsoft.outlook.Mail.FocusedInbox", "value": "true"}],
        "assignments": [],
        "apps": [],
    }
