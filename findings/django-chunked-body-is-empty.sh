#!/usr/bin/env bash
# Django 5.2.19 with gunicorn 27.0.1: a body that is sent in chunks is empty.
#
# A client of HTTP/1.1 that does not know the length of a body before it sends it uses
# `Transfer-Encoding: chunked`; curl, Go and Node.js do so for streams, and some proxies for all
# bodies. gunicorn decodes the chunks and says by `wsgi.input_terminated` that the stream has an end.
# Django reads as many bytes as Content-Length says, and takes a missing one for 0: `request.body` is
# empty, without an error, and a form has no fields.
#
# One body of 11 bytes is sent in both ways to gunicorn on loopback; the view returns what it read.
#
# Seen: bytes that the view reads
#   with Content-Length: 11
#   in chunks, below Django: 11
#   in chunks: 0
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "Django==5.2.19" gunicorn==27.0.1 packaging==26.3
cd "$folder"
export HOME="$folder"
cat >demo.py <<'PYTHON'
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")


def view(request):
    return HttpResponse(str(len(request.body)))


urlpatterns = [path("", view)]
django_application = get_wsgi_application()


def application(environ, start_response):
    """Read the body without Django below /plain."""
    if environ["PATH_INFO"] != "/plain":
        return django_application(environ, start_response)
    size = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Length", str(len(size)))])
    return [size]
PYTHON
venv/bin/gunicorn --bind 127.0.0.1:0 demo >server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null && wait $server; rm -rf "$folder"' EXIT
for _ in $(seq 600); do grep -q "Listening at" server.log && break; sleep 0.1; done
port=$(sed -n 's|.*Listening at: http://127.0.0.1:\([0-9]*\).*|\1|p' server.log)
venv/bin/python - "$port" <<'PYTHON'
import http.client
import sys

BODY = b"name=Sensor"


def size(path, body):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    return int(connection.getresponse().read())


seen = {
    "with Content-Length": size("/", BODY),
    "in chunks, below Django": size("/plain", iter([BODY])),
    "in chunks": size("/", iter([BODY])),
}
for way, count in seen.items():
    print(f"{way}: {count}")
assert list(seen.values()) == [11, 11, 0], seen
PYTHON
