"""A large policy of the settings catalog, with its definitions, as Graph returns it."""

from __future__ import annotations

import json
from typing import Any

from dev.labeled.draw import Draw, guid

Json = dict[str, Any]
SIZE = 540_000
_WORDS = [
    "allow",
    "block",
    "Defender",
    "real-time",
    "monitoring",
    "cloud",
    "protection",
    "network",
    "inspection",
    "system",
    "scan",
    "archive",
    "files",
    "removable",
    "drive",
    "password",
    "complexity",
    "minimum",
    "length",
    "device",
    "lock",
    "BitLocker",
    "recovery",
    "key",
    "token",
    "secret",
    "certificate",
    "store",
    "user",
    "account",
    "control",
    "behavior",
    "administrator",
    "approval",
    "connection",
    "string",
    "credential",
    "session",
    "cookie",
    "signature",
    "authorization",
    "the",
    "of",
    "and",
    "to",
    "if",
    "you",
    "enable",
    "this",
    "policy",
    "setting;",
    "do",
    "not",
    "configure",
]
_AREAS = ("defender", "bitlocker", "devicelock", "firewall", "credentialsui", "lanmanworkstation")
_PREFIX = "#microsoft.graph.deviceManagementConfiguration"


def large_policy(rng: Draw, size: int = SIZE) -> Json:
    """Return a policy of about `size` bytes; its texts are distinct, as those of a baseline are."""
    settings: list[Json] = []
    total = 0
    while total < size:
        settings.append(_setting(rng, len(settings)))
        total += len(json.dumps(settings[-1]))
    return {
        "@odata.context": "https://graph.microsoft.com/beta/$metadata#deviceManagement/"
        "configurationPolicies/$entity",
        "id": guid(rng),
        "name": "Windows - Baseline",
        "settings": settings,
    }


def _setting(rng: Draw, number: int) -> Json:
    area = rng.choice(_AREAS)
    key = (
        f"device_vendor_msft_policy_config_{area}_{rng.choice(_WORDS)}{rng.choice(_WORDS)}_{number}"
    )
    key = key.lower()
    instance = {
        "@odata.type": f"{_PREFIX}ChoiceSettingInstance",
        "settingDefinitionId": key,
        "settingInstanceTemplateReference": None,
        "choiceSettingValue": {"value": f"{key}_1", "children": []},
    }
    definition = {
        "@odata.type": f"{_PREFIX}ChoiceSettingDefinition",
        "keywords": [_sentence(rng, 3)],
        "infoUrls": [f"https://learn.microsoft.com/windows/client-management/mdm/{area}#{key}"],
        "baseUri": "./Device/Vendor/MSFT/Policy",
        "rootDefinitionId": key,
        "categoryId": guid(rng),
        "id": key,
        "description": _sentence(rng, 70),
        "displayName": _sentence(rng, 5),
        "version": f"638{rng.randrange(10**15)}",
        "options": [
            {
                "itemId": f"{key}_{option}",
                "displayName": _sentence(rng, 3),
                "description": _sentence(rng, 30),
                "helpText": None,
            }
            for option in range(3)
        ],
    }
    return {"id": str(number), "settingInstance": instance, "settingDefinitions": [definition]}


def _sentence(rng: Draw, words: int) -> str:
    text = " ".join(rng.choice(_WORDS) for _ in range(words))
    return f"{text[0].upper()}{text[1:]}."
