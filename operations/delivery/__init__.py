"""The publisher and the relay, which send the wake-up messages of queued runs."""
