#!/usr/bin/env python
"""Runledger's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    from config.command_line import execute

    execute(sys.argv)


if __name__ == "__main__":
    main()
