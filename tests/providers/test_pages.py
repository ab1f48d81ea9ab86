"""Connections: listed, looked at, added, changed; a credential goes in and never comes out."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.urls import reverse

from providers.models import ConnectionStatus, CredentialKind, ProviderConnection
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

LIST = "/w/contoso/connections/"
GUID = "1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10"
CANARY = "Zq8~canary-of-the-pages.42"


@pytest.fixture
def page(owner: User) -> Client:
    browser = Client()
    open_session(browser, owner)
    return browser


@pytest.fixture
def own(tenant: Tenant) -> ProviderConnection:
    made: ProviderConnection = ProviderConnectionFactory(tenant=tenant, cloud="global")
    return made


def text_of(page: Client, path: str) -> str:
    answer = page.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def url(name: str, connection: ProviderConnection) -> str:
    return reverse(name, args=[connection.workspace.slug, connection.pk])


def new_of(tenant: Tenant, **changes: str) -> dict[str, str]:
    return {
        "tenant": str(tenant.pk),
        "name": "Read",
        "cloud": "global",
        "client_id": GUID,
        "access": "read_only",
    } | changes


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem_of(key: rsa.RSAPrivateKey, password: bytes = b"") -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption).decode()


def certificate_of(key: rsa.RSAPrivateKey, days: int = 1) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_an_empty_list_leads_to_the_first_tenant_and_then_to_the_first_connection(
    page: Client, workspace: Workspace
) -> None:
    assert "No tenants yet" in text_of(page, LIST)

    TenantFactory(workspace=workspace)

    assert "Add connection" in text_of(page, LIST)


def test_a_connection_is_listed_and_shows_what_to_grant(
    page: Client, own: ProviderConnection
) -> None:
    assert own.get_absolute_url() in text_of(page, LIST)

    text = text_of(page, own.get_absolute_url())

    assert "Policy.ReadWrite.ConditionalAccess" in text
    expected = f"https://login.microsoftonline.com/{own.tenant.external_id}/adminconsent"
    assert f"{expected}?client_id={own.client_id}" in text


def test_a_new_connection_leads_to_its_credential_and_is_the_one_in_use(
    page: Client, tenant: Tenant
) -> None:
    answer = page.post(f"{LIST}new/", new_of(tenant))

    made = ProviderConnection.objects.get()
    assert answer.headers["Location"] == url("connection_credential", made)
    assert made.is_default


def test_only_the_first_connection_is_in_use_by_itself(
    page: Client, own: ProviderConnection
) -> None:
    page.post(f"{LIST}new/", new_of(own.tenant))

    assert not ProviderConnection.objects.get(name="Read").is_default


@pytest.mark.parametrize("field", ["tenant", "name", "cloud", "client_id", "access"])
@pytest.mark.parametrize("value", ["", "a\x00b", "9" * 5000, "x" * 100_000])
def test_bad_input_is_an_error_of_the_form(
    page: Client, tenant: Tenant, field: str, value: str
) -> None:
    answer = page.post(f"{LIST}new/", new_of(tenant) | {field: value})

    assert answer.status_code == 400
    assert not ProviderConnection.objects.exists()


@pytest.mark.parametrize("text", [f"urn:uuid:{GUID}", f"{{{GUID}}}", GUID.replace("-", "")])
def test_a_client_id_is_a_guid_as_microsoft_writes_it(
    page: Client, tenant: Tenant, text: str
) -> None:
    assert page.post(f"{LIST}new/", new_of(tenant, client_id=text)).status_code == 400


def test_a_tenant_of_another_workspace_cannot_be_chosen(page: Client, workspace: Workspace) -> None:
    answer = page.post(f"{LIST}new/", new_of(TenantFactory()))

    assert answer.status_code == 400
    assert not ProviderConnection.objects.exists()


def test_a_name_is_taken_once_per_tenant(page: Client, own: ProviderConnection) -> None:
    assert page.post(f"{LIST}new/", new_of(own.tenant, name=own.name)).status_code == 400


def test_another_client_id_forgets_the_last_check_and_another_name_does_not(
    page: Client, own: ProviderConnection
) -> None:
    ProviderConnection.objects.update(status=ConnectionStatus.READY)
    body = new_of(own.tenant, client_id=str(own.client_id), name="Renamed")

    page.post(url("connection_edit", own), body)
    own.refresh_from_db()
    assert (own.name, own.status) == ("Renamed", ConnectionStatus.READY)

    page.post(url("connection_edit", own), body | {"client_id": GUID})
    own.refresh_from_db()
    assert own.status == ConnectionStatus.UNCHECKED


def test_a_secret_is_stored_encrypted_and_shown_nowhere(
    page: Client, own: ProviderConnection
) -> None:
    body = {"kind": "secret", "secret": CANARY, "expires_on": "2199-01-31"}

    assert page.post(url("connection_credential", own), body).status_code == 302

    own.refresh_from_db()
    assert own.credential() == CANARY
    for path in (LIST, own.get_absolute_url(), url("connection_credential", own)):
        assert CANARY not in text_of(page, path)


@pytest.mark.parametrize("kind", ["secret", "certificate", "other"])
def test_what_was_entered_is_not_echoed_after_an_error(
    page: Client, own: ProviderConnection, kind: str
) -> None:
    body = {"kind": kind, "secret": CANARY, "pem": CANARY, "expires_on": "2026-02-30"}

    answer = page.post(url("connection_credential", own), body)

    assert answer.status_code == 400
    assert CANARY not in answer.content.decode()
    own.refresh_from_db()
    assert not own.has_credential


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * 100_000])
@pytest.mark.parametrize("kind", ["secret", "certificate"])
def test_a_credential_that_cannot_be_is_an_error_of_the_form(
    page: Client, own: ProviderConnection, kind: str, text: str
) -> None:
    body = {"kind": kind, "secret": text, "pem": text}

    assert page.post(url("connection_credential", own), body).status_code == 400


def test_a_key_with_its_certificate_is_taken(page: Client, own: ProviderConnection) -> None:
    key = new_key()
    body = {"kind": "certificate", "pem": pem_of(key) + certificate_of(key)}

    assert page.post(url("connection_credential", own), body).status_code == 302

    own.refresh_from_db()
    assert own.credential_kind == CredentialKind.CERTIFICATE
    assert own.has_credential


def test_the_date_of_a_certificate_is_read_from_it(page: Client, own: ProviderConnection) -> None:
    key = new_key()
    entered = {"expires_on": "2199-01-31"}
    body = {"kind": "certificate", "pem": pem_of(key) + certificate_of(key, days=400)}

    page.post(url("connection_credential", own), body | entered)

    own.refresh_from_db()
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=400)
    assert own.credential_expires_on == day


def test_a_certificate_that_has_expired_is_refused(page: Client, own: ProviderConnection) -> None:
    key = new_key()
    body = {"kind": "certificate", "pem": pem_of(key) + certificate_of(key, days=-1)}

    answer = page.post(url("connection_credential", own), body)

    assert answer.status_code == 400
    assert "The certificate expired on" in answer.content.decode()
    own.refresh_from_db()
    assert not own.has_credential


def test_each_fault_of_a_pem_is_named(page: Client, own: ProviderConnection) -> None:
    key, other = new_key(), new_key()
    faulty = {
        certificate_of(key): "no readable private key",
        pem_of(key): "no readable certificate",
        pem_of(key) + certificate_of(other): "does not belong",
        pem_of(key, b"passphrase") + certificate_of(key): "is encrypted",
    }

    for pem, said in faulty.items():
        body = {"kind": "certificate", "pem": pem}
        assert said in page.post(url("connection_credential", own), body).content.decode()


def test_a_credential_that_expires_soon_or_has_expired_is_said(
    page: Client, own: ProviderConnection
) -> None:
    own.set_credential(CANARY, expires_on=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=9))
    assert "The credential expires on" in text_of(page, own.get_absolute_url())

    own.set_credential(CANARY, expires_on=dt.date(2020, 1, 31))
    assert "The credential expired on" in text_of(page, own.get_absolute_url())


def test_making_one_the_default_takes_it_from_the_other(
    page: Client, own: ProviderConnection
) -> None:
    other = ProviderConnectionFactory(tenant=own.tenant, is_default=False)

    page.post(url("connection_default", other))

    assert ProviderConnection.objects.defaults().get() == other


def test_a_connection_is_removed_with_its_credential(page: Client, own: ProviderConnection) -> None:
    own.set_credential(CANARY)

    answer = page.post(url("connection_remove", own), follow=True)

    assert f"Connection “{own.name}” of {own.tenant.name} removed." in answer.content.decode()
    assert not ProviderConnection.objects.exists()


def test_the_connection_in_use_is_removed_only_as_the_last_one(
    page: Client, own: ProviderConnection
) -> None:
    other = ProviderConnectionFactory(tenant=own.tenant, is_default=False)

    refused = page.post(url("connection_remove", own), follow=True)
    page.post(url("connection_remove", other))
    page.post(url("connection_remove", own))

    assert "Choose another one for it first" in refused.content.decode()
    assert not ProviderConnection.objects.exists()


def test_removing_is_offered_to_those_who_may(
    page: Client, operator: User, own: ProviderConnection
) -> None:
    offered = text_of(page, own.get_absolute_url())
    open_session(page, operator)

    assert "Remove connection" in offered
    assert "Remove connection" not in text_of(page, own.get_absolute_url())


def test_the_page_and_the_list_of_tenants_show_the_connection(
    page: Client, own: ProviderConnection
) -> None:
    assert own.get_absolute_url() in text_of(page, own.tenant.get_absolute_url())
    assert "Not checked yet" in text_of(page, "/w/contoso/tenants/")
