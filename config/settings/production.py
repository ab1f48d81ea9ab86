"""Settings for production: values come from the environment, and a missing one is an error."""

from config.settings.base import *
from config.settings.base import ALLOWED_HOSTS, TRUSTED_PROXIES, broker, database, env

# The health check of the container uses the host name localhost.
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost"]
SECRET_KEY = env.str("SECRET_KEY")
CREDENTIAL_KEYS = env.str("CREDENTIAL_KEYS")
DATABASES = {"default": database()}
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = broker(env.str("REDIS_URL"))

REQUIRE_APP_ROLE = env.bool("REQUIRE_APP_ROLE", default=True)

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|livez|metrics)$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 60 * 60)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# Browsers keep a host in their lists for months: only the owner of the domain can decide that.
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"

from config.logging import configure_logging  # noqa: E402

configure_logging(json=True, level=env.str("LOG_LEVEL", default="INFO"))
