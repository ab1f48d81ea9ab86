"""The WSGI entry point: `gunicorn config.wsgi`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

django.setup(set_prefix=False)

from config.handler import Handler  # noqa: E402 - needs the settings

application = Handler()

from operations.delivery.publisher import warm_up  # noqa: E402 - needs the application's registry
from operations.maintenance.preflight import WEB_CHECKS, refuse_to_start  # noqa: E402

try:
    refuse_to_start(WEB_CHECKS)
except SystemExit as refusal:
    # Gunicorn replaces a worker that exits, forever; an error ends gunicorn.
    raise RuntimeError(str(refusal)) from None
warm_up()
