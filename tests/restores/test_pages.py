"""A restore through its pages."""

from __future__ import annotations

import re
from html import escape

import pytest
from django.test import Client
from django.urls import reverse

from operations.testing import run_now
from providers.models import Access, ProviderConnection
from restores import services
from restores.models import Action, Decision, RestoreRun, RestoreStatus
from restores.views import detail, select
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupItemFactory, BackupSetFactory
from tests.support.factories.inventory import PolicyFactory
from tests.support.factories.restores import create_restore
from tests.support.restores import RestoreScenario, only_item
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    open_session(client, manager)
    return client


def url(name: str, *ids: int) -> str:
    return reverse(name, args=["contoso", *ids])


def test_a_restore_from_the_backup_set_to_its_results(
    scenario: RestoreScenario, page: Client
) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(item, description="changed")
    select_url = url("restore_create", scenario.backup_set.pk)
    assert select_url in page.get(scenario.backup_set.get_absolute_url()).content.decode()
    assert item.name in page.get(select_url, {"kind": "compliance"}).content.decode()

    options = {"item": item.pk, "assignments": "keep", "access_state": "report_only"}
    response = page.post(select_url, options)
    restore = RestoreRun.objects.with_scope().get()
    preview_page = page.get(response["Location"]).content.decode()
    assert restore.preview_run is not None
    run_now(restore.preview_run)
    preview_result = page.get(restore.get_absolute_url()).content.decode()
    page.post(url("restore_decide", restore.pk), {f"decision-{only_item(restore).pk}": "take"})
    restore.refresh_from_db()
    page.post(
        url("restore_execute", restore.pk),
        {
            "decision_digest": services.decision_digest_of(restore),
            "tenant_name": scenario.tenant.name,
        },
    )
    restore = RestoreRun.objects.with_scope().get()
    assert restore.execute_run is not None
    run_now(restore.execute_run)
    result = page.get(restore.get_absolute_url()).content.decode()

    assert "Comparing the backup" in preview_page
    assert "1 conflict" in preview_result
    assert "<del>changed</del>" in preview_result
    assert "All planned changes were written and verified" in result
    assert f"Before restore {restore.pk}" in result
    assert restore.execute_run.get_absolute_url() in result


def test_all_objects_of_a_kind_are_selected_at_once(
    scenario: RestoreScenario, page: Client
) -> None:
    page.post(
        url("restore_create", scenario.backup_set.pk),
        {"all_of": "settings_catalog", "assignments": "keep", "access_state": "report_only"},
    )

    assert RestoreRun.objects.get().items.count() == len(scenario.items("settings_catalog")) > 1


def test_an_empty_selection_is_rejected(scenario: RestoreScenario, page: Client) -> None:
    response = page.post(
        url("restore_create", scenario.backup_set.pk),
        {"assignments": "keep", "access_state": "report_only"},
    )

    assert response.status_code == 400
    assert b"Select at least one object" in response.content


def test_a_restore_that_another_person_has_executed_is_not_called_discarded(
    tenant: Tenant, manager: User, client: Client
) -> None:
    restore = create_restore(tenant, executing=True)
    open_session(client, manager)

    text = client.post(f"{restore.get_absolute_url()}discard/", follow=True).content.decode()

    assert "Only a restore in preview can be discarded." in text
    assert "Restore discarded" not in text


def test_a_wrong_tenant_name_is_rejected(scenario: RestoreScenario, page: Client) -> None:
    scenario.change(scenario.items("compliance")[0], description="changed")
    restore = scenario.preview(scenario.items("compliance")[:1])
    scenario.use_backup_for_all(restore)

    response = page.post(
        url("restore_execute", restore.pk),
        {"decision_digest": services.decision_digest_of(restore), "tenant_name": "Contoso"},
    )

    text = response.content.decode()
    assert response.status_code == 400
    assert "This is not the name of the tenant." in text
    assert 'name="tenant_name" class="form-control" value="Contoso"' in text
    assert RestoreRun.objects.get().status == RestoreStatus.PREVIEWED


