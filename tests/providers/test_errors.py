"""The class and reason of an error response: by status first, by code second."""

from __future__ import annotations

import json

import pytest

from operations.reasons import get_reason
from providers.graph.errors import (
    Conflict,
    ConsentMissing,
    CredentialRejected,
    InvalidRequest,
    LicenseMissing,
    ObjectNotFound,
    PermissionMissing,
    Transient,
    UnknownWriteOutcome,
    classify,
    classify_sign_in,
    parse_error,
)

REQUEST_ID = "0b5c5c5e-5a3c-4f5b-9d1e-3f2c1b0a9d8e"
CANARY = "canary-Xy7~secret-of-the-server"
SENT_ID = "11111111-2222-3333-4444-555555555555"


def error_response(status, code="", message=CANARY, headers=None, **inner):
    body = {"error": {"code": code, "message": message, "innerError": inner}}
    return parse_error(status, body, headers or {})


def classify_response(status, code="", message=CANARY, *, is_write=False, **more):
    response = error_response(status, code, message, **more)
    return classify(response, noun="groups", permission="Group.Read.All", is_write=is_write)


@pytest.mark.parametrize(
    ("status", "code", "cls", "reason"),
    [
        (408, "", Transient, "service_unavailable"),
        (429, "TooManyRequests", Transient, "throttled"),
        (429, "UnknownError", Transient, "throttled"),
        (429, "", Transient, "throttled"),
        (400, "activityLimitReached", Transient, "throttled"),
        (500, "InternalServerError", Transient, "service_unavailable"),
        (502, "", Transient, "service_unavailable"),
        (503, "UnknownError", Transient, "service_unavailable"),
        (504, "", Transient, "service_unavailable"),
        (509, "", Transient, "service_unavailable"),
        (520, "", Transient, "service_unavailable"),
        (401, "InvalidAuthenticationToken", CredentialRejected, "token_rejected"),
        (401, "Forbidden", PermissionMissing, "permission_missing"),
        (403, "Authorization_RequestDenied", PermissionMissing, "permission_missing"),
        (403, "accessDenied", PermissionMissing, "permission_missing"),
        (403, "", PermissionMissing, "permission_missing"),
        (404, "ResourceNotFound", ObjectNotFound, "object_gone"),
        (404, "", ObjectNotFound, "object_gone"),
        (400, "Request_ResourceNotFound", ObjectNotFound, "object_gone"),
        (410, "", ObjectNotFound, "resync_required"),
        (400, "resyncRequired", ObjectNotFound, "resync_required"),
        (409, "", Conflict, "object_conflict"),
        (412, "", Conflict, "object_conflict"),
        (400, "nameAlreadyExists", Conflict, "object_conflict"),
        (400, "BadRequest", InvalidRequest, "request_refused"),
        (405, "", InvalidRequest, "request_refused"),
        (413, "", InvalidRequest, "request_refused"),
        (501, "", InvalidRequest, "request_refused"),
        (302, "", InvalidRequest, "request_refused"),
    ],
)
def test_reads_are_classified(status, code, cls, reason):
    error = classify_response(status, code)

    assert type(error) is cls
    assert error.code == reason


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 509])
def test_the_outcome_of_a_write_with_a_server_error_is_unknown(status):
    assert type(classify_response(status, is_write=True)) is UnknownWriteOutcome


def test_a_throttled_write_was_not_applied():
    assert type(classify_response(429, is_write=True)) is Transient


@pytest.mark.parametrize(
    "message",
    [
        "Request not applicable to target tenant.",
        "The tenant is not licensed for this feature.",
        "Neither tenant is B2C or tenant doesn't have premium license",
    ],
)
@pytest.mark.parametrize("status", [400, 403])
def test_a_missing_license_is_not_a_missing_permission(status, message):
    assert type(classify_response(status, "BadRequest", message)) is LicenseMissing


def intune_message(message, **more):
    return json.dumps({"_version": 3, "Message": message, "HttpHeaders": "{}", **more})


SCOPES = (
    "Application is not authorized to perform this operation. Application must have one of the "
    "following scopes: DeviceManagementConfiguration.Read.All, "
    "DeviceManagementConfiguration.ReadWrite.All - Operation ID (for customer support): 00 - "
    "Activity ID: 00 - Url: https://fef.msub05.manage.microsoft.com/StatelessService"
)


@pytest.mark.parametrize(
    "message", [SCOPES, intune_message(SCOPES), intune_message(intune_message(SCOPES))]
)
def test_missing_scopes_are_read_from_messages_of_any_depth(message):
    error = classify_response(403, "Forbidden", message)

    assert error.params["permission"] == (
        "DeviceManagementConfiguration.Read.All or DeviceManagementConfiguration.ReadWrite.All"
    )
    assert "manage.microsoft.com" not in f"{error}{error.next_step}"
    assert "Grant DeviceManagementConfiguration.Read.All or" in error.next_step


@pytest.mark.parametrize(
    "scopes", ["User." + "A1" * 60, "patQ7." + "0f" * 32, "User.Read.All, Abc.De" + "F" * 400]
)
def test_a_permission_is_never_a_part_of_a_longer_word(scopes):
    """A part of a secret is recognized by no rule."""
    message = f"Application must have one of the following scopes: {scopes} - Operation ID: 00"

    error = classify_response(403, "Forbidden", message)

    assert error.params["permission"] in ("User.Read.All", "Group.Read.All")


def test_without_scopes_in_the_response_the_permission_of_the_path_is_used():
    assert classify_response(403).params["permission"] == "Group.Read.All"


