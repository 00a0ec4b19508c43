"""Documents accepted at a steady rate until standard input ends: what others search beside.

`python -m tests.bench.search_insert --rate 50 DATABASE_URL` prints what an accept took, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import uuid_utils

from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Planned
from schemas import instant
from schemas.message import DocumentBody, Lane, Message
from tests.bench.search_rows import AGENCIES, FIELDS, FIRST, LAST, TOPICS


def document(draw: random.Random) -> Acceptance:
    sender, receiver = (f"H38.{draw.randrange(AGENCIES)}" for _ in range(2))
    ref = str(uuid_utils.uuid4())
    subject = f"V/v {draw.choice(TOPICS)} ngành {draw.choice(FIELDS)} tại xã "
    subject += f"{draw.choice(FIRST)} {draw.choice(LAST)} năm 2026"
    message = Message(
        id=str(uuid_utils.uuid7()),
        sender=sender,
        sender_ref=ref,
        receivers=(receiver,),
        order_key=ref,
        lane=Lane.NORMAL,
        accepted_at=instant.now(),
        sha256=hashlib.sha256(ref.encode()).hexdigest(),
        size=len(ref),
        media_type="application/edxml+xml",
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        body=DocumentBody(document_id=ref, number="1", notation="CV-VP", subject=subject),
    )
    planned = (Planned(f"diem-{receiver[4:]}", (receiver,)),)
    return Acceptance(message, planned, "{}", "phan-mem", ref.encode(), (receiver,))


async def insert(url: str, rate: float, *, at_most: int | None = None) -> list[float]:
    """Milliseconds of each accept. Without `at_most` until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read) if at_most is None else None
    taken: list[float] = []
    draw = random.Random(1)
    with tempfile.TemporaryDirectory() as blobs:
        ledger = await Ledger.open(url, Path(blobs))

        async def accept() -> None:
            began = time.perf_counter()
            await ledger.accept(document(draw))
            taken.append(1000 * (time.perf_counter() - began))

        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while not (ended.done() if ended is not None else number == at_most):
                group.create_task(accept())
                number += 1
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        await ledger.close()
    return taken


def main() -> None:
    from tests.bench.search import summary  # noqa: PLC0415 - that one starts this

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, required=True, help="a second")
    options = parser.parse_args()
    print(json.dumps(summary(asyncio.run(insert(options.url, options.rate)))))


if __name__ == "__main__":
    main()