def test_a_read_only_connection_disables_the_restore_button(
    scenario: RestoreScenario, page: Client
) -> None:
    scenario.delete(scenario.items("compliance")[0])
    restore = scenario.preview(scenario.items("compliance")[:1])
    writable_page = page.get(restore.get_absolute_url()).content.decode()
    ProviderConnection.objects.update(access=Access.READ_ONLY)

    text = page.get(restore.get_absolute_url()).content.decode()

    assert "Allow writing on the connection" in text
    assert "Allow writing" not in writable_page
    assert re.search(r"btn-danger\"\s+disabled", text)
    assert not re.search(r"btn-danger\"\s+disabled", writable_page)


def test_a_preview_with_nothing_to_write_only_offers_to_discard_it(
    page: Client, tenant: Tenant
) -> None:
    restore = create_restore(tenant, {"action": Action.UNCHANGED, "changes": []})
    kept = create_restore(tenant, {"action": Action.CONFLICT, "decision": Decision.KEEP})
    undecided = create_restore(tenant, {"action": Action.CONFLICT})

    for nothing in (restore, kept):
        html = page.get(nothing.get_absolute_url()).content.decode()
        assert "Nothing to write" in html
        assert "Enter the tenant name to confirm" not in html
        assert f'action="{url("restore_discard", nothing.pk)}"' in html
    assert "Nothing to write" not in page.get(undecided.get_absolute_url()).content.decode()


def test_discarding_a_restore_changes_nothing(scenario: RestoreScenario, page: Client) -> None:
    restore = scenario.preview(scenario.items("compliance"))

    page.post(url("restore_discard", restore.pk))

    assert RestoreRun.objects.get().status == RestoreStatus.ENDED
    assert "without changing anything" in page.get(restore.get_absolute_url()).content.decode()


def test_decisions_about_other_restores_are_ignored(
    scenario: RestoreScenario, page: Client
) -> None:
    scenario.change(scenario.items("compliance")[0], description="changed")
    restore, other = (scenario.preview(scenario.items("compliance")[:1]) for _ in range(2))

    page.post(
        url("restore_decide", restore.pk),
        {
            f"decision-{only_item(other).pk}": "take",
            f"decision-{only_item(restore).pk}": "nonsense",
        },
    )

    assert only_item(other).decision == only_item(restore).decision == Decision.OPEN


def test_submitting_the_form_twice_starts_one_restore(
    scenario: RestoreScenario, page: Client
) -> None:
    form = {
        "item": scenario.items("compliance")[0].pk,
        "assignments": "keep",
        "access_state": "report_only",
        "submission": "0b1d5c3e-8a44-4f0e-9d7e-2f6a1c9b7e01",
    }
    responses = [page.post(url("restore_create", scenario.backup_set.pk), form) for _ in range(3)]

    assert len({response["Location"] for response in responses}) == 1
    assert RestoreRun.objects.count() == 1


def test_a_reader_sees_a_restore_without_buttons(
    scenario: RestoreScenario, client: Client, reader: User
) -> None:
    open_session(client, reader)
    restore = create_restore(scenario.tenant)

    text = client.get(restore.get_absolute_url()).content.decode()
    sets = client.get(scenario.backup_set.get_absolute_url()).content.decode()

    assert "Enter the tenant" not in text
    assert "Restore objects" not in sets
    assert client.get(url("restore_create", scenario.backup_set.pk)).status_code == 403


def test_an_empty_list_links_to_the_backup_sets(page: Client, scenario: RestoreScenario) -> None:
    assert "Choose a backup set" in page.get(url("restore_list")).content.decode()
    restore = create_restore(scenario.tenant)
    listed = page.get(url("restore_list")).content.decode()
    tenant = page.get(scenario.tenant.get_absolute_url()).content.decode()

    assert restore.get_absolute_url() in listed
    assert restore.get_absolute_url() in tenant


