"""The baseline: the same libraries, and nothing of what a bus is for.

HTTP in (FastAPI) → publish, persistent and confirmed (aio-pika) → consume → HTTP out (aiohttp) →
ack.  No ledger, no order, no journal, no identity, no parsing.  `python -m tests.bench.naive`.
"""

from __future__ import annotations

import argparse

import aio_pika
import aiohttp
import uvicorn
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from fastapi import FastAPI, Request, Response

QUEUE = "naive"


async def serve(amqp: str, port: int, target: str) -> None:
    publishing = await aio_pika.connect_robust(amqp)
    consuming = await aio_pika.connect_robust(amqp)
    out = await publishing.channel(publisher_confirms=True, on_return_raises=True)
    inn = await consuming.channel()
    await inn.set_qos(prefetch_count=100)
    queue = await inn.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    app = FastAPI()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as http:

        async def accept(request: Request) -> Response:
            body = await request.body()
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await out.default_exchange.publish(message, QUEUE, mandatory=True, timeout=10)
            return Response(status_code=202)

        async def deliver(message: AbstractIncomingMessage) -> None:
            async with message.process(), http.post(target, data=message.body) as answer:
                answer.raise_for_status()
                await answer.read()

        app.add_api_route("/documents", accept, methods=["POST"])
        await queue.consume(deliver)
        config = uvicorn.Config(app, port=port, access_log=False, log_level="warning")
        await uvicorn.Server(config).serve()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--amqp", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    given = parser.parse_args()
    uvloop.run(serve(given.amqp, given.port, given.target))


if __name__ == "__main__":
    main()
