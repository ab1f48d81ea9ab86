"""The canonical page of a run, and what one may do there."""

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
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
)
from tests.support.sessions import open_session

HTMX = {"HX-Request": "true"}
HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def address(run: OperationRun) -> str:
    return f"/runs/{run.pk}/"


STATES = ["running", "succeeded", "partial", "failed", "blocked", "cancelled"]


@pytest.mark.parametrize("trait", STATES)
def test_a_run_in_any_state_has_a_page(page, tenant, trait):
    run = OperationRunFactory(tenant=tenant, **{trait: True})

    answer = page.get(address(run))

    assert answer.status_code == 200
    assert b"Backup now for Fabrikam" in answer.content


def test_a_foreign_run_is_the_same_404_as_a_missing_one(page, tenant):
    foreign = OperationRunFactory()

    of_others = page.get(address(foreign))
    missing = page.get("/runs/999999999/")

    assert of_others.status_code == missing.status_code == 404
    assert of_others.content == missing.content


@pytest.mark.parametrize(
    "path",
    ["/runs/0/", f"/runs/{2**63}/", "/runs/" + "9" * 5000 + "/", "/runs/-1/", "/runs/\uff11/"],
)
def test_a_number_that_cannot_be_is_a_404(page, tenant, path):
    assert page.get(path).status_code == 404


@pytest.mark.parametrize("action", ["cancel", "retry", "acknowledge"])
def test_a_foreign_run_cannot_be_changed(page, tenant, action):
    foreign = OperationRunFactory(failed=action != "cancel")

    answer = page.post(f"/runs/{foreign.pk}/{action}/")

    assert answer.status_code == 404
    assert answer.content == page.post(f"/runs/999999999/{action}/").content


@pytest.mark.parametrize("action", ["cancel", "retry", "acknowledge"])
def test_a_reader_sees_no_button_and_may_not_press_it(client, reader, tenant, action):
    open_session(client, reader)
    run = OperationRunFactory(tenant=tenant, **({} if action == "cancel" else {"failed": True}))

    answer = client.post(f"/runs/{run.pk}/{action}/")

    assert answer.status_code == 403
    assert f"/{action}/".encode() not in client.get(address(run)).content


@pytest.mark.parametrize("action", ["cancel", "retry", "acknowledge"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_an_action_answers_to_post_only(page, tenant, action, method):
    run = OperationRunFactory(tenant=tenant, failed=True)

    answer = page.generic(method, f"/runs/{run.pk}/{action}/")

    assert answer.status_code == 405
    assert answer["Allow"] == "POST"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "FOO", "TRACE"])
def test_a_page_is_only_looked_at(page, tenant, method):
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

    answer = client.post(f"/runs/{run.pk}/acknowledge/", headers=HTMX)

    assert answer.status_code == 403
    assert b"This form has expired" in answer.content
    run.refresh_from_db()
    assert run.acknowledged_at is None


# --- content of the page ------------------------------------------------------------------------------


def test_a_queued_run_says_why_it_waits(page, tenant):
    first, second = create_queued_run(tenant, 1), create_queued_run(tenant, 2)
    OperationRun.objects.update(published_at=timezone.now())

    assert b"no worker has taken it yet" in page.get(address(first)).content
    assert b"one run is ahead of it" in page.get(address(second)).content


def test_a_run_that_the_broker_refused_is_said_to_be_safe(page, tenant):
    run = create_queued_run(tenant)

    assert b"the queue has not taken it yet" in page.get(address(run)).content


def test_a_silent_worker_is_not_called_running(page, tenant):
    run = OperationRunFactory(
        tenant=tenant, running=True, heartbeat_at=timezone.now() - dt.timedelta(minutes=3)
    )

    answer = page.get(address(run))

    assert b"Worker silent" in answer.content
    assert b"has lost touch with its worker" in answer.content


def test_the_usual_duration_comes_from_the_runs_before(page, tenant):
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

    answer = page.get(address(run))

    assert b"usually 50 s to 59 s" in answer.content
    assert b"unusually slow" in answer.content


def test_failures_are_listed_by_cause_with_the_next_step(page, tenant):
    told = [
        failure("permission_missing", "Needs Policy.Read.All.", 3, next_step="Grant it."),
        failure("service_unavailable", "No answer.", 41),
    ]
    run = OperationRunFactory(tenant=tenant, partial=True, failure_summary=told)

    content = page.get(address(run)).content.decode()

    assert content.index("41\u00d7") < content.index("3\u00d7")
    assert "Grant it." in content


