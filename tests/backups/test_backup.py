"""What a backup brings home, and what it says about what it could not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backups.changes import changes_of
from backups.models import BackupItem, BackupSchedule, BackupSet, PolicyVersion, SetStatus
from dev.graph_sandbox.control import SandboxControl
from operations.links import OperationRunLinks
from operations.models import EventLevel, OperationRun
from operations.states import ItemOutcome, RunOutcome
from providers.models import ProviderConnection
from tenancy.models import Tenant, TenantStatus, User
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

BackUp = Callable[[BackupSchedule], OperationRun]


def the_set_of(run: OperationRun) -> BackupSet:
    return BackupSet.objects.get(operation_run=run)


def shown(client: Client, backup_set: BackupSet) -> str:
    return client.get(backup_set.get_absolute_url()).content.decode()


def codes(run: OperationRun) -> list[str]:
    return [failure["code"] for failure in run.failures]


def test_a_backup_reads_everything_and_its_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    run = back_up(schedule)

    made = the_set_of(run)
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (run.counts.total, run.counts.succeeded, run.counts.created) == (7, 7, 7)
    assert made.status == SetStatus.COMPLETE
    assert (made.item_count, made.incomplete_count, made.schedule) == (7, 0, schedule)
    assert sorted(made.listed_kinds) == sorted(schedule.kinds)
    assert made.items.filter(complete=True, version__isnull=False).count() == 7
    assert made.finished_at


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["policy_versions", "backup_items"])
def test_a_disk_that_is_full_leaves_no_set_that_passes_for_complete(
    schedule: BackupSchedule, back_up: BackUp, fill_the_disk: Callable[..., None], table: str
) -> None:
    fill_the_disk(table, rows=2)

    run = back_up(schedule)

    assert run.outcome in (RunOutcome.PARTIALLY_SUCCEEDED, RunOutcome.FAILED)
    made = the_set_of(run)
    assert made.status != SetStatus.COMPLETE
    assert not made.is_complete
    assert all(item.version for item in made.items.filter(complete=True))


def test_every_setting_of_a_large_policy_is_kept(schedule: BackupSchedule, back_up: BackUp) -> None:
    made = the_set_of(back_up(schedule))

    counts = [
        (len(item.version.payload["settings"]), item.version.payload["settingCount"])
        for item in made.items.filter(kind="settings_catalog").select_related("version")
        if item.version
    ]
    assert max(counts) == (118, 118)
    assert all(read == expected for read, expected in counts)


def test_each_object_is_an_item_of_the_run_that_links_to_what_was_kept(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    run = back_up(schedule)

    item = run.items.filter(key__startswith="compliance/").first()
    assert item
    kept = BackupItem.objects.get(graph_id=item.key.removeprefix("compliance/"))
    assert item.outcome == ItemOutcome.SUCCEEDED
    assert item.label == kept.name
    assert item.link == f"/w/contoso/backup-sets/{kept.backup_set_id}/items/{kept.pk}/"


def test_a_second_backup_stores_nothing_twice(schedule: BackupSchedule, back_up: BackUp) -> None:
    back_up(schedule)
    versions = PolicyVersion.objects.count()

    run = back_up(schedule)

    assert (run.counts.unchanged, run.counts.created, run.counts.updated) == (7, 0, 0)
    assert PolicyVersion.objects.count() == versions
    assert BackupItem.objects.count() == 14


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


def test_two_objects_of_one_name_are_two_items(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    policy = graph.objects(schedule.tenant.external_id, "conditional_access")[0]
    twin = {**policy, "id": "11111111-2222-4333-8444-555555555555"}
    graph.put_object(schedule.tenant.external_id, "conditional_access", twin)

    run = back_up(schedule)

    assert run.counts.succeeded == 8
    assert the_set_of(run).items.filter(name=policy["displayName"]).count() == 2


def test_an_object_without_a_name_goes_by_its_id(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    policy = graph.objects(schedule.tenant.external_id, "conditional_access")[0]
    graph.put_object(
        schedule.tenant.external_id, "conditional_access", policy | {"displayName": None}
    )

    run = back_up(schedule)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert the_set_of(run).items.filter(name=policy["id"]).exists()


def test_a_kind_that_is_forbidden_fails_alone_and_says_what_to_grant(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "forbid", kind="conditional_access")

    run = back_up(schedule)

    made = the_set_of(run)
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert (run.counts.succeeded, run.counts.failed, run.counts.total) == (5, 1, 6)
    (failure,) = run.failures
    assert failure["code"] == "permission_missing"
    assert "Policy.Read.All" in failure["next_step"]
    assert run.items.get(key="kind:conditional_access").reason_code == "permission_missing"
    assert made.status == SetStatus.INCOMPLETE
    assert made.unlisted == {"conditional_access": "permission_missing"}


def test_a_kind_without_a_license_is_left_out_and_said_and_the_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl, client: Client, reader: User
) -> None:
    graph.fault(schedule.tenant.external_id, "license", kind="conditional_access")

    run = back_up(schedule)

    made = the_set_of(run)
    open_session(client, reader)
    left = run.items.get(key="kind:conditional_access")
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (left.outcome, left.reason_code) == (ItemOutcome.SKIPPED, "license_missing")
    assert (made.status, made.unlicensed_kinds) == (SetStatus.COMPLETE, ["conditional_access"])
    assert "no license for them: Conditional access policies." in shown(client, made)
    assert not run.events.filter(level=EventLevel.WARNING).exists()


def test_a_license_that_has_lapsed_is_warned_of_and_nothing_is_called_gone(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    back_up(schedule)
    graph.fault(schedule.tenant.external_id, "license", kind="conditional_access")

    run = back_up(schedule)

    found = changes_of(the_set_of(run))
    assert found
    assert (found.gone, found.uncompared) == ([], ["conditional_access"])
    assert "has no license any more" in run.events.get(level=EventLevel.WARNING).message


def test_a_tenant_with_a_license_for_nothing_has_no_complete_backup(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    for kind in schedule.kinds:
        graph.fault(schedule.tenant.external_id, "license", kind=kind)

    run = back_up(schedule)

    assert run.outcome == RunOutcome.FAILED
    assert the_set_of(run).status == SetStatus.FAILED


def test_a_list_that_breaks_off_keeps_what_was_read_and_is_incomplete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "foreign_next_link", kind="compliance")

    run = back_up(schedule)

    made = the_set_of(run)
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert "foreign_link" in codes(run)
    assert made.missing_kinds == ["compliance"]
    assert made.items.filter(kind="compliance", complete=True).exists()


def test_an_object_read_in_part_is_kept_and_is_incomplete(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "short_settings")

    run = back_up(schedule)

    made = the_set_of(run)
    half = made.items.incomplete().first()
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert "incomplete_capture" in codes(run)
    assert half
    assert half.version
    assert half.missing[0].startswith("settings (")
    assert made.status == SetStatus.INCOMPLETE


def test_an_object_that_cannot_be_read_fails_and_the_others_go_on(
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
    assert the_set_of(run).is_complete
    assert the_set_of(run).item_count == 6


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("revoke_credential", "credential_rejected"),
        ("expire_credential", "credential_expired"),
        ("remove_consent", "app_not_in_tenant"),
        ("refuse_tokens", "token_rejected"),
    ],
)
def test_a_tenant_that_lets_nothing_in_blocks_the_run_and_leaves_no_set(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl, fault: str, code: str
) -> None:
    graph.fault(schedule.tenant.external_id, fault)

    run = back_up(schedule)

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, [code])
    assert run.failures[0]["next_step"]
    assert not BackupSet.objects.exists()


def test_a_credential_revoked_half_way_leaves_what_was_read(
    schedule: BackupSchedule,
    back_up: BackUp,
    graph: SandboxControl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from backups import sets

    original = sets.store

    def store_and_revoke(*args: Any) -> str:
        if BackupItem.objects.filter(complete=True).count() == 2:
            graph.fault(schedule.tenant.external_id, "revoke_credential")
        return original(*args)

    monkeypatch.setattr(sets, "store", store_and_revoke)

    run = back_up(schedule)

    made = the_set_of(run)
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert "credential_rejected" in codes(run)
    assert made.status == SetStatus.INCOMPLETE
    assert made.items.incomplete().filter(reason_code="not_attempted_in_set").exists()


def test_a_tenant_without_a_connection_is_blocked(tenant: Tenant, back_up: BackUp) -> None:
    run = back_up(BackupScheduleFactory(tenant=tenant))

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, ["connection_missing"])


def test_throttling_is_waited_for_and_shown(
    schedule: BackupSchedule,
    back_up: BackUp,
    graph: SandboxControl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from operations.worker import active_run

    phases: list[str] = []
    original = active_run.ActiveRun.set_phase

    def phase(run: active_run.ActiveRun, text: str) -> None:
        phases.append(text)
        original(run, text)

    monkeypatch.setattr(active_run.ActiveRun, "set_phase", phase)
    graph.fault(schedule.tenant.external_id, "throttle", kind="compliance", retry_after=1, times=1)

    run = back_up(schedule)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert any(text.startswith("Microsoft Graph asked to wait: going on in") for text in phases)
    assert "Reading conditional access policies" in phases


def test_a_tenant_suspended_meanwhile_is_blocked(schedule: BackupSchedule, operator: User) -> None:
    from backups import services
    from operations.testing import run_now

    queued = services.run_now(schedule, operator).run
    Tenant.objects.filter(pk=schedule.tenant_id).update(status=TenantStatus.SUSPENDED)

    run = run_now(queued)

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, ["tenant_suspended"])


def test_a_schedule_deleted_meanwhile_is_blocked(schedule: BackupSchedule, operator: User) -> None:
    from backups import services
    from operations.testing import run_now

    queued = services.run_now(schedule, operator).run
    schedule.delete()

    run = run_now(queued)

    assert (run.outcome, codes(run)) == (RunOutcome.BLOCKED, ["schedule_gone"])


def test_a_cancelled_backup_keeps_what_it_has_read(
    schedule: BackupSchedule, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backups import services, sets
    from operations.services import OperationRunService
    from operations.testing import run_now
    from operations.worker import active_run

    queued = services.run_now(schedule, operator).run
    original = sets.store

    def store_and_cancel(*args: Any) -> str:
        if BackupItem.objects.filter(complete=True).count() == 2:
            OperationRunService().request_cancel(queued, by=operator)
        return original(*args)

    monkeypatch.setattr(sets, "store", store_and_cancel)
    monkeypatch.setattr(active_run, "FLUSH_SECONDS", 0.0)

    run = run_now(queued)

    made = the_set_of(run)
    assert run.outcome == RunOutcome.CANCELLED
    assert (run.counts.succeeded, run.counts.total) == (3, 7)
    assert made.status == SetStatus.INCOMPLETE
    assert made.items.filter(complete=True).count() == 3
    assert made.incomplete_count == 4


def test_an_empty_tenant_has_a_complete_set_of_nothing(
    tenant: Tenant, add_to_graph: Callable[..., ProviderConnection], back_up: BackUp
) -> None:
    add_to_graph(tenant, sizes={"named_location": 0})

    run = back_up(BackupScheduleFactory(tenant=tenant, kinds=["named_location"]))

    assert run.outcome == RunOutcome.SUCCEEDED
    assert the_set_of(run).is_complete


def test_the_set_of_a_worker_that_died_is_closed_by_the_next_backup(
    schedule: BackupSchedule, back_up: BackUp
) -> None:
    left = BackupSet.objects.create(
        workspace=schedule.workspace,
        tenant=schedule.tenant,
        schedule=schedule,
        kinds=schedule.kinds,
    )

    back_up(schedule)

    left.refresh_from_db()
    assert left.status == SetStatus.FAILED


def test_a_run_leads_to_its_schedule_and_its_set_for_those_who_may_see_them(
    schedule: BackupSchedule, back_up: BackUp, reader: User, stranger: User
) -> None:
    run = back_up(schedule)

    links = {link.kind: link for link in OperationRunLinks.related(run, reader)}
    connection = schedule.tenant.connections.get()
    assert run.context["provider_connection_id"] == connection.pk

    assert links["backup_schedule"].url == f"/w/contoso/schedules/{schedule.pk}/"
    assert links["backup_set"].url == f"/w/contoso/backup-sets/{the_set_of(run).pk}/"
    assert "complete" in links["backup_set"].label
    assert OperationRunLinks.related(run, stranger) == []


def test_no_secret_is_in_any_payload_or_row(schedule: BackupSchedule, back_up: BackUp) -> None:
    from tests.support.sandbox import SECRET

    run = back_up(schedule)

    told = [str(vars(row)) for row in (run, *run.events.all(), *run.items.all())]
    told += [str(version.payload) for version in PolicyVersion.objects.all()]
    assert not any(SECRET in text for text in told)
