"""`OperationRunLinks`: the page of a run, and its links to related objects.

Apps register the links to their objects, so that this app does not depend on them.
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
    """A link to a related object: its label, its address and its kind."""

    label: str
    url: str
    kind: str


ByKey = Callable[[Any, "OperationRun", "User"], Link | None]
ByRun = Callable[["OperationRun", "User"], Iterable[Link]]

_BY_KEY: dict[str, ByKey] = {}
_BY_RUN: list[ByRun] = []


def related_link(context_key: str) -> Callable[[ByKey], ByKey]:
    """Register the link for a context key.

    The function gets (value, run, user) and returns None if the user cannot view the object.
    """

    def register(resolve: ByKey) -> ByKey:
        _BY_KEY[context_key] = resolve
        return resolve

    return register


def related_links(resolve: ByRun) -> ByRun:
    """Register links that do not belong to a context key."""
    _BY_RUN.append(resolve)
    return resolve


class OperationRunLinks:
    """Links from a run."""

    @staticmethod
    def view(run: OperationRun) -> str:
        """Return the address of the run's page."""
        return run.get_absolute_url()

    @staticmethod
    def related(run: OperationRun, user: User) -> list[Link]:
        """Return the links to all related objects that the user can view."""
        by_key = (
            resolve(run.context[key], run, user)
            for key, resolve in _BY_KEY.items()
            if key in run.context
        )
        links = [link for link in by_key if link]
        for resolve in _BY_RUN:
            links += resolve(run, user)
        return links