def test_filtering_keeps_the_selection(scenario: RestoreScenario, page: Client) -> None:
    select_url = url("restore_create", scenario.backup_set.pk)
    selected, other = scenario.items("compliance")[0], scenario.items("settings_catalog")[0]

    filtered = page.post(
        select_url,
        {
            "item": selected.pk,
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
    assert f'type="hidden" name="items" value="{selected.pk}"' in text
    assert other.get_absolute_url() in text
    assert selected.get_absolute_url() not in text
    assert re.search(r'name="all_of" value="named_location" checked', text)
    assert re.search(r'value="backup" selected', text)


def test_what_a_filter_hides_is_restored_or_stays_selected_beyond_the_limit(
    scenario: RestoreScenario, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    select_url = url("restore_create", scenario.backup_set.pk)
    first, second, shown = scenario.items()[:3]
    form = {
        "item": shown.pk,
        "items": f"{first.pk},{second.pk}",
        "q": shown.graph_id,
        "assignments": "keep",
        "access_state": "report_only",
    }

    started = page.post(select_url, form)
    monkeypatch.setattr(services, "MAX_ITEMS", 2)
    refused = page.post(select_url, form)

    text = refused.content.decode()
    restore = RestoreRun.objects.get()
    selected = set(restore.items.values_list("backup_item", flat=True))
    assert started["Location"] == restore.get_absolute_url()
    assert selected == {first.pk, second.pk, shown.pk}
    assert refused.status_code == 400
    assert "A restore can contain at most 2 objects. Select fewer." in text
    assert (
        f'name="item" value="{shown.pk}" aria-label="Select {escape(shown.name)}" checked' in text
    )
    hidden = ",".join(map(str, sorted([first.pk, second.pk])))
    assert f'type="hidden" name="items" value="{hidden}"' in text


def test_a_set_larger_than_the_page_says_so(
    scenario: RestoreScenario, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "MAX_ITEMS", 2)

    text = page.get(url("restore_create", scenario.backup_set.pk)).content.decode()

    assert f"The first 2 of {len(scenario.items())} objects" in text


def test_blocked_objects_are_listed_beside_restored_ones(
    scenario: RestoreScenario, page: Client
) -> None:
    item = scenario.items("device_configuration")[0]
    secret = {"omaUri": "./x", "displayName": "x", "isEncrypted": True, "value": "****"}
    scenario.change(item, omaSettings=[secret])
    blocked_item = scenario.back_up_again(item)
    changed_item = scenario.items("compliance")[0]
    scenario.change(changed_item, description="changed")

    restore, run = scenario.restore([blocked_item, changed_item])

    text = page.get(restore.get_absolute_url()).content.decode()
    assert run.outcome == "succeeded"
    assert "1 blocked object was skipped" in text
    assert "only in encrypted form" in text


def test_restore_and_run_show_the_evidence_of_each_write(
    scenario: RestoreScenario, page: Client
) -> None:
    item = scenario.items("compliance")[0]
    scenario.change(item, description="changed")

    restore, run = scenario.restore([item])

    item_row = only_item(restore)
    text = page.get(restore.get_absolute_url()).content.decode()
    timeline = page.get(run.get_absolute_url()).content.decode()
    assert {item_row.before_hash, item_row.after_hash} <= set(re.findall(r"[0-9a-f]{64}", text))
    assert item_row.after_hash == item_row.expected_hash != item_row.before_hash
    assert "<del>changed</del>" in text
    assert f"{item_row.before_hash[:12]} → {item_row.after_hash[:12]}" in timeline
    assert "Executed by" in text


def test_the_outcome_of_a_restore_is_listed_with_the_ids_of_refused_requests(
    scenario: RestoreScenario, page: Client
) -> None:
    items = scenario.items("compliance")[:2]
    for item in items:
        scenario.delete(item)
    restore = scenario.preview(items)
    for fault in ("license", "drop"):
        scenario.graph.fault(
            scenario.tenant.external_id, fault, kind="compliance", method="POST", times=1
        )
    run = scenario.execute(restore)

    text = page.get(url("restore_list")).text
    results = page.get(restore.get_absolute_url()).text

    assert 'data-outcome="failed"' in text
    assert "1 to verify manually" in text
    refused = run.items.exclude(request_id="").get()
    assert f"Request <code>{refused.request_id}</code>" in results


def test_results_begin_with_what_was_not_restored(scenario: RestoreScenario, page: Client) -> None:
    unchanged, refused, written = scenario.items()[:3]
    for item in (refused, written):
        scenario.delete(item)
    restore = scenario.preview([unchanged, refused, written])
    scenario.graph.fault(
        scenario.tenant.external_id, "license", kind=refused.kind, method="POST", times=1
    )
    scenario.execute(restore)

    text = page.get(restore.get_absolute_url()).text
    results = text[text.index("Results by object") :]

    shown = [results.index(label) for label in ("Not written", "Written and verified", "Skipped")]
    assert shown == sorted(shown)


def test_differences_that_do_not_fit_have_a_separate_page(
    scenario: RestoreScenario, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detail, "DIFFERENCES_ON_PAGE", 1)
    first, second = scenario.items("compliance")[:2]
    for item in (first, second):
        scenario.change(item, description=f"changed, {item.name}")
    restore = scenario.preview([first, second])

    text = page.get(restore.get_absolute_url()).content.decode()
    links = re.findall(r'href="([^"]*/items/[^"]*)"', text)
    item_page = page.get(links[0]).content.decode()

    assert text.count("<del>changed, ") == 1
    assert len(links) == 1
    assert f"<del>changed, {second.name}</del>" in item_page


def test_a_warning_that_objects_share_is_shown_once_with_their_names(
    tenant: Tenant, page: Client
) -> None:
    shared, own = "Backups do not contain settings.", "It can lock out every administrator."
    restore = create_restore(
        tenant,
        {"name": "Sales", "warning": shared},
        {"name": "Finance", "warning": f"{own}\n{shared}"},
        {"name": "Berlin"},
    )

    text = " ".join(page.get(restore.get_absolute_url()).content.decode().split())
    names = re.search(rf"{shared} <details> <summary>2 objects</summary>(.*?)</details>", text)

    assert names
    assert re.findall(r"<bdi>(\w+)</bdi>", names[1]) == ["Finance", "Sales"]
    assert text.count(shared) == 1
    assert re.search(rf'restore-item" open>.{{0,300}}<bdi>Finance</bdi>.*{own}', text)
    assert text.count('restore-item" open') == 1


def test_objects_of_one_name_have_their_ids_and_missing_ones_have_their_names(
    tenant: Tenant, page: Client
) -> None:
    missing = PolicyFactory(tenant=tenant, kind="assignment_filters", name="Corporate devices")
    lacking = {
        "action": Action.BLOCKED,
        "missing": [{"kind": missing.kind, "id": missing.graph_id}],
    }
    restore = create_restore(
        tenant, {"name": "Baseline", **lacking}, {"name": "Baseline"}, {"name": "Other"}
    )
    *same, other = restore.items.order_by("pk")

    text = page.get(restore.get_absolute_url()).text

    assert f"<bdi>Corporate devices</bdi> <code>{missing.graph_id}</code>" in text
    assert all(f"<code>{item.graph_id}</code>" in text for item in same)
    assert f"<code>{other.graph_id}</code>" not in text


def test_objects_of_one_name_are_selected_by_their_ids(tenant: Tenant, page: Client) -> None:
    backup_set = BackupSetFactory(schedule__tenant=tenant)
    names = ("Baseline", "Baseline", "Other")
    *same, other = [BackupItemFactory(backup_set=backup_set, name=name) for name in names]

    text = page.get(url("restore_create", backup_set.pk)).text

    assert all(f"<code>{item.graph_id}</code>" in text for item in same)
    assert f"<code>{other.graph_id}</code>" not in text
