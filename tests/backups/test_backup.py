"""What a backup stores, and how it reports what it could not read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from backups import reading, services, sets
from backups.changes import changes_of, previous_of
from backups.models import BackupItem, BackupSchedule, BackupSet, PolicyVersion, SetStatus
from dev.graph_sandbox.control import SandboxControl
from operations.links import OperationRunLinks
from operations.models import EventLevel, OperationRun
from operations.services import OperationRunService
from operations.states import ItemOutcome, RunOutcome
from operations.testing import run_now
from operations.worker import active_run
from providers import handling
from providers.graph import normalize
from providers.graph.many import ManyReads
from providers.models import ProviderConnection
from tenancy.models import Tenant, TenantStatus, User
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sandbox import SECRET
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

BackUp = Callable[[BackupSchedule], OperationRun]


def set_of(run: OperationRun) -> BackupSet:
    return BackupSet.objects.get(operation_run=run)


def page_of(client: Client, backup_set: BackupSet) -> str:
    return client.get(backup_set.get_absolute_url()).content.decode()


def codes(run: OperationRun) -> list[str]:
    return [failure["code"] for failure in run.failures]


def test_a_backup_reads_everything_and_its_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    run = back_up(schedule)

    backup_set = set_of(run)
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (run.counts.total, run.counts.succeeded, run.counts.created) == (7, 7, 7)
    assert backup_set.status == SetStatus.COMPLETE
    assert (backup_set.item_count, backup_set.incomplete_count, backup_set.schedule) == (
        7,
        0,
        schedule,
    )
    assert sorted(backup_set.listed_kinds) == sorted(schedule.kinds)
    assert backup_set.items.filter(complete=True, version__isnull=False).count() == 7
    assert backup_set.ended_at


def test_a_version_with_a_hash_by_earlier_rules_is_unchanged(
    schedule: BackupSchedule, back_up: BackUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(normalize, "VOLATILE_AT_TOP", frozenset[str]())
        back_up(schedule)

    run = back_up(schedule)

    assert (run.counts.succeeded, run.counts.unchanged) == (7, 7)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["policy_versions", "backup_items"])
def test_a_full_disk_leaves_no_complete_set(
    schedule: BackupSchedule, back_up: BackUp, fill_the_disk: Callable[..., None], table: str
) -> None:
    fill_the_disk(table, rows=2)

    run = back_up(schedule)

    assert run.outcome in (RunOutcome.PARTIALLY_SUCCEEDED, RunOutcome.FAILED)
    backup_set = set_of(run)
    assert backup_set.status != SetStatus.COMPLETE
    assert not backup_set.is_complete
    assert all(item.version for item in backup_set.items.filter(complete=True))


def test_every_setting_of_a_large_policy_is_stored(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    backup_set = set_of(back_up(schedule))

    counts = [
        (len(item.version.payload["settings"]), item.version.payload["settingCount"])
        for item in backup_set.items.filter(kind="settings_catalog").select_related("version")
        if item.version
    ]
    assert max(counts) == (118, 118)
    assert all(read == expected for read, expected in counts)


def test_each_object_is_an_item_of_the_run_that_links_to_its_backup_item(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    run = back_up(schedule)

    item = run.items.filter(key__startswith="compliance/").first()
    assert item
    stored = BackupItem.objects.get(graph_id=item.key.removeprefix("compliance/"))
    assert item.outcome == ItemOutcome.SUCCEEDED
    assert item.label == stored.name
    assert item.link == f"/w/contoso/backup-sets/{stored.backup_set_id}/items/{stored.pk}/"


def test_a_second_backup_stores_nothing_twice(schedule: BackupSchedule, back_up: BackUp) -> None:
    back_up(schedule)
    versions = PolicyVersion.objects.count()

    run = back_up(schedule)

    assert (run.counts.unchanged, run.counts.created, run.counts.updated) == (7, 0, 0)
    assert PolicyVersion.objects.count() == versions
    assert BackupItem.objects.count() == 7


def test_a_changed_object_is_a_new_version(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    back_up(schedule)
    policy = graph.objects(schedule.tenant.external_id, "conditional_access")[0]
    graph.put_object(
        schedule.tenant.external_id, "conditional_access", policy | {"state": "in doubt"}
    )

    run = back_up(schedule)

    items = BackupItem.objects.filter(graph_id=policy["id"]).order_by("id")
    states = [item.version.payload["state"] for item in items if item.version]
    assert (run.counts.updated, run.counts.unchanged) == (1, 6)
    assert states == [policy["state"], "in doubt"]


def test_two_objects_with_the_same_name_are_two_items(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    policy = graph.objects(schedule.tenant.external_id, "conditional_access")[0]
    twin = {**policy, "id": "11111111-2222-4333-8444-555555555555"}
    graph.put_object(schedule.tenant.external_id, "conditional_access", twin)

    run = back_up(schedule)

    assert run.counts.succeeded == 8
    assert set_of(run).items.filter(name=policy["displayName"]).count() == 2


def test_an_object_without_a_name_is_named_by_its_id(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    policy = graph.objects(schedule.tenant.external_id, "conditional_access")[0]
    graph.put_object(
        schedule.tenant.external_id, "conditional_access", policy | {"displayName": None}
    )

    run = back_up(schedule)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert set_of(run).items.filter(name=policy["id"]).exists()


def test_a_forbidden_kind_fails_alone_and_names_the_permission_to_grant(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "forbid", kind="conditional_access")

    run = back_up(schedule)

    backup_set = set_of(run)
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert (run.counts.succeeded, run.counts.failed, run.counts.total) == (5, 1, 6)
    (failure,) = run.failures
    assert failure["code"] == "permission_missing"
    assert "Policy.Read.All" in failure["next_step"]
    assert run.items.get(key="kind:conditional_access").reason_code == "permission_missing"
    assert backup_set.status == SetStatus.INCOMPLETE
    assert backup_set.unlisted == {"conditional_access": "permission_missing"}


def test_a_kind_without_a_license_is_left_out_and_reported_and_the_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl, client: Client, reader: User
) -> None:
    graph.fault(schedule.tenant.external_id, "license", kind="conditional_access")

    run = back_up(schedule)

    backup_set = set_of(run)
    open_session(client, reader)
    skipped_kind = run.items.get(key="kind:conditional_access")
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (skipped_kind.outcome, skipped_kind.reason_code) == (
        ItemOutcome.SKIPPED,
        "license_missing",
    )
    assert (backup_set.status, backup_set.unlicensed_kinds) == (
        SetStatus.COMPLETE,
        ["conditional_access"],
    )
    assert (
        "Not included, because the tenant has no license: Conditional access policies."
        in page_of(client, backup_set)
    )
    assert not run.events.filter(level=EventLevel.WARNING).exists()


def test_a_lapsed_license_is_a_warning_and_its_objects_are_not_called_deleted(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    back_up(schedule)
    graph.fault(schedule.tenant.external_id, "license", kind="conditional_access")

    run = back_up(schedule)

    backup_set = set_of(run)
    previous = previous_of(backup_set)
    assert previous
    changes = changes_of(backup_set, previous)
    assert (changes.differences, changes.uncompared) == ([], ["conditional_access"])
    assert "no longer has a license" in run.events.get(level=EventLevel.WARNING).message


def test_a_tenant_without_any_license_has_no_complete_backup(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    for kind in schedule.kinds:
        graph.fault(schedule.tenant.external_id, "license", kind=kind)

    run = back_up(schedule)

    assert run.outcome == RunOutcome.FAILED
    assert set_of(run).status == SetStatus.FAILED


def test_an_incomplete_list_keeps_what_was_read_and_its_set_is_incomplete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "foreign_next_link", kind="compliance")

    run = back_up(schedule)

    backup_set = set_of(run)
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert "foreign_link" in codes(run)
    assert backup_set.missing_kinds == ["compliance"]
    assert backup_set.items.filter(kind="compliance", complete=True).exists()


def test_an_incompletely_read_object_is_stored_as_incomplete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "short_settings")

    run = back_up(schedule)

    backup_set = set_of(run)
    incomplete = backup_set.items.incomplete().first()
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert "incomplete_capture" in codes(run)
    assert incomplete
    assert incomplete.version
    assert incomplete.missing[0].startswith("settings (")
    assert backup_set.status == SetStatus.INCOMPLETE


def test_an_object_that_cannot_be_read_fails_and_the_others_are_read(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    policy = graph.objects(schedule.tenant.external_id, "compliance")[0]
    policy.pop("scheduledActionsForRule")
    graph.put_object(schedule.tenant.external_id, "compliance", policy)

    run = back_up(schedule)

    assert (run.counts.succeeded, run.counts.failed) == (6, 1)


def test_an_object_removed_while_running_is_skipped_and_the_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "gone", kind="compliance", times=1)

    run = back_up(schedule)

    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (run.counts.succeeded, run.counts.skipped) == (6, 1)
    skipped = run.items.get(outcome=ItemOutcome.SKIPPED)
    assert skipped.reason_code == "removed_while_running"
    assert set_of(run).is_complete
    assert set_of(run).item_count == 6


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("revoke_credential", "credential_rejected"),
        ("expire_credential", "credential_expired"),
        ("remove_consent", "app_not_in_tenant"),
        ("refuse_tokens", "token_rejected"),
    ],
)
def test_a_tenant_that_rejects_the_connection_blocks_the_run_and_leaves_no_set(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl, fault: str, code: str
) -> None:
    graph.fault(schedule.tenant.external_id, fault)

    run = back_up(schedule)

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, [code])
    assert run.failures[0]["next_step"]
    assert not BackupSet.objects.exists()


def test_a_credential_revoked_during_the_backup_keeps_what_was_read(
    schedule: BackupSchedule,
    back_up: BackUp,
    graph: SandboxControl,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    # Otherwise all objects are read before the first one is stored.
    settings.GRAPH_PARALLEL_REQUESTS = 1
    monkeypatch.setattr(handling, "ManyReads", partial(ManyReads, batch_size=1))
    original = sets.store_complete

    def store_and_revoke(*args: Any) -> list[str]:
        if BackupItem.objects.filter(complete=True).count() == 2:
            graph.fault(schedule.tenant.external_id, "revoke_credential")
        return original(*args)

    monkeypatch.setattr(sets, "store_complete", store_and_revoke)
    monkeypatch.setattr(reading, "STORED_AT_ONCE", 1)

    run = back_up(schedule)

    backup_set = set_of(run)
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert "credential_rejected" in codes(run)
    assert backup_set.status == SetStatus.INCOMPLETE
    assert backup_set.items.incomplete().filter(reason_code="not_attempted_in_set").exists()


def test_a_tenant_without_a_connection_is_blocked(tenant: Tenant, back_up: BackUp) -> None:
    run = back_up(BackupScheduleFactory(tenant=tenant))

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, ["connection_missing"])


def test_a_list_that_expires_is_read_again_and_the_timeline_says_so(
    tenant: Tenant, add_to_graph: Callable[..., Any], back_up: BackUp, graph: SandboxControl
) -> None:
    add_to_graph(tenant, sizes={"linux_compliance": 26})
    graph.fault(tenant.external_id, "expired_page_token", times=1)

    run = back_up(BackupScheduleFactory(tenant=tenant, kinds=["linux_compliance"]))

    assert (run.outcome, run.counts.succeeded) == (RunOutcome.SUCCEEDED, 26)
    (wait,) = run.events.filter(kind="wait")
    expected = (
        "Microsoft Graph ended a list early, which is read again from its start: waiting 1 s."
    )
    assert wait.message == expected


def test_the_run_waits_for_throttling_and_shows_it(
    schedule: BackupSchedule,
    back_up: BackUp,
    graph: SandboxControl,
) -> None:
    graph.fault(schedule.tenant.external_id, "throttle", kind="compliance", retry_after=1, times=1)

    run = back_up(schedule)

    assert run.outcome == RunOutcome.SUCCEEDED
    (wait,) = run.events.filter(kind="wait")
    assert wait.message == "Microsoft Graph is throttling requests: waiting 1 s."
    assert 1000 <= wait.data["wait_ms"] <= 1100
    phases = run.events.filter(kind="phase").order_by("sequence")
    assert phases[0].message == "Connecting"
    assert "Reading conditional access policies" in [phase.message for phase in phases]
    assert [phase.data["after_ms"] for phase in phases] == sorted(
        phase.data["after_ms"] for phase in phases
    )


def test_throttling_without_end_of_one_kind_leaves_the_others_complete(
    schedule: BackupSchedule,
    back_up: BackUp,
    graph: SandboxControl,
) -> None:
    """Microsoft asks for a longer wait than a run makes, so the kind fails at once."""
    tenant_id = schedule.tenant.external_id
    graph.fault(tenant_id, "throttle", kind="settings_catalog", retry_after=3600)

    run = back_up(schedule)

    assert (run.outcome, codes(run)) == (RunOutcome.PARTIALLY_SUCCEEDED, ["throttled"])
    assert run.backup_set.status == SetStatus.INCOMPLETE
    assert set(run.backup_set.listed_kinds) == {"compliance", "conditional_access"}
    assert run.backup_set.items.count() == run.counts.succeeded == 4

    graph.clear(tenant_id)
    again = back_up(schedule)

    assert again.outcome == RunOutcome.SUCCEEDED
    assert again.backup_set.status == SetStatus.COMPLETE


def test_a_backup_of_a_tenant_suspended_after_the_request_is_blocked(
    schedule: BackupSchedule, operator: User
) -> None:
    queued = services.run_now(schedule, operator).run
    Tenant.objects.filter(pk=schedule.tenant_id).update(status=TenantStatus.SUSPENDED)

    run = run_now(queued)

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, ["tenant_suspended"])


def test_a_backup_of_a_schedule_deleted_after_the_request_is_blocked(
    schedule: BackupSchedule, operator: User
) -> None:
    queued = services.run_now(schedule, operator).run
    schedule.delete()

    run = run_now(queued)

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, ["schedule_gone"])


def test_a_cancelled_backup_keeps_what_it_read(
    schedule: BackupSchedule, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = services.run_now(schedule, operator).run
    original = sets.store_complete

    def store_and_cancel(*args: Any) -> list[str]:
        if BackupItem.objects.filter(complete=True).count() == 2:
            OperationRunService().request_cancel(queued, by=operator)
        return original(*args)

    monkeypatch.setattr(sets, "store_complete", store_and_cancel)
    monkeypatch.setattr(reading, "STORED_AT_ONCE", 1)
    monkeypatch.setattr(active_run, "FLUSH_SECONDS", 0.0)

    run = run_now(queued)

    backup_set = set_of(run)
    assert run.outcome == RunOutcome.CANCELLED
    assert (run.counts.succeeded, run.counts.total) == (3, 7)
    assert backup_set.status == SetStatus.INCOMPLETE
    assert backup_set.items.filter(complete=True).count() == 3
    assert backup_set.incomplete_count == 4


def test_the_set_of_an_empty_tenant_is_complete_and_empty(
    tenant: Tenant, add_to_graph: Callable[..., ProviderConnection], back_up: BackUp
) -> None:
    add_to_graph(tenant, sizes={"named_location": 0})

    run = back_up(BackupScheduleFactory(tenant=tenant, kinds=["named_location"]))

    assert run.outcome == RunOutcome.SUCCEEDED
    assert set_of(run).is_complete


def test_the_next_backup_finishes_the_set_of_a_worker_that_died(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    abandoned = BackupSet.objects.create(
        workspace=schedule.workspace,
        tenant=schedule.tenant,
        schedule=schedule,
        kinds=schedule.kinds,
    )

    back_up(schedule)

    abandoned.refresh_from_db()
    assert abandoned.status == SetStatus.FAILED


def test_a_run_links_to_its_schedule_and_its_set_for_members_only(
    schedule: BackupSchedule, back_up: BackUp, reader: User, stranger: User
) -> None:
    run = back_up(schedule)

    links = {link.kind: link for link in OperationRunLinks.related(run, reader)}
    connection = schedule.tenant.connections.get()
    assert run.context["provider_connection_id"] == connection.pk

    assert links["backup_schedule"].url == f"/w/contoso/schedules/{schedule.pk}/"
    assert links["backup_set"].url == f"/w/contoso/backup-sets/{set_of(run).pk}/"
    assert "complete" in links["backup_set"].label
    assert OperationRunLinks.related(run, stranger) == []


def test_no_secret_is_in_any_payload_or_row(schedule: BackupSchedule, back_up: BackUp) -> None:
    run = back_up(schedule)

    texts = [str(vars(row)) for row in (run, *run.events.all(), *run.items.all())]
    texts += [str(version.payload) for version in PolicyVersion.objects.all()]
    assert not any(SECRET in text for text in texts)
