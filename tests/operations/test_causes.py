"""The cause of a problem is the same text on every tenant."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from operations.causes import cause_of, describe_cause
from operations.failures import Failure, merge_failures
from operations.models import OperationRun
from operations.reasons import SafeError, all_reasons
from operations.services import OperationRunService
from operations.states import Ending
from tenancy.models import Tenant
from tests.support.factories import failure
from tests.support.factories.operations import build_slot_request, create_running_run

AT = dt.datetime(2026, 3, 8, tzinfo=dt.UTC)
GUID = "6a3c5b7e-9f10-4d0a-9d2f-1f0b2c9e5a8e"


def stored(code: str, times: int = 1, **params: Any) -> dict[str, Any]:
    """Return a failure as a run stores it."""
    return failure(code, SafeError(code, **params).message, times)


CAUSES = [
    ([stored("service_unavailable", status=503)], "service_unavailable:HTTP 503"),
    (
        [stored("permission_missing", kind="named locations", permission="Policy.Read.All")],
        "permission_missing:Policy.Read.All",
    ),
    (
        [stored("service_unreachable", host="graph.microsoft.com:443")],
        "service_unreachable:graph.microsoft.com:443",
    ),
    (
        [stored("sign_in_failed", error="invalid_client", number=7000215)],
        "sign_in_failed:AADSTS7000215",
    ),
    (
        [stored("request_refused", status=400, error="BadRequest")],
        "request_refused:HTTP 400 BadRequest",
    ),
    # Nothing of the tenant, the connection, the worker or the error is part of a cause.
    ([stored("connection_missing", tenant="Fabrikam")], "connection_missing"),
    ([stored("credential_missing", connection="Fabrikam prod")], "credential_missing"),
    ([stored("worker_lost", worker="worker-1:42", seconds=60)], "worker_lost"),
    ([stored("unexpected_error", reference="0123456789ab")], "unexpected_error"),
    # A detail that does not look like a name of Microsoft's is left out.
    ([stored("request_refused", status=400, error=f"Tenant {GUID}")], "request_refused"),
    ([stored("service_unreachable", host="<b>graph</b>")], "service_unreachable"),
    ([stored("permission_missing", kind="groups", permission="x" * 120)], "permission_missing"),
    # A missing parameter, and a message of another version.
    ([stored("permission_missing", kind="groups")], "permission_missing"),
    ([failure("permission_missing", "Access was refused.")], "permission_missing"),
    ([failure("from_a_newer_version", "Something else.")], "from_a_newer_version"),
    # The most frequent cause; the failures of one permission count together.
    (
        [
            stored("service_unavailable", 3, status=503),
            stored("permission_missing", 2, kind="groups", permission="Group.Read.All"),
            stored("permission_missing", 2, kind="members", permission="Group.Read.All"),
        ],
        "permission_missing:Group.Read.All",
    ),
    (
        [
            stored("service_unavailable", 1, status=503),
            stored("service_unavailable", 1, status=500),
        ],
        "service_unavailable:HTTP 503",
    ),
    # What was not attempted is a consequence.
    ([stored("throttled"), stored("not_attempted", 58)], "throttled"),
    ([stored("throttled"), stored("other_causes", 58)], "throttled"),
    ([stored("not_attempted", 58)], "not_attempted"),
    ([], "cause_unknown"),
]


@pytest.mark.parametrize(("failures", "cause"), CAUSES)
def test_the_cause_is_the_most_frequent_failure_without_the_tenant(
    failures: list[dict[str, Any]], cause: str
) -> None:
    assert cause_of(failures) == cause


@pytest.mark.parametrize(
    "reason", [reason for reason in all_reasons() if reason.cause], ids=lambda reason: reason.code
)
def test_the_detail_of_each_reason_is_read_back_from_its_message(reason: Any) -> None:
    params: dict[str, Any] = {
        "permission": "Policy.Read.All",
        "kind": "named locations",
        "host": "graph.test",
    }
    params |= {"status": "503", "error": "BadRequest", "number": "50034", "cloud": "China"}
    params |= {"count": 3, "pages": 9}
    error = SafeError(reason.code, **params)

    assert cause_of([stored(reason.code, **params)]) == (
        f"{reason.code}:{reason.cause.format_map(params)}"
    )
    assert len(cause_of(merge_failures([], [Failure(error)], AT))) <= 160


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ("permission_missing:Policy.Read.All", "Permission missing: Policy.Read.All"),
        ("service_unreachable:graph.test:443", "Microsoft Graph unreachable: graph.test:443"),
        ("missed", "Missed"),
        ("from_a_newer_version", "From a newer version"),
    ],
)
def test_a_cause_is_shown_with_the_label_of_its_reason(cause: str, text: str) -> None:
    assert describe_cause(cause) == text


def test_a_run_gets_its_cause_when_it_ends(tenant: Tenant, service: OperationRunService) -> None:
    run = create_running_run(tenant)

    ended = service.complete(
        run.pk, ending=Ending.ERROR, error=SafeError("service_unavailable", status=503)
    )

    assert ended.cause == "service_unavailable:HTTP 503"
    assert ended.cause_text == "Microsoft Graph unavailable: HTTP 503"


def test_a_blocked_run_gets_its_cause_when_it_is_recorded(
    tenant: Tenant, service: OperationRunService
) -> None:
    service.block_many([(build_slot_request(tenant), SafeError("missed", slots=1, now="now"))])

    assert OperationRun.objects.get().cause == "missed"


@pytest.mark.parametrize("ending", [Ending.FINISHED, Ending.CANCELLED])
def test_a_run_without_a_problem_has_no_cause(
    tenant: Tenant, service: OperationRunService, ending: Ending
) -> None:
    ended = service.complete(create_running_run(tenant).pk, ending=ending)

    assert (ended.cause, ended.cause_text) == ("", "")
