"""`python -m tests.bench.doors [MB …]`: large packets through the bus, in and out, in flat memory.

One packet of each size goes in by every door, is pushed to one agency and fetched by another in
every way out.  For each step it prints the seconds, and by how much the resident memory of the bus
grew at its peak.
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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
import yaml
from rich.console import Console
from rich.table import Table

from deploy.stage import Agency, Stage
from tests.bench import giant_axis, soap_vxp
from tests.bench.giant_axis import REMOTE, GiantAxis

SENDER, PUSHED, FETCHING = "so-y-te", "so-xay-dung", "xa-ban-lien"
NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
MB = 1_000_000
BLOCK = 3 * 250_000
DEADLINE = 1200.0
SYSTEM, SECRET = "00.99.W01", b"secret-of-the-bench"


def packet(
    size: int, sender: Agency, receivers: list[Agency], name: str = "lon"
) -> Iterator[bytes]:
    """A document with one attached file, about `size` bytes as a whole."""
    to = "".join(f"<e:To><e:OrganId>{each.code}</e:OrganId></e:To>" for each in receivers)
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?><edXML xmlns="{NAMESPACE}">'
        f'<e:edXMLEnvelope xmlns:e="{NAMESPACE}"><e:edXMLHeader><e:MessageHeader>'
        f"<e:From><e:OrganId>{sender.code}</e:OrganId></e:From>{to}"
        f"<e:DocumentId>{name}-{size}</e:DocumentId>"
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
    def __init__(self, stage: Stage, http: aiohttp.ClientSession, axis: GiantAxis) -> None:
        self._stage = stage
        self._http = http
        self._axis = axis
        agencies = {agency.endpoint: agency for agency in stage.agencies}
        self._sender = agencies[SENDER]
        self._pushed, self._fetching = agencies[PUSHED], agencies[FETCHING]
        self._memory = Memory(stage.bus[0].pid)

    async def wait_for_signed(self) -> None:
        """Running processes follow the configuration within a second."""
        deadline = time.perf_counter() + 30
        while not await self._receiving(f"{self._stage.url}/vxp").is_known():
            assert time.perf_counter() < deadline, "the bus does not know the systems"
            await asyncio.sleep(0.05)

    async def run(self, size: int) -> list[tuple[str, float, float]]:
        """(step, seconds, MB) of each step."""
        found = []
        digest = hashlib.sha256()

        async def body() -> AsyncIterator[bytes]:
            for piece in packet(size, self._sender, [self._pushed, self._fetching]):
                digest.update(piece)
                yield piece

        found.append(await self._measured("in, REST", lambda: self._post(body())))

        began = time.perf_counter()
        while not any(each["sha256"] == digest.hexdigest() for each in self._arrivals()):
            assert time.perf_counter() - began < DEADLINE, "the push did not arrive"
            await asyncio.sleep(0.05)
        found.append(("out, rest-push", time.perf_counter() - began, self._memory.growth()))

        async def fetch() -> None:
            assert await self._fetch() == digest.hexdigest(), "fetched with other bytes"

        found.append(await self._measured("out, mailbox", fetch))
        return found + await self._others(size) + await self._axis_ways(size)

    async def _axis_ways(self, size: int) -> list[tuple[str, float, float]]:
        """The bus as a client of the axis: fetched both ways, and sent with a To list that is
        cut, for which the original is read twice.
        """
        receiver = await self._bearer(self._fetching)
        remote = replace(self._sender, code=REMOTE)

        async def fetch(name: str, *, download: bool) -> None:
            self._axis.has_download = download
            self._axis.offer(name, lambda: packet(size, remote, [self._fetching], name))
            await self._taken(receiver)

        async def send() -> None:
            before = self._axis.uploaded
            pieces = packet(size, self._sender, [self._fetching, remote], "g")
            await self._post(_streamed(pieces))
            began = time.perf_counter()
            while self._axis.uploaded < before + size * 9 // 10:
                assert time.perf_counter() - began < DEADLINE, "it did not reach the axis"
                await asyncio.sleep(0.05)
            await self._taken(receiver)

        return [
            await self._measured("in, axis downloadEdoc", partial(fetch, "e", download=True)),
            await self._measured("in, axis getEdoc", partial(fetch, "f", download=False)),
            await self._measured("in, REST and out, axis", send),
        ]

    async def _taken(self, headers: dict[str, str]) -> None:
        """Acknowledges the next packet in the mailbox, once it is there."""
        began = time.perf_counter()
        while not (items := await self._waiting(headers)):
            assert time.perf_counter() - began < DEADLINE, "nothing came into the mailbox"
            await asyncio.sleep(0.05)
        await self._acknowledge(headers, int(items[0]["deliveryId"]))

    async def _post(self, body: AsyncIterator[bytes]) -> None:
        headers = await self._bearer(self._sender) | {"Content-Type": "application/xml"}
        url = f"{self._stage.url}/api/v1/documents"
        async with self._http.post(url, data=body, headers=headers) as answer:
            assert answer.status == 202, await answer.text()

    async def _measured(
        self, name: str, step: Callable[[], Awaitable[None]]
    ) -> tuple[str, float, float]:
        self._memory.start()
        began = time.perf_counter()
        await step()
        return name, time.perf_counter() - began, self._memory.growth()

    async def _others(self, size: int) -> list[tuple[str, float, float]]:
        """SOAP and the axis's protocol. Each way in brings the packet that a way out takes away."""
        http = self._http
        soap = f"{self._stage.url}/soap/documents"
        vxp = f"{self._stage.url}/vxp"
        caller = soap_vxp.VxpCaller(http, vxp, SYSTEM, SECRET)
        sender = await self._bearer(self._sender)
        receiver = await self._bearer(self._fetching)

        def large(name: str) -> Iterator[bytes]:
            return packet(size, self._sender, [self._fetching], name)

        async def post(body: AsyncIterator[bytes], media: str) -> None:
            headers = sender | {"Content-Type": media}
            async with http.post(soap, data=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()

        async def upload(name: str, *, form: bool) -> None:
            digest = soap_vxp.digest_of(large(name))
            await caller.send(large(name), digest, self._sender.code, form=form)

        async def out(mtom: bool | None, operation: str = "") -> None:
            (item,) = await self._waiting(receiver)
            number = int(item["deliveryId"])
            if mtom is None:
                got = await self._receiving(vxp).fetch(number, operation)
            else:
                got = await soap_vxp.fetched(http, soap, number, receiver, mtom=mtom)
            assert got >= item["size"], "it broke off"
            await self._acknowledge(receiver, number)

        steps: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("in, SOAP inline", lambda: post(soap_vxp.inline(large("a")), "text/xml")),
            ("out, SOAP inline", lambda: out(mtom=False)),
            ("in, SOAP MTOM", lambda: post(soap_vxp.attached(large("b")), soap_vxp.MTOM)),
            ("out, SOAP MTOM", lambda: out(mtom=True)),
            ("in, VXP raw", lambda: upload("c", form=False)),
            ("out, VXP downloadEdoc", lambda: out(None, "downloadEdoc")),
            ("in, VXP form", lambda: upload("d", form=True)),
            ("out, VXP getEdoc", lambda: out(None, "getEdoc")),
        ]
        return [await self._measured(name, step) for name, step in steps]

    def _receiving(self, url: str) -> soap_vxp.VxpCaller:
        return soap_vxp.VxpCaller(self._http, url, f"{SYSTEM}-2", SECRET)

    async def _waiting(self, headers: dict[str, str]) -> list[dict[str, Any]]:
        async with self._http.get(f"{self._stage.url}/api/v1/mailbox", headers=headers) as answer:
            items: list[dict[str, Any]] = (await answer.json())["items"]
            return items

    async def _acknowledge(self, headers: dict[str, str], number: int) -> None:
        url = f"{self._stage.url}/api/v1/mailbox/{number}/ack"
        async with self._http.post(url, json={"result": "delivered"}, headers=headers) as answer:
            assert answer.ok, await answer.text()

    def _arrivals(self) -> list[dict[str, str]]:
        path = self._pushed.receipts
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def _fetch(self) -> str:
        headers = await self._bearer(self._fetching)
        (item,) = await self._waiting(headers)
        url = f"{self._stage.url}/api/v1/mailbox/{item['deliveryId']}/content"
        digest = hashlib.sha256()
        async with self._http.get(url, headers=headers) as answer:
            async for piece in answer.content.iter_chunked(1 << 20):
                digest.update(piece)
        await self._acknowledge(headers, int(item["deliveryId"]))
        return digest.hexdigest()

    async def _bearer(self, agency: Agency) -> dict[str, str]:
        form = {
            "grant_type": "client_credentials",
            "client_id": agency.client,
            "client_secret": agency.client_secret,
        }
        async with self._http.post(f"{self._stage.url}/api/v1/token", data=form) as answer:
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _sign_alike(stage: Stage) -> None:
    """Sender and receiver of the stage as systems of the axis's protocol, too."""
    folder = stage.folder / "province"
    (stage.folder / "secrets" / "bench").write_bytes(SECRET)
    clients = yaml.safe_load((folder / "clients.yaml").read_text())
    for client in clients["clients"]:
        system = {SENDER: SYSTEM, FETCHING: f"{SYSTEM}-2"}.get(client["id"])
        if system is not None:
            client.update(system_id=system, secret="bench")
    (folder / "clients.yaml").write_text(yaml.safe_dump(clients, allow_unicode=True))
    stage.lgsp("apply", "-f", str(folder), "--reason", "bench", "--yes")


