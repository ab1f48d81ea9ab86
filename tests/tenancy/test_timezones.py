"""Only exact names of IANA time zones are accepted."""

from __future__ import annotations

import zoneinfo

import pytest
from django.core.exceptions import ValidationError

from tenancy.models import TIMEZONES, validate_timezone
from tests.support.factories import WorkspaceFactory


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Australia/Lord_Howe", "Etc/UTC"]
)
def test_an_iana_time_zone_is_accepted(name: str) -> None:
    validate_timezone(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "utc",
        "europe/berlin",
        " Europe/Berlin",
        "Europe/Berlin\n",
        "Europe/Atlantis",
        "localtime",
        "posixrules",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe/../Europe/Berlin",
        "Europe/Berlin\x00",
        "x" * 5_000,
        "CET-1CEST",
    ],
)
def test_other_names_are_rejected(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a time zone"):
        validate_timezone(name)


def test_every_time_zone_can_be_loaded_and_fits_its_column() -> None:
    for name in TIMEZONES:
        assert zoneinfo.ZoneInfo(name).key == name
        assert len(name) <= 64


def test_the_time_zone_of_a_workspace_is_validated() -> None:
    with pytest.raises(ValidationError, match="is not a time zone"):
        WorkspaceFactory.build(timezone="localtime").full_clean(validate_unique=False)
