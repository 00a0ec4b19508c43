"""Work as an AMQP message: compact JSON that an operator can read in RabbitMQ's own console."""

from __future__ import annotations

import orjson
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from bus.broker.port import Work
from schemas.message import Lane

MOST = 2**63
"""Ids are below it: one that no ledger can ask for would come back for ever."""


def encode(work: Work) -> Message:
    return Message(
        orjson.dumps({"endpoint": work.endpoint, "lane": work.lane.value, "ids": work.ids}),
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        headers={"traceparent": work.trace} if work.trace else None,
    )


def decode(message: AbstractIncomingMessage) -> Work:
    """Raises ValueError for a message that this bus did not write."""
    try:
        body = orjson.loads(message.body)
        ids = tuple(body["ids"])
        work = Work(str(body["endpoint"]), Lane(body["lane"]), ids, _trace(message))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not a work message") from error
    if not all(type(item) is int and 0 <= item < MOST for item in ids):
        raise ValueError("not a work message")
    return work


def _trace(message: AbstractIncomingMessage) -> str:
    trace = message.headers.get("traceparent", "")
    return trace if isinstance(trace, str) else ""
