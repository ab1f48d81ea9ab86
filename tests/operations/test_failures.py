"""Failures are grouped by cause, capped, and always add up."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from operations.failures import MAX_CAUSES, Failure, merge_failures
from operations.reasons import SafeError

AT = "2026-03-08T07:00:00+00:00"


def a_failure(cause: int = 0, *, at: str = AT, item: str = "", count: int = 1) -> Failure:
    return Failure(
        SafeError("unexpected_error", reference=f"ref-{cause}"), at=at, item=item, count=count
    )


def total(entries: list[dict[str, Any]]) -> int:
    return sum(entry["count"] for entry in entries)


def test_equal_causes_are_one_entry_with_its_first_time_and_an_example() -> None:
    later = "2026-03-08T08:00:00+00:00"

    merged = merge_failures([], [a_failure(item="Policy A"), a_failure(at=later, item="Policy B")])

    assert len(merged) == 1
    assert merged[0]["count"] == 2
    assert merged[0]["first_at"] == AT
    assert merged[0]["item"] == "Policy A"
    assert merged[0]["next_step"]


def test_the_same_code_with_another_message_is_another_cause() -> None:
    assert len(merge_failures([], [a_failure(1), a_failure(2)])) == 2


def test_stored_causes_are_added_to_and_left_alone() -> None:
    stored = merge_failures([], [a_failure(1)])

    merged = merge_failures(stored, [a_failure(1), a_failure(2)])

    assert [entry["count"] for entry in merged] == [2, 1]
    assert stored[0]["count"] == 1


def test_a_failure_may_stand_for_many_items() -> None:
    assert merge_failures([], [a_failure(count=40)])[0]["count"] == 40


def test_causes_beyond_the_cap_are_counted_as_other_causes() -> None:
    merged = merge_failures([], [a_failure(cause) for cause in range(50)])

    assert len(merged) == MAX_CAUSES
    assert merged[-1]["code"] == "other_causes"
    assert merged[-1]["count"] == 50 - (MAX_CAUSES - 1)


def test_a_cause_that_is_listed_keeps_counting_when_the_list_is_full() -> None:
    stored = merge_failures([], [a_failure(cause) for cause in range(50)])

    merged = merge_failures(stored, [a_failure(0)])

    assert merged[0]["count"] == 2


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=30), max_size=4
    )
)
def test_counts_add_up_however_failures_arrive(batches: list[list[tuple[int, int]]]) -> None:
    entries: list[dict[str, Any]] = []

    for batch in batches:
        entries = merge_failures(entries, [a_failure(at, count=many) for at, many in batch])

    assert total(entries) == sum(many for batch in batches for _, many in batch)
    assert len(entries) <= MAX_CAUSES
