"""Brokers: how due work gets from the dispatcher to the workers."""

from __future__ import annotations

from bus.broker.embedded import EmbeddedBroker
from bus.broker.port import Broker, Event, Handler, Work
from bus.broker.rabbitmq import RabbitBroker
from schemas.errors import ConfigurationError

__all__ = ["Broker", "Event", "Handler", "Work", "create"]


def create(url: str | None, *, prefix: str = "lgsp") -> Broker:
    """The broker for a URL: none or `embedded:` is in-process, amqp:// and amqps:// are RabbitMQ.

    `prefix` starts every name on RabbitMQ, so that several buses can share one.  Raises
    ConfigurationError for any other URL; the text does not quote it, as it may hold a password.
    """
    if url is None or url == "embedded:":
        return EmbeddedBroker()
    if url.startswith(("amqp://", "amqps://")):
        return RabbitBroker(url, prefix=prefix)
    raise ConfigurationError(
        "the broker URL must be embedded:, amqp://… or amqps://…",
        vi="địa chỉ broker phải là embedded:, amqp://… hoặc amqps://…",
    )
