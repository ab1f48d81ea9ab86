"""The order of what apps register."""

from __future__ import annotations

from web.registry import OrderedRegistry


def test_entries_come_in_order_and_equal_ones_as_registered() -> None:
    registry: OrderedRegistry[str] = OrderedRegistry()
    for entry, order in (("third", 20), ("first", 10), ("fourth", 20), ("second", 10)):
        registry.add(entry, order=order)

    assert list(registry) == ["first", "second", "third", "fourth"]


def test_a_decorated_function_is_registered_and_stays_itself() -> None:
    registry: OrderedRegistry[object] = OrderedRegistry()

    def panel() -> None: ...

    assert registry.register(order=10)(panel) is panel
    assert list(registry) == [panel]
