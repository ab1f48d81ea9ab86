"""The client reads from the Graph sandbox over HTTPS, with and without faults."""

from __future__ import annotations

import time

import pytest

from providers.graph.client import WaitReason
from providers.graph.errors import (
    CertificateUntrusted,
    GraphError,
    IncompleteListing,
    InvalidRequest,
    LicenseMissing,
    ObjectNotFound,
    PermissionMissing,
    Transient,
)
from providers.graph.http import Http
from providers.graph.kinds import KIND, KINDS, REFERENCE_KINDS
from providers.graph.pacing import LocalPace, Pacer, Quota
from providers.graph.retry import RetryPolicy
from tests.support.factories.providers import FAST, SIZES

POLICIES = "/beta/deviceManagement/configurationPolicies"
CONFIGURATIONS = "/beta/deviceManagement/deviceConfigurations"


@pytest.mark.parametrize("key", KINDS)
def test_every_policy_of_every_kind_is_captured_completely(sandbox_tenant, client, key):
    kind = KIND[key]

    captures = [kind.capture(client, listed) for listed in kind.list_objects(client)]

    objects = sandbox_tenant.objects(key)
    if key == "app_protection":
        objects = [entry for entry in objects if entry["@odata.type"] in kind.collections]
    assert {capture.payload["id"] for capture in captures} == {entry["id"] for entry in objects}
    assert [capture.missing for capture in captures if not capture.complete] == []
    assert all(kind.name_of(capture.payload) for capture in captures)


@pytest.mark.parametrize("key", REFERENCE_KINDS)
def test_every_reference_object_is_listed(sandbox_tenant, client, key):
    listed = {entry["id"] for entry in KIND[key].list_objects(client)}

    assert listed == {entry["id"] for entry in sandbox_tenant.objects(key)}


def test_every_page_of_a_long_list_is_read(sandbox_tenant, client):
    groups = list(client.list("/v1.0/groups", {"$top": "100"}))

    assert len({group["id"] for group in groups}) == SIZES["groups"]
    assert sandbox_tenant.request_counts()["GET", "groups"] == 3


def test_every_page_of_a_policys_settings_is_read(sandbox_tenant, client):
    kind = KIND["settings_catalog"]
    largest = next(iter(kind.list_objects(client)))

    capture = kind.capture(client, largest)
    paged = list(client.list(f"{kind.object_path(largest)}/settings"))

    assert len(capture.payload["settings"]) == capture.payload["settingCount"] == 118
    assert len(paged) == 118


def test_two_captures_of_an_unchanged_policy_have_the_same_hash(client):
    """The second one has only the part of the list's entry that a backup keeps."""
    for kind in KINDS.values():
        listed = next(iter(kind.list_objects(client)))
        first, second = (kind.capture(client, each) for each in (listed, kind.needed_of(listed)))
        assert kind.content_hash(first.payload) == kind.content_hash(second.payload)
        assert first.missing == second.missing


def test_assignments_with_exclusions_are_part_of_a_capture(client):
    kind = KIND["settings_catalog"]

    types = {
        assignment["target"]["@odata.type"]
        for listed in kind.list_objects(client)
        for assignment in kind.capture(client, listed).payload["assignments"]
    }

    assert "#microsoft.graph.exclusionGroupAssignmentTarget" in types


# --- Incomplete captures --------------------------------------------------------------------


def test_missing_settings_make_the_capture_incomplete(sandbox_tenant, client):
    kind = KIND["settings_catalog"]
    listed = next(iter(kind.list_objects(client)))
    sandbox_tenant.fault("short_settings")

    capture = kind.capture(client, listed)

    assert not capture.complete
    assert capture.missing == ["settings (59 of 118)"]


def test_a_policy_that_changes_while_it_is_read_is_read_again(sandbox_tenant, client):
    kind = KIND["settings_catalog"]
    listed = next(iter(kind.list_objects(client)))
    sandbox_tenant.fault("short_settings", times=1)

    assert kind.capture(client, listed).complete


def test_assignments_that_are_not_expanded_are_read_separately(sandbox_tenant, client):
    kind = KIND["device_configuration"]
    listed = next(entry for entry in kind.list_objects(client) if entry["assignments"])
    sandbox_tenant.fault("no_assignments")

    capture = kind.capture(client, listed)

    assert capture.complete
    assert capture.payload["assignments"] == listed["assignments"]


