"""The same new schedule, posted several times at once."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from backups import services
from backups.models import BackupSchedule
from tests.support.concurrency import racing_threads
from tests.support.factories import TenantFactory


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_one_request_is_stored_and_the_others_report_the_duplicate_name() -> None:
    tenants = [TenantFactory(name="Adatum")]
    tenants.append(TenantFactory(name="Fabrikam", workspace=tenants[0].workspace))

    def create() -> list[str]:
        template = BackupSchedule(
            workspace=tenants[0].workspace, name="Nightly", cron="0 2 * * *", kinds=["compliance"]
        )
        try:
            services.create_for(template, tenants)
        except ValidationError as error:
            return error.messages
        return []

    with racing_threads(6) as threads:
        messages = threads.race([create] * 6)

    rejections = [
        f"{tenant.name}: This tenant already has a schedule with this name." for tenant in tenants
    ]
    assert sorted(messages) == [[], *[rejections] * 5]
    assert BackupSchedule.objects.count() == 2
