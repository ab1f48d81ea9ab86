"""A transport to the broker that drops unreadable messages."""

import logging
from json import JSONDecodeError
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

log = logging.getLogger(__name__)

DROPPED = "an unreadable message was dropped: %s"


class Unreadable(Exception):
    """The envelope of a message is malformed."""


class Message(virtual.Message):
    """A message whose envelope is complete, so that it can be acknowledged or rejected."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **options)
            where = [self.delivery_info[key] for key in ("exchange", "routing_key")]
        except Exception as error:
            raise Unreadable(type(error).__name__) from error
        if not all(isinstance(text, str) for text in [self.delivery_tag, *where]):
            raise Unreadable("malformed envelope")


class Channel(redis.Channel):
    """Kombu's channel, which drops an unreadable message instead of ending the worker.

    The broker has already removed the message, and the relay publishes the message of a run again.
    """

    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (Unreadable, JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            log.error(DROPPED, error)  # noqa: TRY400 - the traceback adds nothing
            return True

    def basic_consume(
        self, queue: Any, no_ack: Any, callback: Any, consumer_tag: Any, **options: Any
    ) -> Any:
        """Consume from a queue, and drop a message that the consumer cannot process."""

        def consume(message: Any) -> None:
            try:
                callback(message)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                log.exception(DROPPED, "malformed content")
                if not (no_ack or message.acknowledged):
                    message.reject()

        return super().basic_consume(queue, no_ack, consume, consumer_tag, **options)


class Transport(redis.Transport):
    """Kombu's transport for Redis and Valkey, with our channel."""

    Channel = Channel


def install_transport() -> None:
    """Use this transport for every Redis URL, with TLS or through a socket."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
