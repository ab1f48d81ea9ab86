"""The differences between two contents of a policy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.diff import Difference, FieldChange, field_changes, shown_changes
from providers.graph.kinds import KIND, KINDS
from redaction.json import sanitize_json
from tests.support import samples

CATALOG, ACCESS = KINDS["settings_catalog"], KINDS["conditional_access"]


def setting(name: str, value: Any, ordinal: str = "0") -> dict[str, Any]:
    return {
        "id": ordinal,
        "settingInstance": {"settingDefinitionId": name, "simpleSettingValue": {"value": value}},
    }


def assignment(group: str, kind: str = "groupAssignmentTarget") -> dict[str, Any]:
    return {
        "id": f"policy_{group}",
        "target": {"@odata.type": f"#microsoft.graph.{kind}", "groupId": group},
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"displayName": "A"}, {"displayName": "A"}, []),
        (
            {"displayName": "A"},
            {"displayName": "B"},
            [FieldChange("displayName", Difference.CHANGED, "A", "B")],
        ),
        ({}, {"state": "on"}, [FieldChange("state", Difference.ADDED, after="on")]),
        ({"state": "on"}, {}, [FieldChange("state", Difference.REMOVED, before="on")]),
        (
            {"state": None},
            {"state": "on"},
            [FieldChange("state", Difference.CHANGED, "null", "on")],
        ),
        ({"n": 1}, {"n": True}, [FieldChange("n", Difference.CHANGED, "1", "true")]),
        ({"id": "1", "createdDateTime": "x"}, {"id": "2", "createdDateTime": "y"}, []),
        ({"@odata.context": "x"}, {}, []),
        (
            {"a": {"b": {"c": 1}}},
            {"a": {"b": {"c": 2}}},
            [FieldChange("a.b.c", Difference.CHANGED, "1", "2")],
        ),
    ],
)
def test_fields_are_compared(
    before: dict[str, Any], after: dict[str, Any], expected: list[FieldChange]
) -> None:
    assert field_changes(ACCESS, before, after) == expected


def test_settings_are_matched_by_definition_and_not_by_position() -> None:
    before = {"settings": [setting("firewall", "on", "0"), setting("bitlocker", "on", "1")]}
    after = {"settings": [setting("bitlocker", "off", "0"), setting("firewall", "on", "1")]}

    (change,) = field_changes(CATALOG, before, after)

    assert change.path == "settings[bitlocker].settingInstance.simpleSettingValue.value"
    assert (change.before, change.after) == ("on", "off")


def test_an_added_and_a_removed_setting_are_listed() -> None:
    before, after = {"settings": [setting("a", 1)]}, {"settings": [setting("b", 1)]}

    differences = {
        (change.path, change.difference) for change in field_changes(CATALOG, before, after)
    }

    assert differences == {("settings[a]", Difference.REMOVED), ("settings[b]", Difference.ADDED)}


def test_the_order_of_groups_is_ignored_but_an_added_group_is_listed() -> None:
    before = {"conditions": {"users": {"excludeGroups": ["a", "b"]}}}
    same = {"conditions": {"users": {"excludeGroups": ["b", "a"]}}}
    more = {"conditions": {"users": {"excludeGroups": ["b", "c", "a"]}}}

    assert field_changes(ACCESS, before, same) == []
    assert field_changes(ACCESS, before, more) == [
        FieldChange("conditions.users.excludeGroups[]", Difference.ADDED, after="c")
    ]


def test_a_removed_exclusion_is_listed() -> None:
    before = {"assignments": [assignment("a"), assignment("b", "exclusionGroupAssignmentTarget")]}
    after = {"assignments": [assignment("a")]}

    (change,) = field_changes(CATALOG, before, after)

    assert change.path == "assignments[exclusionGroupAssignmentTarget b]"
    assert change.difference == Difference.REMOVED


def test_a_change_of_a_meaningful_order_is_listed() -> None:
    compliance = KINDS["device_configuration"]

    (change,) = field_changes(compliance, {"steps": ["a", "b"]}, {"steps": ["b", "a"]})

    assert change.difference == Difference.CHANGED


def test_a_very_deep_content_is_compared() -> None:
    deep_before: Any = 1
    deep_after: Any = 2
    for _ in range(200):
        deep_before, deep_after = {"x": deep_before}, {"x": deep_after}

    assert len(field_changes(ACCESS, {"x": deep_before}, {"x": deep_after})) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
PAYLOADS = st.dictionaries(st.text(max_size=6), JSON, max_size=5)


@given(PAYLOADS)
def test_a_content_does_not_differ_from_itself(payload: dict[str, Any]) -> None:
    assert field_changes(ACCESS, payload, json.loads(json.dumps(payload))) == []


@given(PAYLOADS, PAYLOADS)
def test_contents_differ_exactly_if_their_hashes_differ(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    differ = ACCESS.content_hash(before) != ACCESS.content_hash(after)

    assert bool(field_changes(ACCESS, before, after)) == differ


@given(PAYLOADS, PAYLOADS)
def test_the_reverse_comparison_lists_the_same_paths(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    forward = field_changes(ACCESS, before, after)
    backward = field_changes(ACCESS, after, before)

    reversed_differences = {
        Difference.ADDED: Difference.REMOVED,
        Difference.REMOVED: Difference.ADDED,
    }
    assert sorted((c.path, c.before, c.after) for c in forward) == sorted(
        (c.path, c.after, c.before) for c in backward
    )
    assert sorted(reversed_differences.get(c.difference, c.difference) for c in forward) == sorted(
        c.difference for c in backward
    )


@samples.NEEDED
def test_a_real_policy_differs_only_from_a_changed_one() -> None:
    exported = samples.sample_tenant(samples.FILES)
    for kind, payload in (
        (KIND[key], each) for key, entries in exported.items() for each in entries
    ):
        changed = {**payload, "somethingNew": "x"}

        assert field_changes(kind, payload, payload) == []
        assert [change.path for change in field_changes(kind, payload, changed)] == ["somethingNew"]


def test_a_secret_near_the_difference_of_long_texts_is_masked() -> None:
    begin = "# install step\n" * 110
    for padding in range(30, 75):
        text = f"{begin}net use z: password=Winter2024Corp # {'y ' * (padding // 2)}ONE end"
        changed = text.replace("ONE end", "TWO end")
        (change,) = shown_changes(
            KIND["device_configuration"], {"d": text}, {"d": changed}, sanitize_json
        )
        assert "2024Corp" not in change.before + change.after


def test_long_texts_in_a_list_are_compared_by_name() -> None:
    def oma(name: str, text: str) -> dict[str, str]:
        return {"omaUri": f"./{name}", "displayName": name, "value": text * 400}

    before = {"omaSettings": [oma("A", "of A "), oma("B", "of B "), oma("C", "of C ")]}
    after = {"omaSettings": [oma("X", "of X "), oma("A", "of A "), oma("B", "of B ")]}

    changes = shown_changes(KIND["device_configuration"], before, after, sanitize_json)

    assert [(change.path, str(change.difference)) for change in changes] == [
        ("omaSettings[./C]", "removed"),
        ("omaSettings[./X]", "added"),
    ]
