"""The operations that a command can start: for which object, and with which function.

Apps register them in their `starters` module, which is imported at startup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operations.services import DispatchResult
from operations.types import OperationRunType
from tenancy.models import Tenant, User, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet


@dataclass(frozen=True)
class Target:
    """A kind of object that operations are started for: its name in words, and its rows.

    `named_by` is the column that names an object; its id does, too.
    """

    noun: str
    rows: WorkspaceScopedQuerySet[Any]
    named_by: str = "name"


TENANT = Target("tenant", Tenant.objects.select_related("workspace"))
WORKSPACE = Target("workspace", Workspace.objects.all(), named_by="slug")
Start = Callable[[Any, User], DispatchResult]
#: Each type with its target and the function that starts a run for it.
STARTERS: dict[OperationRunType, tuple[Target, Start]] = {}


def register_starter(run_type: OperationRunType, target: Target, start: Start) -> None:
    """Register how an operation is started; `start` gets an object of the target and the user."""
    STARTERS[run_type] = target, start
