"""A certified OpenID provider that runs as a process, and a browser that signs in with it."""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from dev.graph_sandbox.tls import ensure_certificate

FOLDER = Path(__file__).parent / "openid"
TENANT = "3d6a8f4e-52d1-4a53-9b1c-0f5d7c2e8a11"
CLIENT = "runledger"
SECRET = "only-for-tests"
ID_TOKEN_SECONDS = 120


class Browser(requests.Session):
    """A browser that keeps its session at the provider; `logins` counts how often it was asked."""

    logins = 0


class OpenIdProvider:
    """The provider: `authority` is that of Microsoft Entra ID, `issuer` that of the plain one."""

    def __init__(self, folder: Path) -> None:
        certificate, key = ensure_certificate(folder, "localhost")
        self.ca = folder / "ca.pem"
        options = {
            "certificate": str(certificate),
            "key": str(key),
            "tenant": TENANT,
            "client": CLIENT,
            "secret": SECRET,
            "idTokenSeconds": ID_TOKEN_SECONDS,
        }
        self._process = subprocess.Popen(
            ["node", "provider.mjs", json.dumps(options)],
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        port = self._process.stdout.readline().strip()
        assert port.isdigit(), "The OpenID provider did not start."
        self.authority = f"https://localhost:{port}"
        self.issuer = f"{self.authority}/plain"

    def set_claims(self, name: str, /, **claims: Any) -> None:
        """Set the claims of the account that signs in as `name`."""
        self.open_browser().put(f"{self.authority}/accounts/{name}", json=claims).raise_for_status()

    def sign_in(self, address: str, name: str, browser: Browser | None = None) -> str:
        """Sign in as a browser does; return the address of the application it is sent back to."""
        browser = browser or self.open_browser()
        response = browser.get(address)
        for _ in range(20):
            if response.is_redirect:
                target = urljoin(response.url, response.headers["Location"])
                if not target.startswith(self.authority):
                    browser.close()
                    return target
                response = browser.get(target)
            else:
                response = _submit(browser, response.text, name)
        raise AssertionError("The provider did not send the browser back.")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        if self._process.stdout:
            self._process.stdout.close()

    def open_browser(self) -> Browser:
        """Return a browser without a session at the provider."""
        session = Browser()
        session.verify = str(self.ca)
        session.trust_env = False
        get = session.get
        session.get = lambda url, **more: get(url, allow_redirects=False, **more)  # type: ignore[method-assign]
        return session


def _submit(browser: Browser, page: str, name: str) -> requests.Response:
    """Submit the form of the page: the name, or the consent."""
    form = re.search(r'<form[^>]*action="([^"]+)"', page)
    assert form, page
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    if 'name="login"' in page:
        fields |= {"login": name, "password": "x"}
        browser.logins += 1
    return browser.post(html.unescape(form[1]), data=fields, allow_redirects=False)


def _install() -> None:
    """Install the locked package once; the workers of a test run wait for each other."""
    with (FOLDER / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / "node_modules" / "oidc-provider").exists():
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"],
                cwd=FOLDER,
                check=True,
                capture_output=True,
            )


@pytest.fixture(scope="session")
def openid_provider() -> Iterator[OpenIdProvider]:
    """The provider, for all tests of a worker. Without Node.js the tests are skipped, except in CI."""
    if not (shutil.which("node") and shutil.which("npm")):
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs Node.js: apt-get install nodejs npm.")
        pytest.skip("No Node.js is installed: apt-get install nodejs npm.")
    _install()
    with tempfile.TemporaryDirectory() as folder:
        provider = OpenIdProvider(Path(folder))
        yield provider
        provider.stop()


@pytest.fixture
def entra(openid_provider: OpenIdProvider, settings: Settings) -> OpenIdProvider:
    """The provider as Microsoft Entra ID."""
    settings.ENTRA_AUTHORITY = openid_provider.authority
    settings.ENTRA_TENANT_ID = TENANT
    settings.ENTRA_CLIENT_ID = CLIENT
    settings.ENTRA_CLIENT_SECRET = SECRET
    settings.OIDC_CA_BUNDLE = str(openid_provider.ca)
    return openid_provider


@pytest.fixture
def plain_provider(openid_provider: OpenIdProvider, settings: Settings) -> OpenIdProvider:
    """The provider as a plain OpenID provider."""
    settings.OIDC_ISSUER = openid_provider.issuer
    settings.OIDC_NAME = "Contoso SSO"
    settings.OIDC_CLIENT_ID = CLIENT
    settings.OIDC_CLIENT_SECRET = SECRET
    settings.OIDC_CA_BUNDLE = str(openid_provider.ca)
    return openid_provider


def start(client: Client, provider: str, **form: str) -> str:
    """Start a sign-in; return the address at the provider."""
    return redirect_of(client.post("/sign-in/start/", {"provider": provider, **form}))


def redirect_of(page: Any) -> str:
    """Return the address to which a page sends the browser."""
    redirect = re.search(r'content="0;url=([^"]+)"', page.content.decode())
    assert redirect, page.content
    return html.unescape(redirect[1])


def callback_of(address: str) -> str:
    """Return the path and query of an address of the application."""
    parts = urlsplit(address)
    assert parts.netloc == "testserver"
    return f"{parts.path}?{parts.query}"
