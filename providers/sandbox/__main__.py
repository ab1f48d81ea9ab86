"""`python -m providers.sandbox`."""

import sys

from providers.sandbox.main import main

sys.exit(main())
