"""Signing in: secrets, certificates, and every kind of refusal."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import subprocess
import sys
import uuid

import jwt
import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from operations.reasons import Blocked
from providers.graph.errors import ConsentMissing, CredentialRejected, Transient
from providers.graph.tokens import MsalTokens, forget_all_tokens
from redaction.text import sanitize_text
from tests.support.factories.providers import SandboxTenant

PATH = "/beta/deviceManagement/deviceConfigurations"


def certificate(key: CertificateIssuerPrivateKeyTypes | None = None) -> tuple[str, str]:
    """Create a private key, by default an RSA key, and its certificate, as PEM."""
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "runledger")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), signed.public_bytes(serialization.Encoding.PEM).decode()


def test_a_token_is_fetched_once_for_the_whole_process(sandbox_tenant):
    for _ in range(3):
        with sandbox_tenant.client() as client:
            client.get(PATH)

    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 1


def test_a_permission_that_was_granted_in_the_meantime_is_visible_at_once(sandbox_tenant):
    with sandbox_tenant.client() as client:
        assert client.has_permission("Groups.Are.Cool") is False
        assert client.has_permission("Policy.Read.All") is True
    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 2, (
        "a new token is fetched once, not for every permission"
    )


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "eyJhbGciOiJub25lIn0.W10.", None])
def test_an_opaque_token_has_unknown_permissions(sandbox_tenant, token):
    class Opaque:
        def token(self) -> str:
            return token or jwt.encode({"appid": "x"}, "k" * 32)

        def forget(self) -> None: ...

    with sandbox_tenant.client(tokens=Opaque()) as client:
        assert client.has_permission("Policy.Read.All") is None


def test_a_new_secret_has_a_new_token(sandbox_tenant):
    with sandbox_tenant.client() as client:
        client.get(PATH)
    with sandbox_tenant.client(sign_in=sandbox_tenant.sign_in(credential="wrong-secret")) as client:
        with pytest.raises(CredentialRejected):
            client.get(PATH)


def test_a_certificate_signs_in(sandbox_tenant):
    key, public = certificate()
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id, sandbox_tenant.client_id, certificate=public
    )

    with sandbox_tenant.client(
        sign_in=sandbox_tenant.sign_in(credential=key + public, is_certificate=True)
    ) as client:
        assert client.get(PATH)["value"]


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
def test_a_host_with_a_wrong_clock_is_not_blamed_on_the_certificate(sandbox_tenant, hours):
    key, public = certificate()
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id, sandbox_tenant.client_id, certificate=public
    )
    sign_in = sandbox_tenant.sign_in(credential=key + public, is_certificate=True)

    wrong = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    with time_machine.travel(wrong), sandbox_tenant.client(sign_in=sign_in) as client:
        with pytest.raises(CredentialRejected) as caught:
            client.get(PATH)

    assert caught.value.code == "clock_wrong"
    assert "clock of the machine" in caught.value.next_step


def test_a_certificate_that_is_not_registered_is_rejected(sandbox_tenant):
    sandbox_tenant.control.add_tenant(
        sandbox_tenant.tenant_id, sandbox_tenant.client_id, certificate=certificate()[1]
    )
    other = "".join(certificate())

    with sandbox_tenant.client(
        sign_in=sandbox_tenant.sign_in(credential=other, is_certificate=True)
    ) as client:
        with pytest.raises(CredentialRejected):
            client.get(PATH)


@pytest.mark.parametrize(
    "text",
    [
        "no pem at all",
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        ),
        certificate()[0] + certificate()[1],
        "".join(certificate(ec.generate_private_key(ec.SECP256R1()))),
    ],
)
def test_an_invalid_certificate_is_malformed(sandbox_tenant, text):
    with sandbox_tenant.client(
        sign_in=sandbox_tenant.sign_in(credential=text, is_certificate=True)
    ) as client:
        with pytest.raises(Blocked) as caught:
            client.get(PATH)

    assert caught.value.code == "credential_malformed"


@pytest.mark.parametrize(
    ("fault", "cls", "reason"),
    [
        ("revoke_credential", CredentialRejected, "credential_rejected"),
        ("expire_credential", CredentialRejected, "credential_expired"),
        ("remove_consent", ConsentMissing, "app_not_in_tenant"),
    ],
)
def test_a_credential_refused_before_or_during_a_run_blocks_it_at_once(
    sandbox_tenant, client, fault, cls, reason
):
    client.get(PATH)
    sandbox_tenant.control.clear_log()
    sandbox_tenant.fault(fault)

    with pytest.raises(cls) as caught:
        client.get(PATH)

    assert caught.value.code == reason
    assert caught.value.is_blocking_whole_run
    assert caught.value.request_id
    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 1
    assert sandbox_tenant.request_counts()["GET", "device_configuration"] == 1


def test_a_repaired_credential_works_at_once(sandbox_tenant, client):
    sandbox_tenant.fault("revoke_credential")
    with pytest.raises(CredentialRejected):
        client.get(PATH)
    sandbox_tenant.control.clear(sandbox_tenant.tenant_id)

    assert client.get(PATH)["value"]


def test_an_invalid_token_is_replaced_once(sandbox_tenant, client):
    client.get(PATH)
    sandbox_tenant.control.forget_tokens(sandbox_tenant.tenant_id)

    assert client.get(PATH)["value"]
    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 2


def test_a_new_token_that_is_refused_too_is_an_error(sandbox_tenant, client):
    sandbox_tenant.fault("refuse_tokens")

    with pytest.raises(CredentialRejected) as caught:
        client.get(PATH)

    assert caught.value.code == "token_rejected"
    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 2


def test_an_unknown_tenant_has_its_own_reason(sandbox_tenant):
    sign_in = sandbox_tenant.sign_in(authority=f"{sandbox_tenant.url}/{uuid.uuid4()}")

    with sandbox_tenant.client(sign_in=sign_in) as client, pytest.raises(ConsentMissing) as caught:
        client.get(PATH)

    assert caught.value.code == "tenant_unknown"


def test_an_unknown_app_has_its_own_reason(sandbox_tenant):
    sign_in = sandbox_tenant.sign_in(client_id=str(uuid.uuid4()))

    with sandbox_tenant.client(sign_in=sign_in) as client, pytest.raises(ConsentMissing) as caught:
        client.get(PATH)

    assert caught.value.code == "app_not_in_tenant"


def test_a_busy_sign_in_is_retried(sandbox_tenant, client):
    sandbox_tenant.fault("sign_in_unavailable", times=2)

    assert client.get(PATH)["value"]


def test_a_sign_in_that_stays_busy_is_transient(sandbox_tenant, client):
    sandbox_tenant.fault("sign_in_unavailable")

    with pytest.raises(Transient):
        client.get(PATH)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "HTTP 407 with a page of HTML"),
        ({"status": 200}, "HTTP 200 with a page of HTML"),
        ({"status": 302}, "HTTP 302 with a page of HTML"),
        ({"status": 200, "json": {"message": "Hello"}}, "HTTP 200 with JSON without a token"),
        ({"status": 403, "json": {"message": "No"}}, "HTTP 403 with JSON without a token"),
    ],
)
def test_the_answer_of_a_proxy_is_no_refusal_of_the_credential(
    sandbox_tenant, client, options, what
):
    sandbox_tenant.fault("sign_in_proxy", times=1, **options)
    assert client.get(PATH)["value"]
    forget_all_tokens()
    sandbox_tenant.fault("sign_in_proxy", **options)

    with pytest.raises(Transient) as caught:
        client.get(PATH)

    assert caught.value.message == f"Microsoft Graph returned {what}, also after retries."


def test_a_refused_sign_in_asks_microsoft_each_time(sandbox_tenant, client):
    sandbox_tenant.fault("remove_consent")

    for _ in range(3):
        with pytest.raises(ConsentMissing):
            client.get(PATH)

    assert sandbox_tenant.request_counts()["POST", "sign_in"] == 3


def test_a_sign_in_that_does_not_run_is_unreachable(sandbox_tenant):
    sign_in = sandbox_tenant.sign_in(authority=f"https://localhost:1/{sandbox_tenant.tenant_id}")

    with sandbox_tenant.client(sign_in=sign_in) as client, pytest.raises(Transient) as caught:
        client.get(PATH)

    assert caught.value.code == "service_unreachable"


def test_neither_secret_nor_token_is_displayed_or_logged(sandbox_tenant, caplog):
    caplog.set_level(logging.DEBUG)
    sign_in = sandbox_tenant.sign_in()
    tokens = MsalTokens(sign_in)
    with sandbox_tenant.client(sign_in=sign_in) as client:
        client.get(PATH)
        token = tokens.token()
        sandbox_tenant.fault("revoke_credential")
        with pytest.raises(CredentialRejected) as caught:
            client.get(PATH)
        text = f"{sign_in!r} {client!r} {tokens!r} {caught.value!r} {caught.value}"

    for secret in (sandbox_tenant.secret, token):
        assert secret not in text
        assert secret not in caplog.text
        assert secret not in sanitize_text(f"the token {token} is not shown")


SIGN_IN = """
import json, sys
from providers.graph.tokens import MsalTokens, SignIn

assert MsalTokens(SignIn(**json.loads(sys.argv[1]))).token()
"""


def test_a_process_closes_its_connections_at_its_end(sandbox_tenant: SandboxTenant) -> None:
    sign_in = json.dumps(dataclasses.asdict(sandbox_tenant.sign_in()))
    command = [sys.executable, "-W", "always::ResourceWarning", "-c", SIGN_IN, sign_in]

    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    assert "unclosed" not in process.stderr
