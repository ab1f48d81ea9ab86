"""The texts that replace removed values."""

MASK = "[redacted]"
TRUNCATED = "[truncated]"
UNREADABLE = "[unreadable]"
ELLIPSIS = "…"
