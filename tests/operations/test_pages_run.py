"""The page of a run and its actions."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import Client
from django.utils import timezone

from operations.models import OperationRun
from operations.services import DispatchResult, OperationRunService
from operations.states import ItemOutcome, RunOutcome, RunStatus
from operations.views import run_log
from operations.views.start import redirect_to_dispatch
from tenancy.models import Tenant, User
from tenancy.roles import Role
from tests.support.factories import (
    OperationRunEventFactory,
    OperationRunFactory,
    OperationRunItemFactory,
    create_member,
    failure,
)
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
)
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

HTMX = {"HX-Request": "true"}
HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{777*777}}"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def address(run: OperationRun) -> str:
    return f"/runs/{run.pk}/"


STATES = ["running", "succeeded", "partial", "failed", "blocked", "cancelled"]


@pytest.mark.parametrize("trait", STATES)
def test_a_run_in_each_state_has_a_page(page, tenant, trait):
    run = OperationRunFactory(tenant=tenant, **{trait: True})

    response = page.get(address(run))

    assert response.status_code == 200
    assert b"Backup now for Fabrikam" in response.content


def test_a_foreign_run_is_the_same_404_as_a_missing_one(page, tenant):
    foreign = OperationRunFactory()

    foreign_response = page.get(address(foreign))
    missing = page.get("/runs/999999999/")

    assert foreign_response.status_code == missing.status_code == 404
    assert foreign_response.content == missing.content


@pytest.mark.parametrize(
    "path",
    ["/runs/0/", f"/runs/{2**63}/", "/runs/" + "9" * 5000 + "/", "/runs/-1/", "/runs/\uff11/"],
)
def test_an_invalid_number_is_a_404(page, tenant, path):
    assert page.get(path).status_code == 404


@pytest.mark.parametrize("action", ["cancel", "retry", "acknowledge"])
def test_a_foreign_run_has_no_actions(page, tenant, action):
    foreign = OperationRunFactory(failed=action != "cancel")

    response = page.post(f"/runs/{foreign.pk}/{action}/")

    assert response.status_code == 404
    assert response.content == page.post(f"/runs/999999999/{action}/").content


@pytest.mark.parametrize("action", ["cancel", "retry", "acknowledge"])
def test_a_reader_has_no_buttons_and_no_permission(client, reader, tenant, action):
    open_session(client, reader)
    run = OperationRunFactory(tenant=tenant, **({} if action == "cancel" else {"failed": True}))

    response = client.post(f"/runs/{run.pk}/{action}/")

    assert response.status_code == 403
    assert f"/{action}/".encode() not in client.get(address(run)).content


@pytest.mark.parametrize("action", ["cancel", "retry", "acknowledge"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "FOO"])
def test_actions_accept_post_only(page, tenant, action, method):
    run = OperationRunFactory(tenant=tenant, failed=True)

    response = page.generic(method, f"/runs/{run.pk}/{action}/")

    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "FOO", "TRACE"])
def test_pages_accept_get_only(page, tenant, method):
    run = OperationRunFactory(tenant=tenant, failed=True)

    for path in (
        address(run),
        "/runs/",
        "/w/contoso/runs/",
        "/w/contoso/",
        f"/runs/{run.pk}/log.txt",
    ):
        assert page.generic(method, path).status_code == 405


def test_a_post_without_a_token_changes_nothing(operator, tenant):
    client = Client(enforce_csrf_checks=True)
    open_session(client, operator)
    run = OperationRunFactory(tenant=tenant, failed=True)

    response = client.post(f"/runs/{run.pk}/acknowledge/", headers=HTMX)

    assert response.status_code == 403
    assert b"This form has expired" in response.content
    run.refresh_from_db()
    assert run.acknowledged_at is None


# --- content ------------------------------------------------------------------------------------------


def test_a_queued_run_shows_why_it_waits(page, tenant):
    first, second = create_queued_run(tenant, 1), create_queued_run(tenant, 2)
    OperationRun.objects.update(published_at=timezone.now())

    assert b"No worker has started it yet" in page.get(address(first)).content
    assert b"1 run is ahead of it" in page.get(address(second)).content


def test_a_run_refused_by_the_broker_shows_the_refusal(page, tenant):
    run = create_queued_run(tenant)

    assert b"The queue has not accepted its message yet" in page.get(address(run)).content


def test_a_worker_that_does_not_respond_is_reported(page, tenant):
    run = OperationRunFactory(
        tenant=tenant, running=True, heartbeat_at=timezone.now() - dt.timedelta(minutes=3)
    )

    response = page.get(address(run))

    assert b"Worker not responding" in response.content
    assert b"its worker is not responding" in response.content


def test_the_usual_duration_comes_from_earlier_runs(page, tenant):
    start = timezone.now() - dt.timedelta(hours=2)
    for seconds in (40, 45, 50, 55, 60):
        OperationRunFactory(
            tenant=tenant,
            succeeded=True,
            started_at=start,
            completed_at=start + dt.timedelta(seconds=seconds),
        )
    run = OperationRunFactory(
        tenant=tenant, running=True, started_at=timezone.now() - dt.timedelta(minutes=5)
    )

    response = page.get(address(run))

    assert b"usually 50 s to 59 s" in response.content
    assert b"unusually slow" in response.content


def test_failures_are_listed_by_cause_with_the_next_step(page, tenant):
    failures = [
        failure("permission_missing", "Needs Policy.Read.All.", 3, next_step="Grant it."),
        failure("service_unavailable", "No response.", 41),
    ]
    run = OperationRunFactory(tenant=tenant, partial=True, failure_summary=failures)

    content = page.get(address(run)).content.decode()

    assert content.index("41\u00d7") < content.index("3\u00d7")
    assert "Grant it." in content


def test_items_are_filtered_and_paged(page, tenant):
    run = OperationRunFactory(tenant=tenant, running=True)
    for _ in range(60):
        OperationRunItemFactory(run=run)
    failed_item = OperationRunItemFactory(
        run=run, label="The failed item", outcome=ItemOutcome.FAILED
    )

    first = page.get(address(run))
    failed = page.get(address(run), {"items": "failed"})
    rest = page.get(address(run), {"items_after": failed_item.pk - 1})

    assert first.content.count(b">Succeeded</span>") >= 50
    assert b"The failed item" not in first.content
    assert b"The failed item" in failed.content
    assert b"The failed item" in rest.content


@pytest.mark.parametrize(
    "query",
    [
        "items=%00",
        "items=exploded",
        "items_after=%00",
        "items_after=" + "9" * 4400,
        "items_after=-1",
        "before=99999999999999",
        "before=%EF%BC%91",
        "seen=%00&part=%00",
        "part=run-live&seen=" + "x" * 9000,
    ],
)
def test_invalid_parameters_are_ignored(page, tenant, query):
    run = OperationRunFactory(tenant=tenant, running=True)
    OperationRunItemFactory(run=run)

    assert page.get(f"{address(run)}?{query}").status_code == 200
    assert page.get(f"{address(run)}?{query}", headers=HTMX).status_code == 200


def test_the_timeline_can_show_warnings_only(page, tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)
    OperationRunEventFactory(run=run, sequence=1, message="Started.")
    OperationRunEventFactory(run=run, sequence=2, message="Throttled.", level="warning")

    content = page.get(address(run), {"level": "warning"}).content

    assert b"Throttled." in content
    assert b"Started." not in content


def test_the_whole_timeline_can_be_downloaded(page, tenant, monkeypatch):
    monkeypatch.setattr(run_log, "LINES_READ", 43)  # three pages
    run = OperationRunFactory(tenant=tenant, failed=True)
    for sequence in range(1, 130):
        OperationRunEventFactory(run=run, sequence=sequence, message=f"Line {sequence}.")
    monkeypatch.setattr(run_log, "LINES_ON_PAGE", 100)

    content = page.get(address(run)).content
    text = b"".join(page.get(f"/runs/{run.pk}/log.txt").streaming_content).decode()

    assert b"Line 29." not in content
    assert text.count("\n") == 130
    assert "Line 29." in text


def test_retries_are_linked_both_ways(page, tenant):
    failed = OperationRunFactory(tenant=tenant, failed=True)
    retry = OperationRunFactory(tenant=tenant, retry_of=failed)

    assert f"run #{retry.pk}".encode() in page.get(address(failed)).content
    assert f"run #{failed.pk}".encode() in page.get(address(retry)).content


def test_deduplicated_requests_are_counted(page, tenant):
    run = create_queued_run(tenant)
    create_queued_run(tenant)
    create_queued_run(tenant)

    assert b"<dt>Deduplicated requests</dt><dd>2</dd>" in page.get(address(run)).content


def test_hostile_texts_are_escaped(page, tenant, operator):
    Tenant.objects.filter(pk=tenant.pk).update(name=HOSTILE)
    run = OperationRunFactory(
        tenant=tenant,
        running=True,
        initiator_name=HOSTILE,
        context={HOSTILE[:40]: HOSTILE, "target_scope": {"tenant_name": HOSTILE}},
        failure_summary=[failure("x" * 10, HOSTILE, item=HOSTILE, next_step=HOSTILE)],
    )
    OperationRunEventFactory(run=run, message=HOSTILE)
    OperationRunItemFactory(run=run, label=HOSTILE, message=HOSTILE, request_id=HOSTILE)

    for path in (address(run), "/w/contoso/runs/", "/w/contoso/", "/runs/"):
        content = page.get(path).content.decode()
        assert "<script>alert" not in content
        assert "<img src=x" not in content
        assert "603729" not in content


def test_a_secret_in_an_old_context_is_redacted_on_the_page(page, tenant):
    run = OperationRunFactory(
        tenant=tenant, context={"target_scope": {"client_secret": "Hunter2-Hunter2-Hunter2"}}
    )

    assert b"Hunter2" not in page.get(address(run)).content


@pytest.mark.parametrize(("trait", "most"), [("succeeded", 8), ("failed", 9), ("running", 7)])
def test_the_page_of_a_run_needs_few_statements(
    page, tenant, trait, most, django_assert_max_num_queries
):
    run = OperationRunFactory(tenant=tenant, **{trait: True})

    with django_assert_max_num_queries(most):
        assert page.get(address(run)).status_code == 200


def test_the_section_of_a_run_needs_few_statements(page, tenant, django_assert_max_num_queries):
    run = OperationRunFactory(tenant=tenant, running=True)

    with django_assert_max_num_queries(6):
        section = page.get(f"{address(run)}?part=run-live&seen=other", headers=HTMX)

    assert section.status_code == 200


# --- live sections ---------------------------------------------------------------------------------------------


def test_an_unchanged_section_is_answered_with_204(page, tenant, same_minute):
    run = create_running_run(tenant)
    section = page.get(address(run)).context["run_live"]

    unchanged = page.get(section.url, headers=HTMX)
    OperationRunService().update_run(run.pk, phase="Reading policies")
    changed = page.get(section.url, headers=HTMX)

    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert changed.status_code == 200
    assert b"<html" not in changed.content


def test_the_section_of_an_ended_run_stops_polling(page, tenant):
    run = create_running_run(tenant)
    section = page.get(address(run)).context["run_live"]
    OperationRunService().complete(run.pk)

    response = page.get(section.url, headers=HTMX)

    assert response.status_code == 200
    assert b"hx-get" not in response.content


def test_a_live_section_of_a_foreign_run_is_a_404(page, tenant):
    foreign = OperationRunFactory(running=True)

    assert page.get(f"{address(foreign)}?part=run-live", headers=HTMX).status_code == 404


# --- actions ------------------------------------------------------------------------------------------


def test_cancelling_a_queued_run_ends_it_at_once(page, tenant, operator):
    run = OperationRunFactory(tenant=tenant, user=operator)

    response = page.post(f"/runs/{run.pk}/cancel/", follow=True)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert b"was cancelled by olga before it started" in response.content


def test_cancelling_a_running_run_asks_it_to_stop(client, manager, tenant):
    open_session(client, manager)
    run = create_running_run(tenant)

    response = client.post(f"/runs/{run.pk}/cancel/", follow=True)

    assert b"Cancellation was requested by marc" in response.content
    assert b"not rolled back" in response.content
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING


def test_an_operator_can_cancel_own_runs_only(page, tenant, operator):
    own, other = (
        OperationRunFactory(tenant=tenant, user=operator),
        OperationRunFactory(tenant=tenant),
    )

    assert page.post(f"/runs/{own.pk}/cancel/").status_code == 302
    assert page.post(f"/runs/{other.pk}/cancel/").status_code == 403
    assert b"/cancel/" not in page.get(address(other)).content


def test_cancelling_an_ended_run_shows_a_message(client, manager, tenant):
    open_session(client, manager)
    run = OperationRunFactory(tenant=tenant, succeeded=True)

    response = client.post(f"/runs/{run.pk}/cancel/", follow=True)

    assert b"has already ended" in response.content


def test_acknowledging_removes_a_run_from_needs_attention(page, tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)

    response = page.post(f"/runs/{run.pk}/acknowledge/", follow=True)

    assert b"Acknowledged by olga" in response.content
    assert not OperationRun.objects.needs_attention().exists()


def test_a_retry_redirects_to_the_new_run(page, tenant, monkeypatch):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)

    response = page.post(f"/runs/{ended.pk}/retry/")

    retry = OperationRun.objects.exclude(pk=ended.pk).get()
    assert retry.retry_of == ended
    assert response["Location"] == address(retry)


def test_a_retry_submitted_twice_starts_one_run_even_after_it_ended(page, tenant, operator):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)
    form = {
        "submission": re.findall(
            rb'name="submission" value="([^"]+)"', page.get(address(ended)).content
        )[0].decode()
    }
    page.post(f"/runs/{ended.pk}/retry/", form)
    retry = ended.retries.get()
    OperationRunService().request_cancel(retry, by=operator)

    response = page.post(f"/runs/{ended.pk}/retry/", form)

    assert response["Location"] == address(retry)
    assert ended.retries.count() == 1


@pytest.mark.parametrize("value", ["", "x", "1" * 5000, "urn:uuid:" + "0" * 32, "\x00"])
def test_an_invalid_submission_is_ignored(page, tenant, value):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)

    response = page.post(f"/runs/{ended.pk}/retry/", {"submission": value})

    assert response["Location"] == address(ended.retries.get())


def test_a_retry_redirects_to_the_active_run(page, tenant):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)
    active = create_queued_run(tenant)

    response = page.post(f"/runs/{ended.pk}/retry/", follow=True)

    assert response.redirect_chain == [(address(active), 302)]
    assert b"is already queued. This is the active run" in response.content


def test_a_succeeded_run_cannot_be_retried(page, tenant):
    run = OperationRunFactory(tenant=tenant, succeeded=True)

    response = page.post(f"/runs/{run.pk}/retry/", follow=True)

    assert b"There is nothing to retry" in response.content
    assert OperationRun.objects.count() == 1


@pytest.mark.parametrize(
    ("created", "published", "text"),
    [
        (True, True, "was started"),
        (True, None, "was started"),
        (True, False, "as soon as the message queue accepts it"),
        (False, None, "is already queued"),
    ],
)
def test_a_start_shows_its_result(rf, tenant, created, published, text):

    run = OperationRunFactory(tenant=tenant)
    request = rf.post("/")
    request._messages = CookieStorage(request)

    response = redirect_to_dispatch(request, DispatchResult(run, created, published))

    assert response["Location"] == address(run)
    assert text in str(next(iter(request._messages)))


def test_the_number_of_queries_does_not_depend_on_the_number_of_items(
    page, tenant, django_assert_max_num_queries
):
    run = OperationRunFactory(tenant=tenant, running=True)
    for number in range(60):
        OperationRunItemFactory(run=run)
        OperationRunEventFactory(run=run, sequence=number + 1)

    with django_assert_max_num_queries(15):
        page.get(address(run))
    section = page.get(address(run)).context["run_live"]
    with django_assert_max_num_queries(8):
        page.get(section.url, headers=HTMX)


@pytest.mark.parametrize("trait", [*STATES, "queued"])
def test_no_state_of_a_run_needs_more_than_15_queries(
    page, tenant, django_assert_max_num_queries, trait
):
    schedule = BackupScheduleFactory(tenant=tenant)
    connection = ProviderConnectionFactory(tenant=tenant)
    busy = OperationRunFactory(tenant=tenant, running=True)
    context = {
        "backup_schedule_id": schedule.pk,
        "schedule_revision": 1,
        "provider_connection_id": connection.pk,
    }
    columns = {} if trait == "queued" else {trait: True}
    if trait == "blocked":
        context["previous_run_id"] = busy.pk
    past = timezone.now() - dt.timedelta(days=1)
    identity = {"tenant": tenant, "run_identity_hash": "a" * 64}
    OperationRunFactory(**identity, partial=True, created_at=past)
    run = OperationRunFactory(**identity, context=context, **columns)
    OperationRunEventFactory(run=run, sequence=1, kind="phase", message="Reading")

    with django_assert_max_num_queries(15):
        assert page.get(address(run)).status_code == 200


def test_staff_without_membership_get_a_404(client, tenant):
    staff = create_member(
        OperationRunFactory().workspace, Role.READER, is_staff=True, is_superuser=True
    )
    open_session(client, staff)

    assert client.get(address(OperationRunFactory(tenant=tenant))).status_code == 404
