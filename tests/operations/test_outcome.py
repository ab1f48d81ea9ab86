"""The outcome follows from the counts and from how the run ended."""

from __future__ import annotations

import pytest

from operations.counts import Counts
from operations.states import Ending, RunOutcome, derive_outcome


def counts(total: int, succeeded: int = 0, failed: int = 0, skipped: int = 0) -> Counts:
    processed = succeeded + failed + skipped
    return Counts(
        total=total, processed=processed, succeeded=succeeded, failed=failed, skipped=skipped
    )


@pytest.mark.parametrize(
    ("final_counts", "expected"),
    [
        pytest.param(counts(0), RunOutcome.SUCCEEDED, id="nothing to do"),
        pytest.param(counts(3, 3), RunOutcome.SUCCEEDED, id="all done"),
        pytest.param(counts(3, 2, skipped=1), RunOutcome.SUCCEEDED, id="some skipped"),
        pytest.param(counts(3, skipped=3), RunOutcome.SUCCEEDED, id="all skipped"),
        pytest.param(counts(3, 2, 1), RunOutcome.PARTIALLY_SUCCEEDED, id="one failed"),
        pytest.param(counts(3, 1, 2), RunOutcome.PARTIALLY_SUCCEEDED, id="most failed"),
        pytest.param(counts(3, 0, 2, 1), RunOutcome.PARTIALLY_SUCCEEDED, id="failed or skipped"),
        pytest.param(counts(3, 0, 3), RunOutcome.FAILED, id="all failed"),
        pytest.param(counts(3, 2), RunOutcome.PARTIALLY_SUCCEEDED, id="one not attempted"),
        pytest.param(counts(3), RunOutcome.FAILED, id="none attempted"),
        pytest.param(counts(3, 0, 1), RunOutcome.FAILED, id="failed, the rest not attempted"),
        pytest.param(counts(0, 2, 1), RunOutcome.PARTIALLY_SUCCEEDED, id="no total was reported"),
        pytest.param(counts(0, 2), RunOutcome.SUCCEEDED, id="more done than expected"),
    ],
)
def test_the_outcome_of_finished_work_follows_from_its_counts(
    final_counts: Counts, expected: RunOutcome
) -> None:
    assert derive_outcome(final_counts, Ending.FINISHED) == expected


@pytest.mark.parametrize(
    ("final_counts", "expected"),
    [
        pytest.param(counts(0), RunOutcome.BLOCKED, id="before any work"),
        pytest.param(counts(5), RunOutcome.BLOCKED, id="after counting the items"),
        pytest.param(counts(5, 2), RunOutcome.PARTIALLY_SUCCEEDED, id="after some work"),
        pytest.param(counts(5, 0, 2), RunOutcome.FAILED, id="after failures only"),
        pytest.param(counts(5, 0, 0, 2), RunOutcome.BLOCKED, id="after skipping some"),
    ],
)
def test_an_unmet_precondition_blocks_work_that_has_not_begun(
    final_counts: Counts, expected: RunOutcome
) -> None:
    assert derive_outcome(final_counts, Ending.BLOCKED) == expected


@pytest.mark.parametrize("final_counts", [counts(0), counts(3, 3), counts(3, 0, 3), counts(3, 1)])
@pytest.mark.parametrize(
    ("ending", "expected"),
    [(Ending.CANCELLED, RunOutcome.CANCELLED), (Ending.ERROR, RunOutcome.FAILED)],
)
def test_a_cancelled_run_is_cancelled_and_an_error_means_failed(
    final_counts: Counts, ending: Ending, expected: RunOutcome
) -> None:
    assert derive_outcome(final_counts, ending) == expected


@pytest.mark.parametrize("ending", Ending)
def test_no_ending_leaves_an_outcome_pending(ending: Ending) -> None:
    assert derive_outcome(Counts(), ending) != RunOutcome.PENDING
