"""Texts that operators need as they are: ids, error bodies, digests, entity tags, cursors."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator

from dev.labeled import draw, notes
from dev.labeled.draw import Draw, fill, guid

POLICY_NAMES = (
    "Windows - Password policy",
    "CIS_L1_Win11_23H2_Defender_Antivirus_Baseline-2024-v3.0.1",
    "MSSB_Win-Sec_v23H2_D_U_BitLocker_OS-Drive",
    "CA105-Admins-IdentityProtection-AnyApp-AnyPlatform-PhishingResistantMFA",
    "Token protection for sign-in",
    "LAPS - rotate local admin password",
    "iOS: Wi-Fi with pre-shared key",
    "SCEP certificate for VPN",
)
TYPES = (
    "#microsoft.graph.windows10EndpointProtectionConfiguration",
    "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
    "#microsoft.graph.iosEnterpriseWiFiConfiguration",
    "#microsoft.graph.passwordAuthenticationMethod",
    "#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration",
    "#microsoft.graph.omaSettingStringXml",
)
DEFINITIONS = (
    "device_vendor_msft_policy_config_defender_allowrealtimemonitoring",
    "device_vendor_msft_laps_policies_passwordcomplexity_4",
    "user_vendor_msft_policy_config_office16v2~policy~l_microsoftofficesystem~l_security_1",
    "device_vendor_msft_bitlocker_systemdrivesrecoveryoptions_osrecoverykeyusage_dropdown_name_2",
    "com.apple.applicationaccess_allowpasswordautofill_true",
)
AADSTS = (
    (
        "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is"
        " the client secret value, not the client secret ID, for a secret added to app '{}'."
    ),
    "AADSTS50126: Error validating credentials due to invalid username or password.",
    "AADSTS700016: Application with identifier '{}' was not found in the directory 'Contoso'.",
    (
        "AADSTS700027: Client assertion contains an invalid signature. [Reason - The key was not found.,"
        " Thumbprint of key used by client: '{thumb}']"
    ),
    (
        "AADSTS50076: Due to a configuration change made by your administrator, you must use"
        " multi-factor authentication to access '{}'."
    ),
    "AADSTS7000222: The provided client secret keys for app '{}' are expired.",
    "AADSTS65001: The user or administrator has not consented to use the application with ID '{}'.",
    "AADSTS500133: Assertion is not within its valid time range. Current time: 2026-11-23T10:00:00Z",
)


def _aadsts(rng: Draw) -> str:
    text = rng.choice(AADSTS).replace("{thumb}", fill(rng, "{HEX:40}")).replace("{}", guid(rng))
    return (
        f"{text} Trace ID: {guid(rng)} Correlation ID: {guid(rng)} Timestamp: 2026-11-23 10:00:00Z"
    )


def _token_error(rng: Draw) -> str:
    return json.dumps(
        {
            "error": rng.choice(["invalid_client", "unauthorized_client", "invalid_grant"]),
            "error_description": _aadsts(rng),
            "error_codes": [7000215],
            "timestamp": "2026-11-23 10:00:00Z",
            "trace_id": guid(rng),
            "correlation_id": guid(rng),
            "error_uri": "https://login.microsoftonline.com/error?code=7000215",
        }
    )


def _graph_error(rng: Draw) -> str:
    code, message = rng.choice(
        [
            ("InvalidAuthenticationToken", "Access token has expired or is not yet valid."),
            ("InvalidAuthenticationToken", "Access token validation failure. Invalid audience."),
            ("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."),
            ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
            ("Request_ResourceNotFound", f"Resource '{guid(rng)}' does not exist."),
            ("BadRequest", "secretReferenceValueId is invalid for create."),
            ("CompactToken", "CompactToken validation failed with reason code: 80049228."),
            ("TokenNotFound", "The skip token was not found or has expired."),
        ]
    )
    body = {
        "error": {
            "code": code,
            "message": message,
            rng.choice(["innerError", "innererror"]): {
                "date": "2026-11-23T10:00:00",
                "request-id": guid(rng),
                "client-request-id": guid(rng),
            },
        }
    }
    return json.dumps(body, separators=rng.choice([(",", ":"), (", ", ": ")]))


def _intune_error(rng: Draw) -> str:
    message = {
        "_version": 3,
        "Message": f"An error has occurred - Operation ID (for customer support): {guid(rng)} -"
        f" Activity ID: {guid(rng)} - Url: https://fef.amsua0102.manage.microsoft.com/Device"
        f"ConfigV2/PolicyService/deviceManagement/policies('{guid(rng)}')?api-version=5025-07-15",
        "CustomApiErrorPhrase": "",
        "RetryAfter": None,
        "ErrorSourceService": "",
        "HttpHeaders": "{}",
    }
    return json.dumps({"error": {"code": "BadRequest", "message": json.dumps(message)}})


def _etag(rng: Draw) -> str:
    number = rng.randrange(10**6)
    graph = base64.b64encode(f"JzEtQ29uZmln{number}LDQyJzEz{guid(rng)}".encode()).decode()
    value = rng.choice(
        [
            f'W/"{graph}"',
            f'W/"{draw.b64(rng, 20)}"',
            f'"0x8D{fill(rng, "{HEX:13}")}"',
            f'"{guid(rng)},4"',
        ]
    )
    return rng.choice(
        [
            f"ETag: {value}",
            f"If-Match: {value} did not match",
            json.dumps({"@odata.etag": value, "id": guid(rng)}),
            f"the entity tag {value} has changed",
            f"etag={value}",
        ]
    )


def _digest(rng: Draw) -> str:
    algorithm = rng.choice(["sha256", "sha384", "sha512", "sha1", "md5"])
    value = hashlib.new(algorithm, rng.randbytes(20)).digest()
    hexadecimal, base = value.hex(), base64.b64encode(value).decode()
    return rng.choice(
        [
            f"{algorithm}:{hexadecimal}",
            f"checksum {hexadecimal} differs",
            f'integrity="{algorithm}-{base}"',
            f"Digest: SHA-256={base}",
            f"Content-MD5: {base}",
            json.dumps({"fileHash": base, "fileHashAlgorithm": algorithm.upper()}),
            json.dumps({"sha256Hash": base}),
            f"expected {algorithm} {base}, got another one",
            json.dumps({"thumbprint": hexadecimal.upper()}),
            f"digest: {base}",
            f"content hash {hexadecimal} of version 17",
            f"--hash={algorithm}:{hexadecimal}",
        ]
    )


def _graph_id(rng: Draw) -> str:
    value = rng.choice(
        [
            "AAMkA" + draw.b64url(rng, 105) + "=",
            draw.b64url(rng, 48),
            f"lAPpYvVpN0KRkAEhdxReE{draw.b64url(rng, 32)}-1",
            f"T_{guid(rng)}",
            "b!" + draw.b64url(rng, 48),
            "01" + fill(rng, "{B32:32}"),
            f"19:{fill(rng, '{hex:32}')}@thread.tacv2",
            f"{guid(rng)}_{guid(rng)}",
        ]
    )
    return rng.choice(
        [
            json.dumps({"id": value, "displayName": rng.choice(POLICY_NAMES)}),
            f"GET /v1.0/me/messages/{value} 404",
            f"https://graph.microsoft.com/beta/users/{guid(rng)}/events/{value}?$select=id",
            f"roleAssignments('{value}') was not found",
            f"Graph ID {value} is missing",
            f"id={value}",
            json.dumps({"resourceId": value, "principalId": guid(rng)}),
        ]
    )


def _cursor(rng: Draw) -> str:
    token = rng.choice(
        ["RFNwdAIAAQ" + draw.b64url(rng, 90), draw.b64url(rng, 60), draw.b64(rng, 60)]
    )
    place = (
        base64.urlsafe_b64encode(
            f"newest:2026-11-23T10:00:00.{rng.randrange(10**6):06}+00:00:{rng.randrange(10**6)}".encode()
        )
        .decode()
        .rstrip("=")
    )
    url = "https://graph.microsoft.com/beta/deviceManagement/configurationPolicies"
    return rng.choice(
        [
            json.dumps({"@odata.nextLink": f"{url}?$skiptoken={token}"}),
            json.dumps({"@odata.deltaLink": f"{url}/delta?$deltatoken={token}"}),
            f"GET {url}?$top=100&$skiptoken={token} failed",
            f"/w/contoso/runs/?status=failed&after={place}",
            f"/w/contoso/runs/?before={place}&type=inventory.sync",
            f'the cursor "{place}" is not valid',
            json.dumps({"next_cursor": place}),
        ]
    )


def _headers(rng: Draw) -> str:
    return rng.choice(
        [
            f"request-id: {guid(rng)}\nclient-request-id: {guid(rng)}\nRetry-After: 17",
            (
                'x-ms-ags-diagnostic: {"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5",'
                '"ScaleUnit":"004","RoleInstance":"AM4PEPF00027F5D"}}'
            ),
            f"traceparent: 00-{fill(rng, '{hex:32}')}-{fill(rng, '{hex:16}')}-01",
            f"MS-CV: {draw.mixed(rng, 16)}.0",
            f"x-ms-correlation-request-id={guid(rng)}",
            (
                'WWW-Authenticate: Bearer realm="", authorization_uri='
                '"https://login.microsoftonline.com/common/oauth2/authorize", error="invalid_token"'
            ),
            f"Content-Type: application/json;odata.metadata=minimal; boundary=batch_{guid(rng)}",
            "Strict-Transport-Security: max-age=31536000",
            "Set-Cookie is not sent; Authorization: Bearer is required",
        ]
    )


def _names(rng: Draw) -> str:
    return rng.choice(
        [
            f"policy '{rng.choice(POLICY_NAMES)}' ({guid(rng)}) was changed",
            json.dumps({"@odata.type": rng.choice(TYPES), "displayName": rng.choice(POLICY_NAMES)}),
            f"{rng.choice(DEFINITIONS)} is not applicable to windows10",
            json.dumps({"settingDefinitionId": rng.choice(DEFINITIONS), "value": 8}),
            "Grant DeviceManagementConfiguration.ReadWrite.All, then retry.",
            f"{rng.choice(TYPES)[1:]} has {rng.randrange(90)} settings",
            f"https://graph.microsoft.com/beta/$metadata#deviceManagement/policies('{guid(rng)}')",
            f"{rng.choice(POLICY_NAMES)}: {rng.randrange(90)} settings saved",
            json.dumps({"passwordRequired": True, "passwordMinimumLength": rng.randrange(20)}),
            json.dumps(
                {"passwordRequiredType": "deviceDefault", "secretReferenceValueId": guid(rng)}
            ),
        ]
    )


def _sentences(rng: Draw) -> str:
    return rng.choice(
        [
            "The password is required and the token has expired.",
            f"The password of the account was changed {rng.randrange(9)} days ago.",
            "Password: required. Key: not set. Token: expired.",
            "Basic authentication is blocked; Bearer token is missing",
            f"Invalid credential in connection {rng.randrange(99)}: secret expired on 2026-11-23.",
            "Recovery key: escrowed to Microsoft Entra ID. PIN: allowed.",
            "password policy: minimum length 14, history 24, complexity on",
            f"{rng.randrange(99)} of 120 items: key vault unavailable",
            "Wi-Fi profile with WPA2 pre-shared key was not restored",
            "Temporary Access Pass is enabled for 3 groups",
            "The product key was rejected by the licensing service.",
            "net user is not available on this platform; use dsregcmd -p to print",
            "curl -u is deprecated; mkdir -p /var/lib/runledger/backups; ssh -p 2222 host",
            f"SQL error: column password of relation users does not exist (line {rng.randrange(99)})",
            "session id is missing; the session has ended",
            "secret: null, token: none, key=policy_123",
        ]
    )


def _operations(rng: Draw) -> str:
    certificate = draw.b64(rng, 200)
    lines = "\n".join(certificate[at : at + 64] for at in range(0, len(certificate), 64))
    return rng.choice(
        [
            f"runledger-worker-{fill(rng, '{hex:10}')}-{fill(rng, '{lower:5}')} restarted",
            f"image sha256:{fill(rng, '{hex:64}')} pulled",
            f"commit {fill(rng, '{hex:40}')} built app.{fill(rng, '{hex:12}')}.js",
            f"run {rng.randrange(10**6)} task {guid(rng)} succeeded in 1.2s: None",
            f"serial number {fill(rng, '{HEX:32}')} expires 2027-01-01",
            f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----",
            f"/app/static/css/app.{fill(rng, '{hex:20}')}.css 304",
            f"KeyError: 'displayName' in /app/providers/graph/kinds.py line {rng.randrange(400)}",
            f"Apple token {guid(rng)} renewed; VPP token Contoso synced",
            f"DEP serial C02{fill(rng, '{ALNUM:9}')}, IMEI {fill(rng, '{digit:15}')}",
            f"version 6388{fill(rng, '{digit:14}')} of schema {guid(rng)}",
        ]
    )


KINDS: dict[str, Callable[[Draw], str]] = {
    "Entra error": _aadsts,
    "token error": _token_error,
    "Graph error": _graph_error,
    "Intune error": _intune_error,
    "entity tag": _etag,
    "digest": _digest,
    "Graph id": _graph_id,
    "cursor": _cursor,
    "headers": _headers,
    "names": _names,
    "sentences": _sentences,
    "operations": _operations,
}


def texts(rng: Draw, per_kind: int) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of harmless samples."""
    for kind, make in KINDS.items():
        for _ in range(per_kind):
            yield kind, make(rng)
    for text in notes.HARMLESS:
        yield "notes", fill(rng, text)