def test_missing_actions_for_noncompliance_make_the_capture_incomplete(sandbox_tenant, client):
    kind = KIND["compliance"]
    bare = {**sandbox_tenant.objects("compliance")[0], "scheduledActionsForRule": []}
    sandbox_tenant.control.put_object(sandbox_tenant.tenant_id, "compliance", bare)

    capture = kind.capture(client, bare)

    assert capture.missing == ["actions for noncompliance"]


def test_encrypted_values_are_notes_and_not_missing(client):
    kind = KIND["device_configuration"]

    notes = [kind.capture(client, listed).notes for listed in kind.list_objects(client)]

    assert ["1 encrypted OMA-URI value"] in notes


def test_an_object_removed_after_the_list_was_read_is_not_found(sandbox_tenant, client):
    kind = KIND["compliance"]
    listed = next(iter(kind.list_objects(client)))
    sandbox_tenant.control.delete_object(sandbox_tenant.tenant_id, "compliance", listed["id"])

    with pytest.raises(ObjectNotFound):
        kind.capture(client, listed)


def test_an_id_cannot_change_the_path(sandbox_tenant, client):
    with pytest.raises(GraphError):
        KIND["compliance"].capture(client, {"id": "../../groups?$top=1#"})

    assert sandbox_tenant.request_counts()["GET", "groups"] == 0


# --- Retries --------------------------------------------------------------------------------


def test_retry_after_is_honored_and_reported(sandbox_tenant, client):
    sandbox_tenant.fault("throttle", times=1, retry_after=1)
    started = time.monotonic()

    assert list(client.list(CONFIGURATIONS))

    assert time.monotonic() - started >= 1
    seconds, reason = sandbox_tenant.waits[0]
    assert 0.9 < seconds < 1.2  # of what remains when it is reported
    assert reason is WaitReason.THROTTLED


def test_retry_after_can_be_a_date(sandbox_tenant):
    slept: list[float] = []
    sandbox_tenant.fault("throttle", times=1, retry_after=60, http_date=1)

    pacer = Pacer({}, LocalPace(lambda: sum(slept)))
    with sandbox_tenant.client(sleep=slept.append, pacer=pacer) as client:
        assert list(client.list(CONFIGURATIONS))

    assert 30 < sum(slept) <= 66


def test_throttling_without_retry_after_backs_off(sandbox_tenant, client):
    sandbox_tenant.fault("throttle", kind="conditional_access", times=3)

    assert list(KIND["conditional_access"].list_objects(client))
    assert len(sandbox_tenant.waits) == 3


def test_everything_is_read_when_every_third_request_is_throttled(sandbox_tenant, client):
    sandbox_tenant.fault("throttle", every=3, none=1)

    for kind in KINDS.values():
        assert all(kind.capture(client, one).complete for one in kind.list_objects(client))


def test_a_request_that_would_wait_too_long_fails_at_once(sandbox_tenant, client):
    sandbox_tenant.fault("throttle", retry_after=3600)

    with pytest.raises(Transient) as caught:
        client.get(CONFIGURATIONS)

    assert caught.value.code == "throttled"
    assert caught.value.retry_after == 3600
    assert sandbox_tenant.waits == []
    assert sandbox_tenant.request_counts()["GET", "device_configuration"] == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_are_retried(sandbox_tenant, client, status):
    sandbox_tenant.fault("server_error", status=status, times=2)

    assert list(client.list(CONFIGURATIONS))
    assert [reason for _, reason in sandbox_tenant.waits] == [WaitReason.UNAVAILABLE] * 2


def test_the_number_of_retries_is_limited(sandbox_tenant, client):
    sandbox_tenant.fault("server_error", kind="device_configuration")

    with pytest.raises(Transient) as caught:
        client.get(CONFIGURATIONS)

    assert sandbox_tenant.request_counts()["GET", "device_configuration"] == FAST.attempts
    assert caught.value.request_id


def test_after_exhausted_retries_requests_are_not_retried_until_one_succeeds(
    sandbox_tenant, client
):
    sandbox_tenant.fault("server_error", times=FAST.attempts + 3)

    for expected in (6, 7, 8, 9):
        with pytest.raises(Transient):
            client.get(CONFIGURATIONS)
        assert sandbox_tenant.request_counts()["GET", "device_configuration"] == expected
    client.get(CONFIGURATIONS)
    sandbox_tenant.fault("server_error", times=1)

    assert client.get(CONFIGURATIONS)["value"]


