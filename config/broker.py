"""The way to the broker, on which a message that nobody can read costs nothing but itself."""

import logging
from json import JSONDecodeError
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

log = logging.getLogger(__name__)

DROPPED = "a message that cannot be read was dropped: %s"


class Unreadable(Exception):
    """A message is not even an envelope."""


class Message(virtual.Message):
    """A message that can be taken and given back."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **options)
            where = [self.delivery_info[key] for key in ("exchange", "routing_key")]
        except Exception as error:
            raise Unreadable(type(error).__name__) from error
        if not all(isinstance(text, str) for text in [self.delivery_tag, *where]):
            raise Unreadable("its envelope is torn")


class Channel(redis.Channel):
    """Kombu's, but what cannot be read is dropped: there, it ends the worker and all its work.

    The broker has forgotten the message already, and a run's message is sent again by the relay.
    """

    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (Unreadable, JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            log.error(DROPPED, error)  # noqa: TRY400 - a trace of it tells nobody more
            return True

    def basic_consume(
        self, queue: Any, no_ack: Any, callback: Any, consumer_tag: Any, **options: Any
    ) -> Any:
        """Consume from a queue; a message over which the consumer stumbles is dropped."""

        def take(message: Any) -> None:
            try:
                callback(message)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                log.exception(DROPPED, "its contents are odd")
                if not (no_ack or message.acknowledged):
                    message.reject()

        return super().basic_consume(queue, no_ack, take, consumer_tag, **options)


class Transport(redis.Transport):
    """Kombu's for Redis and Valkey, with our channel."""

    Channel = Channel


def use_this_transport() -> None:
    """Let every address of a Redis, with TLS or through a socket, be spoken to in this way."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
