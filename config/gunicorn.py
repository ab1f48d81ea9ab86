"""What gunicorn reads besides its command line: its own lines look like all the others."""

import os

from config.logging import logging_config

logconfig_dict = logging_config(json=True, level=os.environ.get("LOG_LEVEL", "INFO"))
