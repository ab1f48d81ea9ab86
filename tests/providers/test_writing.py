"""A write is applied once, or its outcome is reported as unknown."""

from __future__ import annotations

import pytest

from providers.graph.errors import (
    InvalidRequest,
    ObjectNotFound,
    PermissionMissing,
    Transient,
    UnknownWriteOutcome,
)

LOCATIONS = "/v1.0/identity/conditionalAccess/namedLocations"
COMPLIANCE = "/beta/deviceManagement/deviceCompliancePolicies"
POLICIES = "/beta/deviceManagement/configurationPolicies"
LOCATION = {
    "@odata.type": "#microsoft.graph.ipNamedLocation",
    "displayName": "New office",
    "isTrusted": True,
    "ipRanges": [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "192.0.2.0/24"}],
}


def locations_named(sandbox_tenant, name="New office"):
    return [
        entry for entry in sandbox_tenant.objects("named_location") if entry["displayName"] == name
    ]


def test_an_object_is_created_changed_and_deleted(sandbox_tenant, client):
    created = client.post(LOCATIONS, LOCATION)
    assert client.patch(f"{LOCATIONS}/{created['id']}", {"displayName": "Old office"}) == {}
    assert client.get(f"{LOCATIONS}/{created['id']}")["displayName"] == "Old office"
    client.delete(f"{LOCATIONS}/{created['id']}")

    with pytest.raises(ObjectNotFound):
        client.get(f"{LOCATIONS}/{created['id']}")


@pytest.mark.parametrize("fault", ["drop_after_write", "error_after_write"])
def test_a_response_lost_after_the_write_is_unknown_and_not_sent_twice(
    sandbox_tenant, client, fault
):
    sandbox_tenant.fault(fault, times=1)

    with pytest.raises(UnknownWriteOutcome) as caught:
        client.post(LOCATIONS, LOCATION)

    assert caught.value.request_id
    assert len(locations_named(sandbox_tenant)) == 1
    assert sandbox_tenant.request_counts()["POST", "named_location"] == 1


@pytest.mark.parametrize("fault", ["drop", "server_error"])
def test_a_response_lost_before_the_write_is_unknown_too(sandbox_tenant, client, fault):
    sandbox_tenant.fault(fault, times=1)

    with pytest.raises(UnknownWriteOutcome):
        client.post(LOCATIONS, LOCATION)

    assert locations_named(sandbox_tenant) == []
    assert sandbox_tenant.request_counts()["POST", "named_location"] == 1


def test_a_throttled_write_is_sent_again(sandbox_tenant, client):
    sandbox_tenant.fault("throttle", times=2, method="POST")

    client.post(LOCATIONS, LOCATION)

    assert len(locations_named(sandbox_tenant)) == 1


def test_a_write_that_could_not_connect_was_not_applied(sandbox_tenant):
    with sandbox_tenant.client(base_url="https://localhost:1") as client, pytest.raises(Transient):
        client.post(LOCATIONS, LOCATION)


def test_a_write_with_an_outdated_token_is_sent_again_with_a_new_one(sandbox_tenant, client):
    client.get(LOCATIONS)
    sandbox_tenant.control.forget_tokens(sandbox_tenant.tenant_id)

    client.post(LOCATIONS, LOCATION)

    assert len(locations_named(sandbox_tenant)) == 1


def test_a_refused_write_names_the_write_permission(sandbox_tenant):
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id,
        sandbox_tenant.client_id,
        sandbox_tenant.secret,
        permissions=["Policy.Read.All"],
    )

    with sandbox_tenant.client() as client, pytest.raises(PermissionMissing) as caught:
        client.post(LOCATIONS, LOCATION)

    assert caught.value.params["permission"] == "Policy.ReadWrite.ConditionalAccess"


def test_an_invalid_write_is_rejected(client):
    with pytest.raises(InvalidRequest) as caught:
        client.post(LOCATIONS, {"displayName": ""})

    assert caught.value.params["error"] == "BadRequest"
    assert caught.value.request_id


def test_assigning_replaces_all_assignments(sandbox_tenant, client):
    policy = next(entry for entry in sandbox_tenant.objects("compliance") if entry["assignments"])
    target = {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}

    client.post(f"{COMPLIANCE}/{policy['id']}/assign", {"assignments": [{"target": target}]})

    stored = client.get(f"{COMPLIANCE}/{policy['id']}", {"$expand": "assignments"})
    assert [entry["target"] for entry in stored["assignments"]] == [target]


def test_a_settings_catalog_policy_is_replaced_with_its_settings(sandbox_tenant, client):
    policy = sandbox_tenant.objects("settings_catalog")[0]
    body = {key: policy[key] for key in ("name", "platforms", "technologies", "roleScopeTagIds")}

    client.put(f"{POLICIES}/{policy['id']}", {**body, "settings": policy["settings"][:3]})

    assert client.get(f"{POLICIES}/{policy['id']}")["settingCount"] == 3


@pytest.mark.parametrize(
    "extra",
    [
        {"id": "x"},
        {"createdDateTime": "2024-01-01T00:00:00Z"},
        {"version": 3},
        {"isAssigned": True},
        {"@odata.context": "https://graph.example.net/$metadata"},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_read_only_properties_are_rejected(sandbox_tenant, client, extra):
    with pytest.raises(InvalidRequest):
        client.post(LOCATIONS, LOCATION | extra)

    assert locations_named(sandbox_tenant) == []


def test_a_refusal_names_the_ids_of_the_request_and_its_text_is_logged(
    sandbox_tenant, client, caplog
):
    policy = sandbox_tenant.objects("settings_catalog")[0]
    group = "0e5c5c5e-5a3c-4f5b-9d1e-3f2c1b0a9d8e"
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group}

    with pytest.raises(InvalidRequest) as caught:
        client.post(f"{POLICIES}/{policy['id']}/assign", {"assignments": [{"target": target}]})

    assert caught.value.code == "request_refused_for"
    assert group in caught.value.message
    assert caught.value.request_id in caplog.text
    assert f"The group {group} does not exist." in caplog.text
