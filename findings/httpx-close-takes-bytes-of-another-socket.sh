#!/usr/bin/env bash
# httpx 0.28.1, Python's ssl: after Client.close(), a thread that waits for a response over TLS reads
# from another socket of the process.
#
# A client may be used by several threads. One that is in a request when another calls close() is
# expected to get an error, and over plain HTTP it does. Over TLS, OpenSSL keeps the number of the
# socket: the waiting thread wakes up when the server answers, and reads from the socket that has
# the number by then. Those bytes are lost for the socket's owner, for example a database driver,
# which then reports a damaged protocol. The thread itself gets an error.
#
# A server on loopback keeps a request waiting. The client is closed, pairs of connected sockets
# are opened, one of which has the freed number, ten bytes are sent through it, and the server answers.
#
# Seen:
#   http: the thread got an error: yes; the other socket received 10 of 10 bytes
#   https: the thread got an error: yes; the other socket received 5 of 10 bytes
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 trustme==1.2.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import socket
import ssl
import threading
import time

import httpx
import trustme

authority = trustme.CA()
certificate = authority.issue_cert("127.0.0.1")
BYTES = b"0123456789"


def try_with(scheme):
    """Return whether the waiting thread got an error, and what the other socket received."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    client = httpx.Client(verify=context, trust_env=False, timeout=20)
    outcome = []

    def send():
        try:
            outcome.append(client.get(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    peer = listener.accept()[0]
    if scheme == "https":
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(server_context)
        peer = server_context.wrap_socket(peer, server_side=True)
    peer.recv(65536)
    connection = client._transport._pool.connections[0]
    stream = connection._connection._network_stream
    number = stream.get_extra_info("socket").fileno()
    time.sleep(0.5)  # until the thread waits

    client.close()
    pairs = [socket.socketpair() for _ in range(10)]
    ends = {end.fileno(): (end, pair[1 - index]) for pair in pairs for index, end in enumerate(pair)}
    receiver, sender = ends[number]
    sender.sendall(BYTES)
    try:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    except OSError:
        pass
    thread.join(30)
    receiver.settimeout(0.5)
    try:
        received = receiver.recv(100)
    except TimeoutError:
        received = b""
    return isinstance(outcome[0], Exception), received


results = {}
for scheme in ("http", "https"):
    failed, received = try_with(scheme)
    results[scheme] = (failed, len(received))
    print(
        f"{scheme}: the thread got an error: {'yes' if failed else 'no'}; "
        f"the other socket received {len(received)} of {len(BYTES)} bytes"
    )
if results != {"http": (True, 10), "https": (True, 5)}:
    raise SystemExit("The behavior has changed.")
PYTHON
