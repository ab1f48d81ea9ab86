"""The sample configuration of nginx: slow clients, large bodies and too many requests stop there."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from axes.models import AccessFailureLog
from django.conf import settings

from config import gunicorn
from dev.graph_sandbox.tls import ensure_certificate
from dev.services.processes import free_port, spawn, stop
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.stack import ROOT, eventually, is_true_once
from tests.support.web_server import cookie_of, web_server

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
SAMPLE = ROOT / "docs" / "nginx.conf"
HOST = "runledger.example.com"
#: More than all threads of Runledger.
CLIENTS = 40
#: What Debian's nginx.conf has around the files of conf.d.
MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 768; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
    include {folder}/runledger.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx with the sample configuration."""

    folder: Path
    plain: int
    tls: int
    context: ssl.SSLContext

    def client(self, address: str = "127.0.0.1") -> httpx2.Client:
        """Return a browser at an address that reaches the proxy under the name of the site."""
        return httpx2.Client(
            base_url=f"https://127.0.0.1:{self.tls}",
            headers={"Host": HOST},
            transport=httpx2.HTTPTransport(verify=self.context, local_address=address),
            timeout=60,
        )

    def get(self, path: str, **headers: str) -> httpx2.Response:
        with self.client() as client:
            return client.get(path, headers=headers, extensions={"sni_hostname": HOST})

    @contextmanager
    def connect(self, name: str = HOST) -> Iterator[ssl.SSLSocket]:
        """Open a TLS connection for a name."""
        with socket.create_connection(("127.0.0.1", self.tls), timeout=60) as plain:
            with self.context.wrap_socket(plain, server_hostname=name) as client:
                yield client


