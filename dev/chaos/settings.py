"""Settings of the processes of a campaign: short leases, frequent ticks, one operation with effects."""

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
# The broker is killed and frozen all the time; the default timeouts would stall every process.
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    "health_check_interval": 5,
}
INSTALLED_APPS = [*INSTALLED_APPS, "dev.chaos"]
# Graph's limits on requests would slow down every run; throttling is a fault of the campaign.
GRAPH_QUOTAS: dict[str, object] = {}
#: The guard that is removed on purpose; empty in a real campaign.
CHAOS_CONTROL = env.str("CHAOS_CONTROL", default="")

from config.logging import configure_logging  # noqa: E402

configure_logging(json=False, level="WARNING")