def test_items_are_filtered_and_paged(page, tenant):
    run = OperationRunFactory(tenant=tenant, running=True)
    for _ in range(60):
        OperationRunItemFactory(run=run)
    bad = OperationRunItemFactory(run=run, label="The bad one", outcome=ItemOutcome.FAILED)

    first = page.get(address(run))
    failed = page.get(address(run), {"items": "failed"})
    rest = page.get(address(run), {"items_after": bad.pk - 1})

    assert first.content.count(b">Succeeded</span>") >= 50
    assert b"The bad one" not in first.content
    assert b"The bad one" in failed.content
    assert b"The bad one" in rest.content


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
        "level=%00",
        "seen=%00&part=%00",
        "part=run-live&seen=" + "x" * 9000,
    ],
)
def test_nonsense_in_the_address_is_left_aside(page, tenant, query):
    run = OperationRunFactory(tenant=tenant, running=True)
    OperationRunItemFactory(run=run)

    assert page.get(f"{address(run)}?{query}").status_code == 200
    assert page.get(f"{address(run)}?{query}", headers=HTMX).status_code == 200


def test_the_timeline_shows_warnings_only_when_asked(page, tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)
    OperationRunEventFactory(run=run, sequence=1, message="Started.")
    OperationRunEventFactory(run=run, sequence=2, message="Throttled.", level="warning")

    content = page.get(address(run), {"level": "warning"}).content

    assert b"Throttled." in content
    assert b"Started." not in content


def test_the_whole_timeline_can_be_downloaded(page, tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)
    for sequence in range(1, 130):
        OperationRunEventFactory(run=run, sequence=sequence, message=f"Line {sequence}.")

    shown = page.get(address(run)).content
    text = b"".join(page.get(f"/runs/{run.pk}/log.txt").streaming_content).decode()

    assert b"Line 29." not in shown
    assert text.count("\n") == 130
    assert "Line 29." in text


def test_retries_are_linked_both_ways(page, tenant):
    failed = OperationRunFactory(tenant=tenant, failed=True)
    retry = OperationRunFactory(tenant=tenant, retry_of=failed)

    assert f"run #{retry.pk}".encode() in page.get(address(failed)).content
    assert f"run #{failed.pk}".encode() in page.get(address(retry)).content


def test_requests_that_joined_are_counted(page, tenant):
    run = create_queued_run(tenant)
    create_queued_run(tenant)
    create_queued_run(tenant)

    assert b"<dt>Deduplicated requests</dt><dd>2</dd>" in page.get(address(run)).content


def test_hostile_texts_stay_texts(page, tenant, operator):
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
        assert "49" not in re.sub(r"<[^>]*>|\d{3,}", "", content).replace("0.49", "")


def test_a_secret_in_an_old_context_is_redacted_on_the_page(page, tenant):
    run = OperationRunFactory(
        tenant=tenant, context={"target_scope": {"client_secret": "Hunter2-Hunter2-Hunter2"}}
    )

    assert b"Hunter2" not in page.get(address(run)).content


# --- live ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["run_live", "run_log"])
def test_a_section_that_would_look_the_same_is_answered_204(page, tenant, part):
    run = create_running_run(tenant)
    section = page.get(address(run)).context[part]

    unchanged = page.get(section.url, headers=HTMX)
    OperationRunService().update_run(run.pk, phase="Reading policies")
    OperationRunEventFactory(run=run, sequence=99, message="Something new.")
    changed = page.get(section.url, headers=HTMX)

    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert changed.status_code == 200
    assert b"<html" not in changed.content


def test_an_ended_run_comes_back_once_and_stops_asking(page, tenant):
    run = create_running_run(tenant)
    section = page.get(address(run)).context["run_live"]
    OperationRunService().complete(run.pk)

    answer = page.get(section.url, headers=HTMX)

    assert answer.status_code == 200
    assert b"hx-get" not in answer.content


def test_a_fragment_obeys_the_same_walls(page, tenant):
    foreign = OperationRunFactory(running=True)

    assert page.get(f"{address(foreign)}?part=run-live", headers=HTMX).status_code == 404


# --- actions ------------------------------------------------------------------------------------------


def test_cancelling_a_queued_run_ends_it_at_once(page, tenant, operator):
    run = OperationRunFactory(tenant=tenant, user=operator)

    answer = page.post(f"/runs/{run.pk}/cancel/", follow=True)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert b"Cancelled before it started" in answer.content


def test_cancelling_a_running_run_asks_it_to_stop(client, manager, tenant):
    open_session(client, manager)
    run = create_running_run(tenant)

    answer = client.post(f"/runs/{run.pk}/cancel/", follow=True)

    assert b"was asked to stop by marc" in answer.content
    assert b"not a rollback" in answer.content
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING


