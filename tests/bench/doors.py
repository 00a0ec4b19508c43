"""`python -m tests.bench.doors [MB …]`: large packets through the bus, in and out, in flat memory.

One packet of each size goes in by REST, is pushed to one agency and fetched by another.  For each
step it prints the seconds, and by how much the resident memory of the bus grew at its peak.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.stage import Agency, Stage

SENDER, PUSHED, FETCHING = "so-y-te", "so-xay-dung", "xa-ban-lien"
NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
MB = 1_000_000
BLOCK = 3 * 250_000
DEADLINE = 1200.0


def packet(size: int, sender: Agency, receivers: list[Agency]) -> Iterator[bytes]:
    """A document with one attached file, about `size` bytes as a whole."""
    to = "".join(f"<e:To><e:OrganId>{each.code}</e:OrganId></e:To>" for each in receivers)
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?><edXML xmlns="{NAMESPACE}">'
        f'<e:edXMLEnvelope xmlns:e="{NAMESPACE}"><e:edXMLHeader><e:MessageHeader>'
        f"<e:From><e:OrganId>{sender.code}</e:OrganId></e:From>{to}"
        f"<e:DocumentId>lon-{size}</e:DocumentId>"
        "<e:Code><e:CodeNumber>1</e:CodeNumber><e:CodeNotation>BC</e:CodeNotation></e:Code>"
        "<e:Subject>Hồ sơ lớn</e:Subject></e:MessageHeader></e:edXMLHeader>"
        "<e:edXMLBody><e:edXMLManifest><e:Reference><e:ContentId>cid:1</e:ContentId>"
        "<e:AttachmentName>ban-ve.bin</e:AttachmentName></e:Reference></e:edXMLManifest>"
        "</e:edXMLBody></e:edXMLEnvelope><AttachmentEncoded><Attachment>"
        "<ContentId>cid:1</ContentId><AttachmentName>ban-ve.bin</AttachmentName>"
        f'<e:ContentTransferEncoded xmlns:e="{NAMESPACE}">'
    ).encode()
    block = base64.b64encode(random.Random(7).randbytes(BLOCK))
    for _ in range(max(1, size // len(block))):
        yield block
    yield b"</e:ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>"


class Memory:
    """Resident memory of a process: the peak since `start`, above what it was then."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._before = 0

    def start(self) -> None:
        (self._folder / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def growth(self) -> float:
        """In MB."""
        return (self._read("VmHWM") - self._before) / 1000

    def _read(self, name: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
        raise LookupError(name)


class Doors:
    def __init__(self, stage: Stage, http: aiohttp.ClientSession) -> None:
        self._stage = stage
        self._http = http
        agencies = {agency.endpoint: agency for agency in stage.agencies}
        self._sender = agencies[SENDER]
        self._pushed, self._fetching = agencies[PUSHED], agencies[FETCHING]
        self._memory = Memory(stage.bus[0].pid)

    async def run(self, size: int) -> list[tuple[str, float, float]]:
        """(step, seconds, MB) of each step."""
        found = []
        digest = hashlib.sha256()

        async def body() -> AsyncIterator[bytes]:
            for piece in packet(size, self._sender, [self._pushed, self._fetching]):
                digest.update(piece)
                yield piece

        headers = await self._bearer(self._sender) | {"Content-Type": "application/xml"}
        self._memory.start()
        began = time.perf_counter()
        url = f"{self._stage.url}/api/v1/documents"
        async with self._http.post(url, data=body(), headers=headers) as answer:
            assert answer.status == 202, await answer.text()
        found.append(("in, REST", time.perf_counter() - began, self._memory.growth()))

        began = time.perf_counter()
        while not any(each["sha256"] == digest.hexdigest() for each in self._arrivals()):
            assert time.perf_counter() - began < DEADLINE, "the push did not arrive"
            await asyncio.sleep(0.05)
        found.append(("out, rest-push", time.perf_counter() - began, self._memory.growth()))

        self._memory.start()
        began = time.perf_counter()
        assert await self._fetch() == digest.hexdigest(), "fetched with other bytes"
        found.append(("out, mailbox", time.perf_counter() - began, self._memory.growth()))
        return found

    def _arrivals(self) -> list[dict[str, str]]:
        path = self._pushed.receipts
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def _fetch(self) -> str:
        headers = await self._bearer(self._fetching)
        mailbox = f"{self._stage.url}/api/v1/mailbox"
        async with self._http.get(mailbox, headers=headers) as answer:
            (item,) = (await answer.json())["items"]
        url = f"{mailbox}/{item['deliveryId']}"
        digest = hashlib.sha256()
        async with self._http.get(f"{url}/content", headers=headers) as answer:
            async for piece in answer.content.iter_chunked(1 << 20):
                digest.update(piece)
        ack = {"result": "delivered"}
        async with self._http.post(f"{url}/ack", json=ack, headers=headers) as answer:
            assert answer.ok, await answer.text()
        return digest.hexdigest()

    async def _bearer(self, agency: Agency) -> dict[str, str]:
        form = {
            "grant_type": "client_credentials",
            "client_id": agency.client,
            "client_secret": agency.client_secret,
        }
        async with self._http.post(f"{self._stage.url}/api/v1/token", data=form) as answer:
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def measure(sizes: list[int], folder: Path) -> None:
    stage = Stage(
        folder,
        settings={"LGSP_LOG_LEVEL": "WARNING", "LGSP_MAX_PACKET_BYTES": str(2_000 * MB)},
        endpoint_options={"config": {"answer_seconds": 120}},
    )
    try:
        stage.open()
        table = Table(title="one packet through the bus: seconds, and peak growth of memory in MB")
        for head in ("packet MB", "step", "s", "grew by MB"):
            table.add_column(head, justify="right")
        timeout = aiohttp.ClientTimeout(total=DEADLINE)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            doors = Doors(stage, http)
            await doors.run(1 * MB)  # code paths and pools, not counted
            for size in sizes:
                for step, seconds, grew in await doors.run(size * MB):
                    table.add_row(f"{size:,}", step, f"{seconds:.2f}", f"{grew:.1f}")
        Console(width=100).print(table)
    finally:
        stage.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.doors", description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[10, 200, 900], metavar="MB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lgsp-doors-") as folder:
        uvloop.run(measure(options.sizes, Path(folder)))


if __name__ == "__main__":
    main()
