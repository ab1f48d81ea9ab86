"""Secrets in texts: shapes that stand beside their usual name, and bare ones with a marker."""

from __future__ import annotations

import base64
import html
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from dev.labeled import draw, notes
from dev.labeled.draw import Draw, form
from redaction.markers import MARKERS

Make = Callable[[Draw], str]


@dataclass(frozen=True)
class Sample:
    """A text with a secret in it, in the form that the text has it."""

    shape: str
    context: str
    text: str
    secret: str


def _b64_basic(rng: Draw) -> str:
    return base64.b64encode(f"svc-backup:{draw.password(rng)}".encode()).decode()


def _sized(size: int) -> Make:
    return lambda rng: draw.b64(rng, size)


#: What a template has at `<>`, and the templates of each shape.
NAMED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "client secret": (
        draw.entra_secret,
        (
            "client_secret=<>&grant_type=client_credentials",
            '{"client_secret": "<>"}',
            "ClientSecret: <>",
            "AADSTS7000215: secret value '<>' is invalid",
            "Credential(client_secret='<>')",
        ),
    ),
    "password": (
        draw.password,
        (
            "password=<>",
            "Password: <>",
            '"adminPassword": "<>"',
            "pwd=<>;Encrypt=True",
            "password is '<>'",
            "user=svc passwd=<> host=db",
            "DB_PASSWORD=<>",
            "<password><></password>",
            "pass: <>",
        ),
    ),
    "account password": (
        draw.password,
        (
            "deviceAccountPassword: <>",
            '"encryptedPfxPassword":"<>"',
            '"wifiPassword":"<>"',
            '"newPassword" : "<>"',
            "recovery password: <>",
            "<UserPassword><></UserPassword>",
        ),
    ),
    "password in base64": (
        _sized(12),
        ('"passwordBase64": "<>"', "passwordBase64=<>", "PasswordBase64: <>"),
    ),
    "passphrase": (
        draw.password,
        ("passphrase: <>", "PFX passphrase=<>", '"privateKeyPassphrase": "<>"'),
    ),
    "Wi-Fi key material": (
        draw.password,
        (
            "<keyMaterial><></keyMaterial>",
            (
                "<sharedKey><keyType>passPhrase</keyType><protected>false</protected>"
                "<keyMaterial><></keyMaterial></sharedKey>"
            ),
            "<wlan:keyMaterial><></wlan:keyMaterial>",
            "keyMaterial=<>",
            '"keyMaterial": "<>"',
        ),
    ),
    "Wi-Fi pre-shared key": (
        draw.password,
        (
            '"preSharedKey": "<>"',
            "preSharedKey=<>",
            "Pre-shared key: <>",
            "wpa_psk=<>",
            'psk="<>"',
            "    Key Content            : <>",
            "WPA passphrase: <>",
            "network key: <>",
        ),
    ),
    "WEP key": (
        form("{HEX:26}"),
        ("wep_key0=<>", "wepKey: <>", "WEP key: <>", "wep-key1 = <>"),
    ),
    "plist": (
        draw.password,
        (
            "<key>Password</key><string><></string>",
            "<key>Password</key>\n\t<string><></string>",
            "<key>SharedSecret</key> <string><></string>",
            "<key>Challenge</key><string><></string>",
            "<key>PayloadCertificatePassword</key>\n<string><></string>",
            "<key>EnrollmentToken</key><string><></string>",
        ),
    ),
    "XML attributes": (
        draw.password,
        (
            '<add key="ApiPassword" value="<>" />',
            '<data id="ProxyPassword" value="<>"/>',
            '<parm name="AAUTHSECRET" value="<>"/>',
            '<setting password="<>" user="svc"/>',
        ),
    ),
    "pairs": (
        draw.password,
        (
            '{"name": "dbPassword", "value": "<>", "type": "string"}',
            '{"Key":"ClientSecret","Value":"<>"}',
            (
                '{"appConfigKey":"ServerPassword","appConfigKeyType":"stringType",'
                '"appConfigKeyValue":"<>"}'
            ),
            '{"value": "<>", "name": "proxy_password"}',
            '[{"key": "com.contoso.api_key", "valueString": "<>"}]',
        ),
    ),
    "SecureString": (
        draw.password,
        (
            'ConvertTo-SecureString "<>" -AsPlainText -Force',
            "ConvertTo-SecureString -String '<>' -AsPlainText",
            "ConvertTo-SecureString -AsPlainText -Force -String <>",
            "ConvertTo-SecureString <> -AsPlainText -Force",
        ),
    ),
    "net user": (
        draw.password,
        ("net user svc <> /add", "net user helpdesk <> /domain", "net.exe user bob <> /ADD"),
    ),
    "net use": (
        draw.password,
        (
            r"net use Z: \\srv\share <> /user:contoso\svc",
            r"net use \\srv\c$ /user:CONTOSO\svc <>",
        ),
    ),
    "SQL": (
        draw.password,
        (
            "CREATE USER svc WITH PASSWORD '<>'",
            "ALTER ROLE app PASSWORD '<>' VALID UNTIL 'infinity'",
            "CREATE LOGIN svc WITH PASSWORD = N'<>'",
            "CREATE USER 'svc'@'%' IDENTIFIED BY '<>'",
            "IDENTIFIED WITH caching_sha2_password BY '<>'",
            "SET PASSWORD FOR 'svc' = '<>'",
        ),
    ),
    "command line": (
        draw.password,
        (
            "mysqldump -u root -p<> contoso",
            "mysql --user=root --password=<> contoso",
            "sshpass -p <> ssh svc@host",
            "curl -u svc:<> https://contoso.com/",
            "curl --user svc:<> https://contoso.com/",
            "psexec \\\\host -u contoso\\svc -p <> cmd",
            "tool --password <> --verbose",
            "New-Thing -ClientSecret <> -Tenant x",
            "docker login -u svc -p <> registry.contoso.com",
            "az login --service-principal -u app -p <> --tenant x",
            "openssl pkcs12 -in x.pfx -passin pass:<>",
        ),
    ),
    "NTLM hash": (
        draw.ntlm_hash,
        ("Administrator:500:<>:::", "NTLM hash: <>", "svc:1104:<>:::"),
    ),
    "password hash": (
        lambda rng: rng.choice(
            [draw.django_hash, draw.bcrypt_hash, draw.crypt_hash, draw.argon_hash]
        )(rng),
        ("stored <> for svc", "password hash <>", 'hash="<>"', "root:<>:19000:0:99999:7:::"),
    ),
    "digest response": (
        form("{hex:32}"),
        (
            'Authorization: Digest username="svc", realm="x", nonce="abc", uri="/", response="<>"',
            'Digest username="svc", realm="contoso", response="<>", qop=auth',
        ),
    ),
    "session id": (
        form("{lower:32}"),
        (
            "PHPSESSID=<>",
            "JSESSIONID=<>",
            "ASP.NET_SessionId=<>",
            "sessionid=<>",
            "connect.sid=s%3A<>",
            "Cookie: a=b; sid=<>",
        ),
    ),
    "cookie": (
        lambda rng: draw.mixed(rng, 32),
        ("Cookie: theme=dark; rl_s=<>", "Set-Cookie: auth=<>; Path=/; HttpOnly"),
    ),
    "bearer": (
        lambda rng: rng.choice([draw.jwt(rng), draw.mixed(rng, 40)]),
        (
            "Authorization: Bearer <>",
            "authorization=Bearer <>",
            '{"access_token":"<>"}',
            "'Authorization': 'Bearer <>'",
        ),
    ),
    "basic": (
        _b64_basic,
        ("Authorization: Basic <>", "authorization: basic <>", '"Proxy-Authorization": "Basic <>"'),
    ),
    "token": (
        lambda rng: draw.mixed(rng, 30),
        (
            "token=<>",
            '"refresh_token": "<>"',
            "access_token: <>",
            "x-auth-token: <>",
            "https://contoso.com/hook?id=7&token=<>",
            '"tokenValue": "<>"',
            "PRIVATE-TOKEN: <>",
        ),
    ),
    "enrollment token": (
        form("{ALNUM:20}"),
        (
            '"enrollmentToken": "<>"',
            "enrollment token: <>",
            '"android.app.extra.PROVISIONING_ENROLLMENT_TOKEN":"<>"',
            "EnrollmentToken=<>",
        ),
    ),
    "temporary access pass": (
        lambda rng: draw.mixed(rng, 8),
        (
            '"temporaryAccessPass": "<>"',
            "temporary access pass: <>",
            "TemporaryAccessPass=<>",
            "Temporary Access Pass is <>",
        ),
    ),
    "product key": (
        draw.product_key,
        ('"productKey": "<>"', "product key: <>", "slmgr.vbs /ipk <>", "ProductKey=<>"),
    ),
    "recovery key": (
        draw.recovery_key,
        ("BitLocker recovery key: <>", '"key": "<>"', "Numerical Password:\n  <>"),
    ),
    "FileVault key": (
        lambda rng: "-".join(draw.fill(rng, "{ALNUM:4}") for _ in range(6)),
        ("personal recovery key: <>", '"recoveryKey": "<>"', "RecoveryKey = <>"),
    ),
    "bypass code": (
        form("{ALNUM:5}-{ALNUM:5}-{ALNUM:4}-{ALNUM:4}-{ALNUM:4}-{ALNUM:4}"),
        ('"activationLockBypassCode": "<>"', "activation lock bypass code: <>"),
    ),
    "PIN": (
        form("{digit:6}"),
        ('"lockPin": "<>"', "unlockPin=<>", "PIN: <>", '"unlockPin": "<>"', "pin=<>"),
    ),
    "SCEP challenge": (
        form("{HEX:32}"),
        (
            "challengePassword=<>",
            "<Challenge><></Challenge>",
            '"scepChallenge": "<>"',
            "SCEP challenge: <>",
        ),
    ),
    "shared secret": (
        draw.password,
        (
            '"sharedSecret": "<>"',
            "RADIUS shared secret: <>",
            "shared_secret=<>",
            "<L2tpPsk><></L2tpPsk>",
            "IPSec PSK: <>",
        ),
    ),
    "API key": (
        lambda rng: draw.mixed(rng, 24),
        ("x-api-key: <>", "api_key=<>", '"apiKey": "<>"', "API key: <>", "apikey <>"),
    ),
    "access keys": (
        _sized(32),
        (
            "SharedAccessKeyName=Root;SharedAccessKey=<>",
            "AccountKey=<>;EndpointSuffix=core.windows.net",
            '"primaryKey": "<>"',
            '"secondarySharedKey": "<>"',
            '"encryptionKey": "<>"',
            '"macKey": "<>"',
            '"sessionKey":"<>"',
            "workspace key: <>",
        ),
    ),
    "SAS": (
        lambda rng: quote(draw.b64(rng, 32), safe=""),
        ("https://rl.blob.core.windows.net/b?sv=2024-11-04&sp=r&sig=<>", "?sv=2022&sig=<>&se=x"),
    ),
    "AWS secret": (
        _sized(30),
        ("aws_secret_access_key = <>", '"SecretAccessKey": "<>"', "AWS_SECRET_ACCESS_KEY=<>"),
    ),
    "OATH secret": (
        form("{B32:32}"),
        (
            "otpauth://totp/Runledger:svc?secret=<>&issuer=x",
            '"secretKey": "<>"',
            "oathSecretKey=<>",
        ),
    ),
    "URL password": (
        lambda rng: draw.mixed(rng, 14),
        (
            "postgresql://app:<>@db.internal:5432/rl",
            "redis://:<>@cache:6379/0",
            "https://deploy:<>@git.contoso.com/b.git",
            "amqps://guest:<>@mq.internal:5671//",
            "proxy http://svc:<>@proxy.contoso.com:8080",
            "smb://contoso;svc:<>@srv/share",
        ),
    ),
    "private key": (draw.pem, ("could not load <>", "key:\n<>", '"privateKey": "<>"')),
    "webhook": (
        lambda rng: f"{draw.fill(rng, '{hex:32}')}/{draw.guid(rng)}",
        ("https://contoso.webhook.office.com/webhookb2/x@y/IncomingWebhook/<>",),
    ),
    "flow address": (
        lambda rng: draw.b64url(rng, 32),
        (
            (
                "https://prod-01.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?"
                "api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig=<>"
            ),
        ),
    ),
    "webhook secret": (
        lambda rng: draw.mixed(rng, 32),
        ("webhook_secret=<>", '"webhookSecret": "<>"', "webhook secret: <>", "signing key: <>"),
    ),
    "certificate password": (
        draw.password,
        (
            "certutil -p <> -importpfx x.pfx",
            "Import-PfxCertificate -Password (ConvertTo-SecureString '<>' -AsPlainText -Force)",
            '"pfxPassword":"<>"',
        ),
    ),
    "Graph secretText": (
        draw.entra_secret,
        ('{"keyId":"x","secretText":"<>","hint":"abc"}', "SecretText : <>"),
    ),
    "authorization code": (
        lambda rng: "1.A" + draw.b64url(rng, 90),
        ("GET /callback?code=<>&session_state=x", "code=<>&redirect_uri=x"),
    ),
    "client assertion": (
        draw.jwt,
        ("client_assertion=<>&grant_type=x", '"client_assertion": "<>"'),
    ),
    "device code": (
        lambda rng: draw.b64url(rng, 60),
        ('"device_code": "<>"', "device_code=<>"),
    ),
    "SAML": (_sized(90), ("SAMLResponse=<>", "saml_response=<>")),
    "Django secret": (
        lambda rng: "django-insecure-" + draw.mixed(rng, 50, draw.ALNUM + "!#$%^*(-_+)"),
        ("SECRET_KEY = '<>'", 'SECRET_KEY="<>"'),
    ),
    "license key": (
        draw.product_key,
        ("license key: <>", '"licenseKey": "<>"', "LICENSE_KEY=<>"),
    ),
    "mapping": (
        draw.password,
        (
            '"adminPassword": {"value": "<>"}',
            "{'db_password': ['<>']}",
            "[('Authorization', '<>'), ('x-api-key', '<>')]",
        ),
    ),
}


