"""Provide the service, replaced handlers and changed catalog entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from operations import ticks
from operations.catalog import CatalogEntry, Scope
from operations.services import OperationRunService
from operations.testing import override_catalog, override_handler
from operations.types import OperationRunType
from tenancy import versions

if TYPE_CHECKING:
    from operations.handlers import Handler

RUN_NOW = OperationRunType.BACKUP_SCHEDULE_RUN_NOW


@pytest.fixture(autouse=True)
def _no_recorded_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process remembers which claims it has recorded; the rows of the tests before are gone."""
    monkeypatch.setattr(ticks, "_claims", {})


@pytest.fixture
def same_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """No minute ends while a test runs: pages are rendered again in each."""
    monkeypatch.setattr(versions, "MINUTE", 10**9)


@pytest.fixture
def service() -> OperationRunService:
    return OperationRunService()


@pytest.fixture
def use_handler() -> Iterator[Callable[..., None]]:
    """Return a function that replaces the handler of a type until the test ends."""
    with ExitStack() as stack:

        def use(handler: Handler, run_type: OperationRunType = RUN_NOW) -> None:
            stack.enter_context(override_handler(run_type, handler))

        yield use


@pytest.fixture
def change_catalog() -> Iterator[Callable[..., CatalogEntry]]:
    """Return a function that changes a type's catalog entry until the test ends."""
    with ExitStack() as stack:

        def change(run_type: OperationRunType = RUN_NOW, **changes: Any) -> CatalogEntry:
            return stack.enter_context(override_catalog(run_type, **changes))

        yield change


@pytest.fixture
def workspace_scoped(change_catalog: Callable[..., CatalogEntry]) -> OperationRunType:
    """Return a type whose runs belong to a workspace."""
    change_catalog(scope=Scope.WORKSPACE)
    return RUN_NOW
