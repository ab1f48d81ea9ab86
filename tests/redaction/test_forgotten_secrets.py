"""The tests themselves: a secret that one test registers is not masked in the texts of the next."""

from __future__ import annotations

import pytest

from redaction.known_secrets import has_known_secret, register_secret

SECRETS = ("a secret of the first test", "a secret of the second test")


@pytest.mark.parametrize(("own", "other"), [SECRETS, SECRETS[::-1]])
def test_a_secret_of_another_test_is_not_known(own: str, other: str) -> None:
    register_secret(own)

    assert has_known_secret(own)
    assert not has_known_secret(other)
