"""Settings for `make run` and for `manage.py` beside it."""

import os

from config.settings.base import *
from config.settings.base import BASE_DIR, INSTALLED_APPS, broker, database, env

env.read_env(str(BASE_DIR / ".dev" / "services.env"))

# Web, worker and beat connect with the application's role; `AS_OWNER=1 manage.py migrate` with the
# role that owns the tables.
if env.bool("AS_OWNER", default=False):
    os.environ["DATABASE_URL"] = env.str("OWNER_DATABASE_URL")
REQUIRE_APP_ROLE = env.bool("REQUIRE_APP_ROLE", default=False)

if not env.str("DATABASE_URL", default=""):
    raise SystemExit(
        "No database: start everything with `make run` (in another terminal), "
        "or set DATABASE_URL and REDIS_URL."
    )

# Off, so that error pages look as in production; `DEBUG=1 make run` shows the technical ones.
DEBUG = env.bool("DEBUG", default=False)
DEMO_DATA_ALLOWED = True
SECRET_KEY = env.str("SECRET_KEY")
CREDENTIAL_KEYS = env.str("CREDENTIAL_KEYS")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
# Messages appear in the terminal of `make run`.
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DATABASES = {"default": database()}
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = broker(env.str("REDIS_URL"))
GRAPH_CA_BUNDLE = env.str("GRAPH_CA_BUNDLE", default="")
GRAPH_SANDBOX_URL = env.str("GRAPH_SANDBOX_URL", default="")
TICK_SECONDS = env.int("TICK_SECONDS", default=10)

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
INSTALLED_APPS = ["whitenoise.runserver_nostatic", *INSTALLED_APPS, "dev"]

from config.logging import configure_logging  # noqa: E402

configure_logging(json=False, level=env.str("LOG_LEVEL", default="INFO"))
