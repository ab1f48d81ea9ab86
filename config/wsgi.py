"""The WSGI entry point: `gunicorn config.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

from operations.delivery.publisher import warm_up  # noqa: E402 - needs the application's registry
from operations.maintenance.preflight import refuse_to_start  # noqa: E402

try:
    refuse_to_start()
except SystemExit as refusal:
    # Gunicorn replaces a worker that exits, forever; an error ends gunicorn.
    raise RuntimeError(str(refusal)) from None
warm_up()
