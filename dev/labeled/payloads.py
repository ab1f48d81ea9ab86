"""Graph objects with a secret in them, as backups read them, and harmless ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from dev.labeled import draw
from dev.labeled.draw import Draw, form, guid

Json = dict[str, Any]
Make = Callable[[Draw, str], Json]
_TYPE = "#microsoft.graph."


def _typed(name: str, **values: Any) -> Json:
    return {"@odata.type": f"{_TYPE}{name}", "id": "1", "displayName": "Policy", **values}


def _wlan(secret: str) -> str:
    return (
        '<?xml version="1.0"?><WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1">'
        "<name>Corp</name><MSM><security><sharedKey><keyType>passPhrase</keyType>"
        f"<protected>false</protected><keyMaterial>{secret}</keyMaterial></sharedKey></security></MSM>"
        "</WLANProfile>"
    )


def _plist(secret: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>'
        "<key>PayloadDisplayName</key><string>Wi-Fi</string>"
        f"<key>Password</key><string>{secret}</string></dict></plist>"
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _oma(uri: str, value: str, kind: str = "omaSettingString") -> Json:
    setting = _typed(kind, omaUri=uri, value=value, isEncrypted=False)
    return _typed("windows10CustomConfiguration", omaSettings=[setting])


def _catalog(definition: str, value: Json) -> Json:
    instance = {
        "@odata.type": f"{_TYPE}deviceManagementConfigurationSimpleSettingInstance",
        "settingDefinitionId": definition,
        "simpleSettingValue": value,
    }
    return {"id": "1", "name": "Policy", "settings": [{"id": "0", "settingInstance": instance}]}


def _string(value: str, kind: str = "String") -> Json:
    name = f"{_TYPE}deviceManagementConfiguration{kind}SettingValue"
    return {"@odata.type": name, "value": value}


#: Each with the secret in it; `make` draws the secret.
SHAPES: dict[str, tuple[Callable[[Draw], str], Callable[[str], Json]]] = {
    "Wi-Fi pre-shared key": (
        draw.password,
        lambda secret: _typed("windowsWifiConfiguration", preSharedKey=secret),
    ),
    "Wi-Fi password format": (
        draw.password,
        lambda secret: _typed("iosEnterpriseWiFiConfiguration", passwordFormatString=secret),
    ),
    "VPN shared secret": (
        draw.password,
        lambda secret: _typed("iosikEv2VpnConfiguration", sharedSecret=secret),
    ),
    "OMA-URI Wi-Fi profile": (
        draw.password,
        lambda secret: _oma("./Vendor/MSFT/WiFi/Profile/Corp/WlanXml", _wlan(secret)),
    ),
    "OMA-URI Wi-Fi profile in base64": (
        draw.password,
        lambda secret: _oma(
            "./Vendor/MSFT/WiFi/Profile/Corp/WlanXml", _base64(_wlan(secret)), "omaSettingStringXml"
        ),
    ),
    "OMA-URI account password": (
        draw.password,
        lambda secret: _oma("./Device/Vendor/MSFT/Accounts/Users/kiosk/Password", secret),
    ),
    "OMA-URI product key": (
        draw.product_key,
        lambda secret: _oma("./Vendor/MSFT/WindowsLicensing/UpgradeEditionWithProductKey", secret),
    ),
    "OMA-URI mail password": (
        draw.password,
        lambda secret: _oma("./Vendor/MSFT/EMAIL2/%7B1%7D/AUTHSECRET", secret),
    ),
    "OMA-URI SCEP challenge": (
        draw.form("{HEX:32}"),
        lambda secret: _oma(
            "./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/1/Install/Challenge", secret
        ),
    ),
    "iOS custom profile": (
        draw.password,
        lambda secret: _typed("iosCustomConfiguration", payload=_base64(_plist(secret))),
    ),
    "macOS custom profile": (
        draw.password,
        lambda secret: _typed("macOSCustomConfiguration", payload=_base64(_plist(secret))),
    ),
    "app configuration pair": (
        draw.password,
        lambda secret: _typed(
            "iosMobileAppConfiguration",
            settings=[
                {
                    "appConfigKey": "com.contoso.ServerPassword",
                    "appConfigKeyType": "stringType",
                    "appConfigKeyValue": secret,
                }
            ],
        ),
    ),
    "app configuration XML": (
        draw.password,
        lambda secret: _typed(
            "iosMobileAppConfiguration", encodedSettingXml=_base64(_plist(secret))
        ),
    ),
    "Android app configuration": (
        draw.password,
        lambda secret: _typed(
            "androidManagedStoreAppConfiguration",
            payloadJson=_base64(
                json.dumps(
                    {
                        "kind": "androidenterprise#managedConfiguration",
                        "managedProperty": [{"key": "server_password", "valueString": secret}],
                    }
                )
            ),
        ),
    ),
    "managed app pair": (
        draw.password,
        lambda secret: _typed(
            "targetedManagedAppConfiguration",
            customSettings=[{"name": "com.contoso.clientSecret", "value": secret}],
        ),
    ),
    "managed app pair, capitals": (
        draw.password,
        lambda secret: _typed(
            "targetedManagedAppConfiguration", customSettings=[{"Name": "API-KEY", "VALUE": secret}]
        ),
    ),
    "settings catalog secret": (
        draw.password,
        lambda secret: _catalog(
            "device_vendor_msft_policy_config_contoso_text", _string(secret, "Secret")
        ),
    ),
    "settings catalog Wi-Fi": (
        draw.password,
        lambda secret: _catalog("com.apple.wifi.managed_password", _string(secret)),
    ),
    "settings catalog collection": (
        draw.password,
        lambda secret: {
            "id": "1",
            "settings": [
                {
                    "settingInstance": {
                        "settingDefinitionId": "com.apple.vpn.managed.ipsec_sharedsecret",
                        "simpleSettingCollectionValue": [_string(secret)],
                    }
                }
            ],
        },
    ),
    "settings catalog group": (
        draw.password,
        lambda secret: {
            "id": "1",
            "settings": [
                {
                    "settingInstance": {
                        "settingDefinitionId": "com.apple.security.scep_com.apple.security.scep",
                        "groupSettingCollectionValue": [
                            {
                                "children": [
                                    {
                                        "settingDefinitionId": "com.apple.security.scep_challenge",
                                        "simpleSettingValue": _string(secret),
                                    }
                                ]
                            }
                        ],
                    }
                }
            ],
        },
    ),
    "enrollment token": (
        draw.form("{ALNUM:20}"),
        lambda secret: _typed(
            "androidDeviceOwnerEnrollmentProfile", tokenValue=secret, enrollmentTokenType="x"
        ),
    ),
    "enrollment code": (
        draw.form("{ALNUM:20}"),
        lambda secret: _typed(
            "androidDeviceOwnerEnrollmentProfile",
            qrCodeContent=json.dumps({"EXTRA": {"ENROLLMENT_TOKEN": secret}}),
        ),
    ),
    "enrollment code image": (
        lambda rng: draw.b64(rng, 60),
        lambda secret: _typed(
            "androidDeviceOwnerEnrollmentProfile",
            qrCodeImage={"type": "image/png", "value": secret},
        ),
    ),
    "enrollment Wi-Fi": (
        draw.password,
        lambda secret: _typed("androidDeviceOwnerEnrollmentProfile", wifiPassword=secret),
    ),
    "temporary access pass": (
        lambda rng: draw.mixed(rng, 8),
        lambda secret: _typed(
            "temporaryAccessPassAuthenticationMethod", temporaryAccessPass=secret
        ),
    ),
    "PIN of a QR code": (
        form("{digit:8}"),
        lambda secret: _typed("qrCodePinAuthenticationMethod", pin={"code": secret}),
    ),
    "recovery key": (
        draw.recovery_key,
        lambda secret: _typed("bitlockerRecoveryKey", key=secret, volumeType="1"),
    ),
    "local administrator password": (
        lambda rng: draw.b64(rng, 12),
        lambda secret: {
            "id": "1",
            "deviceName": "PC",
            "credentials": [{"accountName": "Admin", "passwordBase64": secret}],
        },
    ),
    "product key": (
        draw.product_key,
        lambda secret: _typed("editionUpgradeConfiguration", productKey=secret),
    ),
    "bypass code": (
        draw.form("{ALNUM:5}-{ALNUM:5}-{ALNUM:4}"),
        lambda secret: _typed("managedDevice", activationLockBypassCode=secret),
    ),
    "PIN": (
        draw.form("{digit:6}"),
        lambda secret: _typed("remoteLockActionResult", unlockPin=secret),
    ),
    "application secret": (
        draw.entra_secret,
        lambda secret: _typed("application", passwordCredentials=[{"secretText": secret}]),
    ),
    "key credential": (
        lambda rng: draw.b64(rng, 400),
        lambda secret: _typed(
            "application", keyCredentials=[{"type": "X509CertAndPassword", "key": secret}]
        ),
    ),
    "synchronization secret": (
        draw.password,
        lambda secret: {"value": [{"key": "Password", "value": secret}]},
    ),
    "synchronization secret token": (
        draw.password,
        lambda secret: {"secrets": [{"key": "SecretToken", "value": secret}]},
    ),
    "identity provider": (
        draw.password,
        lambda secret: _typed("socialIdentityProvider", clientSecret=secret),
    ),
    "code signing certificate": (
        draw.password,
        lambda secret: _typed("symantecCodeSigningCertificate", password=secret),
    ),
    "Teams device": (
        draw.password,
        lambda secret: {"systemConfiguration": {"defaultPassword": secret, "lockPin": None}},
    ),
    "device account": (
        draw.password,
        lambda secret: {
            "deviceAccount": {
                "@odata.type": "#microsoft.graph.windowsDeviceAccount",
                "password": secret,
            }
        },
    ),
    "PowerShell script": (
        draw.password,
        lambda secret: _typed(
            "deviceManagementScript",
            scriptContent=_base64(
                f"$p = ConvertTo-SecureString '{secret}' -AsPlainText -Force\nnet user svc {secret} /add"
            ),
        ),
    ),
    "deployment parameter": (
        draw.password,
        lambda secret: {"parameters": {"adminPassword": {"value": secret}}},
    ),
    "operational insights key": (
        lambda rng: draw.b64(rng, 64),
        lambda secret: _typed(
            "windows10TeamGeneralConfiguration", azureOperationalInsightsWorkspaceKey=secret
        ),
    ),
    "Autopilot product key": (
        draw.product_key,
        lambda secret: {"importedWindowsAutopilotDeviceIdentities": [{"productKey": secret}]},
    ),
    "answer to a question": (
        draw.password,
        lambda secret: {"recovery_question": {"question": "First pet?", "answer": secret}},
    ),
    "community of SNMP": (
        draw.password,
        lambda secret: {"host": "sw7", "snmp": {"version": "2c", "community": secret}},
    ),
}


def secrets(rng: Draw, per_shape: int) -> Iterator[tuple[str, Json, str]]:
    """Yield shape, payload and the secret in it."""
    for shape, (make, payload) in SHAPES.items():
        for _ in range(per_shape):
            secret = make(rng)
            yield shape, payload(secret), secret


def harmless(rng: Draw, count: int) -> Iterator[Json]:
    """Yield payloads without a secret; nothing in them may change."""
    for number in range(count):
        definition = f"device_vendor_msft_policy_config_area_option{number}"
        yield _typed(
            "windows10EndpointProtectionConfiguration",
            **{
                "@odata.etag": f'W/"{draw.b64(rng, 20)}"',
                "id": guid(rng),
                "passwordRequired": True,
                "passwordRequiredType": "alphanumeric",
                "passwordMinimumLength": 8,
                "bitLockerRecoveryOptions": {"recoveryKeyUsage": "allowed"},
                "trustedRootCertificate": draw.b64(rng, 300),
                "certificateThumbprint": draw.fill(rng, "{HEX:40}"),
                "groupId": guid(rng),
                "payloadHash": draw.b64(rng, 32),
                "roleAssignmentId": draw.b64url(rng, 32),
                "settings": [_string("Enabled"), {"settingDefinitionId": f"{definition}_password"}],
                "customSettings": [
                    {"name": "com.microsoft.intune.mam.managedbrowser.homepage", "value": "x"},
                    {"name": "com.contoso.password", "value": "{{username}}"},
                ],
                "omaSettings": [
                    _typed(
                        "omaSettingStringXml",
                        omaUri="./Vendor/MSFT/AppLocker/X",
                        value=_base64(
                            "<RuleCollection Type='Exe' EnforcementMode='NotConfigured'/>"
                        ),
                    )
                ],
                "choiceSettingValue": {"value": f"{definition}_password_1", "children": []},
            },
        )
