"""Settings shared by every environment; each value comes from the environment or has a safe default.

`docs/settings.md` explains every variable. While `make run` is running, the addresses and keys of its
embedded servers are in `.dev/services.env`; real environment variables take precedence.
"""

import datetime as dt
import socket
import ssl
import sys
import zoneinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.environment import FileVariables, StrictEnv
from telemetry import tracing

# Django's admin and generic views are typed; this makes their types available at run time too.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = StrictEnv()
env.ENVIRON = FileVariables()

DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "config.apps.SupportConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "axes",
    "django_filters",
    "django_htmx",
    "tenancy",
    "audit",
    "operations",
    "accounts",
    "providers",
    "inventory",
    "backups",
    "restores",
    "notifications",
    "legacy_runs",
    "api",
]

MIDDLEWARE = [
    "config.middleware.ReferenceMiddleware",
    "api.problems.ProblemMiddleware",
    "config.middleware.BrowserPolicyMiddleware",
    "config.middleware.ContentTypeMiddleware",
    "tenancy.clock.RequestClockMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "web.compression.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.SessionUserMiddleware",
    "audit.middleware.AuditContextMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.SignInRequiredMiddleware",
    "accounts.middleware.SecondFactorRequiredMiddleware",
    "accounts.middleware.RecentSignInMiddleware",
    "tenancy.support_access.SupportAccessMiddleware",
    "config.middleware.PrivateResponseMiddleware",
    "config.middleware.RequestBodyMiddleware",
    "config.middleware.PasswordCapacityMiddleware",
    "config.middleware.DownloadCapacityMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

if tracing.ENABLED:
    MIDDLEWARE.insert(0, "config.middleware.TracingMiddleware")

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "builtins": ["web.url_tag", "web.kept_include"],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["web.templates.FilesystemLoader", "web.templates.AppDirectoriesLoader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tenancy.context_processors.workspaces",
                "tenancy.context_processors.color_theme",
            ],
        },
    },
]


# "transaction" if a pooler shares each server connection among its clients, as PgBouncer does.
DATABASE_POOLER = env.str("DATABASE_POOLER", default="")
if DATABASE_POOLER not in ("", "transaction"):
    raise ImproperlyConfigured(f"DATABASE_POOLER is {DATABASE_POOLER!r}; use “transaction”.")
# An idle transaction can block every session that waits for its locks, so PostgreSQL ends it.
IDLE_IN_TRANSACTION_SECONDS = env.int("IDLE_IN_TRANSACTION_SECONDS", default=15)


