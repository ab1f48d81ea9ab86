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
    "line breaks that are escaped": [
        r"Not Found: /Name|Password\nEva Maria Berg|«Harbor-7719»",
        r"Not Found: /Name;Role;Password\nEva Maria Berg;admin;«Harbor-7719»",
    ],
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
    "files": [
        "#HttpOnly_.contoso.com\tTRUE\t/\tTRUE\t1798761600\tsid\t«a8f2c91b»⏎.contoso.com\tTRUE\t/\tTRUE\t0\ttheme\tdark",
        "# sasl_passwd⏎[h7.contoso.com]:587 scan:«three bears»⏎contoso.com jan:«honey»",
        "client jan⏎secret «kettle84»",
        "|| user || password ||⏎| jan | «three bears» |",
        "snmp-server community «honeycomb» RO 10",
        '{"type":"password","value":"«honey»"}',
    ],
    "in lines and files of other programs": [
        "12:04 relay: [h7.contoso.com]:587 scan:«Xk29!dkeo» refused",
        '{"line": "[h7.contoso.com]:587 scan:«Xk29!dkeo»"}',
        '{"m": "contoso.com\\tTRUE\\t/\\tTRUE\\t1798761600\\tsid\\t«a8f2c91b»"}',
        "autologon64 kiosk CONTOSO «Xk29!dkeo»",
        "curl -fsS hc-ping.com/«e9f50dbf-f974-4271-9e22-3fb04eee377a»",
        "| App | Recovery key |⏎|---|---|⏎| h7 | «482133-771248-123456» |",
        "apikey: «key=abc123def»",
        "password⏎(«Xk29!dkeo1»)",
        "The password is «Summer=2024!», Eva",
        "access code for the north gate «4821»",
        "verification code for contoso «482193»",
        "Türcode Nord «4821»",
        "Password: changed from «Xk29!dkeo» to «Yk30!dkeo»",
    ],
    "JSON in JSON": [
        '{"a": "{\\"message\\": \\"The password is «Wint3r!2024»\\"}"}',
        '{"a": "{\\"b\\": \\"{\\\\\\"m\\\\\\": \\\\\\"password: «Kq7!xW2pL9»\\\\\\"}\\"}"}',
        '{"m": "😀 Passwort f\\u00fcr M\\u00fcller: «Kq7!xW2pL9» \\u005c \\u000a \\ud83d\\ude00 ä"}',
        '{"m": "C:\\\\temp\\\\new password: «Kq7!xW2pL9»"}',
    ],
    "after the prompt of a shell": [
        '{"m": "RuntimeError: ops@h7:~$ vault kv get -field=password secret/db\\n«a85M2O^+cdc14D»"}',
    ],
    "changes and answers": [
        "PIN changed from «1234» to «5678»",
        "pin: «1234» => «5678»",
        "The password was «oakharbor», is now «elmharbor»",
        "password updated from '«summer»' to '«three bears»'",
        'password "«Auth»" "«Katze1435»"',
        "$ vault kv get -field=password secret/db⏎«kettle84xyz»",
        "Your app password is «qwmz rtkl pxvb nhjs»",
        "Eva: what's the wifi password?⏎[10:16] Tom: «kettle84xyz»",
        "smtp_password⏎  Too short [type=too_short, input_value='«three bears»', input_type=str]",
        "`smtp.password`: invalid type: integer `«48213377»`, expected a string",
        'invalid type: string "«honey»", expected a map for key "smtp.password"',
        "Temporary access pass for Jan is «hgkwqrtm», valid 60 minutes; TAP «hgkwQrTm» issued",
    ],
    "codes": [
        "backup codes (each works once)⏎* «8821 3399⏎* 2210 8876»",
        "Códigos de recuperación:⏎«kfmz-qwpl⏎zzxc-vbnm»",
        "code is «166 692», hurry",
        "Safe combination: «12-34-56»",
        "Recovery codes: «84f2a-1c9d0, 7b3e1-55aa9, 0c4d8-e21f7»",
        "backup codes:⏎1. «84f2a-1c9d0⏎2. 7b3e1-55aa9»",
        "Wiederherstellungscodes: «84f2a-1c9d0, 7b3e1-55aa9»",
        "Die PIN für das Tresorgerät lautet «480213».",
        "PIN do SIM: «6158»",
        "The passcode is «240817» for the kiosk, PIN «4471».",
        "the disarm code is «1013»",
        "the code on my authenticator is «551413»",
    ],
    "code": [
        'token = await login("jan", "«Kettle-84x»")',
        'api_key = os.environ.get("API_KEY", "«k3yAbC91xZ77»")',
        'password: "«new horse battery staple»"',
        """token = login("it's", "«Kettle-84x»")""",
        """pw = encode("«Ket'tle84x!»", "utf8")""",
        'password = str("«sunshine(84!x»")',
        'password: «sunshine(84!x» user: "jan"',
        'PASSWORD=«Ket(tle)84» "x"',
        "password: «try» Kettle84;x",
        'secret = "«aws_kettle.bear»"',
    ],
    "queries": [
        "error_description=Temporary+Access+Pass+is+«ahQd0l5O»&state=7",
        "description=the+pin+for+the+safe+is+«480213»",
    ],
    "plain values": [
        "password: «Abc=defg1»",
        "sasl_password: «honeyBear»",
        "sasl_passwd: «Summer.Time.99»",
        "Your password⏎«Kettle+1984»",
        "password to use: «blue+car+1984»",
        "Your password⏎«Ke;ttle84x»",
        "Your new password⏎«Summer.Time.99», please change it",
        "The Gmail password is «abxd efqh ijkl mnop»",
    ],
    "lookups": [
        "/etc/postfix/sasl_passwd:[h7.contoso.com]:587 scan:«three bears»",
        '$ postmap -q "[h7.contoso.com]:587" hash:sasl_passwd⏎scan:«honey»',
        "Name,Password⏎Eva Berg,«honey»",
    ],
}
PUBLIC = {
    "files": [
        "passwd: files systemd sss⏎shadow: files",
        "transport: contoso.com smtp:[h7.contoso.com]:25⏎[h7.contoso.com]:587 connected: 250 ok",
        "Connection to [h7.contoso.com]:587 failed:timeout",
        "| App | Secret |⏎|---|---|⏎| Runs | graph-prod-2026 |⏎| Mail | 2027-01-01 |",
        "App,Recovery key⏎h7,escrowed⏎h8,2026-11-30",
        "tenant;policy;state⏎contoso;Password policy;drifted;2026-06-28",
        "set snmp community access denied",
    ],
    "in lines and files of other programs": [
        "12:04 relay: [h7.contoso.com]:587 connected:timeout after",
        "Kiosk autologon configured for kiosk01 and h7",
        "The access code change for the north gate is on 2026-12-01",
        "GetSecret: StatusCode=403, the secret is Vault:enabled",
    ],
    "changes and answers": [
        "PIN length changed from 4 to 6, password expiry from 90 to 180",
        "Password policy changed from Weak to Strong",
        "passwordRequired changed from False to True",
        "secret version changed from 1003 to 1004",
        "Eva: which password?⏎Tom: (hidden)⏎Eva: is the key there?⏎Tom: INC0012843",
        "port⏎  Not an integer [type=int_parsing, input_value='eighty', input_type=str]",
        "TAP: enabled; TAP is available for pilot users; Temporary Access Pass: lifetime 60 minutes",
        "$ az keyvault secret list -o tsv⏎smtp-prod-2026⏎$ kubectl get secret -o name⏎secret/db-x2",
        "The password must have four sets",
        'Enrollment token "Kiosk-2026" revoked, "Passwords 2026.xlsx" moved',
        'Password policy assigned to "SG-Kiosk-07"',
        "GetSecret: StatusCode=403, ChangePassword: UserId=4821",
        'GET /v1/token "ledger-cli/1.4" 200, ?q=password+policy&page=2',
        "Thread-Index: AQHaWJN0a+5idXENmU/BsVZ9Gy8GMUYAAABz",
        '"wrong_password": "Falsches Passwort"',
        "Recovery codes⏎- Generate new codes⏎- Download as text",
        "Alarm code change planned for 2026-12-01",
    ],
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
        'token = await client.get("token")',
        'let token = std::env::var("API_TOKEN").expect("API_TOKEN must be set");',
        'headers = @{ Authorization = "Bearer $token" }, `Bearer ${accessToken}`',
        "Enter Export Password:⏎Verifying - Enter Export Password:",
        "permissions:⏎  id-token: write",
        "GetSecret: StatusCode=403",
        "GetPassword: StatusCode=403",
        "Password: Required=yes",
        "password: length=12",
        "ClearPasscode: NotNow, device locked",
        'connectionString="Server=sql01;Database=HR;Integrated Security=SSPI"',
        f"level=warn event=expiry credential={_GUID}",
        "?error_description=The+password+has+expired&state=7",
        "Copied the password vault from server01 -> server02",
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
        "login: jvandenbogaard",
        "Password owner: schneider⏎Password location: warehouse⏎Wachtwoord rapport: verzonden",
        "LASTPASS=enabled, AUTOPASS=nightly",
        "cascade --foreign-key=a1b2c3d4e5f6a7b8c9d0e1",
        "sign-in link https://learn.contoso.com/en-us/howto-mfa-getstarted2",
        "reset link docs https://support.contoso.com/articles/360012345678-reset",
        "Local admin is rescuelocal",
        "The password manager is vaultwizard",
        "the password on printbox is outdated",
        "The APNs certificate token Apple2025 expires",
        "LAPS policy LapsBaseline2023 sets the length of the password to 14",
        "Signed in using Hybrid-Join-2024 profile",
        '{"m": "Das Passwort wurde zur\\u00fcckgesetzt"}',
        '{"m": "Passwort f\\u00fcr M\\u00fcller ist abgelaufen"}',
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
