"""The pages of schedules and backup sets: their content and their permissions."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from backups.models import BackupSchedule, BackupSet, SetStatus
from backups.tick import tick
from operations.models import OperationRun
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
    utc,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def nightly(tenant: Tenant) -> BackupSchedule:
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, name="Nightly", timezone="Europe/Berlin", due=utc(2998, 7, 1, 0, 30)
    )
    return schedule


@pytest.fixture
def backup_set(nightly: BackupSchedule) -> BackupSet:
    """A set with one complete item and one that was not read."""
    backup_set: BackupSet = BackupSetFactory(schedule=nightly)
    version = PolicyVersionFactory(
        workspace=backup_set.workspace,
        payload={"id": "1", "displayName": "Block legacy", "note": "</pre><script>x</script>"},
    )
    BackupItemFactory(backup_set=backup_set, name="Block legacy", graph_id="1", version=version)
    BackupItemFactory(backup_set=backup_set, name="Half read", missed=True)
    return finish(backup_set, SetStatus.INCOMPLETE, item_count=2, incomplete_count=1)


def signed_in(client: Client, user: User) -> Client:
    open_session(client, user)
    return client


def addresses(schedule: BackupSchedule, backup_set: BackupSet) -> list[str]:
    base = f"/w/{schedule.workspace.slug}"
    item = backup_set.items.order_by("name").first()
    assert item
    return [
        f"{base}/schedules/",
        f"{base}/schedules/{schedule.pk}/",
        f"{base}/backup-sets/",
        f"{base}/backup-sets/{backup_set.pk}/",
        f"{base}/backup-sets/{backup_set.pk}/items/{item.pk}/",
    ]


def test_the_list_shows_the_times_of_a_schedule_in_words_and_the_next_slot_in_the_zone_of_the_page(
    client: Client, reader: User, nightly: BackupSchedule
) -> None:
    html = signed_in(client, reader).get("/w/contoso/schedules/").content.decode()

    assert "Nightly" in html
    assert "Fabrikam" in html
    assert "At 02:30" in html
    assert "Europe/Berlin" in html
    assert ">1 Jul 2998, 00:30</time>" in html


def test_recent_slots_are_described_in_text(
    client: Client, reader: User, nightly: BackupSchedule
) -> None:
    slot = utc(2026, 3, 8, 1, 30)
    BackupSchedule.objects.filter(pk=nightly.pk).update(
        settled_until=slot - dt.timedelta(minutes=1), next_run_at=slot
    )
    Tenant.objects.filter(pk=nightly.tenant_id).update(status=TenantStatus.SUSPENDED)
    tick(slot)

    html = signed_in(client, reader).get("/w/contoso/schedules/").content.decode()

    assert 'data-outcome="blocked"' in html
    assert re.search(r"8 Mar(?: 2026)?, 01:30: Blocked \(tenant suspended\)", html)


def test_the_number_of_queries_does_not_grow_with_the_list(
    client: Client, reader: User, tenant: Tenant, django_assert_max_num_queries: object
) -> None:
    slot = utc(2026, 3, 8, 2, 30)
    BackupScheduleFactory.create_batch(20, tenant=tenant, due=slot)
    tick(slot)
    signed_in(client, reader)

    with django_assert_max_num_queries(14):  # type: ignore[operator]
        client.get("/w/contoso/schedules/")


@pytest.mark.parametrize("query", ["?q=fabri", "?q=night", "?q=", "?page=zzz", "?page=9999"])
def test_the_list_is_searched_by_name_and_tenant(
    client: Client, reader: User, nightly: BackupSchedule, query: str
) -> None:
    response = signed_in(client, reader).get(f"/w/contoso/schedules/{query}")

    assert response.status_code == 200
    assert "Nightly" in response.content.decode()


def test_a_search_without_a_match_says_so(
    client: Client, reader: User, nightly: BackupSchedule
) -> None:
    html = signed_in(client, reader).get("/w/contoso/schedules/?q=weekly").content.decode()

    assert "No schedule matches the filter." in html


def test_every_page_is_visible_to_members_only(
    client: Client, reader: User, stranger: User, nightly: BackupSchedule, backup_set: BackupSet
) -> None:
    for address in addresses(nightly, backup_set):
        assert signed_in(client, reader).get(address).status_code == 200, address
        missing = client.get(address.replace("contoso", "no-such-place"))
        foreign = signed_in(client, stranger).get(address)
        client.logout()
        assert client.get(address).status_code == 302, address
        assert (missing.status_code, foreign.status_code) == (404, 404), address


def test_objects_of_another_workspace_are_not_found(
    client: Client, stranger: User, nightly: BackupSchedule, backup_set: BackupSet
) -> None:
    signed_in(client, stranger)

    for address in addresses(nightly, backup_set)[1:2] + addresses(nightly, backup_set)[3:]:
        assert client.get(address.replace("contoso", "elsewhere")).status_code == 404


@pytest.mark.parametrize("number", ["0", str(2**63), "9" * 30])
@pytest.mark.parametrize("page", ["schedules", "backup-sets"])
def test_an_unknown_id_is_not_found(client: Client, reader: User, page: str, number: str) -> None:
    assert signed_in(client, reader).get(f"/w/contoso/{page}/{number}/").status_code == 404


def test_back_up_now_redirects_to_the_run(
    client: Client, operator: User, nightly: BackupSchedule
) -> None:
    response = signed_in(client, operator).post(f"/w/contoso/schedules/{nightly.pk}/run/")

    run = OperationRun.objects.get()
    assert response.headers["Location"] == f"/runs/{run.pk}/"
    assert run.user == operator


def test_a_second_back_up_now_redirects_to_the_same_run(
    client: Client, operator: User, nightly: BackupSchedule
) -> None:
    signed_in(client, operator)
    address = f"/w/contoso/schedules/{nightly.pk}/run/"

    first, second = client.post(address), client.post(address)

    assert first.headers["Location"] == second.headers["Location"]
    assert OperationRun.objects.count() == 1


def test_back_up_now_of_a_suspended_tenant_shows_the_reason(
    client: Client, operator: User, nightly: BackupSchedule
) -> None:
    Tenant.objects.update(status=TenantStatus.SUSPENDED)

    response = signed_in(client, operator).post(
        f"/w/contoso/schedules/{nightly.pk}/run/", follow=True
    )

    assert "is suspended" in response.content.decode()
    assert not OperationRun.objects.exists()


@pytest.mark.parametrize(
    ("role", "verb", "status"),
    [
        ("reader", "run", 403),
        ("reader", "pause", 403),
        ("operator", "pause", 403),
        ("operator", "resume", 403),
        ("manager", "pause", 302),
        ("owner", "resume", 302),
        ("stranger", "run", 404),
        ("stranger", "pause", 404),
    ],
)
def test_an_action_requires_its_capability(
    client: Client,
    nightly: BackupSchedule,
    request: pytest.FixtureRequest,
    *,
    role: str,
    verb: str,
    status: int,
) -> None:
    signed_in(client, request.getfixturevalue(role))

    response = client.post(f"/w/contoso/schedules/{nightly.pk}/{verb}/", {"reason": "Move"})

    assert response.status_code == status


def test_the_next_run_of_a_due_schedule_is_now(
    client: Client, manager: User, nightly: BackupSchedule
) -> None:
    signed_in(client, manager)
    BackupSchedule.objects.filter(pk=nightly.pk).update(next_run_at=Now())

    for address in ("schedules/", "freshness/", f"tenants/{nightly.tenant_id}/"):
        page = client.get(f"/w/contoso/{address}").content.decode()
        assert re.search(r'<time data-age="due" [^>]+>now</time>', page), address


def test_a_schedule_is_paused_with_a_reason_and_resumed(
    client: Client, manager: User, nightly: BackupSchedule
) -> None:
    signed_in(client, manager)
    base = f"/w/contoso/schedules/{nightly.pk}/"

    paused = client.post(f"{base}pause/", {"reason": "<b>Move</b>"}, follow=True).content.decode()
    resumed = client.post(f"{base}resume/", follow=True).content.decode()

    assert "&lt;b&gt;Move&lt;/b&gt;" in paused
    assert "Paused" in paused
    assert "resumed." in resumed


def test_a_button_is_shown_only_to_users_with_its_capability(
    client: Client, reader: User, operator: User, nightly: BackupSchedule
) -> None:
    pages = [
        signed_in(client, user).get(f"/w/contoso/schedules/{nightly.pk}/").content.decode()
        for user in (reader, operator)
    ]

    assert ["Back up now" in page for page in pages] == [False, True]
    assert not any("Pause schedule</button>" in page for page in pages)


def test_a_set_lists_what_is_missing(client: Client, reader: User, backup_set: BackupSet) -> None:
    html = signed_in(client, reader).get(backup_set.get_absolute_url()).content.decode()

    assert "This backup set is incomplete." in html
    assert "Conditional access policies: 1 not read completely" in html
    assert "Half read" in html


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?q=legacy", ["Block legacy"]),
        ("?q=1", ["Block legacy"]),
        ("?missing=1", ["Half read"]),
        ("?kind=conditional_access", ["Block legacy", "Half read"]),
        ("?kind=settings_catalog", []),
        ("?kind=' OR 1=1", []),
    ],
)
def test_the_items_of_a_set_are_searched_and_filtered(
    client: Client, reader: User, backup_set: BackupSet, query: str, expected: list[str]
) -> None:
    html = signed_in(client, reader).get(f"{backup_set.get_absolute_url()}{query}").content.decode()

    names = [name for name in ("Block legacy", "Half read") if f">{name}</a>" in html]
    assert names == expected


def test_an_item_shows_its_content_with_markup_escaped(
    client: Client, reader: User, backup_set: BackupSet
) -> None:
    item = backup_set.items.get(name="Block legacy")

    html = signed_in(client, reader).get(item.get_absolute_url()).content.decode()

    assert "&lt;/pre&gt;&lt;script&gt;x&lt;/script&gt;" in html
    assert "<script>x" not in html


def test_an_item_of_another_set_is_not_found(
    client: Client, reader: User, backup_set: BackupSet, workspace: Workspace
) -> None:
    other = BackupItemFactory(
        backup_set__schedule=BackupScheduleFactory(tenant__workspace=workspace)
    )

    address = f"{backup_set.get_absolute_url()}items/{other.pk}/"

    assert signed_in(client, reader).get(address).status_code == 404


def test_the_sets_are_filtered_by_tenant_and_status(
    client: Client, reader: User, backup_set: BackupSet
) -> None:
    signed_in(client, reader)
    is_listed = {
        query: f"#{backup_set.pk}</a>"
        in client.get(f"/w/contoso/backup-sets/{query}").content.decode()
        for query in (
            f"?tenant={backup_set.tenant_id}&status=incomplete",
            "?status=complete",
            "?tenant=1e9&status=nonsense",
        )
    }

    assert list(is_listed.values()) == [True, False, False]


def test_the_overview_shows_the_freshness_of_each_tenant(
    client: Client, reader: User, nightly: BackupSchedule
) -> None:
    finish(BackupSetFactory(schedule=nightly), ended_at=timezone.now())

    html = signed_in(client, reader).get("/w/contoso/").content.decode()

    assert "Backup freshness" in html
    assert "Fabrikam" in html


def test_no_page_has_inline_style_or_script(
    client: Client, owner: User, nightly: BackupSchedule, backup_set: BackupSet
) -> None:
    signed_in(client, owner)
    for address in addresses(nightly, backup_set):
        html = client.get(address).content.decode()
        assert " style=" not in html, address
        assert "<style" not in html, address
        assert " onclick=" not in html, address
