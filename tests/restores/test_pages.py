"""The way of a restore through its pages."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from providers.models import Access, ProviderConnection
from restores import services, views
from restores.models import Choice, RestoreRun, RestoreStatus
from tenancy.models import User
from tests.restores.conftest import Place, executed, only
from tests.restores.factories import a_restore

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    client.force_login(manager, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(name: str, *ids: int) -> str:
    return reverse(name, args=["contoso", *ids])


def test_the_whole_way_from_the_set_to_the_result(place: Place, page: Client) -> None:
    item = place.items("compliance")[0]
    place.change(item, description="changed")
    choose = address("restore_create", place.backup_set.pk)
    assert choose in page.get(place.backup_set.get_absolute_url()).content.decode()
    assert item.name in page.get(choose, {"kind": "compliance"}).content.decode()

    options = {"item": item.pk, "assignments": "keep", "access_state": "report_only"}
    begun = page.post(choose, options)
    restore = RestoreRun.objects.with_scope().get()
    waiting = page.get(begun["Location"]).content.decode()
    assert restore.preview_run is not None
    executed(restore.preview_run)
    previewed = page.get(restore.get_absolute_url()).content.decode()
    page.post(address("restore_choose", restore.pk), {f"choice-{only(restore).pk}": "take"})
    restore.refresh_from_db()
    page.post(
        address("restore_execute", restore.pk),
        {"decided": services.decided_of(restore), "tenant_name": place.tenant.name},
    )
    restore = RestoreRun.objects.with_scope().get()
    assert restore.execute_run is not None
    executed(restore.execute_run)
    result = page.get(restore.get_absolute_url()).content.decode()

    assert "Comparing the backup" in waiting
    assert "1 conflict" in previewed
    assert "<del>changed</del>" in previewed
    assert "Everything that was to be written was written" in result
    assert f"Before restore {restore.pk}" in result
    assert restore.execute_run.get_absolute_url() in result


def test_all_of_a_kind_are_chosen_at_once(place: Place, page: Client) -> None:
    page.post(
        address("restore_create", place.backup_set.pk),
        {"all_of": "settings_catalog", "assignments": "keep", "access_state": "report_only"},
    )

    assert RestoreRun.objects.get().items.count() == len(place.items("settings_catalog")) > 1


def test_nothing_ticked_is_told(place: Place, page: Client) -> None:
    answer = page.post(
        address("restore_create", place.backup_set.pk),
        {"assignments": "keep", "access_state": "report_only"},
    )

    assert answer.status_code == 400
    assert b"Tick at least one object" in answer.content


def test_a_wrong_name_writes_nothing_and_says_so(place: Place, page: Client) -> None:
    place.change(place.items("compliance")[0], description="changed")
    restore = place.preview(place.items("compliance")[:1])
    place.take_all(restore)

    answer = page.post(
        address("restore_execute", restore.pk),
        {"decided": services.decided_of(restore), "tenant_name": "Contoso"},
        follow=True,
    )

    assert "exactly as it stands" in answer.content.decode()
    assert RestoreRun.objects.get().status == RestoreStatus.PREVIEWED


def test_a_connection_that_may_only_read_is_told_before_anybody_confirms(
    place: Place, page: Client
) -> None:
    place.delete(place.items("compliance")[0])
    restore = place.preview(place.items("compliance")[:1])
    ready = page.get(restore.get_absolute_url()).content.decode()
    ProviderConnection.objects.update(access=Access.READ_ONLY)

    text = page.get(restore.get_absolute_url()).content.decode()

    assert "Allow writing on the connection" in text
    assert "Allow writing" not in ready
    assert re.search(r"btn-danger\"\s+disabled", text)
    assert not re.search(r"btn-danger\"\s+disabled", ready)


def test_letting_go_changes_nothing(place: Place, page: Client) -> None:
    restore = place.preview(place.items("compliance"))

    page.post(address("restore_abandon", restore.pk))

    assert RestoreRun.objects.get().status == RestoreStatus.ENDED
    assert "without changing anything" in page.get(restore.get_absolute_url()).content.decode()


def test_a_foreign_choice_is_left_aside(place: Place, page: Client) -> None:
    place.change(place.items("compliance")[0], description="changed")
    restore, other = (place.preview(place.items("compliance")[:1]) for _ in range(2))

    page.post(
        address("restore_choose", restore.pk),
        {f"choice-{only(other).pk}": "take", f"choice-{only(restore).pk}": "nonsense"},
    )

    assert only(other).choice == only(restore).choice == Choice.OPEN


def test_a_form_that_is_posted_twice_begins_one_restore(place: Place, page: Client) -> None:
    form = {
        "item": place.items("compliance")[0].pk,
        "assignments": "keep",
        "access_state": "report_only",
        "submission": "0b1d5c3e-8a44-4f0e-9d7e-2f6a1c9b7e01",
    }
    answers = [page.post(address("restore_create", place.backup_set.pk), form) for _ in range(3)]

    assert len({answer["Location"] for answer in answers}) == 1
    assert RestoreRun.objects.count() == 1


def test_a_reader_sees_a_restore_and_no_button(place: Place, client: Client, reader: User) -> None:
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    restore = a_restore(place.tenant)

    text = client.get(restore.get_absolute_url()).content.decode()
    sets = client.get(place.backup_set.get_absolute_url()).content.decode()

    assert "Type the tenant" not in text
    assert "Restore objects" not in sets
    assert client.get(address("restore_create", place.backup_set.pk)).status_code == 403


def test_an_empty_list_leads_to_the_backup_sets(page: Client, place: Place) -> None:
    assert "Choose a backup set" in page.get(address("restore_list")).content.decode()
    restore = a_restore(place.tenant)
    listed = page.get(address("restore_list")).content.decode()
    tenant = page.get(place.tenant.get_absolute_url()).content.decode()

    assert restore.get_absolute_url() in listed
    assert restore.get_absolute_url() in tenant


def test_what_is_ticked_stays_ticked_while_one_filters(place: Place, page: Client) -> None:
    choose = address("restore_create", place.backup_set.pk)
    ticked, other = place.items("compliance")[0], place.items("settings_catalog")[0]

    filtered = page.post(
        choose,
        {
            "item": ticked.pk,
            "all_of": "named_location",
            "filter": "1",
            "q": other.name,
            "assignments": "backup",
            "access_state": "report_only",
        },
    )

    text = filtered.content.decode()
    assert filtered.status_code == 200
    assert not RestoreRun.objects.exists()
    assert f'type="hidden" name="item" value="{ticked.pk}"' in text
    assert other.get_absolute_url() in text
    assert ticked.get_absolute_url() not in text
    assert re.search(r'name="all_of" value="named_location" checked', text)
    assert re.search(r'value="backup" selected', text)


def test_a_set_that_is_larger_than_the_page_says_so(
    place: Place, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_ITEMS", 2)

    text = page.get(address("restore_create", place.backup_set.pk)).content.decode()

    assert f"The first 2 of {len(place.items())} objects" in text


def test_what_was_blocked_is_named_beside_what_succeeded(place: Place, page: Client) -> None:
    item = place.items("device_configuration")[0]
    secret = {"omaUri": "./x", "displayName": "x", "isEncrypted": True, "value": "****"}
    place.change(item, omaSettings=[secret])
    blocked = place.back_up_again(item)
    good = place.items("compliance")[0]
    place.change(good, description="changed")

    restore, run = place.restore([blocked, good])

    text = page.get(restore.get_absolute_url()).content.decode()
    assert run.outcome == "succeeded"
    assert "1 blocked object was left alone" in text
    assert "only encrypted" in text


def test_the_evidence_of_each_write_stands_on_both_pages(place: Place, page: Client) -> None:
    item = place.items("compliance")[0]
    place.change(item, description="changed")

    restore, run = place.restore([item])

    told = only(restore)
    text = page.get(restore.get_absolute_url()).content.decode()
    timeline = page.get(run.get_absolute_url()).content.decode()
    assert {told.before_hash, told.after_hash} <= set(re.findall(r"[0-9a-f]{64}", text))
    assert told.after_hash == told.wanted_hash != told.before_hash
    assert "<del>changed</del>" in text
    assert f"{told.before_hash[:12]} → {told.after_hash[:12]}" in timeline
    assert "Executed by" in text


def test_the_list_says_how_a_restore_ended(place: Place, page: Client) -> None:
    item = place.items("compliance")[0]
    place.delete(item)
    restore = place.preview([item])
    place.graph.fault(place.tenant.external_id, "drop", kind="compliance", method="POST", times=1)
    place.execute(restore)

    text = page.get(address("restore_list")).content.decode()

    assert 'data-outcome="failed"' in text
    assert "1 to review" in text


def test_differences_that_do_not_fit_have_a_page_of_their_own(
    place: Place, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "DIFFERENCES_ON_PAGE", 1)
    first, second = place.items("compliance")[:2]
    for item in (first, second):
        place.change(item, description=f"changed, {item.name}")
    restore = place.preview([first, second])

    text = page.get(restore.get_absolute_url()).content.decode()
    links = re.findall(r'href="([^"]*/items/[^"]*)"', text)
    alone = page.get(links[0]).content.decode()

    assert text.count("<del>changed, ") == 1
    assert len(links) == 1
    assert f"<del>changed, {second.name}</del>" in alone