@pytest.mark.parametrize("fault", ["drop", "drop_mid_body", "truncated_page", "garbage", "empty"])
def test_a_damaged_response_is_retried(sandbox_tenant, client, fault):
    sandbox_tenant.fault(fault, times=2)

    assert len(list(client.list(CONFIGURATIONS))) == SIZES["device_configuration"]


@pytest.mark.parametrize("fault", ["drop", "drop_mid_body"])
def test_a_connection_that_always_breaks_is_an_error(sandbox_tenant, client, fault):
    sandbox_tenant.fault(fault)

    with pytest.raises(GraphError):
        list(client.list(CONFIGURATIONS))


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("truncated_page", "JSON that is cut off or not valid"),
        ("garbage", "a page of HTML"),
        ("empty", "an empty response"),
    ],
)
def test_json_that_stays_unreadable_makes_the_list_incomplete(sandbox_tenant, client, fault, what):
    sandbox_tenant.fault(fault)

    with pytest.raises(IncompleteListing, match=f"Microsoft Graph returned {what}"):
        list(client.list(CONFIGURATIONS))


def test_the_client_waits_for_a_slow_response(sandbox_tenant, client):
    sandbox_tenant.fault("slow", ms=300, times=1)
    started = time.monotonic()

    assert client.get(CONFIGURATIONS)["value"]
    assert time.monotonic() - started > 0.3


def test_a_response_that_takes_too_long_is_aborted(sandbox_tenant):
    sandbox_tenant.fault("slow", ms=300)
    http = Http(ca_bundle=sandbox_tenant.ca, trust_env=False, response_seconds=-1)

    with sandbox_tenant.client(http=http, policy=RetryPolicy(attempts=1)) as client:
        with pytest.raises(Transient) as caught:
            client.get(CONFIGURATIONS)

    assert caught.value.code == "answer_unreadable"


def test_a_response_that_is_too_large_is_not_read(sandbox_tenant):
    http = Http(ca_bundle=sandbox_tenant.ca, trust_env=False, max_bytes=100)

    with sandbox_tenant.client(http=http, policy=RetryPolicy(attempts=1)) as client:
        with pytest.raises(Transient):
            client.get(CONFIGURATIONS)


def test_a_wait_can_be_stopped(sandbox_tenant):
    class Stop(Exception):
        pass

    def stop(seconds, reason):
        raise Stop

    sandbox_tenant.fault("throttle", retry_after=60)
    with sandbox_tenant.client(on_wait=stop) as client, pytest.raises(Stop):
        client.get(CONFIGURATIONS)


def test_a_long_wait_is_reported_in_slices(sandbox_tenant):
    slept: list[float] = []
    sandbox_tenant.fault("throttle", times=1, retry_after=10)

    pacer = Pacer({}, LocalPace(lambda: sum(slept)))
    with sandbox_tenant.client(sleep=slept.append, pacer=pacer) as client:
        client.get(CONFIGURATIONS)

    reported = [seconds for seconds, _ in sandbox_tenant.waits]
    assert len(reported) >= 5
    assert reported == sorted(reported, reverse=True)
    assert 10 <= sum(slept) <= 11


def test_paced_requests_keep_their_distance(sandbox_tenant):
    with sandbox_tenant.client(
        pacer=Pacer({"/identity/conditionalAccess/": Quota(1, 0.2)})
    ) as client:
        started = time.monotonic()
        for _ in range(3):
            client.get("/v1.0/identity/conditionalAccess/policies")

    assert time.monotonic() - started >= 0.4


# --- Pages ----------------------------------------------------------------------------------


def test_a_next_link_to_another_host_is_not_followed(sandbox_tenant, client):
    sandbox_tenant.fault("foreign_next_link", url="http://169.254.169.254/latest/meta-data/")

    with pytest.raises(IncompleteListing) as caught:
        list(client.list(POLICIES))

    assert caught.value.code == "foreign_link"
    assert "169.254" not in str(caught.value)


