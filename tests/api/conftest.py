"""A client with the token of a manager; no problem has a text that was written for a browser."""

from __future__ import annotations

import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client

from api import problems
from tenancy.models import User, Workspace
from tests.support.tokens import open_api

FOR_A_BROWSER = re.compile(r"\b(this page|reload|button|click|checkbox)\b", re.IGNORECASE)


@pytest.fixture
def api(manager: User, workspace: Workspace) -> Client:
    return open_api(manager, workspace)


@pytest.fixture(autouse=True)
def problems_are_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the text of each problem that a test gets."""
    fill = problems._fill

    def fill_and_check(
        request: HttpRequest, response: HttpResponse, error: problems.ApiError
    ) -> None:
        fill(request, response, error)
        assert not FOR_A_BROWSER.search(response.content.decode()), response.content

    monkeypatch.setattr(problems, "_fill", fill_and_check)
