"""Logging: one line per event, without secrets; JSON in production, colored text elsewhere."""

import logging.config
import sys
from typing import Any

import structlog

from redaction.text import sanitize_text
from telemetry import tracing

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    *([tracing.add_trace_id] if tracing.ENABLED else []),
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
]


def redact(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Remove secrets and control characters from every text of a log event."""
    return {
        key: sanitize_text(value, max_length=20_000, keep_newlines=key == "exception")
        if isinstance(value, str)
        else value
        for key, value in event.items()
    }


class ExcludeHealthChecks(logging.Filter):
    """Drops failed health checks: their client has already read the answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().endswith(": /healthz")


class OneLinePerClientError(logging.Filter):
    """Removes the traceback of a refused request: it says where a check is, and fills the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if 400 <= getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True


def logging_config(*, json: bool, level: str) -> dict[str, Any]:
    """Return the `dictConfig` that sends all logging to standard error in one format."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    processors = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": processors,
                "foreign_pre_chain": SHARED,
            }
        },
        "filters": {
            "exclude_health_checks": {"()": ExcludeHealthChecks},
            "one_line_per_client_error": {"()": OneLinePerClientError},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["one_line_per_client_error"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django.request": {"filters": ["exclude_health_checks"]},
            "django.server": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "msal": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # Without its own handler, which gunicorn would add.
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }


def configure_logging(*, json: bool, level: str) -> None:
    """Apply this configuration to the standard library and structlog."""
    logging.config.dictConfig(logging_config(json=json, level=level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
