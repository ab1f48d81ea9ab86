#!/usr/bin/env bash
# django-allauth 65.22.1: a code of an authenticator app is accepted once by each process.
#
# allauth.mfa marks a used code in Django's cache. The default cache of Django is in the memory of one
# process, so a server with several processes accepts the same code again while it is valid. A check
# that holds needs a row: the number of the newest accepted time step, under a lock.
#
# Seen: accepted, refused in one process; accepted, accepted in two. Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'django>=5.2,<5.3' \
  'django-allauth[mfa]==65.22.1'
cat >"$folder/check.py" <<'PYTHON'
import sys
import django
from django.conf import settings

APPS = ["auth", "contenttypes", "sessions", "messages"]
settings.configure(
    INSTALLED_APPS=[f"django.contrib.{app}" for app in APPS]
    + ["allauth", "allauth.account", "allauth.mfa"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    SECRET_KEY="x" * 50,
    MFA_TOTP_TOLERANCE=10,
    USE_TZ=True,
)
django.setup()
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.core.management import call_command

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
if sys.argv[2] == "prepare":
    call_command("migrate", verbosity=0)
    TOTP.activate(User.objects.create(username="alice"), SECRET)
else:
    code = format_hotp_value(hotp_value(SECRET, int(sys.argv[3])))
    app = TOTP(Authenticator.objects.get())
    answers = [app.validate_code(code) for _ in range(int(sys.argv[2]))]
    print(", ".join("accepted" if answer else "refused" for answer in answers))
PYTHON
run() { "$folder/venv/bin/python" -W ignore "$folder/check.py" "$folder/db" "$@"; }
run prepare
step=$(($(date +%s) / 30))
one=$(run 2 "$step")
two="$(run 1 "$((step + 1))"), $(run 1 "$((step + 1))")"
echo "one process:   $one"
echo "two processes: $two"
[[ $one == "accepted, refused" && $two == "accepted, accepted" ]]
