"""Entry point of `python -m dev.graph_sandbox`."""

import sys

from dev.graph_sandbox.main import main

sys.exit(main())
