"""The checks of the settings for sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from accounts.checks import check_identity_providers
from tests.support.openid_provider import TENANT


def test_the_defaults_are_valid() -> None:
    assert check_identity_providers() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ENTRA_CLIENT_ID": "x"}, "accounts.E001"),
        ({"ENTRA_CLIENT_ID": "x", "ENTRA_TENANT_ID": "common"}, "accounts.E001"),
        ({"OIDC_CLIENT_ID": "x"}, "accounts.E002"),
        ({"OIDC_CLIENT_ID": "x", "OIDC_ISSUER": "http://sso.example.com"}, "accounts.E002"),
        ({"SESSION_IDLE_SECONDS": 30}, "accounts.E003"),
        ({"LOCAL_PASSWORDS": False}, "accounts.E004"),
    ],
)
def test_a_wrong_setting_is_reported(
    settings: Settings, changes: dict[str, Any], code: str
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert [error.id for error in check_identity_providers()] == [code]


@pytest.mark.parametrize(
    "changes",
    [
        {"ENTRA_CLIENT_ID": "x", "ENTRA_TENANT_ID": TENANT, "LOCAL_PASSWORDS": False},
        {"OIDC_CLIENT_ID": "x", "OIDC_ISSUER": "https://sso.example.com", "LOCAL_PASSWORDS": False},
    ],
)
def test_local_passwords_can_be_disabled_with_a_provider(
    settings: Settings, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert check_identity_providers() == []
