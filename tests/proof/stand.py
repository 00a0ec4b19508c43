"""A province on the test stand: the bus in patched processes, its receivers, the axis, the wires.

Everything that may break is in reach of `breaking.py`; what is said and got is kept as NDJSON
below `histories`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from adapters.vxp.hub_store import NewPacket
from adapters.vxp.sandbox import Axis, Province
from deploy.services import PostgreSQL, RabbitMQ
from deploy.stage import Process, bare_environment, free_port
from tests.certificates import certificate
from tests.proof import packets
from tests.proof.judge import TOLD, Book
from tests.proof.load import History, Key, Sender, Sent
from tests.proof.nest import Bird, Nest
from tests.proof.points import Backend
from tests.proof.wire import Wire
from tests.waiting import wait_until

SYSTEMS = tuple(f"he-{n}" for n in range(1, 7))
AGENCIES = {name: f"H99.0{n}" for n, name in enumerate(SYSTEMS, start=1)}
SECURED = SYSTEMS[-1]  # behind TLS and a wire
PORTAL, PORTAL_AGENCY = "cong", "H99.90"
AXIS, REMOTE = "truc", "H98.14"
OURS, THEIRS = "00.99.W00", "00.98.W00"
SECRET = "secret-of-all-systems-of-the-stand"
INTRUDER, INTRUDER_AGENCY = "ke-la", "H99.66"
CLIENT = "pm"
ROLES: dict[Backend, tuple[str, ...]] = {
    "embedded-sqlite": ("serve",),
    "rabbitmq-postgresql": (
        *("gateway", "gateway", "dispatcher", "dispatcher", "worker", "worker"),
    ),
}
START_SECONDS = 300.0
MIB = 1024 * 1024


@dataclass
class Place:
    """One process of the bus: dies and comes back under the same name."""

    name: str
    role: str
    env: dict[str, str]
    log: Path
    bird: Bird | None = None
    ready_at: int = 0  # bytes of memory once it had come up

    @property
    def port(self) -> int:
        return int(self.env["LGSP_HTTP_PORT"])


@dataclass
class Stand:
    """`async with Stand(...)`: the bus is up and ready."""

    folder: Path
    nest: Nest
    backend: Backend = "embedded-sqlite"
    rabbitmq: RabbitMQ | None = None
    postgres: PostgreSQL | None = None
    database_url: str | None = None
    extra: dict[str, str] = field(default_factory=dict)  # environment of all processes of the bus
    begin: bool = True  # start the bus, too

    def __post_init__(self) -> None:
        self.histories = self.folder / "histories"
        self.histories.mkdir(parents=True)
        (self.folder / "secrets").mkdir(exist_ok=True)
        for name in ("he", "truc"):
            (self.folder / "secrets" / name).write_text(SECRET)
        self.history = History(self.histories / TOLD)
        self.books = {n: Book(self.histories / f"{n}.ndjson") for n in (*SYSTEMS, PORTAL)}
        self._hits = self.folder / "hits"
        self.ports = {name: free_port() for name in (*SYSTEMS, PORTAL)}
        self.env = bare_environment() | {
            "LGSP_DATA_DIR": str(self.folder / "bus"),
            "LGSP_SECRETS_DIR": str(self.folder / "secrets"),
            "LGSP_BROKER_PREFIX": "stand",
            "LGSP_LOG_LEVEL": "WARNING",
            "LGSP_DRAIN_SECONDS": "3",
            "PROOF_HITS": str(self._hits),
            **self.extra,
        }
        if self.database_url:
            self.env["LGSP_DATABASE_URL"] = self.database_url
        self.places: list[Place] = []
        self.packets = 0  # put at the axis
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        stack = self._stack
        stack.callback(self.history.close)
        provinces = [
            Province(OURS, SECRET.encode(), tuple(AGENCIES.values())),
            Province(THEIRS, b"-" * 32, (REMOTE,)),
        ]
        self.axis = await stack.enter_async_context(Axis(provinces))
        self.secured = await stack.enter_async_context(Wire(self.ports[SECURED]))
        if self.rabbitmq is not None:
            self.wire = await stack.enter_async_context(Wire(self.rabbitmq.ports["amqp"]))
            self.env["LGSP_BROKER_URL"] = f"amqp://guest:guest@127.0.0.1:{self.wire.port}/"
        certificate(self.folder / "tls", days=2)  # a proof may take a day
        receivers = Process(
            "receivers",
            [
                *(sys.executable, "-m", "tests.proof.receivers", str(self.histories)),
                *(f"{name}={port}" for name, port in self.ports.items()),
                *("--tls", f"{SECURED}={self.folder / 'tls'}"),
            ],
            bare_environment(),
            self.folder / "receivers.log",
        )
        receivers.start()
        stack.push_async_callback(asyncio.to_thread, receivers.stop)
        await self._declare()
        keys = [await self._key(each) for each in (CLIENT, INTRUDER)]
        doors = []
        for number, role in enumerate(ROLES[self.backend], start=1):
            port = free_port()
            env = self.env | {"LGSP_HTTP_PORT": str(port)}
            log = self.folder / f"{role}-{number}.log"
            self.places.append(Place(f"{role}-{number}", role, env, log))
            if role in {"serve", "gateway"}:
                doors.append(f"http://127.0.0.1:{port}")
        stack.push_async_callback(self.stop)
        self.sender = await stack.enter_async_context(
            Sender(" ".join(doors), "", CLIENT, keys[0], self.history, again_every=7)
        )
        self.intruder = await stack.enter_async_context(
            Sender(" ".join(doors), AGENCIES["he-1"], INTRUDER, keys[1])
        )
        if self.begin:
            for place in self.places:
                await self.start(place)
            await self.ready()

    # --- the bus --------------------------------------------------------------------------------

    async def start(self, place: Place, **env: str) -> None:
        place.bird = await asyncio.to_thread(
            self.nest.start, place.name, [place.role], place.env | env, place.log
        )
        place.ready_at = 0

    async def ready(self) -> None:
        """Every door answers; from now on the memory of processes is watched."""
        async with aiohttp.ClientSession() as http:
            for door in self.sender.url.split():

                async def answers(door: str = door) -> bool:
                    try:
                        async with http.get(f"{door}/readyz") as answer:
                            return answer.status == 200
                    except (aiohttp.ClientError, OSError):
                        return False

                _: bool = await wait_until(answers, START_SECONDS, f"{door} of {self.folder}")
        for place in self.places:
            place.ready_at = place.ready_at or _peak(place)

    def weigh(self) -> None:
        """The kernel's word about the memory of the processes, into the history."""
        for place in self.places:
            if place.ready_at and (peak := _peak(place)):
                self.history.tell("memory", process=place.name, ready=place.ready_at, peak=peak)

    async def kill(self, *places: Place) -> None:
        """Kill -9 all of them at once."""
        self.weigh()
        for place in places:
            if place.bird is not None:
                await asyncio.to_thread(place.bird.kill)

    async def revive(self, *places: Place) -> None:
        for place in places:
            await self.start(place)
        await self.ready()

    def points_hit(self) -> list[str]:
        """Names of the crash points at which processes died, in order."""
        return self._hits.read_text().split() if self._hits.exists() else []

    async def stop(self) -> None:
        self.weigh()
        for place in self.places:
            if place.bird is not None:
                await asyncio.to_thread(place.bird.stop)

    async def lgsp(self, *arguments: str, **env: str) -> str:
        """Run the command line; what it printed."""
        status, said = await self.try_lgsp(*arguments, **env)
        if status:
            raise AssertionError(f"lgsp {' '.join(arguments)}: {status} {said[-2000:]}")
        return said

    async def try_lgsp(self, *arguments: str, **env: str) -> tuple[int, str]:
        log = self.folder / "lgsp.log"
        log.unlink(missing_ok=True)
        log.touch()
        bird = await asyncio.to_thread(
            self.nest.start, "lgsp", list(arguments), self.env | env, log
        )
        status = await asyncio.to_thread(bird.wait)
        return status, log.read_text()

    # --- the province ---------------------------------------------------------------------------

    async def _declare(self) -> None:
        (self.folder / "bus").mkdir(exist_ok=True)
        path = self.folder / "province.yaml"
        path.write_text(yaml.safe_dump(self.province(), allow_unicode=True))
        await self.lgsp("migrate")
        await self.lgsp("apply", "-f", str(path), "--reason", "stand", "--yes")

    def province(self) -> dict[str, Any]:
        patience = {"first": 0.2, "soft_cap": 1, "cap": 2, "max_attempts": 100_000}
        common = {"retry": patience, "breaker": {"probe_every": 0.5}, "reports_arrival": False}
        endpoints: list[dict[str, Any]] = []
        for name, port in self.ports.items():
            url = f"http://127.0.0.1:{port}/documents"
            config: dict[str, Any] = {"secret": "he", "connect_seconds": 2, "answer_seconds": 3}
            if name == SECURED:
                url = f"https://127.0.0.1:{self.secured.port}/documents"
                config["ca_file"] = str(self.folder / "tls" / "cert.pem")
            config |= {"url": url, "lookup_url": url}
            endpoints.append({"name": name, "kind": "rest-push", "config": config, **common})
        axis = {"url": self.axis.url, "systemid": OURS, "secret": "truc", "poll_seconds": 0.2}
        endpoints.append({"name": AXIS, "kind": "vxp", "config": axis, **common})
        agencies = [
            {"code": "H99", "name": "Tỉnh Sơn Bình"},
            *(
                {"code": code, "name": f"Cơ quan {code}", "parent": "H99", "endpoint": name}
                for name, code in (*AGENCIES.items(), (PORTAL, PORTAL_AGENCY))
            ),
            {"code": INTRUDER_AGENCY, "name": "Cơ quan lạ", "parent": "H99", "endpoint": PORTAL},
            {"code": REMOTE, "name": "Sở của tỉnh bạn", "endpoint": AXIS},
        ]
        generous = {"rate": 100_000, "burst": 100_000}
        return {
            "endpoints": endpoints,
            "agencies": agencies,
            "subscriptions": [{"name": "cong", "sender": "H99.*", "receivers": [PORTAL_AGENCY]}],
            "clients": [
                {"id": CLIENT, "agencies": list(AGENCIES.values()), **generous},
                {"id": INTRUDER, "agencies": [INTRUDER_AGENCY], **generous},
            ],
        }

    async def _key(self, client: str) -> str:
        return str(json.loads(await self.lgsp("client", "key", "add", client, "--json"))["key"])

    # --- what others do -------------------------------------------------------------------------

    async def fault(self, system: str, mode: str, **details: Any) -> None:
        """Of a receiving system, until `ok`."""
        port = self.ports[system]
        scheme = "https" if system == SECURED else "http"
        url = f"{scheme}://127.0.0.1:{port}/_sandbox/fault"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json={"mode": mode, **details}, ssl=False) as answer,
        ):
            answer.raise_for_status()

    async def trespass(self, number: int) -> None:
        """A client sends in the name of an agency that it does not speak for."""
        key = Key(f"gia-mao-{number}", "document", (AGENCIES["he-2"],), ("he-2",))
        status, _ = await self.intruder.post(key.packet(AGENCIES["he-1"], 0))
        self.history.tell("trespass", **{"as": AGENCIES["he-1"]}, status=status)

    def put(self) -> Sent:
        """A packet of the other province at the axis, for one of ours; told as soon as it lies
        there.
        """
        number, self.packets = self.packets, self.packets + 1
        name = SYSTEMS[number % 3]
        document_id = f"{REMOTE},2026/03/02,{number}/BC"
        key = Key(document_id, "document", (AGENCIES[name],), (name,), REMOTE, AXIS)
        request = key.request(REMOTE, 0)
        sent = key.sent(0, request, "", None)
        self.axis.store.add(
            NewPacket(
                *(f"tiep-{number}", THEIRS, "edoc", REMOTE, request.sha256),
                *(f"Báo cáo số {number}", f"{number}/BC", "2026/03/02 08:00:00", request.body),
            ),
            [(AGENCIES[name], OURS)],
        )
        self.sender.sent.append(sent)
        self.history.tell("sent", **asdict(sent))
        return sent

    def read_axis(self) -> Book:
        """What came to the axis from us, as a receiver's book: statuses about its documents."""
        book = Book(self.histories / f"{AXIS}.ndjson")
        rows = self.axis.store._db.execute(
            "SELECT doc_id, content FROM packet WHERE system = ? ORDER BY number", (OURS,)
        ).fetchall()
        lines = [
            {
                "message_id": doc_id,
                "sha256": hashlib.sha256(content).hexdigest(),
                "first": True,
                "at": 0.0,
                "status": packets.status_of(content),
            }
            for doc_id, content in rows
        ]
        book.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return book.refresh()


def _peak(place: Place) -> int:
    """Bytes of memory the process ever held (VmHWM of proc(5)); 0: it is gone."""
    if place.bird is None or not place.bird.alive:
        return 0
    try:
        lines = Path(f"/proc/{place.bird.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    line = next((each for each in lines if each.startswith("VmHWM:")), "0 0")
    return int(line.split()[1]) * 1024
