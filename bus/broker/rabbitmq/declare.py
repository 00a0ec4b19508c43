"""Carries the topology out on a broker.  Declaring what exists already changes nothing."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import structlog
from aio_pika import Connection
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from bus.broker.rabbitmq.link import CALL, settle, throwaway
from bus.broker.topology import Exchange, Queue, Topology
from schemas.errors import ConfigurationError
from schemas.message import Lane

log = structlog.get_logger(__name__)

SETTLING = 1.0
"""Seconds to let pass before a deleted queue is made again.

RabbitMQ 3.10 tells the consumers of a deleted quorum queue about 30 ms later.  If the queue is back
by then it does not tell them: it counts them as consumers of the new queue and gives them
messages that never leave the broker.
"""


async def declare_base(connection: Connection, topology: Topology) -> None:
    """The exchanges and the queue of what is bound nowhere."""
    async with throwaway(connection) as channel:
        for exchange in (topology.unrouted, topology.deliveries, topology.events):
            await _declare(exchange.name, _exchange(channel, exchange))
        await _declare(topology.unrouted_queue.name, _queue(channel, topology.unrouted_queue))


async def declare_endpoint(connection: Connection, topology: Topology, endpoint: str) -> None:
    """Both queues of an endpoint.

    Raises ConfigurationError if a queue of that name has other arguments, BrokerUnavailable.
    """
    async with throwaway(connection) as channel:
        for lane in Lane:
            queue = topology.queue(endpoint, lane)
            await _declare(queue.name, _queue(channel, queue))


async def queues_missing(connection: Connection, topology: Topology, endpoint: str) -> bool:
    """Whether a queue of the endpoint is not there.  Raises BrokerUnavailable."""
    try:
        async with throwaway(connection) as channel:
            for lane in Lane:
                name = topology.queue(endpoint, lane).name
                await settle(channel.declare_queue(name, passive=True), CALL)
    except ChannelNotFoundEntity:
        return True
    return False


async def _declare(name: str, call: Coroutine[Any, Any, None]) -> None:
    try:
        await settle(call, CALL)
    except ChannelPreconditionFailed as error:
        raise ConfigurationError(
            f"{name} exists on RabbitMQ with other arguments: delete it or use another prefix",
            vi=f"{name} đã có trên RabbitMQ với tham số khác: xóa nó hoặc đổi tiền tố",
        ) from error


async def _exchange(channel: AbstractChannel, exchange: Exchange) -> None:
    await channel.declare_exchange(
        exchange.name, exchange.kind, durable=True, arguments=dict(exchange.arguments)
    )


async def _queue(channel: AbstractChannel, queue: Queue) -> None:
    declared = await channel.declare_queue(
        queue.name, durable=True, arguments=dict(queue.arguments)
    )
    await declared.bind(queue.exchange, queue.routing_key)