def _json(text: str) -> str:
    return json.dumps({"error": {"code": "BadRequest", "message": text}})


#: Texts that have a secret in them, as the product reads or writes them.
CONTEXTS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "sentence": lambda text: f"Reading policies failed ({text}) after 3 attempts.",
    "JSON": _json,
    "nested JSON": lambda text: json.dumps({"body": _json(text)}),
    "repr": lambda text: f"GraphError({text!r})",
    "header": lambda text: f"X-Error: {text}\r\nContent-Length: 0",
    "log line": lambda text: f"2026-11-23 10:00:00 ERROR run=17 {text} status=500",
    "HTML": lambda text: f"<p>{html.escape(text)}</p>",
    "form body": lambda text: "error=invalid&error_description=" + quote_plus(text),
    "URL": lambda text: f"/login?next={quote(text, safe='')}",
}
#: Not looked at while the rules were written.
FRESH_CONTEXTS: dict[str, Callable[[str], str]] = {
    "traceback": lambda text: (
        f"  File 'client.py', line 88, in send\n    raise Error\nError: {text}"
    ),
    "two lines": lambda text: f"Operation ID 17 (customer api version 5025)\n{text}\n",
    "Intune message": lambda text: json.dumps(
        {
            "error": {
                "code": "BadRequest",
                "message": json.dumps(
                    {"_version": 3, "Message": f"Invalid value: {text} - Operation ID"}
                ),
            }
        }
    ),
    "YAML list": lambda text: f"steps:\n- {text}\n- next: x",
    "markdown": lambda text: f"* **failed** `{text}` see log",
    "key=value": lambda text: f'ts=1764410400 level=warn msg="{text}"',
    "bytes": lambda text: repr(text.encode()),
}


