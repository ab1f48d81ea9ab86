"""docs/kinds.md says of each kind what the code does."""

from __future__ import annotations

from dev import kinds_page
from providers.graph.kinds import KIND


def test_the_page_is_what_the_code_says() -> None:
    text = kinds_page.PAGE.read_text(encoding="utf-8")

    assert text == kinds_page.render(), "run `python -m dev.kinds_page`"


def test_every_other_tools_kind_is_known() -> None:
    assert KIND.keys() >= kinds_page._INTUNE_MANAGEMENT | kinds_page._INTUNE_CD


def test_the_page_names_a_part_that_only_one_type_of_a_kind_has() -> None:
    assert "- Autopilot profiles: domain join configuration\n" in kinds_page.render()
