"""Counts have known names and are whole and never negative."""

from __future__ import annotations

import pytest

from operations.counts import COUNT_KEYS, Counts, validate_increments


def test_missing_counts_are_zero() -> None:
    assert Counts.of({}) == Counts(total=0, processed=0, succeeded=0, failed=0, skipped=0)


def test_stored_counts_are_read() -> None:
    counts = Counts.of({"total": 4, "processed": 3, "failed": 1, "meta": {"phase": "Reading"}})

    assert (counts.total, counts.processed, counts.failed) == (4, 3, 1)
    assert counts.meta == {"phase": "Reading"}


def test_unknown_stored_counts_are_ignored() -> None:
    assert Counts.of({"total": 1, "teleported": 9}) == Counts(total=1)


@pytest.mark.parametrize(
    ("total", "processed", "expected"), [(5, 3, 2), (5, 5, 0), (0, 3, 0), (2, 3, 0)]
)
def test_not_attempted_is_the_total_less_the_processed_items(
    total: int, processed: int, expected: int
) -> None:
    assert Counts(total=total, processed=processed).not_attempted == expected


def test_changes_contain_only_the_reported_counts() -> None:
    assert Counts(created=2, unchanged=38).changes == {"created": 2, "unchanged": 38}
    assert Counts(total=3).changes == {}


@pytest.mark.parametrize("key", COUNT_KEYS)
def test_every_known_count_can_be_incremented(key: str) -> None:
    assert validate_increments({key: 3}) == {key: 3}


@pytest.mark.parametrize("value", [-1, 1.0, "1", None, True, 2**53 + 1])
def test_a_count_that_is_not_a_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="non-negative integer"):
        validate_increments({"total": value})  # type: ignore[dict-item]


@pytest.mark.parametrize("key", ["meta", "Total", "total'; DROP TABLE operation_runs; --", ""])
def test_an_unknown_count_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not a count"):
        validate_increments({key: 1})
