"""`python -m tests.bench`: the bus on both brokers and both databases, beside the baseline.

Every variant runs in each round, in turn; the table shows medians over the rounds and the ratio to
the baseline of the same session.  A bus message counts when the receiver has it and the ledger says
delivered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.services import PostgreSQL, RabbitMQ
from deploy.services.service import Service
from deploy.stage import Stage, free_port
from schemas.delivery import DeliveryState
from tests.bench.load import Result, run

SENDER, RECEIVER = "so-y-te", "so-xay-dung"
NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
SETTINGS = {"LGSP_LOG_LEVEL": "WARNING"}


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
        f"<e:Subject>{'V/v báo cáo tình hình. ' * 45}</e:Subject>"
        f"<e:OtherInfo><e:Priority>0</e:Priority></e:OtherInfo>"
        f"</e:MessageHeader></e:edXMLHeader></e:edXMLEnvelope></edXML>"
    )
    return text.encode()


def pids_of(service: Service | None) -> list[int]:
    if service is None:
        return []
    return [int(f.read_text().split()[0]) for f in service.folder.glob("*.pid")]


class Bus:
    """One variant of the bus on a stage of its own."""

    def __init__(
        self, name: str, folder: Path, broker: RabbitMQ | None, database: PostgreSQL | None
    ) -> None:
        self.name = name
        self._services = (broker, database)
        self.stage = Stage(
            folder,
            database_url=database.create_database(f"bench{folder.name}") if database else None,
            broker_url=broker.url if broker else None,
            settings=SETTINGS,
            endpoint_options={"concurrency": 64},
        )
        self.stage.open()
        agencies = {agency.endpoint: agency for agency in self.stage.agencies}
        self.sender, self.receiver = agencies[SENDER], agencies[RECEIVER]
        form = {
            "grant_type": "client_credentials",
            "client_id": self.sender.client,
            "client_secret": self.sender.client_secret,
        }
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.stage.url}/api/v1/token", data) as answer:
            self.token = json.load(answer)["access_token"]
        self._round = 0

    async def measure(self, count: int, in_flight: int) -> Result:
        self._round += 1
        packets = [
            packet(f"{self._round}-{n}", self.sender.code, self.receiver.code) for n in range(count)
        ]
        broker, database = self._services
        pids = {
            "app": [self.stage.bus[0].pid],
            "broker": pids_of(broker),
            "database": pids_of(database),
        }
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/xml"}
        url = f"{self.stage.url}/api/v1/documents"
        return await run(url, headers, packets, in_flight, self._arrived, pids)

    async def _arrived(self) -> int:
        return self.receiver.receipts.read_bytes().count(b'"first":true')

    def verify(self, count: int) -> None:
        """Nothing lost, nothing doubled, and the ledger agrees."""
        lines = self.receiver.receipts.read_text().splitlines()
        ids = [json.loads(line)["message_id"] for line in lines]
        assert len(ids) == len(set(ids)) == count, f"{len(ids)} arrivals of {count}"
        other = [f"--state={state.value}" for state in DeliveryState if state != "delivered"]
        undelivered = self.stage.lgsp("delivery", "list", *other, "--json")["items"]
        assert not undelivered, f"the ledger disagrees: {undelivered[:3]}"

    def close(self) -> None:
        self.stage.close()


class Naive:
    """The baseline, with its sink."""

    name = "naive pipeline"

    def __init__(self, broker: RabbitMQ) -> None:
        self._broker = broker
        self._port, self._sink_port = free_port(), free_port()
        target = f"http://127.0.0.1:{self._sink_port}/documents"
        python = (sys.executable, "-m")
        naive = ("--amqp", broker.url, "--port", str(self._port), "--target", target)
        self._processes = [
            subprocess.Popen([*python, "tests.bench.sink", "--port", str(self._sink_port)]),
            subprocess.Popen([*python, "tests.bench.naive", *naive]),
        ]

    async def ready(self) -> None:
        async with aiohttp.ClientSession() as http:
            for _ in range(200):
                try:
                    async with http.get(f"http://127.0.0.1:{self._port}/"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
        raise TimeoutError(self.name)

    async def measure(self, count: int, in_flight: int) -> Result:
        packets = [packet(str(n), "H99.19", "H99.14") for n in range(count)]
        pids = {"app": [self._processes[1].pid], "broker": pids_of(self._broker), "database": []}
        url = f"http://127.0.0.1:{self._port}/documents"
        return await run(url, {}, packets, in_flight, self._arrived, pids)

    async def _arrived(self) -> int:
        url = f"http://127.0.0.1:{self._sink_port}/count"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return int(await answer.json())

    def verify(self, count: int) -> None:
        del count

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(10)


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {}
    with ExitStack() as stack:
        rabbit, postgres = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
        for service in (rabbit, postgres):
            stack.callback(service.stop)
            service.start()
        naive = Naive(rabbit)
        stack.callback(naive.close)
        await naive.ready()
        variants: list[Bus | Naive] = [naive]
        for name, broker, database in (
            ("bus: RabbitMQ + PostgreSQL", rabbit, postgres),
            ("bus: RabbitMQ + SQLite", rabbit, None),
            ("bus: embedded + PostgreSQL", None, postgres),
            ("bus: embedded + SQLite", None, None),
        ):
            bus = Bus(name, folder / str(len(variants)), broker, database)
            stack.callback(bus.close)
            variants.append(bus)
        for variant in variants:  # not counted: pools, caches, code paths
            await variant.measure(options.messages // 4, options.in_flight)
        for number in range(options.rounds):
            for variant in variants:
                print(f"round {number + 1}: {variant.name}", file=sys.stderr)
                result = await variant.measure(options.messages, options.in_flight)
                results.setdefault(variant.name, []).append(result)
        for variant in variants:
            variant.verify(options.messages // 4 + options.rounds * options.messages)
    return results


def show(results: dict[str, list[Result]], options: argparse.Namespace) -> dict[str, Any]:
    columns = list(next(iter(results.values()))[0].to_json())
    medians = {
        name: {c: statistics.median(r.to_json()[c] for r in rounds) for c in columns}
        for name, rounds in results.items()
    }
    table = Table(title=f"{options.messages} messages of 2 KB, {options.in_flight} in flight")
    for head in ("variant", "accept/s", "end to end/s", "p50 ms", "p99 ms"):
        table.add_column(head, justify="left" if head == "variant" else "right")
    for head in ("app µs", "broker µs", "db µs", "per core/s", "× naive"):
        table.add_column(head, justify="right")
    base = medians[Naive.name]["per_core"]
    for name, m in medians.items():
        table.add_row(name, *(f"{m[c]:,.1f}" for c in columns), f"{m['per_core'] / base:.2f}")
    Console(width=150).print(table)
    rounds = {name: [r.to_json() for r in rounds] for name, rounds in results.items()}
    return {
        "options": {k: v for k, v in vars(options).items() if k != "json"},
        "median": medians,
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL of root runs as another user
        figures = show(uvloop.run(measure(options, Path(folder))), options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
