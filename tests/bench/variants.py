"""What is measured: the bus on each pair of broker and database, and each baseline."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from deploy.services import PostgreSQL, RabbitMQ
from deploy.services.service import Service
from deploy.stage import Process, Stage, free_port
from schemas.delivery import DeliveryState
from tests.bench.load import Target, all_arrived

SENDER, RECEIVER = "so-y-te", "so-xay-dung"
NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
SETTLE_SECONDS = 30.0
COUNTS = "samples.json"
SETTINGS = {"LGSP_LOG_LEVEL": "WARNING"}


class Variant(Protocol):
    name: str
    target: Target
    delivers: bool

    async def ready(self) -> None: ...
    async def arrived(self) -> int:
        """Messages that the receiver has answered with 2xx."""
        ...

    async def arrivals(self) -> list[tuple[str, float]]:
        """SHA-256 of the message and seconds since 1970, in order of arrival."""
        ...

    async def hold(self, held: bool) -> None:
        """Accept and do not deliver, or deliver again: to measure accepting alone."""
        ...

    def packet(self, number: str) -> bytes: ...
    def verify(self, count: int) -> None:
        """Nothing lost, nothing doubled, and the ledger agrees; AssertionError if not."""
        ...

    def close(self) -> None: ...


def packet(number: str, sender: str, receiver: str) -> bytes:
    """A document of 2 KB, in a key of its own."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><edXML xmlns="{NAMESPACE}">'
        f'<e:edXMLEnvelope xmlns:e="{NAMESPACE}"><e:edXMLHeader><e:MessageHeader>'
        f"<e:From><e:OrganId>{sender}</e:OrganId><e:OrganName>A</e:OrganName></e:From>"
        f"<e:To><e:OrganId>{receiver}</e:OrganId><e:OrganName>B</e:OrganName></e:To>"
        f"<e:DocumentId>{number}</e:DocumentId>"
        f"<e:Code><e:CodeNumber>7</e:CodeNumber><e:CodeNotation>BC-SYT</e:CodeNotation></e:Code>"
        f"<e:DocumentType><e:Type>1</e:Type><e:TypeName>Báo cáo</e:TypeName></e:DocumentType>"
        f"<e:Subject>V/v báo cáo tình hình thực hiện nhiệm vụ quý III, số {number}</e:Subject>"
        f"<e:Content>{'Kính gửi Sở, nội dung. ' * 43}</e:Content>"
        f"<e:OtherInfo><e:Priority>0</e:Priority></e:OtherInfo>"
        f"</e:MessageHeader></e:edXMLHeader></e:edXMLEnvelope></edXML>"
    )
    return text.encode()


def pids_of(service: Service | None) -> list[int]:
    if service is None:
        return []
    return [int(f.read_text().split()[0]) for f in service.folder.glob("*.pid")]