async def measure(sizes: list[int], folder: Path) -> list[tuple[int, str, float, float]]:
    """(packet MB, step, seconds, MB of growth) of every step."""
    async with GiantAxis() as axis:
        return await _measure(sizes, folder, axis)


async def _measure(
    sizes: list[int], folder: Path, axis: GiantAxis
) -> list[tuple[int, str, float, float]]:
    stage = Stage(
        folder,
        also=axis.declared(),
        secret_values={giant_axis.SECRET_NAME: giant_axis.SECRET.decode()},
        settings={
            "LGSP_LOG_LEVEL": "WARNING",
            "LGSP_MAX_PACKET_BYTES": str(2_000 * MB),
            "LGSP_FACADES": '{"vxp": "/vxp"}',
        },
        endpoint_options={"config": {"answer_seconds": 120}},
    )
    try:
        await asyncio.to_thread(stage.open)
        await asyncio.to_thread(_sign_alike, stage)
        timeout = aiohttp.ClientTimeout(total=DEADLINE)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            doors = Doors(stage, http, axis)
            await doors.wait_for_signed()
            await doors.run(1 * MB)  # code paths and pools, not counted
            return [(size, *row) for size in sizes for row in await doors.run(size * MB)]
    finally:
        stage.close()


def show(rows: list[tuple[int, str, float, float]]) -> None:
    table = Table(title="one packet through the bus: seconds, and peak growth of memory in MB")
    for head in ("packet MB", "step", "s", "grew by MB"):
        table.add_column(head, justify="right")
    for size, step, seconds, grew in rows:
        table.add_row(f"{size:,}", step, f"{seconds:.2f}", f"{grew:.1f}")
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.doors", description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[10, 200, 1000], metavar="MB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lgsp-doors-") as folder:
        show(uvloop.run(measure(options.sizes, Path(folder))))


if __name__ == "__main__":
    main()
