#!/usr/bin/env bash
# MSAL 1.39.0: a refused sign-in is repeated from memory for a minute, although it would succeed now.
#
# A ConfidentialClientApplication stores each 400 of the token endpoint under the parameters of the
# request for 60 seconds, and a 429, a 5xx or any response with Retry-After for up to an hour. Within
# that time, acquire_token_for_client returns the stored refusal and sends no request. An
# administrator who gives the missing consent and tries again sees the same error, with the trace id
# and the time of the first one. A 401, the response to a wrong secret, is not stored. Only another
# application object asks again.
#
# The "server" is the HTTP client that MSAL accepts as a parameter. It refuses, as Entra ID does
# before an administrator has consented, until it is told to issue tokens.
#
# Seen:
#   refused with 400: 1 request for 3 tries; after the correction: refused, 0 requests
#     another application: token, 1 request
#   refused with 401: 3 requests for 3 tries; after the correction: token, 1 request
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check msal==1.39.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json

import msal

AUTHORITY = "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111"


class Response:
    def __init__(self, status, body):
        self.status_code, self.text, self.headers = status, json.dumps(body), {}

    def raise_for_status(self):
        if self.status_code >= 400:
            raise RuntimeError(self.status_code)


class Server:
    """Refuses with one status until it is corrected; counts the requests for tokens."""

    def __init__(self, status):
        self.status, self.requests, self.is_corrected = status, 0, False

    def get(self, url, **_):
        names = ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint")
        body = {name: f"{AUTHORITY}/oauth2/v2.0/{name}" for name in names}
        return Response(200, {**body, "issuer": f"{AUTHORITY}/v2.0"})

    def post(self, url, **_):
        self.requests += 1
        if self.is_corrected:
            return Response(200, {"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        return Response(self.status, {"error": "unauthorized_client", "error_codes": [700016]})

    def close(self):
        pass


def application(server):
    return msal.ConfidentialClientApplication(
        "22222222-2222-2222-2222-222222222222",
        client_credential="secret",
        authority=AUTHORITY,
        instance_discovery=False,
        http_client=server,
    )


def sign_in(app, server):
    """Return "token" or "refused", and the number of requests that it took."""
    before = server.requests
    result = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    return "token" if "access_token" in result else "refused", server.requests - before


seen = {}
for status in (400, 401):
    server = Server(status)
    app = application(server)
    tries = [sign_in(app, server) for _ in range(3)]
    server.is_corrected = True
    seen[status] = (sum(n for _, n in tries), sign_in(app, server), sign_in(application(server), server))
    requests, after, other = seen[status]
    print(f"refused with {status}: {requests} requests for 3 tries")
    print(f"  after the correction: {after[0]}, {after[1]} requests")
    print(f"  another application: {other[0]}, {other[1]} requests")
assert seen[400] == (1, ("refused", 0), ("token", 1)), seen
assert seen[401] == (3, ("token", 1), ("token", 1)), seen
PYTHON
