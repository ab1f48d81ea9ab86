"""The limits of each service, which the workers of a connection share."""

from __future__ import annotations

import itertools
import threading

import pytest
from django.db import connection as database

from providers.connections import graph_client
from providers.graph.errors import Transient
from providers.graph.pacing import LONGEST_DELAY, QUOTAS, LocalPace, Pace, Pacer, Quota
from providers.models import ConnectionPace, ProviderConnection
from providers.shared_pace import SharedPace
from tests.support.factories.providers import ProviderConnectionFactory

CONDITIONAL = "/v1.0/identity/conditionalAccess/policies"
CONFIGURATIONS = "/beta/deviceManagement/deviceConfigurations"
CATALOG = "/beta/deviceManagement/configurationPolicies"


@pytest.fixture
def clock():
    return [100.0]


def pacer_at(clock, quotas=QUOTAS):
    return Pacer(quotas, LocalPace(lambda: clock[0]))


def test_single_requests_get_time_slots_and_others_do_not_wait(clock):
    pacer = pacer_at(clock)

    assert [pacer.delay([CONDITIONAL]) for _ in range(3)] == [0, 1, 2]
    assert pacer.delay(["/v1.0/roleManagement/directory/roleDefinitions"]) == 0
    clock[0] += 10
    assert pacer.delay([CONDITIONAL]) == 0


def test_no_period_contains_more_requests_than_the_quota(clock):
    pacer = pacer_at(clock, {"/a/": Quota(50, 10.0)})
    sent = []

    for batch in [20, 7, 20, 20, 1, 20, 20, 3, 20, 20]:
        sent.append((clock[0] + pacer.delay(["/a/1"] * batch), batch))
        clock[0] += 0.7

    for start, _ in sent:
        assert sum(count for at, count in sent if start <= at < start + 10.0) <= 50
    # It is used up to what whole batches allow.
    assert sent[-1][0] < 140


def test_each_service_has_its_own_quota(clock):
    pacer = pacer_at(clock)

    assert pacer.delay([CATALOG] * 900) == pacer.delay([CONFIGURATIONS] * 900) == 0
    assert pacer.delay([CATALOG]) == 20
    assert pacer.delay([CONFIGURATIONS, CATALOG]) == 20


def test_a_pause_applies_to_every_request(clock):
    pacer = pacer_at(clock)
    pacer.pause(30)
    pacer.pause(5)

    assert pacer.delay(["/v1.0/organization"]) == 30
    clock[0] += 31
    assert pacer.delay(["/v1.0/organization"]) == 0


def test_a_time_of_a_clock_that_was_set_back_is_ignored():
    pace = Pace(sent={"/a/": [(9_000.0, 50)]}, not_before=9_000.0)

    assert pace.reserve({"/a/": 1}, {"/a/": Quota(50, 10.0)}, 100.0) == 100.0
    assert pace.not_before <= 100.0 + LONGEST_DELAY


# --- Shared by workers ------------------------------------------------------------------------


@pytest.mark.django_db
def test_two_workers_divide_the_limits_of_a_connection() -> None:
    connection, other = ProviderConnectionFactory(), ProviderConnectionFactory()
    quotas = {"/a/": Quota(50, 10.0)}
    first, second = (Pacer(quotas, SharedPace(connection.pk)) for _ in range(2))

    assert first.delay(["/a/1"] * 40) == 0
    assert 9 < second.delay(["/a/1"] * 20) <= 10
    assert Pacer(quotas, SharedPace(other.pk)).delay(["/a/1"] * 20) == 0


@pytest.mark.django_db
def test_throttling_stops_the_requests_of_every_worker(
    connection: ProviderConnection, sandbox_tenant, settings
) -> None:
    settings.GRAPH_QUOTAS = {}
    sandbox_tenant.fault("throttle", retry_after=120, times=1)
    stopped = []

    def stop(seconds: float, reason: str) -> None:
        stopped.append((seconds, reason))
        raise InterruptedError

    for _ in range(2):
        with graph_client(connection, on_wait=stop) as client, pytest.raises(InterruptedError):
            client.get(CONFIGURATIONS)

    assert [reason for _, reason in stopped] == ["throttled", "pacing"]
    assert all(60 < seconds < 150 for seconds, _ in stopped)


@pytest.mark.django_db
def test_a_wait_that_is_too_long_fails_the_request_alone(
    connection: ProviderConnection, sandbox_tenant, settings
) -> None:
    settings.GRAPH_QUOTAS = {}
    sandbox_tenant.fault("throttle", retry_after=3600, times=1)

    with graph_client(connection) as client:
        with pytest.raises(Transient):
            client.get(CONFIGURATIONS)
        assert client.get(CONFIGURATIONS)["value"]


@pytest.mark.django_db
def test_a_connection_that_was_deleted_has_no_pace() -> None:
    pacer = Pacer({}, SharedPace(4711))

    pacer.pause(30)

    assert pacer.delay(["/v1.0/groups"]) == 0
    assert not ConnectionPace.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_workers_reserve_different_slots() -> None:
    connection = ProviderConnectionFactory()
    start = threading.Barrier(4)
    delays: list[float] = []

    def reserve() -> None:
        pacer = Pacer({"/a/": Quota(1, 5.0)}, SharedPace(connection.pk))
        try:
            start.wait()
            delays.extend(pacer.delay(["/a/1"]) for _ in range(5))
        finally:
            database.close()

    threads = [threading.Thread(target=reserve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (sent,) = ConnectionPace.objects.get().sent.values()
    times = [at for at, _ in sent]
    assert len(times) == len(delays) == 20
    assert all(later - earlier >= 4.999 for earlier, later in itertools.pairwise(times))
