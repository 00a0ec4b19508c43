"""What the bus is measured against; `python -m tests.bench.baselines KIND`, one process each.

`naive`: the bus's own libraries and nothing of what a bus is for. HTTP in (FastAPI) → publish,
persistent and confirmed (aio-pika) → consume → HTTP out (aiohttp) → ack.  No ledger, order,
journal, identity or parsing.
`faststream`: the same with FastStream instead of bare aio-pika.
`ledgered`: naive with a ledger as most people write one: three statements, each its own commit.
`insert`: accepting alone, one INSERT for each request.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
import aiohttp
import asyncpg
import uvicorn
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from fastapi import FastAPI, Request, Response

QUORUM = {"x-queue-type": "quorum"}
PREFETCH = 100
CONNECTIONS = 16
TABLE = (
    "CREATE TABLE IF NOT EXISTS message"
    " (id bigserial PRIMARY KEY, state text NOT NULL, content bytea NOT NULL)"
)
INSERT = "INSERT INTO message (state, content) VALUES ('accepted', $1) RETURNING id"

Accept = Callable[[bytes], Awaitable[None]]
Post = Callable[[bytes], Awaitable[None]]


class Given(argparse.Namespace):
    kind: str
    amqp: str
    database: str
    port: int
    target: str


async def serve(port: int, accept: Accept) -> None:
    app = FastAPI()

    async def documents(request: Request) -> Response:
        await accept(await request.body())
        return Response(status_code=202)

    app.add_api_route("/documents", documents, methods=["POST"])
    config = uvicorn.Config(app, port=port, access_log=False, log_level="warning")
    await uvicorn.Server(config).serve()


@asynccontextmanager
async def posting(target: str) -> AsyncIterator[Post]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=PREFETCH)) as http:

        async def post(body: bytes) -> None:
            async with http.post(target, data=body) as answer:
                answer.raise_for_status()
                await answer.read()

        yield post


class Pipe:
    """A durable queue: what is put in is confirmed, what is taken out is acknowledged."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, name: str) -> None:
        self._channel = channel
        self._name = name

    async def put(self, body: bytes, headers: dict[str, int] | None = None) -> None:
        mode = aio_pika.DeliveryMode.PERSISTENT
        message = aio_pika.Message(body, delivery_mode=mode, headers=dict(headers or {}))
        exchange = self._channel.default_exchange
        await exchange.publish(message, self._name, mandatory=True, timeout=10)


@asynccontextmanager
async def pipe(
    amqp: str, name: str, take: Callable[[AbstractIncomingMessage], Awaitable[None]]
) -> AsyncIterator[Pipe]:
    async with (
        await aio_pika.connect_robust(amqp) as into,
        await aio_pika.connect_robust(amqp) as out,
    ):
        consuming = await out.channel()
        await consuming.set_qos(prefetch_count=PREFETCH)
        queue = await consuming.declare_queue(name, durable=True, arguments=dict(QUORUM))
        publishing = await into.channel(publisher_confirms=True, on_return_raises=True)

        async def deliver(message: AbstractIncomingMessage) -> None:
            async with message.process():
                await take(message)

        await queue.consume(deliver)
        yield Pipe(publishing, name)


async def naive(given: Given) -> None:
    async with posting(given.target) as post:

        async def take(message: AbstractIncomingMessage) -> None:
            await post(message.body)

        async with pipe(given.amqp, "naive", take) as into:
            await serve(given.port, into.put)


async def faststream(given: Given) -> None:
    from faststream.rabbit import (  # noqa: PLC0415 - the one baseline that may not be installed
        Channel,
        QueueType,
        RabbitBroker,
        RabbitQueue,
    )

    queue = RabbitQueue("faststream", durable=True, queue_type=QueueType.QUORUM)
    broker = RabbitBroker(given.amqp, logger=None)
    async with posting(given.target) as post:

        @broker.subscriber(queue, channel=Channel(prefetch_count=PREFETCH))
        async def deliver(body: bytes) -> None:
            await post(body)

        async def accept(body: bytes) -> None:
            await broker.publish(body, queue=queue, persist=True, mandatory=True, timeout=10)

        await broker.start()
        await serve(given.port, accept)


async def ledgered(given: Given) -> None:
    async with opened(given.database) as pool, posting(given.target) as post:

        async def mark(number: int, state: str) -> None:
            await pool.execute("UPDATE message SET state = $2 WHERE id = $1", number, state)

        async def take(message: AbstractIncomingMessage) -> None:
            await post(message.body)
            await mark(int(str(message.headers["id"])), "delivered")

        async with pipe(given.amqp, "ledgered", take) as into:

            async def accept(body: bytes) -> None:
                number = await pool.fetchval(INSERT, body)
                await into.put(body, {"id": number})
                await mark(number, "sent")

            await serve(given.port, accept)


async def insert(given: Given) -> None:
    async with opened(given.database) as pool:

        async def accept(body: bytes) -> None:
            await pool.fetchval(INSERT, body)

        await serve(given.port, accept)


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[asyncpg.Pool]:
    dsn = database.replace("+asyncpg", "")
    async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        await pool.execute(TABLE)
        yield pool


KINDS = {each.__name__: each for each in (naive, faststream, ledgered, insert)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.baselines")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--amqp", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    given = parser.parse_args(namespace=Given())
    uvloop.run(KINDS[given.kind](given))


if __name__ == "__main__":
    main()