def test_an_operator_cancels_own_runs_only(page, tenant, operator):
    own, other = (
        OperationRunFactory(tenant=tenant, user=operator),
        OperationRunFactory(tenant=tenant),
    )

    assert page.post(f"/runs/{own.pk}/cancel/").status_code == 302
    assert page.post(f"/runs/{other.pk}/cancel/").status_code == 403
    assert b"/cancel/" not in page.get(address(other)).content


def test_cancelling_what_has_ended_says_so(client, manager, tenant):
    open_session(client, manager)
    run = OperationRunFactory(tenant=tenant, succeeded=True)

    answer = client.post(f"/runs/{run.pk}/cancel/", follow=True)

    assert b"has already ended" in answer.content


def test_acknowledging_takes_a_run_out_of_needs_attention(page, tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)

    answer = page.post(f"/runs/{run.pk}/acknowledge/", follow=True)

    assert b"Acknowledged by olga" in answer.content
    assert not OperationRun.objects.needs_attention().exists()


def test_a_retry_is_a_new_run_and_leads_there(page, tenant, monkeypatch):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)

    answer = page.post(f"/runs/{ended.pk}/retry/")

    retry = OperationRun.objects.exclude(pk=ended.pk).get()
    assert retry.retry_of == ended
    assert answer["Location"] == address(retry)


def test_a_retry_sent_twice_is_one_retry_even_if_the_first_has_ended(page, tenant, operator):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)
    form = {
        "submission": re.findall(
            rb'name="submission" value="([^"]+)"', page.get(address(ended)).content
        )[0].decode()
    }
    page.post(f"/runs/{ended.pk}/retry/", form)
    retry = ended.retries.get()
    OperationRunService().request_cancel(retry, by=operator)

    answer = page.post(f"/runs/{ended.pk}/retry/", form)

    assert answer["Location"] == address(retry)
    assert ended.retries.count() == 1


@pytest.mark.parametrize("garbage", ["", "x", "1" * 5000, "urn:uuid:" + "0" * 32, "\x00"])
def test_a_form_with_a_garbled_mark_is_a_form_without_one(page, tenant, garbage):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)

    answer = page.post(f"/runs/{ended.pk}/retry/", {"submission": garbage})

    assert answer["Location"] == address(ended.retries.get())


def test_a_retry_while_another_run_is_active_leads_to_that_one(page, tenant):
    ended = create_ended_run(tenant, total=2, processed=2, failed=2)
    active = create_queued_run(tenant)

    answer = page.post(f"/runs/{ended.pk}/retry/", follow=True)

    assert answer.redirect_chain == [(address(active), 302)]
    assert b"is already queued. This is the active run" in answer.content


def test_what_succeeded_is_not_retried(page, tenant):
    run = OperationRunFactory(tenant=tenant, succeeded=True)

    answer = page.post(f"/runs/{run.pk}/retry/", follow=True)

    assert b"There is nothing to retry" in answer.content
    assert OperationRun.objects.count() == 1


@pytest.mark.parametrize(
    ("created", "published", "text"),
    [
        (True, True, "was started"),
        (True, None, "was started"),
        (True, False, "when the message queue is available"),
        (False, None, "is already queued"),
    ],
)
def test_a_start_shows_its_result(rf, tenant, created, published, text):
    run = OperationRunFactory(tenant=tenant)
    request = rf.post("/")
    request._messages = CookieStorage(request)

    answer = redirect_to_dispatch(request, DispatchResult(run, created, published))

    assert answer["Location"] == address(run)
    assert text in str(next(iter(request._messages)))


def test_a_page_costs_the_same_number_of_queries_whatever_the_run_holds(
    page, tenant, django_assert_max_num_queries
):
    run = OperationRunFactory(tenant=tenant, running=True)
    for number in range(60):
        OperationRunItemFactory(run=run)
        OperationRunEventFactory(run=run, sequence=number + 1)

    with django_assert_max_num_queries(16):
        page.get(address(run))
    section = page.get(address(run)).context["run_live"]
    with django_assert_max_num_queries(8):
        page.get(section.url, headers=HTMX)


def test_staff_without_membership_see_nothing_here(client, tenant):
    boss = create_member(
        OperationRunFactory().workspace, Role.READER, is_staff=True, is_superuser=True
    )
    open_session(client, boss)

    assert client.get(address(OperationRunFactory(tenant=tenant))).status_code == 404
