"""The texts that replace what is left out."""

MASK = "[redacted]"
TRUNCATED = "[truncated]"
UNREADABLE = "[unreadable]"
ELLIPSIS = "…"
