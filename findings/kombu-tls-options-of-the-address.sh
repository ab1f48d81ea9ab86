#!/usr/bin/env bash
# kombu 5.7.0: one TLS option in a rediss:// address replaces all options of the parameter ssl.
#
# Connection(url, ssl={...}), which is Celery's broker_use_ssl, has the authorities, the client
# certificate and the checks. If the address has an option too, such as ?ssl_check_hostname=true, a
# good guess is that both are merged. kombu replaces the dictionary: the private authority and the
# client certificate are gone, without a warning.
#
# redis 8.1.0; no server is needed. Printed are the options with which a connection would be opened.
#
# Seen:
#   no option: ssl_ca_certs ssl_cert_reqs ssl_certfile ssl_check_hostname ssl_keyfile
#   ?ssl_check_hostname=true: ssl_check_hostname
#   ?ssl_cert_reqs=required: ssl_cert_reqs
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  kombu==5.7.0 redis==8.1.0 packaging==26.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import ssl

from kombu import Connection

OPTIONS = {
    "ssl_cert_reqs": ssl.CERT_REQUIRED,
    "ssl_check_hostname": True,
    "ssl_ca_certs": "/etc/ssl/private-authority.pem",
    "ssl_certfile": "/etc/ssl/client.pem",
    "ssl_keyfile": "/etc/ssl/client.key",
}
seen = {}
for query in ("", "?ssl_check_hostname=true", "?ssl_cert_reqs=required"):
    with Connection(f"rediss://localhost:6379/0{query}", ssl=OPTIONS) as broker:
        seen[query] = broker.ssl
    print(f"{query or 'no option'}: {' '.join(sorted(seen[query]))}")
assert seen[""] == OPTIONS, seen
assert set(seen["?ssl_check_hostname=true"]) == {"ssl_check_hostname"}, seen
assert set(seen["?ssl_cert_reqs=required"]) == {"ssl_cert_reqs"}, seen
PYTHON
