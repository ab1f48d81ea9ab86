"""Settings that are numbers or addresses: an invalid one prevents the start and is named."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import StrictEnv


def env_with(value: str) -> StrictEnv:
    env = StrictEnv()
    env.ENVIRON = {"NAME": value}
    return env


def test_numbers_are_read() -> None:
    assert env_with("-12").int("NAME") == -12
    assert env_with("0.5").float("NAME") == 0.5
    assert env_with("").int("OTHER", default=3) == 3
    assert env_with("0.5").float("NAME", default=20) == 0.5
    assert env_with("").float("OTHER", default=0.2) == 0.2


@pytest.mark.parametrize("value", ["", "ten", "1.5", "1,000", "5m"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^NAME is '{value}'; use a whole number.$"):
        env_with(value).int("NAME")


@pytest.mark.parametrize("value", ["", "half", "1,5", "5m", "nan", "inf"])
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^NAME is '{value}'; use a number.$"):
        env_with(value).float("NAME")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_address_of_a_database_is_read(scheme: str) -> None:
    entry = env_with(f"{scheme}://app:a%2Fb@db.example.com:5433/runledger").postgresql("NAME")

    assert entry["ENGINE"] == "django.db.backends.postgresql"
    assert (entry["HOST"], entry["PORT"]) == ("db.example.com", 5433)
    assert (entry["USER"], entry["PASSWORD"], entry["NAME"]) == ("app", "a/b", "runledger")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "runledger",
        "sqlite:///runledger",
        "mysql://app:pass-phrase@db/runledger",
        "postgress://app:pass-phrase@db/runledger",
        "postgresql://app:pass/phrase@db/runledger",
        "postgresql://app:pass-phrase@db:port/runledger",
    ],
)
def test_any_other_address_is_refused_without_naming_it(
    address: str, recwarn: pytest.WarningsRecorder
) -> None:
    """The address contains a password, and a part of it could be taken for the port."""
    with pytest.raises(ImproperlyConfigured, match=r"^NAME is not the address") as refused:
        env_with(address).postgresql("NAME")

    assert "pass" not in str(refused.value).replace("password", "")
    assert refused.value.__cause__ is None
    assert not list(recwarn)
