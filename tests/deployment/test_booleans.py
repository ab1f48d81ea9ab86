"""Settings that are true or false: a word that means neither prevents the start."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import StrictEnv
from config.settings import base


def read(value: str | None, *, default: bool = True) -> bool:
    env = StrictEnv()
    env.ENVIRON = {} if value is None else {"SECURE_SSL_REDIRECT": value}
    return env.bool("SECURE_SSL_REDIRECT", default=default)


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "yes", "on", "1", " true "])
def test_every_spelling_of_true_is_true(value: str) -> None:
    assert read(value, default=False) is True


@pytest.mark.parametrize("value", ["false", "False", "no", "off", "0"])
def test_every_spelling_of_false_is_false(value: str) -> None:
    assert read(value) is False


@pytest.mark.parametrize("default", [True, False])
def test_a_variable_that_is_not_set_has_its_default(default: bool) -> None:
    assert read(None, default=default) is default


@pytest.mark.parametrize("value", ["enabled", "2", "-1", "ja", "", "none", "t", "y"])
def test_any_other_word_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"SECURE_SSL_REDIRECT is '{value}'; use"):
        read(value)


def test_the_settings_are_read_in_this_way() -> None:
    assert isinstance(base.env, StrictEnv)