def named(rng: Draw, contexts: dict[str, Callable[[str], str]], per_shape: int) -> Iterator[Sample]:
    """Yield samples of every named shape, in every form and context in turn, and of the notes."""
    for shape, (make, templates) in NAMED.items():
        names = list(contexts)
        for number in range(per_shape):
            template = templates[number % len(templates)]
            context = names[(number // len(templates) + number) % len(names)]
            secret = make(rng)
            text = contexts[context](template.replace("<>", secret))
            yield Sample(shape, f"{template} in {context}", text, secret)
    for shape, (make, templates) in notes.NAMED.items():
        introduced = [f"{start}{each}" for start in ("", "RuntimeError: ") for each in templates]
        for number in range(max(per_shape, len(introduced))):
            template, secret = introduced[number % len(introduced)], make(rng)
            yield Sample(shape, template, template.replace("<>", secret), secret)


_BARE = (
    "<>",
    "value <> refused",
    "The request with <> was rejected.",
    "pushed to <>, which failed",
    "got '<>' from the vault",
    "(<>)",
)
_FRESH_BARE = ("[<>]", "see: <>.", "a <>\nb", "https://contoso.com/?x=<>", "`<>` is revoked")


def bare(rng: Draw, per_shape: int, *, fresh: bool = False) -> Iterator[Sample]:
    """Yield secrets with a public marker, without a name beside them."""
    templates = _FRESH_BARE if fresh else _BARE
    for marker in MARKERS:
        for number in range(per_shape):
            secret = draw.fill(rng, marker.forms[number % len(marker.forms)])
            template = templates[number % len(templates)]
            yield Sample(marker.name, template, template.replace("<>", secret), secret)


def new_rng(seed: object) -> Draw:
    return random.Random(str(seed))  # noqa: S311 - reproducible test data
