"""Signing in: secrets, certificates, and every way in which it is refused."""

from __future__ import annotations

import datetime as dt
import logging
import uuid

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from operations.reasons import Blocked
from providers.graph.errors import ConsentMissing, CredentialRejected, Transient
from providers.graph.tokens import MsalTokens
from redaction.text import sanitize_text

PATH = "/beta/deviceManagement/deviceConfigurations"


def certificate() -> tuple[str, str]:
    """A private key and its certificate, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
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


def test_a_token_is_fetched_once_for_the_whole_process(far):
    for _ in range(3):
        with far.client() as client:
            client.get(PATH)

    assert far.asked()["POST", "sign_in"] == 1


def test_a_permission_that_was_granted_meanwhile_is_seen_at_once(far):
    with far.client() as client:
        assert client.names("Groups.Are.Cool") is False
        assert client.names("Policy.Read.All") is True
    assert far.asked()["POST", "sign_in"] == 2, "asked again once, not for every permission"


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "eyJhbGciOiJub25lIn0.W10.", None])
def test_a_token_that_does_not_tell_is_no_refusal(far, token):
    class Opaque:
        def token(self) -> str:
            return token or jwt.encode({"appid": "x"}, "k" * 32)

        def forget(self) -> None: ...

    with far.client(tokens=Opaque()) as client:
        assert client.names("Policy.Read.All") is None


def test_another_secret_is_another_token(far):
    with far.client() as client:
        client.get(PATH)
    with far.client(sign_in=far.sign_in(credential="wrong-secret")) as client:
        with pytest.raises(CredentialRejected):
            client.get(PATH)


def test_a_certificate_signs_in(far):
    key, public = certificate()
    far.control.add_tenant(far.tenant_id, far.client_id, certificate=public)

    with far.client(sign_in=far.sign_in(credential=key + public, is_certificate=True)) as client:
        assert client.get(PATH)["value"]


def test_a_certificate_that_is_not_registered_is_rejected(far):
    far.control.add_tenant(far.tenant_id, far.client_id, certificate=certificate()[1])
    other = "".join(certificate())

    with far.client(sign_in=far.sign_in(credential=other, is_certificate=True)) as client:
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
    ],
)
def test_a_certificate_that_is_none_is_malformed(far, text):
    with far.client(sign_in=far.sign_in(credential=text, is_certificate=True)) as client:
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
    far, client, fault, cls, reason
):
    client.get(PATH)
    far.control.clear_log()
    far.fault(fault)

    with pytest.raises(cls) as caught:
        client.get(PATH)

    assert caught.value.code == reason
    assert caught.value.is_blocking_whole_run
    assert caught.value.request_id
    assert far.asked()["POST", "sign_in"] == 1
    assert far.asked()["GET", "device_configuration"] == 1


def test_a_repaired_credential_works_at_once(far, client):
    far.fault("revoke_credential")
    with pytest.raises(CredentialRejected):
        client.get(PATH)
    far.control.clear(far.tenant_id)

    assert client.get(PATH)["value"]


def test_a_token_that_lost_its_worth_is_replaced_once(far, client):
    client.get(PATH)
    far.control.forget_tokens(far.tenant_id)

    assert client.get(PATH)["value"]
    assert far.asked()["POST", "sign_in"] == 2


def test_a_fresh_token_that_is_refused_too_ends_it(far, client):
    far.fault("refuse_tokens")

    with pytest.raises(CredentialRejected) as caught:
        client.get(PATH)

    assert caught.value.code == "token_rejected"
    assert far.asked()["POST", "sign_in"] == 2


def test_an_unknown_tenant_is_told_apart_from_a_wrong_secret(far):
    sign_in = far.sign_in(authority=f"{far.url}/{uuid.uuid4()}")

    with far.client(sign_in=sign_in) as client, pytest.raises(ConsentMissing) as caught:
        client.get(PATH)

    assert caught.value.code == "tenant_unknown"


def test_an_unknown_app_is_told_apart_too(far):
    sign_in = far.sign_in(client_id=str(uuid.uuid4()))

    with far.client(sign_in=sign_in) as client, pytest.raises(ConsentMissing) as caught:
        client.get(PATH)

    assert caught.value.code == "app_not_in_tenant"


def test_a_sign_in_that_is_busy_is_asked_again(far, client):
    far.fault("sign_in_unavailable", times=2)

    assert client.get(PATH)["value"]


def test_a_sign_in_that_stays_busy_is_transient(far, client):
    far.fault("sign_in_unavailable")

    with pytest.raises(Transient):
        client.get(PATH)


def test_a_sign_in_that_is_not_there_is_unreachable(far):
    sign_in = far.sign_in(authority=f"https://localhost:1/{far.tenant_id}")

    with far.client(sign_in=sign_in) as client, pytest.raises(Transient) as caught:
        client.get(PATH)

    assert caught.value.code == "service_unreachable"


def test_neither_secret_nor_token_is_shown_or_logged(far, caplog):
    caplog.set_level(logging.DEBUG)
    sign_in = far.sign_in()
    tokens = MsalTokens(sign_in)
    with far.client(sign_in=sign_in) as client:
        client.get(PATH)
        token = tokens.token()
        far.fault("revoke_credential")
        with pytest.raises(CredentialRejected) as caught:
            client.get(PATH)
        shown = f"{sign_in!r} {client!r} {tokens!r} {caught.value!r} {caught.value}"

    for secret in (far.secret, token):
        assert secret not in shown
        assert secret not in caplog.text
        assert secret not in sanitize_text(f"it said {token} and then stopped")
