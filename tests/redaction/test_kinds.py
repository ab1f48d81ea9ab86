"""Kinds of places where people and programs write secrets, and texts of the same kind without one.

A secret stands between « and »; ⏎ is the end of a line.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from redaction.json import sanitize_json
from redaction.marks import mask
from redaction.text import sanitize_text

_GUID = "e9f50dbf-f974-4271-9e22-3fb04eee377a"
SECRETS = {
    "quoted arguments": [
        "sshpass -p '«three small bears 8»' ssh jan@h7",
        'net use x: \\\\fs1\\s /user:jan "«three small bears»"',
        'net use \\\\fs1\\s "«three small bears»" /user:jan',
        'rasdial "Branch 7" jan "«three small bears»"',
        "mysqldump -u root -p'«three small bears»' runs",
        'curl --data-urlencode "password=«three small bears»" https://h7.contoso.com',
        "Server=db1;Password=«three small bears»;Database=runs",
        "mot_de_passe: '«L''été à Nice»'",
    ],
    "rest of a line": [
        "User: jan⏎Password: «bears, salt & honey»",
        "Benutzer: jan⏎Kennwort: «Blaue Donau»⏎Ort: Wien",
        "SSID Guests, mot de passe Wi-Fi : «sous le pont»",
        "environment:⏎  DB_ROOT_PASSWORD: «three bears 5»",
        "    Contenu de la clé      : «sous le pont»",
        "    主要なコンテンツ       : «three-bears»",
        "The passphrase for the archive is: «six swans flying»",
        "    DefaultPassword    REG_SZ    «six swans flying»⏎    AutoAdminLogon    REG_SZ    1",
    ],
    "JSON in a text": [
        '{"argv": ["run", "--password", "«bears»", "--quiet"]}',
        '{"champ": "motDePasse", "valeur": "«sous le pont»"}',
        '{"wert": "«Blaue Donau»", "feld": "Kennwort"}',
        '{"password":«48261933»,"attempts":1}',
    ],
    "tables": [
        "| Host | Password |⏎|---|---|⏎| h7 | «three bears» |⏎| h8 | «honey» |",
        "+----+----------+⏎| id | password |⏎+----+----------+⏎| 7  | «honey»    |",
        "User   Password   City⏎----   --------   ----⏎jan    «Big Bear»   Wien⏎eva    «honey»   Rom",
        "USERNAME   PASSWORD     ROLE⏎jan        «honey»        admin",
    ],
    "signs and columns": [
        "Standort\tBenutzer\tKennwort⏎Lyon\tadmin\t«zEJ6Gj3JJc4y»",
        "Device\tUnlock PIN⏎Tab-11\t«887250»",
        "│ rootPwd │ «Kettle-84x» │",
        "snmpCommunity ⇒ «kettle84xyz»",
        "- **wifiKey:** `«kettle84xyz»`",
        "<dt>Join token</dt><dd>«0eadf8c38dc6601e555b5f100b4c501d»</dd>",
        "CSP URI: (./Vendor/MSFT/Accounts/Users/itadm/Password), value «Regen4941x»",
        "Webhook signing secret for endpoint 12: «189a9d56131330fb55fc6001900eea7a5b7acf84184d2aac»",
        "Clé Wi-Fi du site : «Fahrrad yonder 84!»",
        'password attempt "«cinder_158#»" for root',
        'gh secret set TENANT_PASSWORD --body "«oqsf6qjj+I)cWC»" --repo adatum/x',
    ],
    "names that decide": [
        f"X-Nomad-Token: «{_GUID}» denied",
        f'curl -H "X-Vault-Token: «{_GUID}»" h7',
        "API-Schlüssel: «6afbd52f450990429443310056684fb3»",
        "シークレットキー=«Nj9jegKLnBNKXmRU» 環境=本番",
        "user: scan pass: «scan12»",
        "SecurityPin=«48213377»",
        "passhash: «5f4dcc3b5aa765d61d8327deb882cf99»",
        f"TOKENID=«{_GUID}» TOKEN_ID: «5f4dcc3b5aa765d61d8327deb882cf99»",
        "hash: NTLM:«8846f7eaee8fb117ad06bdd830b7586c»",
        "clé pré-partagée : «Xy7kQp2mVn», mdp : «Xy7kQp2mVn»",
        "Chiave precondivisa: «Xy7kQp2mVn»⏎Chave da rede: «Xy7kQp2mVn»",
    ],
    "sentences": [
        "Het wachtwoord van jan is gewijzigd naar «Herfst2024!»",
        "hasło zmienione na: «Jesien2024!»",
        "Das Passwort wurde von jan auf «Herbst2024!» gesetzt.",
        "Please use «Herbst-2024» as the new password.",
        "Пароль от сервера: «Herbst2024!»",
        "Пароль гостевой сети — «4xeeMdUCgju6»",
        "Wifi-wachtwoord gasten: «thistle cobalt falcon molen»",
        "The new password is «xkqzvwbnpt», as real-time checks ask for it.",
    ],
    "words and shapes": [
        "echo '«three small bears»' | /usr/bin/sudo -S -p '' id",
        "Command '['ldapsearch', '-D', 'cn=x', '-w', '«three bears»', '-b', 'dc=x']' failed",
        'curl --user "Jan Berg:«three small bears»" https://h7',
        'ParameterBinding(ConvertTo-SecureString): name="String"; value="«three bears»"',
        'Cannot convert the "«three bears»" value of type "System.String" to type "SecureString".',
        "replicaof h7 6379⏎masterauth «honey8xyz»",
        "rootpw --plaintext «Kettle-84x»",
        "chpasswd:⏎  list: |⏎    root:«Qt4J2P53xYLZ»⏎    ops:«TW78m7q2ir7n»",
        'expect "assword:"⏎send -- "«honey»\\r"',
        "radius-server host 10.1.1.1 key ciphertext «Kettle84x»",
        "VPN test creds: jan/«Kettle84x» (till Friday)",
        "WLAN-Schlüssel (Gäste): «kettle harbor lantern»",
        "Befristeter Zugriffspass: «c8wgUw1r» (gültig 60 Minuten)",
        "TAP for the new starter: «c8wgUw1r»",
        "conn = pymssql.connect('db1', 'sa', '«Kettle-Harbor-84»', 'runs')",
        "either «Kettle!84xyz» or «R9D@4fDS0$VNI» is the BIOS password",
        "export CF_Key=«27a3f70acedc04dac2cb07ebb1c746ec100f15ed»",
        '{"loc":["body","password"],"msg":"too short","input":"«three bears»"}',
        "Der Türcode vom Serverraum ist «717482».",
        "«106046» is your Microsoft account verification code",
        "Паролата на принтера е «Kettle-Harbor-84»",
    ],
    "protocols": [
        "USER jan⏎331 required⏎PASS «honey»",
        "> PASS «big bear»",
        '"AUTH" "default" "«honey»"',
        "127.0.0.1:6379> AUTH «honey»",
    ],
    "codes": [
        "Recovery codes: «84f2a-1c9d0, 7b3e1-55aa9, 0c4d8-e21f7»",
        "backup codes:⏎1. «84f2a-1c9d0⏎2. 7b3e1-55aa9»",
        "Wiederherstellungscodes: «84f2a-1c9d0, 7b3e1-55aa9»",
        "Die PIN für das Tresorgerät lautet «480213».",
        "PIN do SIM: «6158»",
        "The passcode is «240817» for the kiosk, PIN «4471».",
    ],
}
PUBLIC = {
    "JSON in a text": [
        '{"password":null,"createdDateTime":null}',
        '{"hasClientSecret":true,"credentialKind":"certificate"}',
        '{"missing":["client_secret","tenant_id"]}',
        '{"required":["password","userName"]}',
    ],
    "commands": [
        "docker run -p 8080:80 -u 1000:1000 nginx:1.27",
        "mysql -u root -p shop < shop.sql",
        'docker login -u ci -p "$REGISTRY_PASSWORD" h7',
        "docker build --secret id=graph,src=./x .",
        "net user kiosk * /add",
        'pw = getpass.getpass("Password: ")',
    ],
    "ids": [
        "19:7aTu6EmmDbWSKfzohx3GVzyVnXp3y2RGBrijtNvMSHA1@thread.tacv2",
        "drive b!_ffhSYofene3DgIu7I5tzzUy4PLKeZKytTg8OZrctrclBFZKXaqLbpX5KhGVX0yY",
        f"TenantId: {_GUID}, keyId: {_GUID}",
        f"New-Token: request {_GUID} failed",
        "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7354J4TWhYrbQr0NNewtFIuHLMSyFMAzdcK77",
        '"key":"MIIDFTCCAf2gAwIBAgIUM7b+6K2dVM8imihg2rbAt0+8ofwwDQYJKoZIhvcNAQELBQAwGjEYMBYG"',
        "main.(*TokenSource).Token(0xc0000b4000)",
        "x5t#S256: q7Kd-93hJqPzVt0bLwYx_Rm2NfGs8AeUo1CiTj4HkXE",
        "the sub claim is q7Kd-93hJqPzVt0bLwYx_Rm2NfGs8AeUo1CiTj4HkXE",
    ],
    "no persons": [
        "git clone git@git.contoso.com:team/runs.git",
        "C:\\Users\\Public\\Desktop, C:\\Users\\Default, /Users/Shared/runs",
    ],
    "words and shapes": [
        "Command '['ldapsearch', '-x', '-H', 'ldaps://dc1']' failed",
        "['git', 'log', '-p', 'main']",
        "logger.connect('db1', 'Windows11', 'Office365')",
        "loginUser('jan', 'Contoso-Bern', 'de-CH')",
        "admin: Graph2Beta failed",
        "Password rotation policy v3 assigned to Group-Kiosk-07",
        "Secret name: Payroll-Sync2-Prod",
        "login from 2001:db8::8a2e:370:7334",
        "Access code must have 6 digits; error code 80070005",
        "WLAN-Schlüssel (Gäste): wird monatlich geändert",
        "NAS access: granted/denied (see log)",
        "api_key: TODO⏎client_secret = TBD⏎password: FIXME",
        "Set-Cookie: preferred_language=pt-BR; Path=/; SameSite=None; Secure",
        "chpasswd:⏎  expire: false",
        "Do not pass 'self' as callback, passed as the `wasi_snapshot_preview1` import",
        "tool --sku Standard_D4s_v5 --image Ubuntu2204 -e TZ=Europe/Berlin",
    ],
    "lines": [
        "User: jan⏎Password: never expires⏎Last sign-in: today",
        "Host: h7⏎Password: 12 characters or more",
        "existingSecret: runs-db",
        "tokens: prompt=812 completion=94",
        "Adgangskode: påkrævet",
        "PASS tests/login.spec.ts",
        "Recovery codes: generated 2026-11-30",
        "PIN 4 of 6, PIN length 6, PIN 2026-11-30",
        "パスワードは12文字以上にしてください",
    ],
    "sentences": [
        "Criteri password: lunghezza minima 12",
        "A user selects **Forgot your password?** on the sign-in page.",
        "SSH host key SHA256:pT3m9QwXr5VbN1kZy7LhJcD2sGf8Ua6EoRt4iYx0Kzs changed",
        "Password reset for host LAP-2231 failed",
        "Schlüssel nicht gefunden: HKLM\\SOFTWARE\\Acme",
        "product key XXXXX-XXXXX-XXXXX-XXXXX-XXXXX",
        "password=${DB_PASSWORD:?not set}",
        "passwd[811]: pam_unix(passwd:chauthtok): password changed",
        '"Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"]',
        '"preSharedKey": "<hidden, 14 characters>"',
        "-----BEGIN PRIVATE KEY----- ... -----END PRIVATE KEY----- (removed)",
    ],
    "tables": [
        "| Token | Expires |⏎|---|---|⏎| VPP Graz | 2027-02-01 |",
        "| Setting | Password |⏎|---|---|⏎| Minimum | 12 characters |⏎| State | Required |",
        "Name    Key⏎----    ---⏎color   blue",
        "name;credential;expires⏎contoso;certificate;2027-03-01",
    ],
    "placeholders": [
        "contraseña: <su contraseña>",
        "パスワード：＜パスワードを入力＞",
        '<input type="password" name="password" required>',
    ],
}


def cases(kinds: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(texts, id=kind) for kind, texts in kinds.items()]


@pytest.mark.parametrize("texts", cases(SECRETS))
def test_a_secret_is_masked_whole_and_the_text_around_it_stays(texts: list[str]) -> None:
    for text in texts:
        lines = text.replace("⏎", "\n")
        masked = re.sub("«([^»]*)»", lambda match: mask(match[1]), lines.replace("\t", "  "))

        cleaned = sanitize_text(re.sub("[«»]", "", lines), keep_newlines=True)

        assert re.sub(r":\d+\]", "]", cleaned) == re.sub(r":\d+\]", "]", masked)


@pytest.mark.parametrize("texts", cases(PUBLIC))
def test_a_text_of_the_same_kind_without_a_secret_stays(texts: list[str]) -> None:
    for text in texts:
        lines = text.replace("⏎", "\n")

        assert sanitize_text(lines, keep_newlines=True) == lines


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (["run", "--password", "bears"], ["run", "--password", "[redacted:5]"]),
        (["run", "--password", "--quiet"], ["run", "--password", "--quiet"]),
        (["client_secret", "tenant_id"], ["client_secret", "tenant_id"]),
        (
            {"champ": "motDePasse", "valeur": "bears"},
            {"champ": "motDePasse", "valeur": "[redacted:5]"},
        ),
        ({"champ": "ville", "valeur": "Nice"}, {"champ": "ville", "valeur": "Nice"}),
        ({"exitPin": "8264"}, {"exitPin": "[redacted:4]"}),
        (
            {"x5t#S256": "q7Kd-93hJqPzVt0bLwYx_Rm2NfGs8AeUo1CiTj4HkXE"},
            {"x5t#S256": "q7Kd-93hJqPzVt0bLwYx_Rm2NfGs8AeUo1CiTj4HkXE"},
        ),
    ],
)
def test_a_value_in_json_is_masked_by_what_names_it(value: object, cleaned: object) -> None:
    assert sanitize_json(value) == cleaned


@pytest.mark.parametrize(
    "start",
    [
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ",
        "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
    ],
    ids=["PKCS #8", "encrypted PKCS #8", "elliptic curve"],
)
def test_a_private_key_in_base64_is_no_public_one(start: str) -> None:
    key = start + "7xKq2ZfP9LmRtW4vYb8NcJd5" * 4

    assert key not in sanitize_text(f"p={key}")
