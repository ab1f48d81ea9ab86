"""Why the broker refuses a command, as a safe text."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

#: The replies with which a server refuses commands until its state changes, and their meaning.
REFUSALS = {
    "BUSY": "it is running a script",
    "CLUSTERDOWN": "its cluster is down",
    "EXECABORT": "it discarded a transaction",
    "LOADING": "it is loading its data",
    "MASTERDOWN": "it is a replica without a connection to its primary",
    "MISCONF": "it cannot save its data to disk",
    "NOAUTH": "it requires a password",
    "NOPERM": "its user lacks a permission",
    "NOREPLICAS": "too few replicas are connected to it",
    "OOM": "its memory is full",
    "READONLY": "it is a read-only replica",
    "TRYAGAIN": "its cluster is moving keys",
    "UNBLOCKED": "its role changed",
    "WRONGPASS": "it does not accept the password",
}
NO_ANSWER = "it did not answer in time"
UNREACHABLE = "it cannot be reached"
UNTRUSTED = "its certificate is not trusted"


def describe_refusal(error: BaseException) -> str:
    """Return a safe text for an error of the broker; the log gets the type of the error."""
    log.warning("the broker refused a command: %s", type(error).__name__)
    code = str(error).partition(" ")[0]
    if code in REFUSALS:
        return REFUSALS[code]
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UNTRUSTED
    if isinstance(error, TimeoutError) or "imeout" in str(error) + type(error).__name__:
        return NO_ANSWER
    return UNREACHABLE
