"""Operations started from their buttons."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from operations.models import OperationRun
from operations.states import RunStatus
from tests.support.stack import eventually


def start(page: Client, route: str, *ids: object, **form: object) -> OperationRun:
    """Press the button of a route; the run that it led to, once that has ended."""
    answer = page.post(reverse(route, args=["contoso", *ids]), form)
    assert answer.status_code == 302, answer.content
    run_id = int(answer["Location"].strip("/").split("/")[-1])

    def look() -> OperationRun | None:
        return OperationRun.objects.filter(pk=run_id, status=RunStatus.COMPLETED).first()

    run: OperationRun = eventually(look, seconds=40, what=f"the end of run {run_id}")
    return run
