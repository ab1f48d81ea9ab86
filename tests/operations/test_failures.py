"""Failures are grouped by cause, capped, and their counts add up."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from operations.failures import MAX_CAUSES, Failure, merge_failures
from operations.reasons import SafeError

AT = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)


def build_failure(cause: int = 0, *, item: str = "", count: int = 1) -> Failure:
    error = SafeError("unexpected_error", reference=f"ref-{cause}")
    return Failure(error, item=item, count=count)


def total_count(entries: list[dict[str, Any]]) -> int:
    return sum(entry["count"] for entry in entries)


def test_equal_causes_form_one_entry_with_the_first_time_and_an_example() -> None:
    stored = merge_failures([], [build_failure(item="Policy A")], AT)

    merged = merge_failures(stored, [build_failure(item="Policy B")], AT + dt.timedelta(hours=1))

    assert len(merged) == 1
    assert merged[0]["count"] == 2
    assert merged[0]["first_at"] == "2026-03-08T07:00:00+00:00"
    assert merged[0]["item"] == "Policy A"
    assert merged[0]["next_step"]


def test_the_same_code_with_another_message_is_another_cause() -> None:
    assert len(merge_failures([], [build_failure(1), build_failure(2)], AT)) == 2


def test_stored_causes_are_merged_without_being_modified() -> None:
    stored = merge_failures([], [build_failure(1)], AT)

    merged = merge_failures(stored, [build_failure(1), build_failure(2)], AT)

    assert [entry["count"] for entry in merged] == [2, 1]
    assert stored[0]["count"] == 1


def test_a_failure_can_represent_many_items() -> None:
    assert merge_failures([], [build_failure(count=40)], AT)[0]["count"] == 40


def test_causes_beyond_the_cap_are_counted_as_other_causes() -> None:
    merged = merge_failures([], [build_failure(cause) for cause in range(50)], AT)

    assert len(merged) == MAX_CAUSES
    assert merged[-1]["code"] == "other_causes"
    assert merged[-1]["count"] == 50 - (MAX_CAUSES - 1)


def test_a_listed_cause_is_still_counted_when_the_list_is_full() -> None:
    stored = merge_failures([], [build_failure(cause) for cause in range(50)], AT)

    merged = merge_failures(stored, [build_failure(0)], AT)

    assert merged[0]["count"] == 2


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=30), max_size=4
    )
)
def test_counts_add_up_for_any_order_of_failures(batches: list[list[tuple[int, int]]]) -> None:
    entries: list[dict[str, Any]] = []

    for batch in batches:
        entries = merge_failures(entries, [build_failure(at, count=many) for at, many in batch], AT)

    assert total_count(entries) == sum(many for batch in batches for _, many in batch)
    assert len(entries) <= MAX_CAUSES
