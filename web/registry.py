"""Ordered registries: what apps add to the pages of the apps below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class OrderedRegistry(Generic[T]):
    """Entries by their order number, lowest first; equal numbers by time of registration."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, T]] = []

    def add(self, entry: T, *, order: int) -> None:
        """Add an entry."""
        self._entries.append((order, entry))
        self._entries.sort(key=lambda numbered: numbered[0])

    def register(self, *, order: int) -> Callable[[T], T]:
        """Return a decorator that adds what it decorates."""

        def decorate(entry: T) -> T:
            self.add(entry, order=order)
            return entry

        return decorate

    def __iter__(self) -> Iterator[T]:
        return (entry for _, entry in self._entries)
