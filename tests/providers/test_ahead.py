"""A client that requests the next page of a list while the last one is used."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import pytest

from providers.graph import ahead
from providers.graph.ahead import AheadClient
from providers.graph.client import GraphClient, WaitReason
from providers.graph.errors import IncompleteListing
from providers.graph.pacing import Pacer, Quota
from tests.support.factories.providers import FAST, SIZES, SandboxTenant
from tests.support.stack import eventually

GROUPS, PAGE = "/v1.0/groups", 100


@pytest.fixture
def client(sandbox_tenant: SandboxTenant) -> Iterator[GraphClient]:
    with sandbox_tenant.client(AheadClient) as graph:
        yield graph


def ids(groups: Iterator[dict[str, str]]) -> list[str]:
    return [group["id"] for group in groups]


def test_the_next_page_is_under_way_while_the_first_one_is_used(
    sandbox_tenant: SandboxTenant, client: GraphClient
) -> None:
    groups = client.list(GROUPS, {"$top": str(PAGE)})
    first = next(groups)["id"]

    eventually(lambda: sandbox_tenant.request_counts()["GET", "groups"] == 2)

    listed = {first, *ids(groups)}
    assert listed == {group["id"] for group in sandbox_tenant.objects("groups")}
    assert sandbox_tenant.request_counts()["GET", "groups"] == 3


def test_a_list_that_is_left_discards_the_page_read_ahead(
    sandbox_tenant: SandboxTenant, client: GraphClient
) -> None:
    groups = client.list(GROUPS, {"$top": str(PAGE)})
    next(groups)

    groups.close()  # type: ignore[attr-defined]

    assert len(ids(client.list(GROUPS, {"$top": str(PAGE)}))) == SIZES["groups"]


def start(sandbox_tenant: SandboxTenant, client: GraphClient) -> Iterator[dict[str, str]]:
    """Start a list; its second page was read, and the third one was not requested."""
    groups = client.list(GROUPS, {"$top": str(PAGE)})
    first = next(groups)
    eventually(lambda: sandbox_tenant.request_counts()["GET", "groups"] == 2)
    return chain([first], groups)


@pytest.mark.parametrize("fault", ["throttle", "server_error", "drop", "garbage"])
def test_a_page_read_ahead_that_fails_is_requested_again(
    sandbox_tenant: SandboxTenant, client: GraphClient, fault: str
) -> None:
    groups = start(sandbox_tenant, client)
    sandbox_tenant.fault(fault, kind="groups", times=2, retry_after=0.01)

    assert len(set(ids(groups))) == SIZES["groups"]
    assert len(sandbox_tenant.waits) == 2


def test_a_page_read_ahead_that_keeps_failing_makes_the_list_incomplete(
    sandbox_tenant: SandboxTenant, client: GraphClient
) -> None:
    groups = start(sandbox_tenant, client)
    sandbox_tenant.fault("server_error", kind="groups")

    assert len(ids(islice(groups, 2 * PAGE))) == 2 * PAGE
    with pytest.raises(IncompleteListing) as caught:
        next(groups)

    assert caught.value.params["count"] == 2 * PAGE


def test_a_list_continues_although_its_link_has_expired(
    sandbox_tenant: SandboxTenant, client: GraphClient
) -> None:
    sandbox_tenant.fault("expired_page_token", times=1)

    assert len(set(ids(client.list(GROUPS, {"$top": str(PAGE)})))) == SIZES["groups"]
    assert sandbox_tenant.waits == [(FAST.first_wait, WaitReason.LIST_EXPIRED)]


def test_reading_ahead_shows_the_wait_of_a_throttled_connection(
    sandbox_tenant: SandboxTenant,
) -> None:
    class Stopped(Exception):
        pass

    def stop(seconds: float, reason: WaitReason) -> None:
        assert reason == WaitReason.THROTTLED
        raise Stopped

    pacer = Pacer({})
    with sandbox_tenant.client(AheadClient, pacer=pacer, on_wait=stop) as client:
        groups = start(sandbox_tenant, client)
        pacer.pause(60)

        with pytest.raises(Stopped):
            ids(groups)


def test_a_page_that_waits_for_its_pace_can_be_stopped(
    sandbox_tenant: SandboxTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a conditional access policy's page, after which other runs have reserved minutes."""

    class Stopped(Exception):
        pass

    def stop(seconds: float, reason: WaitReason) -> None:
        raise Stopped

    monkeypatch.setattr(ahead, "SLICE_SECONDS", 0.01)
    pacer = Pacer({"/groups": Quota(1, 500)})
    with sandbox_tenant.client(AheadClient, pacer=pacer, on_wait=stop) as client:
        groups = client.list(GROUPS, {"$top": str(PAGE)})

        assert len(ids(islice(groups, PAGE))) == PAGE
        with pytest.raises(Stopped):
            next(groups)

    assert sandbox_tenant.request_counts()["GET", "groups"] == 1