class Bus:
    """The bus on a stage of its own."""

    delivers = True
    staging: type[Stage] = Stage

    def __init__(
        self,
        name: str,
        folder: Path,
        broker: RabbitMQ | None,
        database: PostgreSQL | None,
        *,
        roles: Sequence[str] = ("serve",),
    ) -> None:
        self.name = name
        self.stage = self.staging(
            folder,
            database_url=database.create_database(f"bench{folder.name}") if database else None,
            broker_url=broker.url if broker else None,
            roles=roles,
            settings=SETTINGS,
            endpoint_options={"concurrency": 64},
        )
        self.stage.open()
        agencies = {agency.endpoint: agency for agency in self.stage.agencies}
        self._sender, self._receiver = agencies[SENDER], agencies[RECEIVER]
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/xml"}
        self.target = Target(
            f"{self.stage.url}/api/v1/documents",
            headers,
            {
                "app": [process.pid for process in self.stage.bus],
                "broker": pids_of(broker),
                "database": pids_of(database),
            },
        )

    def _token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._sender.client,
            "client_secret": self._sender.client_secret,
        }
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.stage.url}/api/v1/token", data) as answer:
            return str(json.load(answer)["access_token"])

    async def ready(self) -> None:
        """The stage is up once it is open."""

    async def arrived(self) -> int:
        return self._receiver.receipts.read_bytes().count(b'"first":true')

    async def arrivals(self) -> list[tuple[str, float]]:
        return [(line["sha256"], line["time"]) for line in self._receipts()]

    async def hold(self, held: bool) -> None:
        act = ("pause", "--reason", "bench") if held else ("resume",)
        await asyncio.to_thread(self.stage.lgsp, "endpoint", act[0], RECEIVER, *act[1:], "--json")

    def packet(self, number: str) -> bytes:
        return packet(number, self._sender.code, self._receiver.code)

    def _receipts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._receiver.receipts.read_text().splitlines()]

    async def settle(self, count: int) -> None:
        """Wait for what was held back, and until the ledger has heard of every arrival."""
        await all_arrived(self, count)
        until = time.monotonic() + SETTLE_SECONDS
        while await asyncio.to_thread(self._undelivered) and time.monotonic() < until:
            await asyncio.sleep(0.1)

    def _undelivered(self) -> list[dict[str, Any]]:
        other = [f"--state={state.value}" for state in DeliveryState if state != "delivered"]
        found: list[dict[str, Any]] = self.stage.lgsp("delivery", "list", *other, "--json")["items"]
        return found

    def verify(self, count: int) -> None:
        ids = [line["message_id"] for line in self._receipts()]
        assert len(ids) == len(set(ids)) == count, f"{len(ids)} arrivals of {count}"
        undelivered = self._undelivered()
        assert not undelivered, f"the ledger disagrees: {undelivered[:3]}"

    def close(self) -> None:
        self.stage.close()


class _SampledStage(Stage):
    def _bus_process(self, name: str, role: str) -> Process:
        process = super()._bus_process(name, role)
        counts = str(self.folder / COUNTS)
        process.command = [sys.executable, "-m", "tests.bench.sampled", counts, role]
        return process


class Sampled(Bus):
    """The bus that tells where its CPU goes (sampled.py)."""

    staging = _SampledStage

    @property
    def counts(self) -> Path:
        return self.stage.folder / COUNTS


class Baseline:
    """One of tests.bench.baselines with its sink, in processes of their own."""

    def __init__(self, kind: str, name: str, broker: RabbitMQ, database: PostgreSQL) -> None:
        self.name = name
        self.delivers = kind != "insert"
        self._port, self._sink_port = free_port(), free_port()
        options = {
            "amqp": broker.url,
            "database": database.create_database(f"baseline_{kind}"),
            "port": str(self._port),
            "target": f"http://127.0.0.1:{self._sink_port}/documents",
        }
        given = [part for key, value in options.items() for part in (f"--{key}", value)]
        python = (sys.executable, "-m")
        self._processes = [
            subprocess.Popen([*python, "tests.bench.sink", "--port", str(self._sink_port)]),
            subprocess.Popen([*python, "tests.bench.baselines", kind, *given]),
        ]
        self.target = Target(
            f"http://127.0.0.1:{self._port}/documents",
            {},
            {
                "app": [self._processes[1].pid],
                "broker": pids_of(broker) if self.delivers else [],
                "database": pids_of(database) if kind in {"ledgered", "insert"} else [],
            },
        )

    async def ready(self) -> None:
        async with aiohttp.ClientSession() as http:
            for port in (self._port, self._sink_port):
                for _ in range(300):
                    try:
                        async with http.get(f"http://127.0.0.1:{port}/"):
                            break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.1)
                else:
                    raise TimeoutError(self.name)

    async def arrived(self) -> int:
        return int(await self._ask("count"))

    async def arrivals(self) -> list[tuple[str, float]]:
        return [(digest, at) for digest, at in await self._ask("arrivals")]

    async def hold(self, held: bool) -> None:
        del held  # `insert` is the baseline of accepting alone

    async def _ask(self, what: str) -> Any:
        url = f"http://127.0.0.1:{self._sink_port}/{what}"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return await answer.json()

    def packet(self, number: str) -> bytes:
        return packet(number, "H99.19", "H99.14")

    def verify(self, count: int) -> None:
        del count  # it promises nothing

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # a server that waits for an idle connection
                process.kill()
                process.wait()
