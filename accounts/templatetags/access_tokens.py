"""The labels of the operation types of an access token."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from operations.catalog import OperationCatalog

register = template.Library()


@register.filter
def type_labels(operation_types: Iterable[str]) -> str:
    """Return the labels of operation types, separated by commas."""
    return ", ".join(OperationCatalog.label(each) for each in operation_types)
