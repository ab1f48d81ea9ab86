"""The API configures nothing; what it changes is recorded with the tables of other apps."""

from audit.registry import exclude

exclude("api_submissions", "Which run a request with an idempotency key led to.")
