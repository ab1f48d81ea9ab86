"""Settings of the processes under fire: short leases, quick ticks, and one operation with effects."""

from config.settings.base import *
from config.settings.base import (
    CELERY_BROKER_TRANSPORT_OPTIONS,
    INSTALLED_APPS,
    database,
    env,
)

SECRET_KEY = env.str("SECRET_KEY")
CREDENTIAL_KEYS = env.str("CREDENTIAL_KEYS")
DATABASES = {"default": database()}
CELERY_BROKER_URL = env.str("REDIS_URL")
# What a message costs when it is lost is what the campaign measures; do not wait minutes for it.
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    "health_check_interval": 5,
}
INSTALLED_APPS = [*INSTALLED_APPS, "dev.chaos"]
#: Which promise is broken on purpose; empty in a real campaign.
CHAOS_CONTROL = env.str("CHAOS_CONTROL", default="")

from config.logging import configure_logging  # noqa: E402

configure_logging(json=False, level="WARNING")
