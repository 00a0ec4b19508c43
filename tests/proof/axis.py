"""Two buses and the axis, all processes of their own, exchange documents while all of them fail.

`python -m tests.proof.axis --documents 10000` prints one JSON verdict; exit status 0: clean.
Senders and receivers live here: they know REST and edXML, and share no code with the bus.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
import yaml
from aiohttp import web

from deploy.stage import Process, free_port
from tests.proof.load import PAUSE_SECONDS, Sender
from tests.waiting import wait_until

NS = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
PROVINCES = {"00.38.W00": ("H38.01", "H38.02"), "00.99.W00": ("H99.01", "H99.02")}
HOME = {code: system for system, codes in PROVINCES.items() for code in codes}
MODES = ("500", "503", "hang", "cut", "half", "slow", "garbage")
AT_ONCE = 48
BACKLOG = 2_000  # packets under way at most: a fault meets a load that flows, not a heap
STATES = {"02": "refused", "03": "accepted", "04": "assigned", "05": "processing", "06": "finished"}
CHAINS = (("03",), ("02",), ("03", "04"), ("03", "05", "06"), ("04", "05"))
SIZES = (0, 700, 0, 9_000, 0, 60_000)
LARGE = 700_000  # bytes of the attachment of every 200th document: longer than what is kept ahead


def facts(packet: bytes) -> str:
    """What a packet says, its receivers left out (they are cut) and the hub's order forgotten."""
    root = ET.fromstring(packet)  # noqa: S314 - packets of this proof
    texts = {_local(each): (each.text or "").strip() for each in root.iter()}
    names: tuple[str, ...] = (
        "DocumentId",
        "StatusCode",
        "Subject",
        "Description",
        "BussinessDocType",
        "Timestamp",
    )
    if "StatusCode" not in texts:
        names = tuple(name for name in names if name != "Timestamp")  # the hub's own hop has one
    sender = next(each for each in root.iter() if _local(each) == "From")
    found = {name: texts.get(name, "") for name in names}
    found["From"] = next(each.text or "" for each in sender.iter() if _local(each) == "OrganId")
    header = next(each for each in root.iter() if _local(each) == "MessageHeader")
    found["DocumentId"] = next(e.text or "" for e in header.iter() if _local(e) == "DocumentId")
    files = [e.text or "" for e in root.iter() if _local(e) == "ContentTransferEncoded"]
    found["files"] = " ".join(hashlib.sha256(_file(each)).hexdigest() for each in files)
    return json.dumps(found, sort_keys=True)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _file(text: str) -> bytes:
    raw = base64.b64decode(text)
    if not raw.startswith(b"PK"):
        return raw
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return archive.read(archive.namelist()[0])


