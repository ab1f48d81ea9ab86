"""The transport to the broker: Redis or Valkey, directly, with TLS, or through Sentinel.

Kombu's transport ends the consumer of a worker when the server refuses a command, for example
during a failover or when its memory is full. The worker then takes no message until its longest
run ends, and exits. Here a refusal is a lost connection: the worker connects again and continues.
"""

import logging
from contextlib import suppress
from json import JSONDecodeError
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import dumps
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import RedisError, ResponseError

from operations.delivery.refusals import REFUSALS

log = logging.getLogger(__name__)

DROPPED = "an unreadable message was dropped: %s"

#: A key without content; deleting it shows whether the server accepts writes.
PROBE_KEY = "runledger.probe"
#: A queue to which nothing was sent for this long is deleted; the relay sends what is still needed.
MESSAGE_LIFETIME_SECONDS = 24 * 60 * 60


#: Adds a message to a queue that is not full, in one step and one round trip.
_PUT = """
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


class BrokerRefusal(BrokerConnectionError):
    """The server refused a command; its connection is closed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text.removeprefix(code).lstrip()}")
        self.code = code


class BrokerSilence(BrokerConnectionError):
    """A worker gets no message although it could take one."""


class RefusalMixin:
    """A connection that a refusal of the server closes, as if it had been lost."""

    _in_handshake = False

    def on_connect_check_health(self, *arguments: Any, **options: Any) -> None:
        """Introduce this client; the server may refuse parts of it that the client can go without."""
        self._in_handshake = True
        try:
            super().on_connect_check_health(*arguments, **options)  # type: ignore[misc]
        finally:
            self._in_handshake = False

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return a reply, or a message of a subscription.

        Kombu reads a subscription when its socket has data, and the client would then wait without
        a limit. After a connection was replaced there may be none: the worker would take no message
        until someone sends one to the subscription.

        Raises:
            BrokerRefusal: the server refused the command.
            redis.exceptions.TimeoutError: there was no reply within the time limit of the socket.
        """
        limit = self.socket_timeout  # type: ignore[attr-defined]
        if options.get("timeout", limit) is None:
            options["timeout"] = limit
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except RedisError as error:
            code = error.status_code or str(error).partition(" ")[0]
            if code not in REFUSALS or (code == "NOPERM" and self._in_handshake):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise BrokerRefusal(code, str(error)) from error


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
    """Kombu's channel, for messages that may be lost because the relay sends them again.

    The broker does not record which messages are in progress: a worker needs no memory of a full
    broker to take a message, and nothing of the broker to acknowledge one.
    """

    Message = Message
    ack_emulation = False
    #: The rows are the outbox, so that a closing channel has nothing to put back.
    do_restore = False
    #: No message has a priority: `_put` would not keep it, and each step is one more name of each queue
    #: in every command that waits for a message.
    priority_steps = [0]
    #: How many replies this channel has read, empty ones included: the server sends one a second
    #: while there is a free slot.
    replies = 0
    #: The most messages of each queue; a full queue takes no more.
    max_messages: dict[str, int] = {}
    from_transport_options = (*redis.Channel.from_transport_options, "max_messages")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        try:
            self.client.delete(PROBE_KEY)
        except Exception:
            self.close()
            raise

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        bases = (RefusalMixin, parameters["connection_class"])
        parameters["connection_class"] = type("Connection", bases, {})
        return parameters

    def _queue_bind(self, *arguments: Any) -> None:
        """Record where a queue is bound, which only replies to remote control need.

        A full broker refuses it; a worker that starts then makes room.
        """
        try:
            super()._queue_bind(*arguments)  # type: ignore[misc]
        except BrokerRefusal as error:
            if error.code != "OOM":
                raise
            log.info("the broker is full and did not record the binding of a queue")

    def maybe_refresh_binding_expiry(self) -> None:
        """Extend the life of the bindings, once a second; a full broker refuses this every time."""
        with suppress(ResponseError):
            super().maybe_refresh_binding_expiry()  # type: ignore[misc]

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        """Add a message to a queue that is not full; the server's clock measures its lifetime.

        In a batch of a producer it is sent with the others. The log does not say which of them a
        full queue did not take.
        """
        limit = self.max_messages.get(queue)
        if limit is None:
            super()._put(queue, message, **options)
            return
        values = [dumps(message), limit, MESSAGE_LIFETIME_SECONDS]
        if batch := options.get("_publish_batch"):
            batch.add("eval", _PUT, 1, queue, *values)
            return
        with self.conn_or_acquire() as client:
            if not client.eval(_PUT, 1, queue, *values):
                log.warning("the queue %s is full: a message was not sent", queue)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back into its queue, or forget it.

        Kombu would keep a message that the server does not take, and count it as in progress: a
        worker with one slot would never take another one, and not notice that it should reconnect.
        """
        try:
            super().basic_reject(delivery_tag, requeue=requeue)
        except RedisError:
            super().basic_reject(delivery_tag)
            raise

    def _brpop_read(self, **options: Any) -> Any:
        """Read a message; drop an unreadable one, which the broker has already removed."""
        self.replies += 1
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


class SentinelChannel(Channel, redis.SentinelChannel):
    """Our channel, to the primary that the sentinels name."""

    from_transport_options = (*redis.SentinelChannel.from_transport_options, "max_messages")


class Transport(redis.Transport):
    """Kombu's transport for Redis and Valkey, with our channel."""

    Channel = Channel


class SentinelTransport(Transport, redis.SentinelTransport):
    """Kombu's transport for Sentinel, with our channel."""

    Channel = SentinelChannel


def install_transport() -> None:
    """Use these transports for every URL of Redis, with TLS, through a socket or Sentinel."""
    TRANSPORT_ALIASES.update(
        redis=f"{__name__}:Transport",
        rediss=f"{__name__}:Transport",
        sentinel=f"{__name__}:SentinelTransport",
    )
