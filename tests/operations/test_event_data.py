"""The data of events has no secrets, also where it is the same as that of an earlier event."""

from operations.events import Event
from redaction.known_secrets import register_secret


def sanitized(**data: object) -> object:
    return Event("note", "", data=data).row()["data"]


def test_counts_of_earlier_events_are_equal_and_not_shared() -> None:
    first, second = sanitized(succeeded=1, failed=0), sanitized(succeeded=1, failed=0)

    assert first == second == {"succeeded": 1, "failed": 0}
    assert first is not second


def test_counts_and_flags_stay_what_they_are() -> None:
    assert sanitized(count=1) == {"count": 1}
    assert sanitized(count=True)["count"] is True  # type: ignore[index]
    assert sanitized(count=1.0)["count"] == 1.0  # type: ignore[index]
    assert sanitized(count=2**300) == {"count": "[truncated]"}


def test_a_newly_registered_secret_is_masked_in_counts_that_were_clean() -> None:
    assert sanitized(fabrikam4711=1) == {"fabrikam4711": 1}

    register_secret("fabrikam4711")

    assert "fabrikam4711" not in str(sanitized(fabrikam4711=1))
