#!/usr/bin/env bash
# standardwebhooks 1.1.0: a time with another zone than UTC is signed as if it were UTC.
#
# Webhook.sign() takes an aware datetime and replaces its zone by UTC instead of converting it. The signature then belongs to another second than the header webhook-timestamp, which
# a sender writes from the same datetime, and the receiver refuses the webhook. In UTC it works.
#
# Seen: UTC verified, UTC+02:00 refused. Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import datetime as dt

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + "c2VjcmV0" * 4)
now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def result(at):
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": webhook.sign("msg_1", at, "{}"),
    }
    try:
        webhook.verify("{}", headers)
    except WebhookVerificationError:
        return "refused"
    return "verified"


zones = {"UTC": dt.timezone.utc, "UTC+02:00": dt.timezone(dt.timedelta(hours=2))}
results = {name: result(now.astimezone(zone)) for name, zone in zones.items()}
print("standardwebhooks 1.1.0:", ", ".join(f"{name} {each}" for name, each in results.items()))
assert results == {"UTC": "verified", "UTC+02:00": "refused"}, results
PYTHON
