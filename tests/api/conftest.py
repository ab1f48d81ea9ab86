"""A client with the token of a manager."""

from __future__ import annotations

import pytest
from django.test import Client

from tenancy.models import User, Workspace
from tests.support.tokens import open_api


@pytest.fixture
def api(manager: User, workspace: Workspace) -> Client:
    return open_api(manager, workspace)
