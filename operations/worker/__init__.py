"""The code inside a Celery worker: claim, heartbeat, the handler's `ActiveRun`, retries."""
