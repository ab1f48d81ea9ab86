"""Settings of gunicorn: its worker, its limits, and log lines in the format of all others."""

import os

from config.logging import logging_config

logconfig_dict = logging_config(json=True, level=os.environ.get("LOG_LEVEL", "INFO"))
worker_class = "config.web_worker.Worker"
# Otherwise it creates a socket for commands in the home folder.
control_socket_disable = True
# Longer than a proxy keeps a connection (nginx: 60 s). Otherwise a form could arrive while this end
# closes, and the proxy would answer 502. An idle connection needs no thread.
keepalive = 75
# Browsers send some 20 headers, and a proxy adds a few.
limit_request_fields = 64
# The longest addresses are those of lists with every filter; the longest headers are cookies.
limit_request_line = 4094
limit_request_field_size = 8190
