"""The same new schedule, sent several times at the same moment."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from backups import services
from backups.models import BackupSchedule
from tests.support.concurrency import racing_threads
from tests.support.factories import TenantFactory


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_one_is_stored_and_the_others_are_told_that_the_name_is_taken() -> None:
    tenants = [TenantFactory(name="Adatum")]
    tenants.append(TenantFactory(name="Fabrikam", workspace=tenants[0].workspace))

    def create() -> list[str]:
        wish = BackupSchedule(
            workspace=tenants[0].workspace, name="Nightly", cron="0 2 * * *", kinds=["compliance"]
        )
        try:
            services.create_for(wish, tenants)
        except ValidationError as error:
            return error.messages
        return []

    with racing_threads(6) as threads:
        told = threads.race([create] * 6)

    refused = [
        f"{tenant.name}: This tenant has a schedule of that name already." for tenant in tenants
    ]
    assert sorted(told) == [[], *[refused] * 5]
    assert BackupSchedule.objects.count() == 2
