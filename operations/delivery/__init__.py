"""From a queued row to a message in the broker: the publisher and the relay."""
