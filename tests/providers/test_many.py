"""Many objects are read in batches, with the results of reading them one by one."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from providers.graph.client import WaitReason
from providers.graph.errors import (
    CredentialRejected,
    GraphError,
    LicenseMissing,
    ObjectNotFound,
    PermissionMissing,
    Transient,
)
from providers.graph.http import Http
from providers.graph.kinds import KIND
from providers.graph.many import ManyReads
from providers.graph.pacing import Pacer, Quota
from tests.support.factories.providers import FAST, SIZES
from tests.support.sandbox import count_when_stable

CONFIGURATIONS = "/beta/deviceManagement/deviceConfigurations"
POLICIES = "/beta/deviceManagement/configurationPolicies"


def capture(kind, listed, client):
    return kind.capture(client, listed)


def get(path, client):
    return client.get(path)


def reads_of(client, *keys):
    """A read of each object of these kinds."""
    return [
        partial(capture, KIND[key], listed)
        for key in keys
        for listed in KIND[key].list_objects(client)
    ]


def paths_of(client):
    return [f"{CONFIGURATIONS}/{listed['id']}" for listed in client.list(CONFIGURATIONS)]


def outcomes(client, reads, **options):
    return list(ManyReads(client, **options).outcomes(reads))


def batches(sandbox_tenant):
    return sandbox_tenant.request_counts()["POST", "batch"]


def test_batches_return_what_single_requests_return(sandbox_tenant, client):
    reads = reads_of(
        client, "settings_catalog", "device_configuration", "compliance", "app_protection"
    )
    single = [read(client) for read in reads]
    sandbox_tenant.control.clear_log()

    together = [outcome.get() for outcome in outcomes(client, reads)]

    assert together == single
    assert all(captured.complete for captured in together)
    # 28 policies of the settings catalog and 15 others are requested.
    assert 3 <= batches(sandbox_tenant) <= 6


def test_the_order_is_that_of_the_reads_whatever_is_read_first(sandbox_tenant, client):
    sandbox_tenant.fault("slow", kind="settings_catalog", every=7, ms=50)
    reads = reads_of(client, "settings_catalog", "compliance")
    expected = [read.args[1]["id"] for read in reads]

    assert [each.get().payload["id"] for each in outcomes(client, reads)] == expected


def test_no_reads_need_no_requests(sandbox_tenant, client):
    assert outcomes(client, []) == []
    assert not sandbox_tenant.request_counts()


def test_each_error_belongs_to_its_read(sandbox_tenant, client):
    paths = paths_of(client)
    paths[3] = f"{CONFIGURATIONS}/00000000-0000-0000-0000-000000000000"

    results = outcomes(client, [partial(get, path) for path in paths])

    assert [type(result.error) for result in results] == [
        ObjectNotFound if place == 3 else type(None) for place in range(len(paths))
    ]
    with pytest.raises(ObjectNotFound):
        results[3].get()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("forbid", PermissionMissing),
        ("forbid_intune", PermissionMissing),
        ("license", LicenseMissing),
        ("gone", ObjectNotFound),
        ("server_error", Transient),
        ("garbage", Transient),
    ],
)
def test_errors_within_a_batch_are_those_of_single_requests(sandbox_tenant, client, fault, error):
    (first, *_), other = paths_of(client), f"{POLICIES}?$top=1"
    sandbox_tenant.fault(fault, kind="device_configuration")
    with pytest.raises(GraphError) as caught:
        client.get(first)

    refused, read = outcomes(client, [partial(get, first), partial(get, other)])

    assert isinstance(refused.error, error)
    assert refused.error.code == caught.value.code
    assert refused.error.params.get("permission") == caught.value.params.get("permission")
    assert refused.error.params.get("kind") == caught.value.params.get("kind")
    assert read.get()["value"]


def test_a_throttled_request_of_a_batch_waits_as_long_as_it_is_asked_to(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.fault("throttle", kind="device_configuration", times=1, retry_after=1)
    started = time.monotonic()

    results = outcomes(client, reads)

    assert all(result.get()["id"] for result in results)
    assert time.monotonic() - started >= 1
    assert {reason for _, reason in sandbox_tenant.waits} == {WaitReason.THROTTLED}


def test_a_retry_after_that_is_too_long_fails_only_its_request(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.fault("throttle", kind="device_configuration", times=1, retry_after=3600)

    codes = [getattr(result.error, "code", "") for result in outcomes(client, reads)]

    assert sorted(codes) == [""] * (len(reads) - 1) + ["throttled"]


def test_everything_is_read_when_every_third_request_is_throttled(sandbox_tenant, client):
    reads = reads_of(client, "settings_catalog", "compliance")
    sandbox_tenant.fault("throttle", every=3, none=1)

    assert all(outcome.get().complete for outcome in outcomes(client, reads))


@pytest.mark.parametrize("fault", ["throttle", "server_error", "drop", "drop_mid_body", "garbage"])
def test_a_batch_that_fails_is_repeated(sandbox_tenant, client, fault):
    reads = reads_of(client, "settings_catalog")
    sandbox_tenant.fault(
        fault, kind="batch", times=2, **({"none": 1} if fault == "throttle" else {})
    )

    assert all(outcome.get().complete for outcome in outcomes(client, reads))


@pytest.mark.parametrize(
    "fault", ["batch_missing", "batch_repeated", "batch_foreign", "garbage", "license"]
)
def test_what_no_batch_answers_is_read_alone(sandbox_tenant, client, fault):
    reads = reads_of(client, "settings_catalog")
    sandbox_tenant.fault(fault, kind="batch")

    results = outcomes(client, reads)

    assert [each.get().payload["id"] for each in results] == [read.args[1]["id"] for read in reads]
    assert all(each.get().complete for each in results)


def test_a_response_that_is_too_large_is_read_alone(sandbox_tenant, client):
    paths = paths_of(client)
    sizes = [len(client.get(path).__repr__()) for path in paths]
    http = Http(ca_bundle=sandbox_tenant.ca, trust_env=False, max_bytes=2 * max(sizes))

    with sandbox_tenant.client(http=http) as limited:
        results = outcomes(limited, [partial(get, path) for path in paths])

    assert all(result.get()["id"] for result in results)


def test_a_rejected_token_is_replaced_once(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.control.forget_tokens(sandbox_tenant.tenant_id)

    assert all(result.get()["id"] for result in outcomes(client, reads))
    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 2


def test_a_credential_that_is_rejected_fails_every_read(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.fault("refuse_tokens")

    results = outcomes(client, reads)

    assert {type(result.error) for result in results} == {CredentialRejected}
    assert sandbox_tenant.waits == []


def test_a_read_that_changes_its_responses_gets_them_unchanged(client):
    first, second, *_ = paths_of(client)

    def read(graph):
        policy = graph.get(first)
        policy["displayName"] += "!"
        policy["other"] = graph.get(second)["displayName"]
        return policy

    expected = read(client)

    assert [each.get() for each in outcomes(client, [read, read])] == [expected] * 2


def test_a_read_must_not_write(client):
    (result,) = outcomes(client, [lambda graph: graph.patch("/v1.0/groups/1", {})])

    with pytest.raises(RuntimeError):
        result.get()


def test_requests_of_a_limited_pace_keep_their_distance(sandbox_tenant):
    path = "/v1.0/identity/conditionalAccess/policies"
    quotas = {"/identity/conditionalAccess/": Quota(1, 0.2)}
    with sandbox_tenant.client(pacer=Pacer(quotas)) as client:
        started = time.monotonic()
        results = outcomes(client, [partial(get, path)] * 4)

    assert all(result.get()["value"] for result in results)
    assert time.monotonic() - started >= 0.6
    assert batches(sandbox_tenant) == 0


def test_a_quota_counts_each_request_of_a_batch(sandbox_tenant):
    quotas = {"/deviceManagement/": Quota(10, 0.5)}
    with sandbox_tenant.client(pacer=Pacer(quotas)) as client:
        (path, *_) = paths_of(client)
        started = time.monotonic()
        outcomes(client, [partial(get, path)] * 25, batch_size=5)

    assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize(("share", "most"), [(1, 4), (2, 2), (9, 1)])
def test_the_runs_of_a_tenant_divide_the_requests_under_way(
    sandbox_tenant, client, monkeypatch, share, most
):
    under_way, highest, lock = 0, 0, threading.Lock()
    send = client.send

    def counted(prepared):
        nonlocal under_way, highest
        with lock:
            under_way += 1
            highest = max(highest, under_way)
        try:
            return send(prepared)
        finally:
            with lock:
                under_way -= 1

    paths = paths_of(client)
    sandbox_tenant.fault("slow", kind="batch", ms=150)
    monkeypatch.setattr(client, "send", counted)
    many = ManyReads(client, batch_size=2)
    many.share = share

    assert len(list(many.outcomes([partial(get, path) for path in paths] * 3))) == 3 * len(paths)

    assert highest == most


def test_throttling_sends_fewer_batches_at_once_until_it_ends(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)] * 8
    sandbox_tenant.fault("throttle", kind="batch", times=1, none=1)
    many = ManyReads(client)

    results = list(many.outcomes(reads))

    assert all(result.get()["id"] for result in results)
    assert many._allowed == 4


def test_nothing_is_sent_after_a_stop(sandbox_tenant, client):
    class Stop(BaseException):
        pass

    reads = [partial(get, path) for path in paths_of(client)] * 40
    sandbox_tenant.fault("slow", kind="batch", ms=400)
    stopped_at = time.monotonic() + 0.6

    def stop():
        if time.monotonic() > stopped_at:
            raise Stop

    with pytest.raises(Stop):
        outcomes(client, reads, batch_size=2, on_tick=stop)
    assert 0 < count_when_stable(lambda: batches(sandbox_tenant)) < len(reads) / 2


def test_a_slow_response_does_not_delay_a_stop(sandbox_tenant, client):
    class Stop(BaseException):
        pass

    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.fault("slow", kind="batch", ms=20_000)
    started = time.monotonic()

    def stop():
        if time.monotonic() - started > 0.2:
            raise Stop

    with pytest.raises(Stop):
        outcomes(client, reads, on_tick=stop)
    assert time.monotonic() - started < 15


def test_the_number_of_retries_is_limited(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.fault("server_error", kind="batch")

    codes = {result.error.code for result in outcomes(client, reads)}

    assert codes == {"service_unavailable"}
    assert batches(sandbox_tenant) == FAST.attempts
    assert len(reads) == SIZES["device_configuration"]


def test_a_sign_in_that_is_refused_fails_every_read(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.fault("revoke_credential")

    assert {type(result.error) for result in outcomes(client, reads)} == {CredentialRejected}


def test_a_sign_in_that_is_unavailable_is_tried_again(sandbox_tenant, client):
    reads = [partial(get, path) for path in paths_of(client)]
    sandbox_tenant.control.forget_tokens(sandbox_tenant.tenant_id)
    sandbox_tenant.fault("sign_in_unavailable", times=2)

    assert all(result.get()["id"] for result in outcomes(client, reads))
    assert sandbox_tenant.waits
