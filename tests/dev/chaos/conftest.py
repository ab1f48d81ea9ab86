"""The recorded ledger of the tests of the judge."""

from __future__ import annotations

import pytest

from tenancy.models import Tenant, User
from tests.dev.chaos.recording import Recording


@pytest.fixture
def recording(tenant: Tenant, operator: User) -> Recording:
    return Recording(tenant, operator)
