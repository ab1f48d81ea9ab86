"""Settings of gunicorn: its log lines have the format of all others."""

import os

from config.logging import logging_config

logconfig_dict = logging_config(json=True, level=os.environ.get("LOG_LEVEL", "INFO"))
