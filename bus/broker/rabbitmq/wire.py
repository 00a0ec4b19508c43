"""Work as an AMQP message: compact JSON that an operator can read in RabbitMQ's own console."""

from __future__ import annotations

import orjson
from aiormq import spec
from aiormq.abc import DeliveredMessage

from bus.broker.port import Work
from schemas.message import Lane

PERSISTENT = 2
TRANSIENT = 1


def encode(work: Work) -> tuple[bytes, spec.Basic.Properties]:
    body = orjson.dumps({"endpoint": work.endpoint, "lane": work.lane.value, "ids": work.ids})
    properties = spec.Basic.Properties(
        content_type="application/json",
        delivery_mode=PERSISTENT,
        headers={"traceparent": work.trace} if work.trace else None,
    )
    return body, properties


def decode(message: DeliveredMessage) -> Work:
    """Raises ValueError for a message that this bus did not write."""
    try:
        body = orjson.loads(message.body)
        ids = tuple(body["ids"])
        work = Work(str(body["endpoint"]), Lane(body["lane"]), ids, _trace(message))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not a work message") from error
    if not all(type(item) is int for item in ids):
        raise ValueError("not a work message")
    return work


def _trace(message: DeliveredMessage) -> str:
    headers = message.header.properties.headers or {}
    trace = headers.get("traceparent", "")
    return trace if isinstance(trace, str) else ""
