"""A report calls a campaign void if it proves nothing, and broken if a promise is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.chaos.report import (
    MINIMUMS,
    STATED_FOR,
    Report,
    format_report,
    format_total,
    load_report,
    reasons_for_void,
    scale_minimums,
)


def complete_report(**changes: object) -> Report:
    """A report of a campaign that did enough and kept every promise."""
    values: dict[str, object] = {
        "seed": 1,
        "planned_seconds": STATED_FOR,
        "seconds": STATED_FOR,
        "done": {"worker killed": 99, "broker full": 1},
        "exercise": dict(MINIMUMS),
        "minimums": dict(MINIMUMS),
        "longest_gap": 3.0,
        "broken": {"no run is lost": [], "effects happen once": []},
        "outcomes": {"succeeded": 2000},
        "to_end": [1.0, 2.0, 3.0, 4.0],
    }
    report = Report(**values | changes)  # type: ignore[arg-type]
    report.void = list(reasons_for_void(report))
    return report


def test_a_complete_campaign_has_status_0() -> None:
    report = complete_report()

    assert (report.status, report.void) == (0, [])


def test_a_broken_promise_has_status_1_also_in_a_void_campaign() -> None:
    broken = {"no run is lost": ["run 7 is queued"]}

    report = complete_report(broken=broken, longest_gap=99.0)

    assert report.status == 1
    assert "BROKEN no run is lost (1): run 7 is queued" in format_report(report)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"failed": {"worker killed": 6}}, "only 100 of 106 faults were done"),
        ({"done": {"worker killed": 99, "broker full": 0}}, "no fault “broker full” was done"),
        ({"longest_gap": 31.0}, "no tick ran for 31 s"),
    ],
)
def test_a_campaign_with_faults_that_failed_or_without_ticks_is_void(
    changes: dict[str, object], reason: str
) -> None:
    report = complete_report(**changes)

    assert (report.status, report.void) == (2, [reason])


@pytest.mark.parametrize("name", MINIMUMS)
def test_a_campaign_that_exercised_a_promise_too_little_is_void(name: str) -> None:
    minimum = MINIMUMS[name]

    report = complete_report(exercise=MINIMUMS | {name: minimum - 1})

    assert (report.status, report.void) == (2, [f"{name}: {minimum - 1} of {minimum}"])


def test_a_short_campaign_needs_less_but_something_of_everything() -> None:
    minimums = scale_minimums(30)

    assert all(1 <= minimums[name] <= MINIMUMS[name] for name in MINIMUMS)
    assert minimums["faults done"] < MINIMUMS["faults done"] / 10


def test_a_stored_report_is_loaded_as_it_was(tmp_path: Path) -> None:
    report = complete_report()

    report.save(tmp_path / "report.json")

    assert load_report(tmp_path / "report.json") == report


def test_the_table_sums_up_campaigns_and_names_the_worst_result() -> None:
    reports = [complete_report(), complete_report(seed=2, longest_gap=99.0)]

    *_, first, second, total = format_total(reports).splitlines()

    assert first.split()[:2] == ["1", "100"]
    assert second.split()[-1] == "VOID"
    assert total.split()[:2] == ["all", "200"]
    assert total.split()[-1] == "VOID"
