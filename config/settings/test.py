"""Settings for the tests: a real PostgreSQL and broker, whose addresses the pytest plugin sets."""

from config.settings.base import *
from config.settings.base import (
    CELERY_BROKER_TRANSPORT_OPTIONS,
    INSTALLED_APPS,
    broker,
    database,
    env,
)

SECRET_KEY = env.str("SECRET_KEY", default="only-for-tests-" + "x" * 40)
CREDENTIAL_KEYS = env.str(
    "CREDENTIAL_KEYS", default="v1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)
DEBUG = False
INSTALLED_APPS = [*INSTALLED_APPS, "dev"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASES = {"default": database()}
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = broker(env.str("REDIS_URL"))
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
}
# How fast a loaded machine sends is no promise of the product. Started programs have its limit.
PUBLISH_WAIT_SECONDS = env.float("PUBLISH_WAIT_SECONDS", default=20)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True

from config.logging import configure_logging  # noqa: E402

configure_logging(json=False, level=env.str("LOG_LEVEL", default="WARNING"))
