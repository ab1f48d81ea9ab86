"""Traces with OpenTelemetry, for installations that ask for them."""
