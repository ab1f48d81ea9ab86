"""Contents as tables that people can read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.readable import Row, Value, assignments_of, ids_in, names_in, settings_of
from dev.graph_sandbox.seed.tenant import seed_tenant
from providers.graph.kinds import KINDS

GROUP, FILTER = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
NAMES = {GROUP: "Sales", FILTER: "Corporate devices", "0": "Default"}
DEFINITION = "device_vendor_msft_policy_config_bitlocker_requireencryption"


def rows_of(kind: str, payload: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    rows = settings_of(KINDS[kind], payload, NAMES)
    return {row.label: tuple(value.text for value in row.values) for row in rows}


def test_a_number_is_not_the_name_of_the_scope_tag_with_that_id() -> None:
    rows = rows_of("compliance", {"roleScopeTagIds": ["0"], "gracePeriodHours": 0, "minimum": "0"})

    assert rows == {"Scope tags": ("Default",), "Grace period hours": ("0",), "Minimum": ("0",)}


def test_a_choice_of_the_settings_catalog_has_the_words_of_its_ids() -> None:
    instance = {
        "settingDefinitionId": DEFINITION,
        "choiceSettingValue": {"value": f"{DEFINITION}_1", "children": []},
    }

    (row,) = settings_of(
        KINDS["settings_catalog"], {"settings": [{"settingInstance": instance}]}, {}
    )

    assert row == Row("Bitlocker / requireencryption", DEFINITION, [Value("1")])


def test_a_setting_has_the_names_of_its_definition_if_the_content_has_it() -> None:
    setting = {
        "settingInstance": {
            "settingDefinitionId": DEFINITION,
            "choiceSettingValue": {
                "value": f"{DEFINITION}_1",
                "children": [
                    {"settingDefinitionId": "child", "simpleSettingValue": {"value": 12}},
                    {
                        "settingDefinitionId": "child_list",
                        "simpleSettingCollectionValue": [{"value": "a"}, {"value": "b"}],
                    },
                ],
            },
        },
        "settingDefinitions": [
            {
                "id": DEFINITION,
                "displayName": "Require device encryption",
                "options": [{"itemId": f"{DEFINITION}_1", "displayName": "Enabled"}],
            }
        ],
    }

    rows = settings_of(KINDS["settings_catalog"], {"settings": [setting]}, {})

    assert [(row.label, row.depth, [value.text for value in row.values]) for row in rows] == [
        ("Require device encryption", 0, ["Enabled"]),
        ("Child", 1, ["12"]),
        ("Child / list", 1, ["a", "b"]),
    ]


def test_the_settings_of_a_group_are_indented_below_it() -> None:
    instance = {
        "settingDefinitionId": "rules",
        "groupSettingCollectionValue": [
            {"children": [{"settingDefinitionId": "port", "simpleSettingValue": {"value": port}}]}
            for port in (80, 443)
        ],
    }

    rows = settings_of(KINDS["settings_catalog"], {"settings": [{"settingInstance": instance}]}, {})

    assert [(row.label, row.depth, row.values) for row in rows] == [
        ("Rules", 0, []), ("Port", 1, [Value("80")]), ("Port", 1, [Value("443")]),
    ]  # fmt: skip


def test_a_conditional_access_policy_has_a_row_for_each_condition_that_is_set() -> None:
    payload = {
        "id": "x",
        "displayName": "MFA",
        "state": "enabled",
        "conditions": {
            "users": {"includeUsers": ["All"], "excludeGroups": [GROUP]},
            "devices": None,
        },
        "grantControls": {"operator": "OR", "builtInControls": []},
    }

    assert rows_of("conditional_access", payload) == {
        "Conditions / Users / Exclude groups": ("Sales",),
        "Conditions / Users / Include users": ("All",),
        "Display name": ("MFA",),
        "Grant controls / Operator": ("OR",),
        "State": ("enabled",),
    }


def test_assignments_name_their_groups_and_filters() -> None:
    kind = "#microsoft.graph.{}AssignmentTarget"
    payload = {
        "assignments": [
            {
                "target": {
                    "@odata.type": kind.format("group"),
                    "groupId": GROUP,
                    "deviceAndAppManagementAssignmentFilterId": FILTER,
                    "deviceAndAppManagementAssignmentFilterType": "include",
                }
            },
            {"target": {"@odata.type": kind.format("exclusionGroup"), "groupId": "unknown"}},
            {"target": {"@odata.type": kind.format("allDevices")}},
        ]
    }

    rows = assignments_of(payload, NAMES)

    assert [(row.label, row.values) for row in rows] == [
        ("Include", [Value("Sales", GROUP), Value("Filter (include): Corporate devices", FILTER)]),
        ("Exclude", [Value("unknown")]),
        ("Include", [Value("All devices")]),
    ]


def test_scope_tags_are_named_and_other_texts_with_the_same_value_are_not() -> None:
    rows = rows_of("compliance", {"roleScopeTagIds": ["0"], "osMinimumVersion": "0"})

    assert rows["Scope tags"] == ("Default",)


def test_ids_are_found_at_any_depth_and_in_paths() -> None:
    payload = {"a": [{"b": GROUP}], "roleScopeTagIds": ["0", 7], "c": f"x {FILTER}"}

    assert ids_in(payload) == {GROUP, FILTER, "0"}
    assert names_in(f"assignments[group {GROUP}] {GROUP}", NAMES) == [Value("Sales", GROUP)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_seeded_policy_has_rows(kind: str) -> None:
    tenant_id = "aaaaaaaa-2222-4333-8444-555555555555"
    policies = seed_tenant(tenant_id, "Fabrikam", tenant_id, {})[kind]

    assert policies
    for policy in policies:
        rows = settings_of(KINDS[kind], policy, NAMES)
        assert rows
        assert all(row.label for row in rows)


KEYS = (
    *("settings", "settingInstance", "settingDefinitions", "children", "choiceSettingValue"),
    *("value", "options", "assignments", "target", "groupId", "roleScopeTagIds", "other"),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda entries: (
        st.lists(entries, max_size=3) | st.dictionaries(st.sampled_from(KEYS), entries, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(["settings", "assignments", "roleScopeTagIds"]), _JSON))
def test_no_content_breaks_the_tables(payload: dict[str, Any]) -> None:
    settings_of(KINDS["settings_catalog"], payload, NAMES)
    assignments_of(payload, NAMES)
    ids_in(payload)
