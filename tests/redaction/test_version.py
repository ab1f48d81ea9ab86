"""Redacted forms are stored with the version of the rules, so it changes when they do."""

from __future__ import annotations

from redaction.version import RULES_DIGEST, rules_digest


def test_the_version_of_the_rules_is_increased_when_they_change() -> None:
    assert rules_digest() == RULES_DIGEST, (
        f'increase RULES_VERSION in redaction/version.py and set RULES_DIGEST = "{rules_digest()}"'
    )