@dataclass
class Document:
    """One document, with its life as the proof has decided it."""

    number: int
    sender: str
    receivers: tuple[str, ...]
    way: str  # plain, update, replace, recall (packet of type 1), status-13
    message_id: str = ""

    @property
    def name(self) -> str:
        return f"{self.sender},2026/11/02,{self.number}/VP"

    @property
    def names(self) -> tuple[str, ...]:
        """Its own DocumentId, and that of what takes its place."""
        return (self.name, f"{self.name}-thay") if self.way == "replace" else (self.name,)

    @property
    def recalled(self) -> bool:
        return self.way in {"recall", "status-13"}

    def chain(self, receiver: str) -> tuple[str, ...]:
        """Statuses its receiver sends of its own accord."""
        place = self.number + self.receivers.index(receiver)
        return ("03",) if self.recalled else CHAINS[place % len(CHAINS)]

    def answer(self, receiver: str) -> str:
        """What its receiver says to a recall."""
        return "15" if (self.number // 10 + self.receivers.index(receiver)) % 2 else "16"

    def ends(self, receiver: str) -> set[tuple[str, str]]:
        """State and recall that the sender's bus may show at the end."""
        state = STATES[self.chain(receiver)[-1]]
        if self.way == "replace":  # unless it came to its end before the other took its place
            ended = {(state, "none")} if state in {"refused", "finished"} else set()
            return ended | {("replaced", "none")}
        if not self.recalled:
            return {(state, "none")}
        agreed = self.answer(receiver) == "15"
        return {("recalled", "agreed") if agreed else (state, "refused")}

    def packet(self, kind: int = 0, name: str = "") -> bytes:
        """`kind` as BussinessDocType: 0 new, 1 recall, 2 update, 3 replacement."""
        to = "".join(f"<e:To><e:OrganId>{code}</e:OrganId></e:To>" for code in self.receivers)
        about = ""
        if kind == 1:
            about = "".join(
                f"<e:ResponseFor><e:OrganId>{code}</e:OrganId><e:Code>{self.number}/VP</e:Code>"
                f"<e:DocumentId>{self.name}</e:DocumentId></e:ResponseFor>"
                for code in self.receivers
            )
        named = f"<e:DocumentId>{self.name}</e:DocumentId>" if kind == 2 else ""
        if kind == 3:
            codes = "".join(f"<e:OrganId>{code}</e:OrganId>" for code in self.receivers)
            named = (
                f"<e:ReplacementInfoList><e:ReplacementInfo><e:DocumentId>{self.name}</e:DocumentId>"
                f"<e:OrganIdList>{codes}</e:OrganIdList></e:ReplacementInfo>"
                "</e:ReplacementInfoList>"
            )
        return _envelope(
            f"<e:From><e:OrganId>{self.sender}</e:OrganId></e:From>{to}"
            f"<e:DocumentId>{name or self.name}</e:DocumentId>"
            f"<e:Code><e:CodeNumber>{self.number}</e:CodeNumber>"
            "<e:CodeNotation>VP</e:CodeNotation></e:Code><e:PromulgationInfo><e:Place>Sơn Bình"
            "</e:Place><e:PromulgationDate>2026/11/02</e:PromulgationDate></e:PromulgationInfo>"
            f"<e:Subject>Văn bản {self.number}, lần {kind}</e:Subject>"
            f"<e:OtherInfo><e:Priority>0</e:Priority></e:OtherInfo>{about}",
            "<e:TraceHeaderList><e:Bussiness>"
            f"<e:BussinessDocType>{kind}</e:BussinessDocType>{named}"
            "</e:Bussiness></e:TraceHeaderList>",
            self._files() if kind != 1 else "",
        )

    def _files(self) -> str:
        size = LARGE if self.number % 200 == 199 else SIZES[self.number % len(SIZES)]
        if not size:
            return ""
        content = random.Random(self.number).randbytes(size)
        return (
            "<AttachmentEncoded><Attachment><ContentId>cid:1</ContentId><AttachmentName>phu-luc.bin"
            "</AttachmentName><ContentType>application/octet-stream</ContentType>"
            f'<e:ContentTransferEncoded xmlns:e="{NS}">{base64.b64encode(content).decode()}'
            "</e:ContentTransferEncoded></Attachment></AttachmentEncoded>"
        )

    def status(self, code: str, sender: str, other: str) -> bytes:
        return _envelope(
            f"<e:From><e:OrganId>{sender}</e:OrganId></e:From><e:ResponseFor><e:OrganId>{other}"
            f"</e:OrganId><e:Code>{self.number}/VP</e:Code><e:PromulgationDate>2026/11/02"
            f"</e:PromulgationDate><e:DocumentId>{self.name}</e:DocumentId></e:ResponseFor>"
            f"<e:StatusCode>{code}</e:StatusCode><e:Description>{code}</e:Description>"
            f"<e:Timestamp>2026/11/02 09:00:0{code[1]}</e:Timestamp>",
            "",
        )


def _envelope(header: str, trace: str, after: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NS}" xmlns:e="{NS}">'
        f"<e:edXMLEnvelope><e:edXMLHeader><e:MessageHeader>{header}</e:MessageHeader>{trace}"
        f"</e:edXMLHeader></e:edXMLEnvelope>{after}</edXML>"
    ).encode()