def database(url_variable: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's database entry for the address in `url_variable`.

    A socket folder in `?host=/folder` moves to HOST, where `dbshell` reads it too.
    """
    config = env.postgresql(url_variable)
    options = config.setdefault("OPTIONS", {})
    if "host" in options:
        config["HOST"] = options.pop("host")
    options.setdefault("connect_timeout", 3)
    # A server that disappears is noticed within 20 seconds while we wait for it, …
    options |= {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2} | options
    # … and within 10 while we send. By default that takes hours, and a worker hangs as long.
    options.setdefault("tcp_user_timeout", 10_000)
    options.setdefault("application_name", f"runledger {Path(sys.argv[0]).name}")
    # Behind a pooler, a server-side cursor outlives its transaction on a connection of other clients,
    # where one of the same name shows their rows.
    config["DISABLE_SERVER_SIDE_CURSORS"] = True
    # A pooler refuses startup options, or drops them: there `grant_app_role` sets the limit.
    if not DATABASE_POOLER:
        idle_ms = 1000 * IDLE_IN_TRANSACTION_SECONDS
        options.setdefault("options", f"-c idle_in_transaction_session_timeout={idle_ms}")
    # Reconnecting for every request makes a page eight times slower (docs/architecture.md).
    config["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=600)
    config["CONN_HEALTH_CHECKS"] = True
    return config


DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backends.LocalBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = env.int("SESSION_SECONDS", default=12 * 60 * 60)
# A session without activity ends earlier: an unattended browser must not stay signed in all day.
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=2 * 60 * 60)
# False where every user signs in with an identity provider.
LOCAL_PASSWORDS = env.bool("LOCAL_PASSWORDS", default=True)
# How long the link of a password reset is valid: long enough for a slow mail server.
PASSWORD_RESET_TIMEOUT = 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"


def networks(texts: list[str]) -> list[IPv4Network | IPv6Network]:
    """Return the networks of METRICS_NETWORKS, such as 10.0.0.0/8 and fd00::/8.

    Raises:
        ImproperlyConfigured: one of the texts is not a network.
    """
    try:
        return [ip_network(text.strip()) for text in texts]
    except ValueError as error:
        raise ImproperlyConfigured(f"METRICS_NETWORKS: {error}.") from None


# The first hashes; the second is that of earlier versions, which the next sign-in replaces.
PASSWORD_HASHERS = [
    "tenancy.passwords.Argon2PasswordHasher",
    "tenancy.passwords.PBKDF2PasswordHasher",
]
# How many passwords a web process checks at the same time, and how many more requests wait for that;
# others are asked to try again. Each check needs 64 MiB and a core for 0.1 s, and each request that
# waits occupies a thread.
PASSWORD_CHECKS = env.int("PASSWORD_CHECKS", default=1)
PASSWORD_CHECKS_WAITING = env.int("PASSWORD_CHECKS_WAITING", default=2)

# How many proxies add X-Forwarded-* headers. Without any, a client could invent them.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
# So many wrong passwords for one name from one address, or for any names from one address, lock it for
# the same time in which they were counted. An office behind one address has some typing errors.
AXES_FAILURE_LIMIT = env.int("SIGN_IN_FAILURES", default=5)
SIGN_IN_FAILURES_PER_ADDRESS = env.int("SIGN_IN_FAILURES_PER_ADDRESS", default=50)
AXES_COOLOFF_TIME = dt.timedelta(minutes=env.int("SIGN_IN_LOCK_MINUTES", default=15))
# How long sign-ins and failed sign-ins are recorded, for investigations.
SIGN_IN_RECORD_DAYS = env.int("SIGN_IN_RECORD_DAYS", default=180)
AXES_HANDLER = "tenancy.lockout.LockoutHandler"
AXES_LOCKOUT_CALLABLE = "tenancy.lockout.locked_out"
AXES_CLIENT_IP_CALLABLE = "web.client_address.client_address"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# Tries during a lock do not prolong it.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_SENSITIVE_PARAMETERS: list[str] = []
AXES_VERBOSE = False
# tenancy/admin.py replaces it, with our permissions.
AXES_ENABLE_ADMIN = False

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
# Sign-in is by user name; e-mail addresses are for messages only.
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# Lockouts count failed sign-ins in the database; allauth would count them per process.
ACCOUNT_RATE_LIMITS = False
# How long a sign-in counts as recent: changes of credentials, members and tenants require one.
RECENT_SIGN_IN_MINUTES = env.int("RECENT_SIGN_IN_MINUTES", default=10)
# Who must have a second factor: no one by default, “owners” (and staff), or “everyone”. Each workspace can
# require it of its members.
SECOND_FACTOR_REQUIRED = env.str("SECOND_FACTOR_REQUIRED", default="")
if SECOND_FACTOR_REQUIRED not in ("", "owners", "everyone"):
    raise ImproperlyConfigured(
        f"SECOND_FACTOR_REQUIRED is {SECOND_FACTOR_REQUIRED!r}; use “owners” or “everyone”."
    )
MFA_ADAPTER = "accounts.second_factor.adapter.SecondFactorAdapter"
# Recovery codes are ours: allauth stores a seed that yields them.
MFA_SUPPORTED_TYPES = ["totp", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAdapter"
# A provider that does not answer occupies a thread for this long.
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
# Identity providers. Microsoft Entra ID: the tenant whose users may sign in, and our registration there.
ENTRA_TENANT_ID = env.str("ENTRA_TENANT_ID", default="")
ENTRA_CLIENT_ID = env.str("ENTRA_CLIENT_ID", default="")
ENTRA_CLIENT_SECRET = env.str("ENTRA_CLIENT_SECRET", default="")
# The national clouds of Microsoft have other addresses.
ENTRA_AUTHORITY = env.str("ENTRA_AUTHORITY", default="https://login.microsoftonline.com")
# Any other OpenID provider; the name is that of its button.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME = env.str("OIDC_NAME", default="single sign-on")
OIDC_CA_BUNDLE = env.str("OIDC_CA_BUNDLE", default="")
# The claim with the groups of a user; with app roles of Microsoft Entra it is “roles”.
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", default="groups")

LANGUAGE_CODE = "en"
# The package tzdata is the only source of time-zone rules: every process of one image has the same
# rules, and their version is known.
zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Only pages of this site load static files; WhiteNoise allows the scripts of every site to read them.
WHITENOISE_ALLOW_ALL_ORIGINS = False

# For how many days an access token of the API is valid at most, and how many requests it may send in a
# minute; a client that polls a run every second sends 60.
ACCESS_TOKEN_MAX_DAYS = env.int("ACCESS_TOKEN_MAX_DAYS", default=365)
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=600)

# The largest bodies are selections of some thousand checkboxes. The proxy has the same limit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

# --- The ledger -----------------------------------------------------------------------------------
# A run without a heartbeat for this long is lost; a worker that cannot renew its lease stops before.
RUN_LEASE_SECONDS = env.int("RUN_LEASE_SECONDS", default=60)
RUN_HEARTBEAT_SECONDS = env.int("RUN_HEARTBEAT_SECONDS", default=15)
# A run that does not stop within this time after a cancel request is closed.
RUN_CANCEL_SECONDS = env.int("RUN_CANCEL_SECONDS", default=600)
# How long a queued run waits for its first message before the relay publishes another.
RUN_RELAY_AFTER_SECONDS = env.int("RUN_RELAY_AFTER_SECONDS", default=30)
# /healthz reports a queue whose runs wait while none was claimed for this long: every slot is busy with
# long work, or no worker listens to the queue.
QUEUE_STALLED_MINUTES = env.int("QUEUE_STALLED_MINUTES", default=15)
# Who may read /metrics: a client with the token, in one of the networks. With neither, it is off; with
# one, that alone counts.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = networks(env.list("METRICS_NETWORKS", default=[]))
# How many tenants have separate series in /metrics, those with the oldest backups first.
METRICS_TENANTS = env.int("METRICS_TENANTS", default=200)
# Whether to refuse a database role that could disable the guards, and the name of one that cannot.
REQUIRE_APP_ROLE = False
APP_DATABASE_ROLE = env.str("APP_DATABASE_ROLE", default="runledger_app")
APP_DATABASE_PASSWORD = env.str("APP_DATABASE_PASSWORD", default="")
# The role of the web process. A page that waits for a lock occupies a thread, so its limits are short;
# lists and exports set their own.
WEB_DATABASE_ROLE = env.str("WEB_DATABASE_ROLE", default="runledger_web")
WEB_STATEMENT_SECONDS = env.float("WEB_STATEMENT_SECONDS", default=5)
WEB_LOCK_SECONDS = env.float("WEB_LOCK_SECONDS", default=2)
# Workers wait longer than any migration or retention takes, and not forever.
WORKER_STATEMENT_SECONDS = env.float("WORKER_STATEMENT_SECONDS", default=600)
WORKER_LOCK_SECONDS = env.float("WORKER_LOCK_SECONDS", default=60)
# The role of `import_legacy_runs`, which `grant_import_role` creates: the application cannot import.
IMPORT_DATABASE_ROLE = env.str("IMPORT_DATABASE_ROLE", default="runledger_import")
IMPORT_DATABASE_PASSWORD = env.str("IMPORT_DATABASE_PASSWORD", default="")
# A request waits at most this long to learn whether the broker accepted the message.
PUBLISH_WAIT_SECONDS = env.float("PUBLISH_WAIT_SECONDS", default=0.2)

# How long an ended run keeps its timeline and items, and its row. Problems (failed, partially
# succeeded, blocked) are kept longer, because they are investigated later.
RUN_KEEP_DETAILS_DAYS = env.int("RUN_KEEP_DETAILS_DAYS", default=30)
RUN_KEEP_DAYS = env.int("RUN_KEEP_DAYS", default=365)
RUN_KEEP_PROBLEM_DETAILS_DAYS = env.int("RUN_KEEP_PROBLEM_DETAILS_DAYS", default=180)
RUN_KEEP_PROBLEM_DAYS = env.int("RUN_KEEP_PROBLEM_DAYS", default=730)
# How many of the newest runs of each tenant and type are kept in full, whatever their age.
RUN_KEEP_LAST = env.int("RUN_KEEP_LAST", default=20)
# How long the address of a removed run shows what the run was.
RUN_TOMBSTONE_DAYS = env.int("RUN_TOMBSTONE_DAYS", default=1825)
# How long the audit log keeps an entry: longer than any run, because a run can lead to its cause.
AUDIT_KEEP_DAYS = env.int("AUDIT_KEEP_DAYS", default=1095)

# An incident opens when runs of so many tenants, or so many runs, have one cause and have not
# recovered. Runs that were requested longer ago do not count.
INCIDENT_TENANTS = env.int("INCIDENT_TENANTS", default=3)
INCIDENT_RUNS = env.int("INCIDENT_RUNS", default=10)
INCIDENT_WINDOW_DAYS = env.int("INCIDENT_WINDOW_DAYS", default=7)
# An incident whose runs are all recovered or acknowledged closes after so many days without another.
# Some runs never recover: nothing of their kind is started again.
INCIDENT_QUIET_DAYS = env.int("INCIDENT_QUIET_DAYS", default=3)
# How long a preview can be approved and executed: later the tenant may look different, and the
# person who requested it no longer expects it. An approval is a consent to do it now.
RESTORE_PREVIEW_HOURS = env.int("RESTORE_PREVIEW_HOURS", default=72)
RESTORE_APPROVAL_HOURS = env.int("RESTORE_APPROVAL_HOURS", default=24)

# --- Broker ---------------------------------------------------------------------------------------
# The service name of the sentinels in a REDIS_URL of the form sentinel://host:26379;sentinel://other,
# and whether servers and sentinels use TLS. A server of a rediss:// address always does.
REDIS_SENTINEL_MASTER = env.str("REDIS_SENTINEL_MASTER", default="")
REDIS_SENTINEL_TLS = env.bool("REDIS_SENTINEL_TLS", default=False)
# Certificates are always checked. Kombu's default for rediss:// is to accept any.
REDIS_TLS = {
    "ssl_cert_reqs": ssl.CERT_REQUIRED,
    "ssl_check_hostname": True,
    "ssl_ca_certs": env.str("REDIS_CA_BUNDLE", default="") or None,
}
BROKER_SCHEMES = frozenset({"redis", "rediss", "redis+socket", "sentinel"})


def is_broker_address(url: str) -> bool:
    """Whether each address in `url` can be read; Celery would take an empty one for another broker."""
    try:
        parts = [urlsplit(address) for address in url.split(";")]
        return all(part.scheme in BROKER_SCHEMES and part.port != 0 for part in parts)
    except ValueError:  # the port is no number, as after a password with “/”
        return False


def broker(url: str) -> tuple[str, dict[str, Any] | None]:
    """Return Celery's address and TLS options of the broker at this address.

    Sentinels share the password, user name and database of the first one.

    Raises:
        ImproperlyConfigured: it is no such address, the service name of the sentinels is missing, or
            the address has options of TLS, which would replace all of ours.
    """
    if not is_broker_address(url):
        raise ImproperlyConfigured(
            "REDIS_URL is not the address of a broker, such as redis://:password@host:6379/0. "
            "Write special characters of the password percent-encoded."
        )
    if any(name.startswith("ssl_") for name, _ in parse_qsl(urlsplit(url).query)):
        raise ImproperlyConfigured(
            "REDIS_URL contains options of TLS (ssl_…): remove them. Certificates are always checked, "
            "and REDIS_CA_BUNDLE names the file of a private authority."
        )
    if not url.startswith("sentinel://"):
        return url, REDIS_TLS if url.startswith("rediss://") else None
    if not REDIS_SENTINEL_MASTER:
        raise ImproperlyConfigured(
            "REDIS_URL names sentinels: set REDIS_SENTINEL_MASTER to the name of their service."
        )
    first, *others = [urlsplit(address) for address in url.split(";")]
    user, at, _ = first.netloc.rpartition("@")
    addresses = [first] + [
        other._replace(netloc=f"{user}{at}{other.netloc.rpartition('@')[2]}", path=first.path)
        for other in others
    ]
    tls = REDIS_TLS if REDIS_SENTINEL_TLS else None
    return ";".join(urlunsplit(address) for address in addresses), tls


# --- Celery ---------------------------------------------------------------------------------------
QUEUES = ("ticks", "notifications", "default", "sync", "backup", "restore")
# Each has its own routing key: queues that share one get a copy of every message.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in QUEUES]
# Every task names its queue; one that does not would show up here.
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_DEFAULT_ROUTING_KEY = "default"
# A message is acknowledged when its run has ended, so that a killed worker returns it.
CELERY_TASK_ACKS_LATE = True
# Safe because a run is claimed at most once: a returned message has nothing to claim.
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# The row is the result; a result backend could fill up and leak.
CELERY_TASK_IGNORE_RESULT = True
# Messages contain only ids, and pickle would let anyone with access to the broker run code.
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# A message that a busy worker reserves is a run that waits while another worker is idle.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Logging is ours (config/logging.py): one shape, no secret.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# No process consumes them: the timeline has more, and events would load the broker.
CELERY_WORKER_SEND_TASK_EVENTS = False
# A run does not need the broker to continue; its lease decides whether it is alive.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Short work finishes within this time; the rest is stopped, and retried where that is safe.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = env.float("WORKER_SOFT_SHUTDOWN_SECONDS", default=8)
# A worker outlives its broker, however long that is down: the rows are in the database.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Celery's consumer of a worker stops for hours when the broker refuses a command.
CELERY_WORKER_CONSUMER = "config.consumer:Consumer"
# The most messages of each queue, so that neither beat nor runs fill the memory of the broker while no
# worker consumes. Ticks are all alike; the relay sends the others when there is room.
BROKER_MAX_MESSAGES = dict.fromkeys(QUEUES, 10_000) | {"ticks": 100, "notifications": 100}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_messages": BROKER_MAX_MESSAGES,
    # The client has no time limits by default. A frozen broker delays the relay and a worker's
    # acknowledgment for this long, and a request for PUBLISH_WAIT_SECONDS.
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    # The kernel detects a connection whose other end has disappeared, after 20 seconds. Without the
    # options, kombu turns the client's timing off, and the kernel waits for two hours, …
    "socket_keepalive": True,
    "socket_keepalive_options": {
        socket.TCP_KEEPIDLE: 10,
        socket.TCP_KEEPINTVL: 5,
        socket.TCP_KEEPCNT: 2,
    },
    # … and this check a silent one, to which a worker would listen forever.
    "health_check_interval": 5,
    "master_name": REDIS_SENTINEL_MASTER,
    "sentinel_kwargs": {
        "username": env.str("REDIS_SENTINEL_USERNAME", default="") or None,
        "password": env.str("REDIS_SENTINEL_PASSWORD", default="") or None,
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
        # The next sentinel is asked at once.
        "retry": Retry(NoBackoff(), 0),
        **(REDIS_TLS | {"ssl": True} if REDIS_SENTINEL_TLS else {}),
    },
}
# The relay publishes again; a publish that fails here must fail fast.
CELERY_TASK_PUBLISH_RETRY = False
# Celery's scheduler stops for as long as the clock was set back.
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
# Maximum size of a policy export, and how long it can be downloaded.
POLICY_EXPORT_MAX_MB = env.int("POLICY_EXPORT_MAX_MB", default=25)
POLICY_EXPORT_KEEP_DAYS = env.int("POLICY_EXPORT_KEEP_DAYS", default=7)
# How long the feed keeps a change of a policy: longer than the backup sets, for questions about the
# past. The database keeps 30 days in any case.
CHANGE_KEEP_DAYS = env.int("CHANGE_KEEP_DAYS", default=400)

# --- Email ----------------------------------------------------------------------------------------
# The mail server, smtp+tls://user:password@host:587. Without one, a message counts as not sent.
_mail = env.email_url("EMAIL_URL", default="smtp://localhost:25")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
# A request sends the message, and must not wait for a mail server that does not answer.
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="Runledger <runledger@localhost>")

# Objects that their list shows to be unchanged are read again after this many days; 0 reads every
# object in each backup.
BACKUP_FULL_READ_DAYS = env.int("BACKUP_FULL_READ_DAYS", default=7)

# The address of the site, such as https://runs.example.com, for links in messages that no request sends.
# Without one, it is the first of CSRF_TRUSTED_ORIGINS; without those, such messages contain no links.
SITE_URL = env.str("SITE_URL", default=next(iter(CSRF_TRUSTED_ORIGINS), "")).rstrip("/")
# How long notifications and their deliveries are kept.
NOTIFICATION_KEEP_DAYS = env.int("NOTIFICATION_KEEP_DAYS", default=90)
# The networks that webhooks may reach besides the internet, also without TLS, such as 10.20.0.0/16.
# Without a limit, an owner of a workspace could reach servers of the installation.
WEBHOOK_NETWORKS = env.list("WEBHOOK_NETWORKS", default=[])
# Further authorities for the certificates of receivers of webhooks.
WEBHOOK_CA_BUNDLE = env.str("WEBHOOK_CA_BUNDLE", default="")

# How long the link of an invitation is valid, at most 31 days.
INVITATION_DAYS = env.int("INVITATION_DAYS", default=7)

# How long staff can read a workspace that they opened for support; the database refuses more than 24.
SUPPORT_ACCESS_HOURS = env.int("SUPPORT_ACCESS_HOURS", default=4)

# The first workspace and its owner, for `manage.py bootstrap` in a container; its options win.
BOOTSTRAP_WORKSPACE = env.str("BOOTSTRAP_WORKSPACE", default="")
BOOTSTRAP_USERNAME = env.str("BOOTSTRAP_USERNAME", default="")
BOOTSTRAP_EMAIL = env.str("BOOTSTRAP_EMAIL", default="")
BOOTSTRAP_PASSWORD = env.str("BOOTSTRAP_PASSWORD", default="")

# How often beat sends ticks.
TICK_SECONDS = env.int("TICK_SECONDS", default=30)

# --- Providers ------------------------------------------------------------------------------------
GRAPH_CA_BUNDLE = env.str("GRAPH_CA_BUNDLE", default="")
GRAPH_SANDBOX_URL = env.str("GRAPH_SANDBOX_URL", default="")
# Requests of one connection that are under way at the same time, each a batch of up to 20 reads. The
# running runs of a tenant divide them among themselves.
GRAPH_PARALLEL_REQUESTS = env.int("GRAPH_PARALLEL_REQUESTS", default=4)

# --- Legacy runs ----------------------------------------------------------------------------------
# The paths under which an older installation showed its runs, as kind=path. They redirect to the run or
# the page of the row. <int:legacy_id> is the row's id; other segments, such as <slug:tenant>, are
# ignored.
LEGACY_ADDRESSES = env.list(
    "LEGACY_ADDRESSES",
    default=[
        "inventory_sync_run=inventory/runs/<int:legacy_id>/",
        "inventory_sync_run=inventory-sync-runs/<int:legacy_id>/",
        "entra_group_sync_run=entra-groups/runs/<int:legacy_id>/",
        "entra_group_sync_run=entra-group-sync-runs/<int:legacy_id>/",
        "backup_schedule_run=backup-schedules/runs/<int:legacy_id>/",
        "backup_schedule_run=backup-schedule-runs/<int:legacy_id>/",
    ],
)

# Users with known passwords are for development only.
DEMO_DATA_ALLOWED = False

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = None
