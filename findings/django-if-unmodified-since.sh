#!/usr/bin/env bash
# Django 5.2.19: a response with an ETag and without Last-Modified answers If-Unmodified-Since with 412.
#
# RFC 9110, section 13.1.4: "A recipient MUST ignore the If-Unmodified-Since header field if the
# resource does not have a modification date available." `get_conditional_response(request, etag=…)`,
# which ConditionalGetMiddleware and the decorators `etag` and `condition` call, takes the missing date
# for a failed precondition: a GET that would be answered with 200 is answered with 412, whatever the
# date is. A missing date and If-Modified-Since are handled as the standard says.
#
# Seen: without a date: 200   If-Unmodified-Since: 412   If-Modified-Since: 200
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "Django==5.2.19"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import logging

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import etag

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
django.setup()
logging.disable(logging.WARNING)


@etag(lambda request: '"1"')
def page(request):
    return HttpResponse("content")


urlpatterns = [path("", page)]

from django.test import Client

TOMORROW = "Fri, 01 Jan 2100 00:00:00 GMT"
seen = {
    "without a date": Client().get("/").status_code,
    "If-Unmodified-Since": Client().get("/", headers={"If-Unmodified-Since": TOMORROW}).status_code,
    "If-Modified-Since": Client().get("/", headers={"If-Modified-Since": TOMORROW}).status_code,
}
print("   ".join(f"{name}: {status}" for name, status in seen.items()))
assert list(seen.values()) == [200, 412, 200], seen
PYTHON