def documents(count: int) -> Iterator[Document]:
    """Every sender in turn, to one or both agencies beyond the axis, every third inside, too."""
    codes = tuple(HOME)
    for number in range(count):
        sender = codes[number % len(codes)]
        away = [code for code in codes if HOME[code] != HOME[sender]]
        inside = [code for code in codes if HOME[code] == HOME[sender] and code != sender]
        to = away if number % 3 else [*away[number % 2 :][:1], *inside]
        way = {3: "update", 5: "recall", 7: "status-13", 9: "replace"}.get(number // 4 % 10, "")
        yield Document(number, sender, tuple(to), way or "plain")


@dataclass
class Systems:
    """All agencies' document systems. They act on what reaches them first, as the bus asks."""

    senders: dict[str, Sender] = field(default_factory=dict)  # by systemid
    by_name: dict[str, Document] = field(default_factory=dict)
    told: dict[str, Counter[str]] = field(default_factory=dict)  # by receiver: due facts
    got: dict[str, list[str]] = field(default_factory=dict)  # by receiver: facts in order
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    repeats: int = 0
    recalled: int = 0
    due: int = 0  # packets that senders have a receipt for, by receiver
    arrived: int = 0
    _known: set[tuple[str, str]] = field(default_factory=set)
    _have: Counter[str] = field(default_factory=Counter)

    async def send(self, sender: str, packet: bytes, to: tuple[str, ...]) -> str:
        """Until there is a receipt; returns its message id."""
        said = facts(packet)
        ref = hashlib.sha256(packet).hexdigest()
        while True:
            status, body = await self.senders[HOME[sender]].post(packet, ref=ref)
            if status == 202:
                break
            if status not in {0, 429, 502, 503, 504}:
                raise AssertionError(f"refused: {status} {body}")
            await asyncio.sleep(PAUSE_SECONDS)
        for receiver in to:
            self.told.setdefault(receiver, Counter())[said] += 1
            self.due += 1
        return str(body["messageId"])

    async def bring(self, document: Document) -> None:
        self.by_name[document.name] = document
        document.message_id = await self.send(
            document.sender, document.packet(), document.receivers
        )
        if document.way == "update":
            await self.send(document.sender, document.packet(2), document.receivers)
        if document.way == "replace":
            packet = document.packet(3, document.names[1])
            await self.send(document.sender, packet, document.receivers)

    async def receive(self, request: web.Request) -> web.Response:
        code, body = request.match_info["code"], await request.read()
        message_id = request.headers["LGSP-Message-Id"]
        if (code, message_id) in self._known:
            self.repeats += 1
        else:
            self._known.add((code, message_id))
            said = facts(body)
            self.got.setdefault(code, []).append(said)
            self.arrived += 1
            task = asyncio.create_task(self._act(code, json.loads(said)))
            self.tasks.add(task)
        digest = hashlib.sha256(body).hexdigest()
        return web.json_response({"messageId": message_id, "receipt": "1", "sha256": digest})

    async def _act(self, code: str, said: dict[str, str]) -> None:
        document = self.by_name.get(said["DocumentId"])
        if document is None or said["BussinessDocType"] in {"2", "3"}:
            return
        if said["StatusCode"] == "13" or said["BussinessDocType"] == "1":
            await self._report(document, document.answer(code), code)
        elif not said["StatusCode"]:
            for status in document.chain(code):
                await self._report(document, status, code)
            self._have[document.name] += 1
            if document.recalled and self._have[document.name] == len(document.receivers):
                await self._recall(document)

    async def _report(self, document: Document, status: str, code: str) -> None:
        packet = document.status(status, code, document.sender)
        await self.send(code, packet, (document.sender,))

    async def _recall(self, document: Document) -> None:
        self.recalled += 1
        if document.way == "recall":
            await self.send(document.sender, document.packet(1), document.receivers)
            return
        for receiver in document.receivers:
            packet = document.status("13", document.sender, receiver)
            await self.send(document.sender, packet, (receiver,))

    def untold_arrivals(self) -> list[str]:
        """Documents whose status 01, which each bus sends by itself, has not come from there."""
        come = {
            (code, said["From"], said["DocumentId"])
            for code, got in self.got.items()
            for said in map(json.loads, got)
            if said["StatusCode"] == "01"
        }
        return [
            f"{name} at {receiver}: no status 01"
            for document in self.by_name.values()
            for name in document.names
            for receiver in document.receivers
            if (document.sender, receiver, name) not in come
        ]

    def judge(self) -> dict[str, Any]:
        """Counts, with examples of what is wrong."""
        lost, doubled, unknown, disordered = [], [], [], []
        for code in HOME:
            due, got = self.told.get(code, Counter()), Counter(self.got.get(code, []))
            own = {each for each in got if '"StatusCode": "01"' in each}  # of the bus itself
            lost += [f"{code}: {each}" for each in due if got[each] < due[each]]
            doubled += [f"{code}: {each}" for each in got if got[each] > max(1, due[each])]
            unknown += [f"{code}: {each}" for each in got if each not in due and each not in own]
            last: dict[str, int] = {}
            for each in map(json.loads, self.got.get(code, [])):
                if each["StatusCode"] == "01":  # the bus tells it beside what systems say
                    continue
                rank = _rank(each)
                key = f"{each['From']} {each['DocumentId']} {bool(each['StatusCode'])}"
                if rank < last.get(key, -1):
                    disordered.append(f"{code}: {each}")
                last[key] = rank
        wrong = {"lost": lost, "doubled": doubled, "unknown": unknown, "disordered": disordered}
        return {
            "packets_due": self.due,
            "packets_arrived": self.arrived,
            "repeats_at_receivers": self.repeats,
            "recalls": self.recalled,
            **{name: len(each) for name, each in wrong.items()},
            "examples": {name: each[:3] for name, each in wrong.items() if each},
        }


def _rank(said: dict[str, str]) -> int:
    """Place of a packet in the order in which its sender sent them."""
    if said["StatusCode"]:
        return int(said["StatusCode"])
    return {"0": 0, "2": 1, "1": 2}.get(said["BussinessDocType"], 0)


class Arena:
    """The processes: the hub, and a bus for each province."""

    def __init__(self, folder: Path, receivers: int) -> None:
        self.folder = folder
        self.receivers = receivers  # port
        self.hub_port = free_port()
        self.secrets = {system: f"secret-of-{system}-axis" for system in PROVINCES}
        self.ports = {system: free_port() for system in PROVINCES}
        self.keys: dict[str, str] = {}
        self.buses = {system: self._bus(system) for system in PROVINCES}
        self.kills: Counter[str] = Counter()
        self.forgets = False
        self.hub = self._hub()

    def open(self) -> None:
        provinces = [
            {"systemid": system, "secret": self.secrets[system], "codes": codes}
            for system, codes in PROVINCES.items()
        ]
        (self.folder / "provinces.json").write_text(json.dumps(provinces))
        self.hub.start()
        for system in PROVINCES:
            self._declare(system)
            self.buses[system].start()

    def close(self) -> None:
        for each in (*self.buses.values(), self.hub):
            each.stop()

    def kill_bus(self, system: str) -> None:
        self.buses[system].kill()
        self.kills[f"bus {system}"] += 1
        self.buses[system].start()

    def kill_hub(self) -> None:
        """Comes back with the other habit about repeated uploads."""
        self.hub.kill()
        self.kills["hub"] += 1
        self.forgets = not self.forgets
        self.hub = self._hub()
        self.hub.start()

    def _hub(self) -> Process:
        command = [
            *(sys.executable, "-m", "adapters.vxp.sandbox", "--port", str(self.hub_port)),
            *("--provinces", str(self.folder / "provinces.json")),
            *("--store", str(self.folder / "axis.db"), "--duplicates", "0.1"),
            *(["--forgets-repeats"] if self.forgets else []),
        ]
        return Process("hub", command, dict(os.environ), self.folder / "hub.log")

    def _bus(self, system: str) -> Process:
        folder = self.folder / system
        (folder / "secrets").mkdir(parents=True)
        (folder / "secrets" / "truc").write_text(self.secrets[system])
        (folder / "secrets" / "pm").write_text("secret-of-the-systems-0123")
        env = {k: v for k, v in os.environ.items() if not k.startswith("LGSP_")} | {
            "LGSP_DATA_DIR": str(folder),
            "LGSP_SECRETS_DIR": str(folder / "secrets"),
            "LGSP_HTTP_PORT": str(self.ports[system]),
        }
        command = [sys.executable, "-m", "bus.cli", "serve"]
        return Process(system, command, env, self.folder / f"{system}.log")

    def _declare(self, system: str) -> None:
        folder, env = self.folder / f"{system}-province", self.buses[system].env
        folder.mkdir()
        patience = {"first": 0.3, "soft_cap": 2, "cap": 4, "max_attempts": 100_000}
        common = {"retry": patience, "breaker": {"probe_every": 0.5}, "reports_arrival": False}
        axis = {
            "url": f"http://127.0.0.1:{self.hub_port}",
            "systemid": system,
            "secret": "truc",
            "poll_seconds": 0.2,
            "connect_seconds": 2,
            "answer_seconds": 2,
        }
        endpoints: list[dict[str, Any]] = [
            {"name": "truc", "kind": "vxp", "concurrency": 16, "config": axis, "retry": patience}
            | {"breaker": {"probe_every": 0.5}}
        ]
        agencies = []
        for code, home in HOME.items():
            own = code.lower().replace(".", "-") if home == system else "truc"
            agencies.append({"code": code, "name": f"Cơ quan {code}", "endpoint": own})
            if home == system:
                url = f"http://127.0.0.1:{self.receivers}/{code}"
                config = {"url": url, "secret": "pm"}
                endpoints.append({"name": own, "kind": "rest-push", "config": config, **common})
        client = {"id": "pm", "agencies": list(PROVINCES[system]), "rate": 1e5, "burst": 100_000}
        for name, rows in (("endpoints", endpoints), ("agencies", agencies), ("clients", [client])):
            text = yaml.safe_dump({name: rows}, allow_unicode=True)
            (folder / f"{name}.yaml").write_text(text)
        _lgsp(env, "migrate")
        _lgsp(env, "apply", "-f", str(folder), "--reason", "proof", "--yes")
        self.keys[system] = json.loads(_lgsp(env, "client", "key", "add", "pm", "--json"))["key"]


def _lgsp(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "bus.cli", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"lgsp {arguments}: {done.stderr[-2000:]}")
    return done.stdout


async def trouble(
    arena: Arena, dice: random.Random, sent: asyncio.Event, faults: Counter[str], gap: float
) -> None:
    """Every fault in turn, about `gap` seconds apart, until everything is sent and each has
    happened.
    """
    url = f"http://127.0.0.1:{arena.hub_port}/_sandbox/fault"
    systems = list(PROVINCES)
    turn = 0
    async with aiohttp.ClientSession() as http:
        while turn < len(MODES) + 3 or not sent.is_set():
            what = (*MODES, "kill hub", "kill bus 0", "kill bus 1")[turn % (len(MODES) + 3)]
            turn += 1
            await asyncio.sleep(dice.uniform(0.5, 1.5) * gap)
            if what == "kill hub":
                await asyncio.to_thread(arena.kill_hub)
            elif what.startswith("kill"):
                await asyncio.to_thread(arena.kill_bus, systems[int(what[-1])])
            else:
                fault = {"mode": what, "probability": 0.4, "seconds": 1.5}
                try:
                    async with http.post(url, json=fault) as answer:
                        faults[what] += answer.status == 200
                except aiohttp.ClientError:
                    continue


async def run(
    folder: Path, count: int, *, report: bool = False, seconds: float = 60, gap: float = 1
) -> dict[str, Any]:
    """`seconds` are those in which everything has to be settled after the last fault."""
    began = time.monotonic()
    systems, dice = Systems(), random.Random(2026)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/{code}", systems.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    arena = Arena(folder, site.port)
    faults: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(asyncio.to_thread, arena.close)
        await asyncio.to_thread(arena.open)
        for system, port in arena.ports.items():
            sender = Sender(f"http://127.0.0.1:{port}", system, "pm", arena.keys[system])
            systems.senders[system] = await stack.enter_async_context(sender)
        sent = asyncio.Event()
        troubles = asyncio.create_task(trouble(arena, dice, sent, faults, gap))
        source = documents(count)

        async def work() -> None:
            for document in source:
                while systems.due - systems.arrived > BACKLOG:
                    await asyncio.sleep(0.05)
                await systems.bring(document)

        show = asyncio.create_task(_show(systems, count)) if report else None
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        sent.set()
        await troubles
        settled = time.monotonic()
        problems = await _settle(systems, seconds)
        if show:
            show.cancel()
        wrong = await _wrong_states(systems)
        verdict = systems.judge()
        for task in systems.tasks:
            if task.done() and task.exception():
                problems.append(repr(task.exception()))
    untold = systems.untold_arrivals()
    problems += untold[:5]
    clean = not (problems or wrong or verdict["examples"])
    return {
        "clean": clean,
        "documents": count,
        "exchanges_judged": sum(len(each.receivers) for each in systems.by_name.values()),
        "arrivals_untold": len(untold),
        "wrong_final_status": len(wrong),
        **verdict,
        "problems": problems[:5] + wrong[:5],
        "kills": dict(arena.kills),
        "faults": dict(faults),
        "settled_seconds": round(time.monotonic() - settled, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


async def _show(systems: Systems, count: int) -> None:
    while True:
        done = len(systems.by_name)
        bar = "█" * (30 * done // count)
        text = f"\r{bar:<30} {done}/{count}, {systems.arrived} arrived"
        print(text, end="", file=sys.stderr, flush=True)
        await asyncio.sleep(1)


def _missing(systems: Systems) -> int:
    due = [(code, each) for code, told in systems.told.items() for each in told]
    got = {code: set(each) for code, each in systems.got.items()}
    return sum(each not in got.get(code, ()) for code, each in due)


async def _settle(systems: Systems, seconds: float) -> list[str]:
    recalls = sum(each.recalled for each in systems.by_name.values())

    async def quiet() -> bool:
        await asyncio.sleep(0.2)
        idle = all(task.done() for task in systems.tasks) and systems.recalled == recalls
        if not idle or _missing(systems) or systems.untold_arrivals():
            return False
        return not await _wrong_states(systems, first=True)

    try:
        _: bool = await wait_until(quiet, seconds)
    except AssertionError:
        return [f"not settled in {seconds:g} s: {_missing(systems)} missing"]
    return []


async def _wrong_states(systems: Systems, *, first: bool = False) -> list[str]:
    """Documents at a receiver whose state the sender's bus does not show; `first` ends there."""
    wrong: list[str] = []
    for document in systems.by_name.values():
        try:
            shown = await systems.senders[HOME[document.sender]].get(
                f"/api/v1/exchanges/{document.message_id}"
            )
        except (aiohttp.ClientError, TimeoutError):
            wrong.append(f"{document.name}: no answer")
            continue
        states = {each["receiver"]: (each["state"], each["recall"]) for each in shown["receivers"]}
        wrong += [
            f"{document.name} at {code}: {states.get(code)}, of {document.ends(code)}"
            for code in document.receivers
            if states.get(code) not in document.ends(code)
        ]
        if wrong and first:
            break
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.axis")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--settle-seconds", type=float, default=300)
    parser.add_argument("--gap", type=float, default=8, help="seconds between two faults")
    parser.add_argument("--keep", type=Path, help="folder for logs and ledgers; stays there")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="lgsp-axis-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        seconds = options.settle_seconds
        verdict = asyncio.run(
            run(folder, options.documents, report=True, seconds=seconds, gap=options.gap)
        )
    verdict = {"command": " ".join(("python -m tests.proof.axis", *sys.argv[1:]))} | verdict
    print(json.dumps(verdict, indent=2, ensure_ascii=False))
    return 0 if verdict["clean"] else 1


if __name__ == "__main__":
    sys.exit(main())
