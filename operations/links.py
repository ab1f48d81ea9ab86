"""`OperationRunLinks`: where a run is shown, and what it has to do with other things.

Apps above this one register what they know, so that this one knows no domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operations.models import OperationRun
    from tenancy.models import User


@dataclass(frozen=True)
class Link:
    """A related thing: what it is called, where it is, and what kind of thing it is."""

    label: str
    url: str
    kind: str


ByKey = Callable[[Any, "OperationRun", "User"], Link | None]
ByRun = Callable[["OperationRun", "User"], Iterable[Link]]

_BY_KEY: dict[str, ByKey] = {}
_BY_RUN: list[ByRun] = []


def related_link(context_key: str) -> Callable[[ByKey], ByKey]:
    """Register the link for a context key.

    The function gets (value, run, user) and returns None for what the person may not see.
    """

    def register(resolve: ByKey) -> ByKey:
        _BY_KEY[context_key] = resolve
        return resolve

    return register


def related_links(resolve: ByRun) -> ByRun:
    """Register links that do not come from a context key."""
    _BY_RUN.append(resolve)
    return resolve


class OperationRunLinks:
    """Links from a run."""

    @staticmethod
    def view(run: OperationRun) -> str:
        """The run's one permalink."""
        return run.get_absolute_url()

    @staticmethod
    def related(run: OperationRun, user: User) -> list[Link]:
        """Everything related to the run that this person may see."""
        by_key = (
            resolve(run.context[key], run, user)
            for key, resolve in _BY_KEY.items()
            if key in run.context
        )
        found = [link for link in by_key if link]
        for resolve in _BY_RUN:
            found += resolve(run, user)
        return found
