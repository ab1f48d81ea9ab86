"""Which parts of a policy are content and which are noise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.graph.kinds import KIND
from providers.graph.normalize import Noise, canonical_json, clean, content, hash_of

POLICY = {
    "@odata.context": "https://graph.microsoft.com/beta/$metadata#x",
    "@odata.type": "#microsoft.graph.windows10CompliancePolicy",
    "id": "1",
    "createdDateTime": "2024-01-01T00:00:00Z",
    "lastModifiedDateTime": "2024-01-01T00:00:00Z",
    "version": 4,
    "displayName": "Baseline",
    "displayName@odata.type": "#String",
    "#microsoft.graph.assign": {"target": "https://…"},
    "roleScopeTagIds": ["1", "0"],
    "scheduledActionsForRule": [
        {"id": "9", "scheduledActionConfigurations": [{"id": "8", "actionType": "block"}]}
    ],
}


def test_cleaning_removes_annotations_and_nothing_else():
    cleaned = clean(POLICY)

    annotations = {"@odata.context", "displayName@odata.type", "#microsoft.graph.assign"}
    assert set(POLICY) - set(cleaned) == annotations


def test_content_has_no_ids_times_or_versions_at_any_depth():
    assert content(POLICY) == {
        "@odata.type": "#microsoft.graph.windows10CompliancePolicy",
        "displayName": "Baseline",
        "roleScopeTagIds": ["0", "1"],
        "scheduledActionsForRule": [{"scheduledActionConfigurations": [{"actionType": "block"}]}],
    }


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("compliance", {"version": 1, "id": "a"}, {"version": 2, "id": "b"}),
        ("settings_catalog", {"settingCount": 1}, {}),
        (
            "settings_catalog",
            {"settings": [{"id": "0", "s": 1}, {"id": "1", "s": 2}]},
            {"settings": [{"id": "0", "s": 2}, {"id": "1", "s": 1}]},
        ),
        (
            "device_configuration",
            {
                "assignments": [
                    {"id": "x", "target": {"groupId": "b"}},
                    {"target": {"groupId": "a"}},
                ]
            },
            {
                "assignments": [
                    {"target": {"groupId": "a"}},
                    {"id": "y", "target": {"groupId": "b"}},
                ]
            },
        ),
        (
            "conditional_access",
            {"conditions": {"users": {"excludeGroups": ["b", "a"]}}},
            {"conditions": {"users": {"excludeGroups": ["a", "b"]}}, "templateId": "t"},
        ),
        (
            "conditional_access",
            {"grantControls": {"authenticationStrength": {"id": "4", "displayName": "MFA"}}},
            {"grantControls": {"authenticationStrength": {"id": "4", "modifiedDateTime": "now"}}},
        ),
        (
            "app_protection",
            {"apps": [{"id": "1", "version": "1", "mobileAppIdentifier": {"bundleId": "x"}}]},
            {"apps": [{"id": "1", "version": "2", "mobileAppIdentifier": {"bundleId": "x"}}]},
        ),
    ],
)
def test_noise_does_not_change_the_hash(kind, before, after):
    assert KIND[kind].content_hash(before) == KIND[kind].content_hash(after)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("settings_catalog", {"name": "a"}, {"name": "b"}),
        ("settings_catalog", {"settings": [{"s": 1}]}, {"settings": [{"s": 1}, {"s": 1}]}),
        (
            "settings_catalog",
            {"templateReference": {"templateId": "a"}},
            {"templateReference": {"templateId": "b"}},
        ),
        ("device_configuration", {"dnsServers": ["1", "2"]}, {"dnsServers": ["2", "1"]}),
        ("device_configuration", {"description": None}, {"description": ""}),
        ("device_configuration", {"assignments": []}, {}),
        (
            "conditional_access",
            {"grantControls": {"authenticationStrength": {"id": "4"}}},
            {"grantControls": {"authenticationStrength": {"id": "5"}}},
        ),
        (
            "conditional_access",
            {"conditions": {"users": {"excludeGroups": ["a"]}}},
            {"conditions": {"users": {"excludeGroups": []}}},
        ),
    ],
)
def test_content_changes_the_hash(kind, before, after):
    assert KIND[kind].content_hash(before) != KIND[kind].content_hash(after)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON))
def test_content_is_stable_and_does_not_change_its_input(payload):
    before = canonical_json(payload)
    once = content(payload, Noise(unordered_ids=True))

    assert content(once, Noise(unordered_ids=True)) == once
    assert canonical_json(payload) == before
    assert hash_of(content(payload)) == hash_of(content(dict(reversed(payload.items()))))


def group_setting(order: str) -> dict[str, Any]:
    children = [{"settingDefinitionId": f"child_{key}", "value": key} for key in order]
    return {"groupSettingCollectionValue": [{"children": children}]}


def test_the_order_of_the_children_of_a_settings_group_is_no_content() -> None:
    settings = [
        {"settings": [{"settingInstance": group_setting(order)}]} for order in ("abc", "cab")
    ]
    values = [{"settings": [{"settingInstance": group_setting(order)}]} for order in ("abc", "abd")]

    assert len({hash_of(content(each)) for each in settings}) == 1
    assert len({hash_of(content(each)) for each in values}) == 2
