"""The fleet is created only in development, after the demo users, and in a possible size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from tenancy.models import Workspace

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("option", ["--tenants=29", "--tenants=1001", "--tenants=x", "--nights=13"])
def test_an_impossible_size_is_refused(settings: Settings, option: str) -> None:
    settings.DEMO_DATA_ALLOWED = True

    with pytest.raises(CommandError, match="is between"):
        call_command("demo_fleet", option)

    assert not Workspace.objects.filter(slug="fleet").exists()


def test_the_fleet_is_refused_outside_development() -> None:
    with pytest.raises(CommandError, match="only in development"):
        call_command("demo_fleet")


def test_the_fleet_needs_the_demo_users(settings: Settings) -> None:
    settings.DEMO_DATA_ALLOWED = True

    with pytest.raises(CommandError, match="Run demo_data first"):
        call_command("demo_fleet")
