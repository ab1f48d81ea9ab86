"""The reason catalog, and errors that are safe to store and show.

A failure text is built from a code and typed parameters, never from the text of an exception, so
that no text of a library or server is stored. Apps add their reasons in `reasons.py`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from redaction.text import sanitize_text

MAX_PARAM = 200
#: Reasons of runs that lost their worker; the work did not cause this, so a retry can succeed.
LOST_WORKER = frozenset({"worker_lost", "worker_shutdown", "lease_lost"})


@dataclass(frozen=True)
class Reason:
    """One cause of a failure.

    `message` and `next_step` are templates over the parameters of the error, as in
    `str.format`: "Reading {kind} needs {permission}." `cause` is a template over those parameters of
    the message that are the same on every tenant with this cause; by default the code alone is the
    cause.
    """

    code: str
    label: str
    message: str
    next_step: str
    cause: str = ""


_REASONS: dict[str, Reason] = {}


def register_reasons(*reasons: Reason) -> None:
    """Add reasons to the catalog; registering the same code again replaces it."""
    _REASONS.update({reason.code: reason for reason in reasons})


def get_reason(code: str) -> Reason:
    """Return the reason of a code; for an unknown code, a reason without details."""
    return _REASONS.get(code) or Reason(
        code, code.replace("_", " ").capitalize(), "No further details are known.", ""
    )


def all_reasons() -> list[Reason]:
    """Return every registered reason, sorted by code."""
    return [_REASONS[code] for code in sorted(_REASONS)]


class SafeError(Exception):
    """A failure that is safe to store and show.

    `str()` returns the message of the catalog with the parameters filled in. The constructor
    sanitizes the parameters and limits their length.
    """

    def __init__(self, code: str, *, request_id: str = "", **params: object) -> None:
        self.code = code
        self.request_id = sanitize_text(request_id, max_length=100)
        self.params: dict[str, int | str] = {}
        for key, value in params.items():
            if isinstance(value, int):
                self.params[key] = value
            else:
                self.params[key] = sanitize_text(str(value), max_length=MAX_PARAM)
        super().__init__(code)

    def __str__(self) -> str:
        return self.message

    @property
    def message(self) -> str:
        """What happened, in one sentence."""
        return _fill(get_reason(self.code).message, self.params)

    @property
    def next_step(self) -> str:
        """What to do about it; empty if there is nothing to do."""
        return _fill(get_reason(self.code).next_step, self.params)


class Blocked(SafeError):
    """A precondition is not met: the run could not start its work."""


class _Params(dict[str, object]):
    """Parameters of a template; a missing one becomes a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _fill(template: str, params: dict[str, int | str]) -> str:
    return string.Formatter().vformat(template, (), _Params(params))


register_reasons(
    Reason(
        "dispatch_failed",
        "Could not be started",
        "The run was recorded, but it could not be sent to a worker because of an error "
        "(reference {reference}).",
        "Start the operation again. If it happens again, contact your Runledger administrator and "
        "quote the reference.",
    ),
    Reason(
        "never_started",
        "Never started",
        "No worker started the run within {minutes} minutes.",
        "Check that a worker listens to the queue “{queue}”, then retry.",
    ),
    Reason(
        "unexpected_error",
        "Unexpected error",
        "The operation stopped because of an error in Runledger (reference {reference}).",
        "Retry the run. If it happens again, contact your Runledger administrator and quote the "
        "reference. The log contains the details.",
    ),
    Reason(
        "not_attempted",
        "Not attempted",
        "The run ended before it processed these items.",
        "Retry the run to process the remaining items.",
    ),
    Reason(
        "time_limit_exceeded",
        "Time limit exceeded",
        "The operation exceeded its time limit of {minutes} minutes.",
        "Retry with a smaller scope, or ask your administrator for a longer limit.",
    ),
    Reason(
        "worker_lost",
        "Worker lost",
        "{worker} has not responded for {seconds} seconds. It was stopped or lost its connection "
        "to the database.",
        "No action needed if a retry was started. Otherwise retry the run.",
    ),
    Reason(
        "max_runtime_exceeded",
        "Maximum runtime exceeded",
        "The operation was still running long after its time limit of {minutes} minutes.",
        "Retry with a smaller scope, or ask your administrator for a longer limit.",
    ),
    Reason(
        "cancel_timeout",
        "Did not stop",
        "Cancellation was requested, but the run did not stop. {worker} may still finish the "
        "current item.",
        "Check the items to see which were processed.",
    ),
    Reason(
        "database_conflict",
        "Database conflict",
        "Postgres repeatedly rolled back a progress report because of another transaction.",
        "Retry the run. If it happens again, look for long transactions in pg_stat_activity.",
    ),
    Reason(
        "lease_lost",
        "Lease lost",
        "The worker could not renew its lease and stopped.",
        "No action needed if a retry was started. Otherwise retry the run. If it happens again, "
        "check the worker's connection to the database.",
    ),
    Reason(
        "worker_shutdown",
        "Worker shut down",
        "The worker was shut down while the operation was running.",
        "No action needed if a retry was started. Otherwise retry the run to process the remaining "
        "items.",
    ),
    Reason(
        "tenant_suspended",
        "Tenant suspended",
        "The tenant {tenant} is suspended. Operations cannot run on it.",
        "Set the tenant to active, then retry.",
    ),
    Reason(
        "tenant_archived",
        "Tenant archived",
        "The tenant {tenant} is archived. Operations cannot run on it.",
        "An owner can bring the tenant back on its page.",
    ),
    Reason(
        "cause_unknown",
        "No cause recorded",
        "The run recorded no cause.",
        "Check the timeline and the items.",
    ),
    Reason(
        "other_causes",
        "Other causes",
        "There are more causes than are listed here.",
        "Check the items for the other causes.",
    ),
)
