"""What web, worker and beat look at before they start; each finding says how to mend it.

A broker that throws messages away, or a database role that could switch the guards off, would do its
harm quietly and much later. A server that does not answer yet is no reason to refuse: it may come.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Doubt
from django.db import Error as DatabaseError
from django.db import connection

from operations import failpoints
from operations.catalog import OperationCatalog
from operations.delivery.publisher import GRACE_SECONDS

log = logging.getLogger(__name__)

KEEPS_EVERYTHING = "noeviction"


def refuse_to_start() -> None:
    """Look at everything once; warnings go to the log.

    Raises:
        SystemExit: something is wrong enough not to start; the text says what and how to mend it.
    """
    errors = []
    for message in run_preflight_checks():
        log.warning("%s %s", message.msg, message.hint or "")
        if message.level >= Error("").level:
            errors.append(f"{message.msg} {message.hint}")
    if errors:
        raise SystemExit("Runledger does not start.\n" + "\n".join(errors))


def run_preflight_checks() -> list[CheckMessage]:
    """What is wrong with the servers and settings of this installation."""
    return [message for look in LOOKS for message in look()]


def broker_keeps_what_it_is_given() -> Iterator[CheckMessage]:
    """A broker that evicts forgets messages under pressure; the relay would send for ever."""
    try:
        memory = _broker_memory()
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        yield Doubt(
            f"The broker cannot be reached ({type(error).__name__}).",
            hint="Check REDIS_URL; queued runs wait until it is there.",
            id="operations.W010",
        )
        return
    policy = memory.get("maxmemory_policy", KEEPS_EVERYTHING)
    if policy != KEEPS_EVERYTHING:
        yield Error(
            f"The broker evicts messages: its maxmemory-policy is {policy}.",
            hint="Set “maxmemory-policy noeviction” in its configuration, and do not share it with "
            "a cache.",
            id="operations.E010",
        )


def _broker_memory() -> dict[str, Any]:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=0, timeout=3)
        channel: Any = broker.default_channel
        memory: dict[str, Any] = channel.client.info("memory")
    return memory


def messages_stay_hidden_while_they_are_worked_on() -> Iterator[CheckMessage]:
    """A broker that hands a message out again while its run goes on wastes a worker each time."""
    longest = max(entry.time_limit for entry in OperationCatalog.all().values())
    needed = longest.total_seconds() + GRACE_SECONDS
    hidden = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout", 3600)
    if hidden <= needed:
        yield Error(
            f"The broker's visibility timeout ({hidden:.0f} s) is not longer than the longest time "
            f"limit of an operation ({needed:.0f} s).",
            hint="Raise VISIBILITY_TIMEOUT_SECONDS in config/settings/base.py, or lower the limit "
            "in operations/catalog.py.",
            id="operations.E011",
        )


def role_cannot_disable_the_guards() -> Iterator[CheckMessage]:
    """Triggers bind everybody but those who may drop or skip them."""
    if not settings.REQUIRE_APP_ROLE:
        return
    try:
        is_superuser, is_owner, may_skip = _role()
    except DatabaseError as error:
        yield Doubt(
            f"The database cannot be asked about its role ({type(error).__name__}).",
            hint="Check DATABASE_URL, and that the migrations have run.",
            id="operations.W012",
        )
        return
    reasons = [
        reason
        for reason, holds in (
            ("it is a superuser", is_superuser),
            ("it owns the tables", is_owner),
            ("it may set session_replication_role", may_skip),
        )
        if holds
    ]
    if reasons:
        yield Error(
            "The database role of this process could disable the guards of the ledger: "
            f"{' and '.join(reasons)}.",
            hint="Run “manage.py grant_app_role” as the owner, and give web, worker and beat a "
            "DATABASE_URL with that role (docs/install.md, “Two database roles”).",
            id="operations.E012",
        )


def nothing_is_told_to_die() -> Iterator[CheckMessage]:
    """Failpoints are for tests."""
    if settings.REQUIRE_APP_ROLE and os.environ.get(failpoints.VARIABLE):
        yield Error(
            f"{failpoints.VARIABLE} is set: processes would die at random.",
            hint="Unset it; it is for tests.",
            id="operations.E013",
        )


_ROLE = """
SELECT role.rolsuper, pg_has_role(current_user, ledger.relowner, 'MEMBER'),
       has_parameter_privilege(current_user, 'session_replication_role', 'SET')
FROM pg_roles role, pg_class ledger
WHERE role.rolname = current_user AND ledger.oid = 'operation_runs'::regclass
"""


def _role() -> tuple[bool, bool, bool]:
    with connection.cursor() as cursor:
        cursor.execute(_ROLE)
        found: tuple[bool, bool, bool] = cursor.fetchone()
    return found


LOOKS: tuple[Callable[[], Iterator[CheckMessage]], ...] = (
    broker_keeps_what_it_is_given,
    messages_stay_hidden_while_they_are_worked_on,
    role_cannot_disable_the_guards,
    nothing_is_told_to_die,
)
