"""The Graph sandbox responds to JSON batches by the rules of Graph."""

from __future__ import annotations

import pytest

from providers.graph.errors import GraphError

POLICIES = "/deviceManagement/deviceConfigurations"


def send(client, requests, version="beta"):
    return client.post(f"/{version}/$batch", {"requests": requests})["responses"]


def get(key, url=POLICIES, **values):
    return {"id": str(key), "method": "GET", "url": url, **values}


@pytest.fixture
def client(sandbox_tenant):
    with sandbox_tenant.client() as graph:
        yield graph


def test_each_request_has_its_own_response_in_another_order(client):
    responses = send(client, [get(1), get(2, "/nothing"), get(3, f"{POLICIES}?$top=1")])

    assert [each["id"] for each in responses] == ["3", "2", "1"]
    assert [each["status"] for each in responses] == [200, 400, 200]
    assert len(responses[0]["body"]["value"]) == 1
    assert responses[1]["body"]["error"]["code"] == "BadRequest"


def test_links_to_next_pages_can_be_followed(client):
    (response,) = send(client, [get(1, "/groups?$top=100")], "v1.0")

    link = response["body"]["@odata.nextLink"]
    assert len(list(client.list(link.removeprefix(client.base_url)))) == 130


def test_requests_are_throttled_one_by_one(sandbox_tenant, client):
    sandbox_tenant.fault("throttle", kind="device_configuration", every=2, retry_after=7)

    responses = send(client, [get(number) for number in range(4)])

    assert sorted(each["status"] for each in responses) == [200, 200, 429, 429]
    throttled = next(each for each in responses if each["status"] == 429)
    assert throttled["headers"]["Retry-After"] == "7"


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [get(number) for number in range(21)],
        [get(1), get(1)],
        [get(1, "https://evil.example/beta/groups")],
        [get(1), get(2, dependsOn=["1"])],
        [{"id": "1", "method": "POST", "url": POLICIES, "body": {}}],
        [{"id": 1, "method": "GET", "url": POLICIES}],
        ["1"],
    ],
    ids=["none", "too many", "same ids", "host", "order", "no content type", "number", "text"],
)
def test_a_malformed_batch_is_refused(client, requests):
    with pytest.raises(GraphError) as caught:
        send(client, requests)

    assert caught.value.params["status"] == 400


def test_a_batch_and_its_requests_are_logged(sandbox_tenant, client):
    send(client, [get(1), get(2)])

    counts = sandbox_tenant.request_counts()
    assert counts["POST", "batch"] == 1
    assert counts["GET", "device_configuration"] == 2
