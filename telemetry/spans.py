"""What a span is to the rest of Runledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

Attribute = str | int | bool
#: By their names; None stands for one that is left out.
Attributes = Mapping[str, Attribute | None]


class Span(Protocol):
    """A span in progress."""

    @property
    def trace_parent(self) -> str:
        """Its `traceparent` as in W3C Trace Context; empty if nothing is recorded."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def rename(self, name: str) -> None:
        """Change the name."""

    def end(self) -> None:
        """End it, unless its `with` block does."""


class NoSpan:
    """A span that records nothing."""

    trace_parent = ""

    def set(self, attributes: Attributes) -> None:
        """Do nothing."""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""
