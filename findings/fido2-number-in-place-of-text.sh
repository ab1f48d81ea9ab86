#!/usr/bin/env bash
# fido2 2.2.1: a number in place of a base64 text of a WebAuthn response allocates so many bytes.
#
# AuthenticationResponse.from_dict and RegistrationResponse.from_dict call bytes(value) for a value
# that is not a text. In JSON from a browser, "clientDataJSON": 200000000 therefore allocates 200 MB,
# twice. django-allauth 65.22.1 passes the JSON of an anonymous request on, at sign-in with a passkey,
# so a few short requests fill the memory of a server.
#
# Seen: more than 350 MiB for a number of nine digits. Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fido2==2.2.1
"$folder/venv/bin/python" - <<'PYTHON'
import resource
from fido2.webauthn import AuthenticationResponse

response = {"clientDataJSON": 200_000_000, "authenticatorData": "AA", "signature": "AA"}
credential = {"id": "AA", "rawId": "AA", "type": "public-key", "response": response}
try:
    AuthenticationResponse.from_dict(credential)
except ValueError as error:
    print("refused:", error)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(f"fido2 2.2.1, a number of nine digits: {peak} MiB")
assert peak > 350, peak
PYTHON