def test_an_intune_401_that_means_forbidden_is_a_missing_permission():
    nested = intune_message(
        json.dumps({"ErrorCode": "Forbidden", "Message": "no"}), ErrorCode="Forbidden"
    )

    assert type(classify_response(401, "Unauthorized", nested)) is PermissionMissing


def test_codes_and_ids_are_found_in_nested_inner_errors():
    inner = {"code": "resourceModified", "innererror": {"request-id": REQUEST_ID}}
    response = parse_error(400, {"error": {"code": "", "innererror": inner}}, {})

    assert response.codes == ("resourceModified",)
    assert response.request_id == REQUEST_ID


def test_the_request_id_comes_from_the_header_and_must_be_well_formed():
    assert error_response(404, headers={"request-id": REQUEST_ID}).request_id == REQUEST_ID
    assert error_response(404, headers={"request-id": "<script>"}).request_id == ""


@pytest.mark.parametrize(
    "body",
    [None, [], "text", {}, {"error": None}, {"error": []}, {"error": "x"},
     {"error": {"code": 7, "message": ["x"]}}, {"error": {"message": "{" * 100_001}},
     {"error": {"message": "[" * 90_000}}, {"error": {"code": {"a": 1}}}],
)  # fmt: skip
def test_any_body_is_classified(body):
    error = classify(parse_error(400, body, {}), noun="groups", permission="X.Read")

    assert type(error) is InvalidRequest


def test_deep_nesting_is_limited():
    error: dict[str, object] = {"code": "x"}
    for _ in range(500):
        error = {"code": "", "innerError": error}

    assert parse_error(400, {"error": error}, {}).code == ""


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500])
def test_the_text_of_the_server_is_never_repeated(status):
    error = classify_response(status, CANARY, f"{CANARY} Bearer {CANARY}")

    text = f"{error} {error.next_step} {error!r} {error.params} {error.request_id}"
    assert CANARY not in text


@pytest.mark.parametrize(
    ("number", "oauth_error", "cls", "reason"),
    [
        (7000215, "invalid_client", CredentialRejected, "credential_rejected"),
        (7000222, "invalid_client", CredentialRejected, "credential_expired"),
        (700027, "invalid_client", CredentialRejected, "credential_rejected"),
        (700024, "invalid_client", CredentialRejected, "clock_wrong"),
        (700016, "unauthorized_client", ConsentMissing, "app_not_in_tenant"),
        (65001, "invalid_grant", ConsentMissing, "consent_missing"),
        (53003, "access_denied", ConsentMissing, "blocked_by_conditional_access"),
        (90002, "invalid_request", ConsentMissing, "tenant_unknown"),
        (5000224, "invalid_request", ConsentMissing, "tenant_unknown"),
        (1234567, "invalid_client", CredentialRejected, "credential_rejected"),
        (0, "unauthorized_client", ConsentMissing, "app_not_in_tenant"),
        (4711, "invalid_grant", ConsentMissing, "sign_in_failed"),
        (0, "temporarily_unavailable", Transient, "service_unavailable"),
    ],
)
def test_sign_in_errors_are_classified(number, oauth_error, cls, reason):
    body = {
        "error": oauth_error,
        "error_description": f"AADSTS{number}: {CANARY}",
        "error_codes": [number] if number else [],
        "trace_id": REQUEST_ID,
    }

    error = classify_sign_in(400, body)

    assert (type(error), error.code) == (cls, reason)
    assert error.request_id == REQUEST_ID
    assert error.is_blocking_whole_run == (cls is not Transient)
    assert CANARY not in f"{error} {error.next_step}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_sign_in_is_transient_with_any_body(status):
    assert type(classify_sign_in(status, {"error": "invalid_client"})) is Transient


@pytest.mark.parametrize("body", [{}, {"error_codes": "x"}, {"error_codes": ["x"]}, {"error": []}])
def test_any_sign_in_response_is_classified(body):
    assert classify_sign_in(400, body).code == "sign_in_failed"


def test_every_reason_of_a_class_is_in_the_catalog():
    for cls in (
        Transient,
        UnknownWriteOutcome,
        CredentialRejected,
        ConsentMissing,
        ObjectNotFound,
        Conflict,
    ):
        assert get_reason(cls.default_code).next_step


SENT = {
    "displayName": "Block legacy",
    "conditions": {"users": {"excludeGroups": [SENT_ID]}},
    "state": "enabled",
}


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Invalid value for property 'displayName'.", "displayName"),
        ("The property conditions.users.excludeGroups is wrong", "conditions.users.excludeGroups"),
        (f"1032: {SENT_ID} is not a group", SENT_ID),
        ("'state' and 'displayName' exclude each other", "state, displayName"),
        ("The excludeGroups property refers to deleted groups", "excludeGroups"),
    ],
)
def test_a_refusal_names_what_the_request_contained(message, named):
    inner = {"code": "InvalidReference"}
    body = {"error": {"code": "BadRequest", "message": message, "innerError": inner}}
    response = parse_error(400, body, {})
    error = classify(response, noun="policies", permission="x", is_write=True, sent=SENT)

    assert (error.code, error.params["named"]) == ("request_refused_for", named)
    assert error.params["error"] == "BadRequest, InvalidReference"
    assert f"names: {named}." in error.message


@pytest.mark.parametrize(
    "message",
    [
        "The state of the service is unknown",
        f"'{CANARY}' is not a value of property {CANARY}",
        "99999999-2222-3333-4444-555555555555 does not exist",
        "",
    ],
)
def test_a_refusal_repeats_nothing_else_of_the_text(message):
    response = error_response(400, "BadRequest", message)
    error = classify(response, noun="policies", permission="x", is_write=True, sent=SENT)

    assert error.code == "request_refused"
    assert CANARY not in f"{error.message} {error.next_step}"