def test_a_list_that_leads_back_to_itself_is_incomplete(sandbox_tenant, client):
    sandbox_tenant.fault("loop_next_link")

    with pytest.raises(IncompleteListing) as caught:
        list(client.list(CONFIGURATIONS))

    assert caught.value.code == "listing_loops"


def test_an_empty_page_is_not_the_end(sandbox_tenant, client):
    sandbox_tenant.fault("empty_page", times=1)

    assert len(list(client.list(CONFIGURATIONS))) == SIZES["device_configuration"]


def test_a_list_that_ends_early_is_incomplete_and_has_the_number_of_objects(sandbox_tenant, client):
    pages = client.list(POLICIES)
    first = [next(pages) for _ in range(25)]
    sandbox_tenant.fault("server_error")

    with pytest.raises(IncompleteListing) as caught:
        next(pages)

    assert len(first) == 25
    assert caught.value.params["count"] == 25
    assert "settings catalog policies" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"code": "BadRequest", "message": "Skip token is null or invalid."},
        {
            "code": "BadRequest",
            "message": "Token not found: token is either invalid or expired",
        },
    ],
)
def test_a_list_continues_although_its_link_has_expired(sandbox_tenant, client, options):
    sandbox_tenant.fault("expired_page_token", times=2, **options)

    groups = [group["id"] for group in client.list("/v1.0/groups", {"$top": "100"})]

    assert len(groups) == len(set(groups)) == SIZES["groups"]
    assert sandbox_tenant.waits == [(FAST.first_wait, WaitReason.LIST_EXPIRED)] * 2


# --- Refusals -------------------------------------------------------------------------------


def test_a_forbidden_kind_names_its_permission_and_other_kinds_work(sandbox_tenant, client):
    sandbox_tenant.fault("forbid", kind="device_configuration")

    with pytest.raises(PermissionMissing) as caught:
        list(client.list(CONFIGURATIONS))

    assert caught.value.params["permission"] == "DeviceManagementConfiguration.Read.All"
    assert not caught.value.is_blocking_whole_run
    assert sandbox_tenant.request_counts()["GET", "device_configuration"] == 1
    assert list(client.list(POLICIES))


def test_intunes_401_that_means_forbidden_does_not_fetch_tokens(sandbox_tenant, client):
    sandbox_tenant.fault("forbid_intune", kind="device_configuration")

    with pytest.raises(PermissionMissing):
        list(client.list(CONFIGURATIONS))

    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 1


def test_an_app_without_a_permission_gets_its_name(graph_sandbox, sandbox_tenant):
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id,
        sandbox_tenant.client_id,
        sandbox_tenant.secret,
        permissions=["Policy.Read.All"],
    )

    with sandbox_tenant.client() as client:
        assert list(KIND["conditional_access"].list_objects(client))
        with pytest.raises(PermissionMissing) as caught:
            list(KIND["groups"].list_objects(client))

    assert caught.value.params["permission"] == "GroupMember.Read.All"


def test_a_missing_license_has_a_separate_reason(sandbox_tenant, client):
    sandbox_tenant.fault("license", kind="compliance")

    with pytest.raises(LicenseMissing) as caught:
        list(KIND["compliance"].list_objects(client))

    assert "compliance policies" in str(caught.value)


def test_redirects_are_not_followed(sandbox_tenant, client):
    sandbox_tenant.fault("redirect")

    with pytest.raises(InvalidRequest) as caught:
        client.get(CONFIGURATIONS)

    assert caught.value.params["status"] == 302


def test_a_server_with_another_certificate_is_not_trusted(sandbox_tenant):
    with (
        sandbox_tenant.client(http=Http(trust_env=False)) as client,
        pytest.raises(CertificateUntrusted) as caught,
    ):
        client.get(CONFIGURATIONS)

    assert caught.value.is_blocking_whole_run
    assert sandbox_tenant.waits == []


def test_a_server_that_does_not_run_is_unreachable(sandbox_tenant):
    with (
        sandbox_tenant.client(base_url="https://localhost:1") as client,
        pytest.raises(Transient) as caught,
    ):
        client.get(CONFIGURATIONS)

    assert caught.value.code == "service_unreachable"


@pytest.mark.parametrize("path", ["", "beta/groups", "//evil.example/x", "https://evil.example/"])
def test_only_paths_of_graph_are_accepted(client, path):
    with pytest.raises(ValueError, match="Not a path"):
        client.get(path)
