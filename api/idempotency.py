"""Idempotency keys: a request that is sent again leads to the run that it started.

The key becomes the submission of the run, as the rendering of a form does on pages. The row of
`api_submissions` is written in the transaction that starts the run. Of two requests with one key,
the later one waits there for the first one; then it is rolled back and has the result of the first.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Annotated

from django.db import connection, transaction
from ninja import Header

from api.models import ApiSubmission
from api.problems import ApiError, conflict
from api.requests import ApiRequest
from operations.models import OperationRun
from operations.services import DispatchResult

_KEYS = uuid.UUID("0b6a3a5c-7f0b-5f4d-9a39-6d7b7d2f5c52")
#: The parameter of operations that start a run.
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description=(
            "A new text for each request, such as a UUID. The same request with the same key leads to"
            " the run that it started."
        ),
    ),
]
_INSERT = """
INSERT INTO api_submissions (submission_id, fingerprint, run_id, created_at)
VALUES (%s, %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING
"""
_REMOVE = """
DELETE FROM api_submissions WHERE created_at < statement_timestamp() - make_interval(days => %s)
"""
#: How long a key is remembered.
KEEP_DAYS = 7


class _AlreadySent(Exception):
    """A request with the same key was first; what this one has done is rolled back."""


def start_once(
    request: ApiRequest, key: str | None, start: Callable[[uuid.UUID | None], DispatchResult]
) -> DispatchResult:
    """Start a run, unless a request with the same key has already done so.

    Args:
        request: the request.
        key: the value of its header `Idempotency-Key`, if it has one.
        start: starts the run with a submission.

    Raises:
        ApiError: the key belongs to another request, or its run has been removed.
    """
    if key is None:
        return start(None)
    submission = uuid.uuid5(_KEYS, f"{request.workspace.pk}/{request.user.pk}/{key}")
    fingerprint = _fingerprint(request)
    if earlier := _earlier_result(request, submission, fingerprint):
        return earlier
    try:
        with transaction.atomic():
            result = start(submission)
            _remember(submission, fingerprint, result)
    except _AlreadySent:
        first = _earlier_result(request, submission, fingerprint)
        assert first is not None
        return first
    return result


def _remember(submission: uuid.UUID, fingerprint: str, result: DispatchResult) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [submission, fingerprint, result.run.pk])
        if not cursor.rowcount:
            raise _AlreadySent


def remove_old_keys() -> None:
    """Forget the keys that are older than `KEEP_DAYS`."""
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE, [KEEP_DAYS])


def _earlier_result(
    request: ApiRequest, submission: uuid.UUID, fingerprint: str
) -> DispatchResult | None:
    stored = ApiSubmission.objects.filter(pk=submission).first()
    if stored is None:
        return None
    if stored.fingerprint != fingerprint:
        raise conflict(
            "Another request had this Idempotency-Key. Use a new key for each request.",
            "idempotency_key_reused",
        )
    runs = OperationRun.objects.visible_to(request.user).with_scope()
    run = runs.filter(pk=stored.run_id).first()
    if run is None:
        raise ApiError(410, "run_removed")
    return DispatchResult(run, created=False)


def _fingerprint(request: ApiRequest) -> str:
    head = f"{request.method} {request.path}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()