def _fresh(rng: Draw) -> tuple[str, str]:
    """Return a harmless text whose wording is not among the kinds above."""
    value = base64.b64encode(rng.randbytes(32)).decode()
    return rng.choice(
        [
            (
                "Graph id",
                f'Event "{draw.b64url(rng, 60)}" not found: itemId={draw.b64url(rng, 60)}',
            ),
            ("digest", f"x-content-sha256: {value}"),
            ("digest", json.dumps({"contentHash": value, "size": 17})),
            (
                "entity tag",
                json.dumps({"eTag": f'"{{{guid(rng).upper()}}},1"', "cTag": f'"c:{guid(rng)}"'}),
            ),
            ("cursor", f"?skipToken={draw.b64url(rng, 40)}&$top=50"),
            ("cursor", json.dumps({"continuationToken": draw.b64(rng, 45)})),
            (
                "Graph error",
                f'{{"code":"InvalidAuthenticationToken","message":"IDX10223: {guid(rng)}"}}',
            ),
            (
                "Graph error",
                f"401 InvalidAuthenticationToken: Signing key is invalid. ({guid(rng)})",
            ),
            (
                "Entra error",
                f"AADSTS70043: The refresh token has expired. x-ms-request-id {guid(rng)}",
            ),
            ("headers", f"x-ms-client-session-id: {guid(rng)}; x-ms-routing-hint: host"),
            ("headers", f"SPRequestGuid: {guid(rng)}, docID: https://x/?sid={guid(rng)}"),
            ("names", f'"ruleName":"PasswordRequired","key":"{rng.choice(DEFINITIONS)}"'),
            (
                "names",
                "Settings: MinDevicePasswordLength, RequireDeviceEncryption, WiFiSharedKeyAuth",
            ),
            (
                "sentences",
                "Set a password, then start the sync. The old secret stays valid for a day.",
            ),
            (
                "sentences",
                "Authentication failed: client secret was removed from the app registration",
            ),
            ("operations", f"blob 0x{fill(rng, '{hex:40}')} in layer {fill(rng, '{hex:64}')}"),
            ("operations", f"celery@worker-{rng.randrange(9)} task {guid(rng)} retry in 17s"),
            ("operations", f"certificate thumbprint {fill(rng, '{HEX:40}')} not trusted"),
        ]
    )


def fresh_texts(rng: Draw, count: int) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of harmless samples that no rule was written for."""
    for _ in range(count):
        yield _fresh(rng)
