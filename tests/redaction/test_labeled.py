"""A sample of the labeled sets passes: no secret survives, and nothing harmless is altered.

`python -m dev.bench.redaction` measures the whole sets.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from dev.bench.redaction import Case, cases, fails
from dev.labeled import draw, policies
from redaction import graph_secrets
from redaction.json import sanitize_json, sanitize_payload
from redaction.markers import MARKERS, SOURCES, mask_markers
from redaction.marks import mask
from redaction.text import sanitize_text

PER_SHAPE = 3
SETS = ("named", "bare", "payload", "harmless", "harmless payload")


def redacted(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize_text(value, 20_000, keep_newlines=True)
    return sanitize_payload(value)


@pytest.fixture(scope="module", params=[False, True], ids=["known contexts", "fresh contexts"])
def failed(request: pytest.FixtureRequest) -> dict[str, list[tuple[Case, Any]]]:
    """The cases of each set that fail."""
    result: dict[str, list[tuple[Case, Any]]] = {name: [] for name in SETS}
    for case in cases("suite", PER_SHAPE, fresh=request.param):
        cleaned = redacted(case.value)
        if fails(case, cleaned):
            result[case.set].append((case, cleaned))
    return result


@pytest.mark.parametrize("name", SETS)
def test_no_case_fails(failed: dict[str, list[tuple[Case, Any]]], name: str) -> None:
    assert failed[name] == []


@pytest.mark.parametrize("marker", MARKERS, ids=lambda marker: marker.name)
def test_every_form_of_a_marker_is_masked_and_its_marker_alone_is_not(marker: Any) -> None:
    assert marker.source in SOURCES
    for form in marker.forms:
        secret = draw.fill(random.Random(form), form)
        fixed = draw.fill(random.Random(form), form.split("{")[0])

        assert mask_markers(f"with {secret} in it") == f"with {mask(secret)} in it"
        assert mask_markers(f"the prefix {fixed} alone") == f"the prefix {fixed} alone"


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("", "[redacted:0]"),
        ("abc", "[redacted:3]"),
        ("[redacted:3]", "[redacted:3]"),
        ("x[redacted:3]y", "[redacted:5]"),
        ("[redacted]", "[redacted]"),
    ],
)
def test_a_mask_says_how_many_characters_it_hides(value: str, cleaned: str) -> None:
    assert mask(value) == cleaned


def test_a_secret_object_is_masked_with_all_its_texts() -> None:
    value = {
        "@odata.type": "#microsoft.graph.androidDeviceOwnerEnrollmentProfile",
        "displayName": "Kiosks",
        "qrCodeImage": {"type": "image/png", "value": "abc", "width": 7},
    }

    assert sanitize_json(value) == value | {
        "qrCodeImage": {"type": "[redacted:9]", "value": "[redacted:3]", "width": 7}
    }


def test_a_placeholder_of_intune_is_no_secret() -> None:
    value = {"name": "password", "value": "{{username}}"}

    assert sanitize_json(value) == value


def test_a_choice_of_a_secret_setting_stays() -> None:
    value = {
        "settingDefinitionId": "com.apple.wifi.managed_password",
        "choiceSettingValue": {"value": "com.apple.wifi.managed_password_1"},
    }

    assert sanitize_json(value) == value


def test_the_table_of_secrets_says_where_it_is_from() -> None:
    assert graph_secrets.VERSION
    assert all(source["title"] and source["read"] for source in graph_secrets.SOURCES)


LONG: dict[str, Callable[[int], str]] = {
    "names": lambda size: "password=" * (size // 9),
    "pairs": lambda size: '{"key":"password","x":"' * (size // 23),
    "values": lambda size: '"value":"x","name":"' * (size // 20),
    "elements": lambda size: "<key>password</key><string>" * (size // 27),
    "commands": lambda size: "mysql -u x -p " * (size // 14),
    "net": lambda size: "net use x " * (size // 10),
    "hashes": lambda size: "$2b$12$" * (size // 7),
    "markers": lambda size: "ghp_dop_v1_PMAK-xoxb-SG.+ASt" * (size // 28),
    "base64": lambda size: "aB3+" * (size // 4),
    "certificates": lambda size: "-----BEGIN CERTIFICATE-----" * (size // 27),
    "sentences": lambda size: "the password was set to pass " * (size // 29),
    "words": lambda size: "secret token password (" * (size // 23),
    "options": lambda size: '"--password","' * (size // 14),
    "cells": lambda size: "| password " * (size // 11),
    "columns": lambda size: "password,x\n" * (size // 11),
    "blocks": lambda size: "password: |\n  x\n" * (size // 16),
    "calls": lambda size: "auth=('x',password('" * (size // 20),
    "foreign": lambda size: "пароль: 密码：" * (size // 11),
    "statements": lambda size: "PASSWORD 'x IDENTIFIED BY 'x " * (size // 29),
    "references": lambda size: "token=$(cat password=a.b(" * (size // 24),
    "letters": lambda size: f"password={'er' * (size // 2000)} " * 100,
    "members": lambda size: f"password={'aws_a.b.' * (size // 8)}!",
    "owners": lambda size: "password is generated for x " * (size // 27),
    "YAML": lambda size: f"community\nsnmp:\n{('  ' * 20 + 'a' + chr(10)) * 8}" * (size // 334),
    "addresses": lambda size: "https://graph.microsoft.com/" + "aB3c" * (size // 4),
}


def cpu_seconds(text: str) -> float:
    begun = time.process_time()
    sanitize_text(text, len(text), keep_newlines=True)
    return time.process_time() - begun


@pytest.mark.parametrize("shape", LONG)
def test_a_text_that_is_twice_as_long_takes_twice_the_time(shape: str) -> None:
    """The best of three of each length; short times are not compared, as they only vary.

    On a busy machine, caches are shared: it takes twice the time if it does in one of four rounds.
    """
    short, long = (LONG[shape](size) for size in (20_000, 40_000))
    rounds: list[list[float]] = []
    while len(rounds) < 4:
        rounds.append([min(cpu_seconds(text) for _ in range(3)) for text in (short, long)])
        if rounds[-1][1] <= max(rounds[-1][0] * 2.3, 0.05):
            return
    pytest.fail(f"too slow in every round: {rounds}")


def test_a_large_policy_has_no_secret_and_stays() -> None:
    policy = policies.large_policy(random.Random(1), 60_000)

    assert sanitize_payload(policy) == policy
