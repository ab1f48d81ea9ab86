"""Reasons: texts from the catalog, never from an exception."""

from __future__ import annotations

import string
from typing import Any

import pytest

from operations.reasons import Blocked, Reason, SafeError, all_reasons, get_reason


def test_a_message_is_the_template_with_its_parameters() -> None:
    error = SafeError("never_started", minutes=60, queue="backup")

    assert error.message == "No worker started the run within 60 minutes."
    assert error.next_step == "Check that a worker listens to the queue “backup”, then retry."
    assert str(error) == error.message


def test_a_missing_parameter_does_not_hide_the_reason() -> None:
    assert SafeError("never_started").message == "No worker started the run within ? minutes."


def test_parameters_are_redacted_and_capped() -> None:
    canary = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"

    error = SafeError("tenant_suspended", tenant=f"client_secret={canary} " + "x" * 500)

    assert canary not in error.message
    assert canary not in str(error.params)
    assert len(error.params["tenant"]) <= 200  # type: ignore[arg-type]


def test_braces_in_a_parameter_are_plain_text() -> None:
    error = SafeError("tenant_suspended", tenant="{reference.__class__} {0}")

    assert "{reference.__class__} {0}" in error.message


def test_control_characters_are_removed() -> None:
    message = SafeError("tenant_suspended", tenant="a\x00b\x1b[31mc\nd").message

    assert message.isprintable()


@pytest.mark.parametrize("params", [{"tenant": None}, {"tenant": 3.5}, {"tenant": object()}])
def test_a_parameter_can_have_any_type(params: dict[str, Any]) -> None:
    assert SafeError("tenant_suspended", **params).message.endswith("Operations cannot run on it.")


def test_an_unknown_code_has_a_generic_reason() -> None:
    reason = get_reason("from_a_newer_version")

    assert reason.label == "From a newer version"
    assert "{" not in reason.message


def test_no_two_reasons_have_the_same_label() -> None:
    """The filter of causes lists the labels."""
    labels = [reason.label for reason in all_reasons()]

    assert sorted({label for label in labels if labels.count(label) > 1}) == []


def test_blocked_is_a_safe_error() -> None:
    assert issubclass(Blocked, SafeError)


@pytest.mark.parametrize("reason", all_reasons(), ids=lambda reason: reason.code)
def test_every_reason_has_a_label_and_a_message_and_fits_its_columns(reason: Reason) -> None:
    assert reason.label
    assert reason.message.endswith((".", "?"))
    assert len(reason.code) <= 64
    assert reason.code == reason.code.lower()


@pytest.mark.parametrize("reason", all_reasons(), ids=lambda reason: reason.code)
def test_templates_have_named_parameters_only(reason: Reason) -> None:
    for template in (reason.message, reason.next_step):
        for _, name, _, _ in string.Formatter().parse(template):
            assert name is None or name.isidentifier()
