"""Seeds settings catalog policies."""

from __future__ import annotations

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import vocabulary
from dev.graph_sandbox.seed.draw import Draw, cycle_names
from dev.graph_sandbox.seed.registry import seeds

#: How many settings the first policies have; the rest have between 3 and 24.
LARGE_POLICIES = (118, 74, 61, 45, 33, 29, 26)
#: The platform of an area; the others belong to Windows.
_PLATFORMS = {"filevault": "macOS", "macos": "macOS", "ios": "iOS", "android": "android"}


@seeds("settings_catalog", count=34)
def settings_policy(draw: Draw, number: int) -> Json:
    name, (area,) = cycle_names(vocabulary.SETTINGS_POLICIES, number)
    count = LARGE_POLICIES[number] if number < len(LARGE_POLICIES) else draw.rng.randint(3, 24)
    policy_id = draw.new_id()
    apple = area in ("filevault", "macos", "ios")
    return {
        "id": policy_id,
        "name": name,
        "description": f"Set by the {draw.tenant_name} endpoint team.",
        "platforms": _PLATFORMS.get(area, "windows10"),
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
        **draw.times(),
        "settings": _settings(draw, area, count),
        "assignments": draw.assignments(policy_id),
    }


def _settings(draw: Draw, area: str, count: int) -> list[Json]:
    """Return `count` settings: those of the area first, then those of other areas."""
    own = [(area, name) for name in vocabulary.AREAS[area]]
    others = [(key, name) for key, name in vocabulary.SETTINGS if key != area]
    chosen = (own + draw.rng.sample(others, len(others)))[:count]
    chosen += [(area, f"option{number}") for number in range(len(chosen), count)]
    return [setting(draw, position, *names) for position, names in enumerate(chosen)]


def setting(draw: Draw, number: int, area: str, name: str) -> Json:
    """Return one setting with a random value; `number` is its position in the policy."""
    definition = f"device_vendor_msft_policy_config_{area}_{name}"
    kind, value = _value(draw, definition)
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


def _value(draw: Draw, definition: str) -> tuple[str, Json]:
    shape, prefix = draw.rng.random(), "#microsoft.graph.deviceManagementConfiguration"
    no_template = {"settingValueTemplateReference": None}
    if shape < 0.7:
        value = f"{definition}_{draw.rng.randint(0, 3)}"
        choice: Json = {**no_template, "value": value, "children": []}
        return "ChoiceSettingInstance", {"choiceSettingValue": choice}
    integer = {
        "@odata.type": f"{prefix}IntegerSettingValue",
        **no_template,
        "value": draw.rng.randint(1, 60),
    }
    if shape < 0.9:
        return "SimpleSettingInstance", {"simpleSettingValue": integer}
    texts = [
        {
            "@odata.type": f"{prefix}StringSettingValue",
            **no_template,
            "value": f"https://{place.lower()}.example",
        }
        for place in draw.rng.sample(vocabulary.PLACES, 2)
    ]
    return "SimpleSettingCollectionInstance", {"simpleSettingCollectionValue": texts}
