"""Start operations with their buttons."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from operations.models import OperationRun
from tests.support.stack import wait_for_end


def start(page: Client, route: str, *ids: object, **form: object) -> OperationRun:
    """Post to a route; return the run that it leads to after the run has ended."""
    response = page.post(reverse(route, args=["contoso", *ids]), form)
    assert response.status_code == 302, response.content
    run_id = int(response["Location"].strip("/").split("/")[-1])
    return wait_for_end(run_id)
