"""Why something did not work: a catalog of codes, and errors that can be shown to anybody.

A failure text is made from a code and typed parameters, never from the text of an exception, so
that nothing a library or a server said reaches a row. Apps add their codes in `reasons.py`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from redaction.text import sanitize_text

MAX_PARAM = 200
#: Codes of runs that lost their worker: not the work's doing, so a retry may well succeed.
LOST_WORKER = frozenset({"worker_lost", "worker_shutdown", "lease_lost"})


@dataclass(frozen=True)
class Reason:
    """One cause.

    `message` and `next_step` are templates over the parameters of the error, as in
    `str.format`: "Reading {kind} needs {permission}."
    """

    code: str
    label: str
    message: str
    next_step: str


_REASONS: dict[str, Reason] = {}


def register_reasons(*reasons: Reason) -> None:
    """Add codes to the catalog; registering the same code again replaces it."""
    _REASONS.update({reason.code: reason for reason in reasons})


def get_reason(code: str) -> Reason:
    """The catalog's entry; for a code that it does not know (any more), one that says so."""
    return _REASONS.get(code) or Reason(
        code, code.replace("_", " ").capitalize(), "No further details are known.", ""
    )


def all_reasons() -> list[Reason]:
    """Every registered reason, by code."""
    return [_REASONS[code] for code in sorted(_REASONS)]


class SafeError(Exception):
    """A failure that is fit to be stored and shown.

    `str()` of it is the catalog's message with the parameters filled in; parameters are
    sanitized and capped when the error is made.
    """

    def __init__(self, code: str, *, request_id: str = "", **params: object) -> None:
        self.code = code
        self.request_id = sanitize_text(request_id, max_length=100)
        self.params = {
            key: value
            if isinstance(value, int)
            else sanitize_text(str(value), max_length=MAX_PARAM)
            for key, value in params.items()
        }
        super().__init__(code)

    def __str__(self) -> str:
        return self.message

    @property
    def message(self) -> str:
        """What happened, in one sentence."""
        return _fill(get_reason(self.code).message, self.params)

    @property
    def next_step(self) -> str:
        """What to do about it; empty where nobody knows."""
        return _fill(get_reason(self.code).next_step, self.params)


class Blocked(SafeError):
    """A precondition is not met: the run could not start its work."""


class _Lenient(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def _fill(template: str, params: dict[str, int | str]) -> str:
    return string.Formatter().vformat(template, (), _Lenient(params))


register_reasons(
    Reason(
        "dispatch_failed",
        "Could not be started",
        "The run was recorded, but an error stopped it from being handed to a worker "
        "(reference {reference}).",
        "Start it again; if it happens again, give the reference to whoever runs Runledger.",
    ),
    Reason(
        "never_started",
        "Never started",
        "No worker took the run within {minutes} minutes.",
        "Check that a worker listens to the queue “{queue}”, then retry.",
    ),
    Reason(
        "unexpected_error",
        "Unexpected error",
        "The operation stopped because of an error in Runledger (reference {reference}).",
        "Retry; if it happens again, give the reference to whoever runs Runledger. "
        "The log holds the details.",
    ),
    Reason(
        "not_attempted",
        "Not attempted",
        "The run ended before it reached these items.",
        "Retry to process what is left.",
    ),
    Reason(
        "time_limit_exceeded",
        "Took too long",
        "The operation ran longer than its limit of {minutes} minutes.",
        "Retry with a smaller scope, or ask for a longer limit.",
    ),
    Reason(
        "worker_lost",
        "Worker lost",
        "{worker} has not been heard from for {seconds} seconds; it was stopped, or lost the "
        "database.",
        "Nothing, where a retry has been started; else retry.",
    ),
    Reason(
        "max_runtime_exceeded",
        "Ran for too long",
        "The operation was still running long after its limit of {minutes} minutes.",
        "Retry with a smaller scope, or ask for a longer limit.",
    ),
    Reason(
        "cancel_timeout",
        "Did not stop",
        "The run was asked to stop and did not; {worker} may still finish the item in hand.",
        "Look at the items to see what was done.",
    ),
    Reason(
        "database_conflict",
        "Database conflict",
        "Postgres undid a report for the sake of another transaction, again and again.",
        "Retry; if it happens again, look for long transactions in pg_stat_activity.",
    ),
    Reason(
        "lease_lost",
        "Worker lost contact",
        "The worker could not renew its lease and stopped.",
        "Nothing, where a retry has been started; else retry. If it happens again, check the "
        "worker's connection to the database.",
    ),
    Reason(
        "worker_shutdown",
        "Worker shut down",
        "The worker was shut down while the operation was running.",
        "Nothing, where a retry has been started; else retry to process what is left.",
    ),
    Reason(
        "tenant_suspended",
        "Tenant suspended",
        "The tenant {tenant} is suspended, so nothing runs on it.",
        "Set the tenant to active, then retry.",
    ),
    Reason(
        "other_causes",
        "Other causes",
        "More kinds of failure than are listed here.",
        "Look at the items for each cause.",
    ),
)