@pytest.fixture(scope="module")
def proxy(
    django_db_setup: None,
    static_root: Path,
    module_broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """Run Debian's nginx in front of gunicorn."""
    if PROGRAM is None and os.environ.get("CI") == "true":
        pytest.fail("CI needs nginx: apt-get install nginx.")
    if PROGRAM is None:
        pytest.skip("nginx is not installed: apt-get install nginx.")
    folder, hosts = tmp_path_factory.mktemp("nginx"), f"runs.example.com,{HOST}"
    with web_server(folder, static_root, module_broker.url, ALLOWED_HOSTS=hosts):
        sample = write_configuration(folder)
        with (folder / "nginx.log").open("wb") as log:
            process = spawn(
                [PROGRAM, "-p", folder, "-c", folder / "nginx.conf"],
                output=log.fileno(),
                cwd=folder,
            )
        try:
            eventually(lambda: answers(sample), what=f"the start of nginx ({log.name})")
            yield sample
        finally:
            stop(process, grace=5)


def write_configuration(folder: Path) -> Proxy:
    """Change ports, paths and certificate of the sample, and nothing else."""
    certificate, key = ensure_certificate(folder / "tls", HOST)
    plain, tls = free_port(), free_port()
    text = SAMPLE.read_text()
    for old, new in {
        "listen 80 ": f"listen 127.0.0.1:{plain} ",
        "listen 443 ": f"listen 127.0.0.1:{tls} ",
        "server 127.0.0.1:8000": f"server unix:{folder}/web.sock",
        "/etc/ssl/certs/runledger.pem": str(certificate),
        "/etc/ssl/private/runledger.key": str(key),
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "runledger.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    context = ssl.create_default_context(cafile=str(folder / "tls" / "ca.pem"))
    context.check_hostname = False
    return Proxy(folder, plain, tls, context)


def answers(proxy: Proxy) -> bool:
    try:
        return proxy.get("/livez").status_code == 200
    except httpx2.TransportError:
        return False


def request(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]).encode()


FORM = "Content-Type: application/x-www-form-urlencoded"


def unfinished_header(client: ssl.SSLSocket) -> None:
    client.sendall(request("GET /sign-in/")[:-2])


def unfinished_body(client: ssl.SSLSocket) -> None:
    client.sendall(request("POST /theme/", FORM, "Content-Length: 100000") + b"theme=dark")


def unread_response(client: ssl.SSLSocket) -> None:
    client.sendall(request("GET /static/vendor/tabler/tabler.min.css"))


@pytest.mark.parametrize("attack", [unfinished_header, unfinished_body, unread_response])
def test_slow_clients_hold_no_thread_of_runledger(
    proxy: Proxy, attack: Callable[[ssl.SSLSocket], None]
) -> None:
    def pages_are_answered_meanwhile(_: int) -> bool:
        with ExitStack() as stack:
            for _ in range(CLIENTS):
                attack(stack.enter_context(proxy.connect()))
            started = time.monotonic()
            statuses = [proxy.get("/sign-in/").status_code for _ in range(5)]
            elapsed = time.monotonic() - started
        assert statuses == [200] * 5
        return elapsed < 8

    assert is_true_once(pages_are_answered_meanwhile)


@pytest.mark.parametrize("attack", [unfinished_header, unfinished_body])
def test_a_client_that_sends_nothing_more_is_disconnected(
    proxy: Proxy, attack: Callable[[ssl.SSLSocket], None]
) -> None:
    started = time.monotonic()
    with proxy.connect() as client:
        attack(client)
        answer = client.recv(4096)
        elapsed = time.monotonic() - started

    assert answer[:12] in (b"", b"HTTP/1.1 408")
    assert 9 < elapsed < 40  # nginx waits 60 s by default


def test_a_large_body_never_reaches_runledger(proxy: Proxy) -> None:
    log = proxy.folder / "web.log"
    with proxy.connect() as client:
        client.sendall(request("POST /sign-in/", FORM, "Content-Length: 300000000"))
        status = client.recv(4096).split()[1]

    assert status == b"413"
    assert "Too Large: /sign-in/" not in log.read_text()


def test_too_many_sign_ins_are_refused_and_pages_still_answer(proxy: Proxy) -> None:
    statuses: list[int] = []
    # Other tests sign in, too. A slow machine sends more than fourteen until one is too many.
    with proxy.client("127.0.0.2") as client:
        while statuses[-1:] != [429] and len(statuses) < 50:
            answer = client.post("/sign-in/", extensions={"sni_hostname": HOST})
            statuses.append(answer.status_code)
        page = client.get("/sign-in/", extensions={"sni_hostname": HOST})

    # A form without a token; the eleven that come at once are forwarded.
    assert statuses[:11] == [403] * 11
    assert statuses[-1] == 429
    assert page.status_code == 200


def test_the_address_of_the_client_cannot_be_invented(proxy: Proxy, operator: User) -> None:
    with proxy.client() as client:
        extensions = {"sni_hostname": HOST}
        client.get("/sign-in/", extensions=extensions)
        token = client.cookies["__Host-csrftoken"]
        client.post(
            "/sign-in/",
            data={"username": "olga", "password": "wrong", "csrfmiddlewaretoken": token},
            headers={"X-Forwarded-For": "6.6.6.6", "Referer": f"https://{HOST}/sign-in/"},
            extensions=extensions,
        )

    assert AccessFailureLog.objects.get().ip_address == "127.0.0.1"


def test_pages_come_with_tls_and_their_cookies_are_secure(proxy: Proxy, operator: User) -> None:
    with httpx2.Client() as client:
        plain = client.get(
            f"http://127.0.0.1:{proxy.plain}/runs/?x=1", headers={"Host": "evil.com"}
        )

    page = proxy.get("/runs/", **cookie_of(operator))
    assert plain.status_code == 301
    assert plain.headers["Location"] == f"https://{HOST}/runs/?x=1"
    assert page.status_code == 200
    assert page.headers["Strict-Transport-Security"]
    assert "1.22" not in page.headers["Server"]


def test_another_host_name_gets_no_answer(proxy: Proxy) -> None:
    with pytest.raises(ssl.SSLError), proxy.connect("evil.example.com"):
        pass


def test_the_sample_has_the_limit_of_the_application() -> None:

    assert re.search(r"client_max_body_size 1m;", SAMPLE.read_text())
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 2**20


def test_the_proxy_closes_an_idle_connection_before_runledger_does() -> None:
    """A request that nginx sends at the moment at which gunicorn closes would be answered with 502."""
    (upstream,) = re.findall(
        r"^upstream runledger {(.*?)^}", SAMPLE.read_text(), re.MULTILINE | re.DOTALL
    )
    (seconds,) = re.findall(r"keepalive_timeout (\d+)s;", upstream)

    assert int(seconds) + 10 <= gunicorn.keepalive
