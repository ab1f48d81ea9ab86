"""Cells that spreadsheets would interpret as formulas."""

from __future__ import annotations

import pytest

from web.csv_cells import TRIGGERS, safe_cell


@pytest.mark.parametrize("start", [*TRIGGERS, *(f" {trigger}" for trigger in TRIGGERS)], ids=repr)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert safe_cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("value", ["", "Contoso", "a=b", 7, -7, None])
def test_every_other_value_is_unchanged(value: object) -> None:
    assert safe_cell(value) == value
