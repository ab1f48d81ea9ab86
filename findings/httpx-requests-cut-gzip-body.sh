#!/usr/bin/env bash
# httpx 0.28.1 and requests 2.34.2: a gzip body that ends early is no error.
#
# A gzip stream says where it ends and has a checksum and a length. If the bytes of a response stop
# before that, for example because an intermediary cut the body and corrected Content-Length, both
# clients return what could be decompressed so far, with status 200 and without an error. Text that
# is cut within the first block is empty, and JSON of lines loses its last lines.
#
# A server on loopback sends 2,000 lines, compressed to some 27 kB: a few bytes of it, one half, and
# all but the checksum and the length (the last 8 bytes).
#
# Seen, for each client (the length of the half depends on zlib):
#   20 bytes: 0 characters
#   half: some of the characters, no error
#   all but 8 bytes: all characters, no error
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.34.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import gzip
import random
import socket
import threading

import httpx
import requests

numbers = random.Random(1)
text = "".join(f"{numbers.getrandbits(64):016x} {line}\n" for line in range(2000))
body = gzip.compress(text.encode())
HEAD = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"


def serve_once(length):
    """Answer one request with the first bytes of the body; return the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        with listener, listener.accept()[0] as client:
            client.recv(65536)
            client.sendall(HEAD.format(length).encode() + body[:length])

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def by_httpx(url):
    return httpx.get(url, trust_env=False).text


def by_requests(url):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url).text


for fetch in (by_httpx, by_requests):
    few, half, most = (fetch(serve_once(n)) for n in (20, len(body) // 2, len(body) - 8))
    print(f"{fetch.__name__}: {len(few)}, {len(half)} and {len(most)} of {len(text)} characters")
    assert few == ""
    assert text.startswith(half) and 0 < len(half) < len(text)
    assert most == text
PYTHON
