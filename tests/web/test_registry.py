"""The order of registered entries."""

from __future__ import annotations

from web.registry import OrderedRegistry


def test_entries_are_sorted_and_equal_ones_stay_in_the_order_of_registration() -> None:
    registry: OrderedRegistry[str] = OrderedRegistry()
    for entry, order in (("third", 20), ("first", 10), ("fourth", 20), ("second", 10)):
        registry.add(entry, order=order)

    assert list(registry) == ["first", "second", "third", "fourth"]


def test_the_decorator_registers_and_returns_its_function() -> None:
    registry: OrderedRegistry[object] = OrderedRegistry()

    def panel() -> None: ...

    assert registry.register(order=10)(panel) is panel
    assert list(registry) == [panel]
