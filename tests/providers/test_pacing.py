"""The limits of each service, which the workers of a connection share."""

from __future__ import annotations

import itertools
import threading

import psycopg
import pytest
from django.db import connection as database

from providers.connections import graph_client
from providers.graph.errors import Transient
from providers.graph.many import ManyReads
from providers.graph.pacing import LONGEST_DELAY, QUOTAS, LocalPace, Pace, Pacer, Quota
from providers.models import ConnectionPace, ProviderConnection
from providers.shared_pace import SharedPace
from tests.support.factories.providers import ProviderConnectionFactory

CONDITIONAL = "/v1.0/identity/conditionalAccess/policies"
CONFIGURATIONS = "/beta/deviceManagement/deviceConfigurations"
CATALOG = "/beta/deviceManagement/configurationPolicies"
ADD_PACE = "INSERT INTO connection_paces (connection_id, tenant_id, workspace_id) VALUES"


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
    assert 3 < second.delay(["/a/1"] * 20) <= 10
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

    assert [reason for _, reason in stopped] == ["throttled", "throttled"]
    assert all(60 < seconds < 150 for seconds, _ in stopped)


@pytest.mark.django_db
def test_a_run_shows_that_another_worker_was_throttled(
    connection: ProviderConnection, sandbox_tenant, settings
) -> None:
    settings.GRAPH_QUOTAS = {}
    Pacer({}, SharedPace(connection.pk)).pause(120)
    shown = []

    def stop(seconds: float, reason: str) -> None:
        shown.append((seconds, reason))
        raise InterruptedError

    reads = [lambda client: client.get(CONFIGURATIONS)] * 30
    with graph_client(connection, on_wait=stop) as client, pytest.raises(InterruptedError):
        list(ManyReads(client).outcomes(reads))

    ((seconds, reason),) = shown
    assert reason == "throttled"
    assert 60 < seconds <= 120


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


@pytest.mark.django_db
def test_a_pace_names_the_tenant_of_its_connection() -> None:
    connection = ProviderConnectionFactory()

    Pacer({}, SharedPace(connection.pk)).pause(1)

    pace = ConnectionPace.objects.get()
    assert (pace.tenant_id, pace.workspace_id) == (connection.tenant_id, connection.workspace_id)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE connection_paces SET connection_id = {theirs} WHERE connection_id = {ours}",
        "UPDATE connection_paces SET tenant_id = {their_tenant} WHERE connection_id = {ours}",
        "UPDATE connection_paces SET workspace_id = {their_workspace} WHERE connection_id = {ours}",
        f"{ADD_PACE} ({{theirs}}, {{our_tenant}}, {{our_workspace}})",
        f"{ADD_PACE} ({{theirs}}, {{our_tenant}}, {{their_workspace}})",
        "INSERT INTO connection_paces (connection_id) VALUES (4711)",
    ],
)
def test_no_pace_is_moved_to_another_tenant(app_role: str, statement: str) -> None:
    ours, theirs = ProviderConnectionFactory(), ProviderConnectionFactory()
    Pacer({}, SharedPace(ours.pk)).pause(30)
    before = list(ConnectionPace.objects.values())
    attack = statement.format(
        ours=ours.pk,
        theirs=theirs.pk,
        our_tenant=ours.tenant_id,
        their_tenant=theirs.tenant_id,
        our_workspace=ours.workspace_id,
        their_workspace=theirs.workspace_id,
    )

    with psycopg.connect(app_role, autocommit=True) as session, pytest.raises(psycopg.Error):
        session.execute(attack)

    assert list(ConnectionPace.objects.values()) == before


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
