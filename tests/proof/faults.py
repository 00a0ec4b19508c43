"""Labelled faults: a bus in this process with partners and senders that are well until one is not.

Each kind of fault knows what it does to whom, and which alerts would name it rightly. What the
bus then raises is judged against the labels.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from aiohttp import web
from sqlalchemy import text

from adapters.faults import Fault as Trouble
from adapters.faults import Mode
from adapters.rest_push.sandbox import Sandbox
from bus.app import ROLES, running
from bus.ledger.config_store import Change, Item, name_of
from bus.ledger.config_store import Kind as ConfigKind
from bus.ledger.ledger import Ledger
from bus.settings import Settings
from schemas.delivery import DeliveryState
from schemas.instant import SECOND, Instant
from schemas.province import Agency, Client, Endpoint
from schemas.vietnam import VIETNAM
from tests.certificates import certificate
from tests.ledgers import prepare
from tests.proof.faults_ground import Second, Volume, volume

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
SECRET = b"khoa-cua-doi-tac-2026"
PARTNERS = tuple(f"doi-tac-{number}" for number in range(1, 7))
FRAGILE = "doi-tac-5"  # gives up after two attempts, and never opens its breaker
SENDERS = tuple(f"H38.1{number}" for number in range(6))
LATE, TLS, MAILBOX, VISITOR = "H38.70", "doi-tac-tls", "hop-thu", "khach-sap-het"
RECEIVERS = (*(f"H38.5{number}" for number in range(1, 7)), "H38.90")
DEAD_SECONDS = 8.0  # until those who live are sure that a process is dead
BEAT = 0.4  # seconds between two messages of a sender


def policy(scale: float, hook: str, disks: dict[str, float]) -> dict[str, Any]:
    """The bus' defaults in the proportions of an hour, `scale` times faster."""

    def fast(seconds: float) -> float:
        return seconds / scale

    return {
        "every": max(0.25, fast(15)),
        "resolve_after": fast(60),
        "group_seconds": fast(60),
        "webhook": {"url": hook, "secret": "canh-bao", "seconds": 2},
        "thresholds": {
            "silent_least": fast(120),
            "silent_working_time": False,
            "rhythm_span": fast(60),
            "backlog_normal": fast(300),
            "backlog_urgent": fast(300),
            "backlog_pull": fast(200),
            "window": fast(600),
            "breaker_seconds": fast(60),
            "repeats_least": 15,
            "drift_learns": 5,
            "drift_seconds": fast(120),
            "drift_forgets": fast(150),
            "skew_lasts": fast(60),
            "process_seconds": fast(30),
            "process_settles": 3,
            "role_seconds": fast(30),
            "broker_seconds": fast(60),
            "channel_seconds": fast(120),
            "journal_pause": fast(60),
            "ledger_seconds": fast(60),
            "disk_share": 0.001,
            "disk_critical_share": 0.0001,
            "disks": disks,
        },
    }


@dataclass
class Habit:
    """How a sender's system behaves."""

    quiet: bool = False
    repeats: int = 0
    oddity: str = ""
    shift: timedelta = timedelta()


@dataclass
class World:
    ledger: Ledger
    http: httpx2.AsyncClient
    folder: Path
    sandboxes: dict[str, Sandbox]
    habits: dict[str, Habit]
    tokens: dict[str, str]
    volume: Volume | None
    second: Second
    fetching: bool = True
    hook_away: bool = False
    sent: int = 0
    stall: float = 0.0  # longest time for which this machine kept everything waiting, in seconds
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def send_for_ever(self, sender: str) -> None:
        habit = self.habits[sender]
        while True:
            await asyncio.sleep(BEAT)
            if habit.quiet:
                continue
            number = next(self._numbers)
            body = packet(sender, RECEIVERS[number % len(RECEIVERS)], number, habit)
            for _ in range(1 + habit.repeats):
                await self._post(sender, body, f"{sender}-{number}")
            self.sent += 1

    async def _post(self, sender: str, body: bytes, key: str) -> None:
        headers = {
            "Authorization": f"Bearer {self.tokens[sender]}",
            "Content-Type": "application/xml",
            "Idempotency-Key": key,
        }
        began = time.monotonic()
        with contextlib.suppress(httpx2.TransportError):
            answer = await self.http.post("/api/v1/documents", content=body, headers=headers)
            assert answer.status_code < 300, answer.text
        self.stall = max(self.stall, time.monotonic() - began)

    async def watch_for_ever(self) -> None:
        """Notices when this process was not let run: everybody is silent then."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            self.stall = max(self.stall, time.monotonic() - began - 0.05)

    async def fetch_for_ever(self) -> None:
        """The system behind the mailbox takes what there is."""
        while True:
            await asyncio.sleep(BEAT)
            for mail in await self.ledger.queries.mailbox((RECEIVERS[-1],)):
                if self.fetching:
                    await self.ledger.acknowledge(
                        mail.delivery.id,
                        state=DeliveryState.DELIVERED,
                        partner_ref="",
                        detail="",
                        actor="hop-thu",
                    )

    async def trouble(self, partner: str, mode: Mode, probability: float = 1.0) -> None:
        fault = Trouble(mode=mode, probability=probability)
        await self.sandboxes[partner]._server.apply(fault)

    async def declare(self, old: Any, new: Any) -> None:
        change = Change("endpoint", name_of(new or old), old, new)
        revision = await self.ledger.config.revision()
        await self.ledger.config.apply([change], expected=revision, actor="test", reason="")

    async def sql(self, statement: str, **values: Any) -> None:
        async with self.ledger.db.write() as connection:
            await connection.execute(text(statement), values)


def packet(sender: str, receiver: str, number: int, habit: Habit) -> bytes:
    """A small document with the time at which its sender says that it sent it."""
    ns, at = NAMESPACE, datetime.now(VIETNAM) + habit.shift
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><edXML xmlns="{ns}">'
        f'<e:edXMLEnvelope xmlns:e="{ns}"><e:edXMLHeader><e:MessageHeader{habit.oddity}>'
        f"<e:From><e:OrganId>{sender}</e:OrganId></e:From>"
        f"<e:To><e:OrganId>{receiver}</e:OrganId></e:To>"
        f"<e:DocumentId>{sender},2026/11/24,{number}/BC</e:DocumentId>"
        f"<e:Code><e:CodeNumber>{number}</e:CodeNumber><e:CodeNotation>BC</e:CodeNotation></e:Code>"
        f"<e:Subject>Báo cáo {number}</e:Subject></e:MessageHeader>"
        f"<e:TraceHeaderList><e:TraceHeader><e:OrganId>{sender}</e:OrganId>"
        f"<e:Timestamp>{at:%Y/%m/%d %H:%M:%S}</e:Timestamp></e:TraceHeader></e:TraceHeaderList>"
        f"</e:edXMLHeader></e:edXMLEnvelope></edXML>"
    ).encode()


Step = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """One kind of fault, done to one culprit."""

    name: str
    culprit: str
    rules: frozenset[str]  # alerts that name it rightly
    patience: float  # seconds of the hour that its rule needs before it may speak
    inject: Step
    heal: Step
    lag: float = 0.0  # real seconds that it takes besides, however fast the hour goes


def _partner(
    name: str, partner: str, mode: Mode, rules: str, patience: float, share: float = 1.0
) -> Kind:
    async def inject(world: World) -> None:
        await world.trouble(partner, mode, share)

    async def heal(world: World) -> None:
        await world.trouble(partner, Mode.OK)
        if partner == FRAGILE:
            rows = await world.ledger.queries.deliveries(
                states=[DeliveryState.DEAD], endpoint=partner, limit=10_000
            )
            ids = [row.id for row in rows]
            await world.ledger.replay(ids, actor="test", reason="mended")

    told = frozenset(rules.split())
    return Kind(name, f"endpoint:{partner}", told, patience, inject, heal)


def _sender(name: str, sender: str, rules: str, patience: float, **habit: Any) -> Kind:
    async def inject(world: World) -> None:
        for key, value in habit.items():
            setattr(world.habits[sender], key, value)

    async def heal(world: World) -> None:
        for key in habit:
            setattr(world.habits[sender], key, getattr(Habit(), key))

    return Kind(name, f"agency:{sender}", frozenset(rules.split()), patience, inject, heal)


async def _stop_fetching(world: World) -> None:
    world.fetching = False


async def _fetch_again(world: World) -> None:
    world.fetching = True


async def _make_late(world: World) -> None:
    """Ten dossiers that should have been finished an hour ago."""
    now = world.ledger.clock()
    for number in range(10):
        await world.sql(
            "INSERT INTO dossier (sender, code, first_message, nation_code, procedure, status,"
            " due_at, changed_at) VALUES (:s, :c, :c, '', '', 2, :due, :now)"
            " ON CONFLICT (sender, code) DO UPDATE SET finished_at = NULL",
            s=LATE,
            c=f"{LATE}-{number}",
            due=now - 3_600 * SECOND,
            now=now,
        )


async def _finish_late(world: World) -> None:
    await world.sql("UPDATE dossier SET finished_at = changed_at WHERE sender = :s", s=LATE)


def _tls_endpoint(world: World) -> Endpoint:
    sandbox = world.sandboxes[TLS]
    config = {
        "url": sandbox.url,
        "secret": "doi-tac",
        "ca_file": str(world.folder / "tls" / "cert.pem"),
    }
    return Endpoint(name=TLS, kind="rest-push", config=config)


async def _declare_tls(world: World) -> None:
    """A partner whose certificate is good for an hour is connected."""
    await world.declare(None, _tls_endpoint(world))


async def _remove_tls(world: World) -> None:
    await world.declare(_tls_endpoint(world), None)


async def _short_key(world: World) -> None:
    now = world.ledger.clock()
    await world.sql("DELETE FROM client_key WHERE client = :c", c=VISITOR)
    await world.ledger.identities.add_key(VISITOR, expires_at=now + 86_400 * SECOND)


async def _long_key(world: World) -> None:
    await world.ledger.identities.add_key(VISITOR)


async def _alter_journal(world: World) -> None:
    """Somebody with the rights of the owner changes the first entry."""
    for event in ("UPDATE", "DELETE"):
        await world.sql(f"DROP TRIGGER IF EXISTS journal_no_{event}")
    await world.sql("UPDATE journal SET actor = actor || '!' WHERE seq = 1")


async def _restore_journal(world: World) -> None:
    await world.sql("UPDATE journal SET actor = rtrim(actor, '!') WHERE seq = 1")


async def _hook_away(world: World) -> None:
    world.hook_away = True


async def _hook_back(world: World) -> None:
    world.hook_away = False


async def _lose_volume(world: World) -> None:
    assert world.volume is not None, "there is no such kind without it"
    world.volume.lose()


async def _mount_volume(world: World) -> None:
    assert world.volume is not None, "there is no such kind without it"
    world.volume.mount()


def _disk_full(volume: Volume) -> Kind:
    place = f"{socket.gethostname()}:{volume.path}"
    told = frozenset({"disk"})
    return Kind("disk-nearly-full", f"bus:disk:{place}", told, 0, _lose_volume, _mount_volume, 3)


async def _kill_second(world: World) -> None:
    world.second.kill()


async def _start_second(world: World) -> None:
    await world.second.start(world.ledger)


def kinds(one: World) -> tuple[Kind, ...]:
    """All that can be done to it."""
    found = _anywhere()
    return found if one.volume is None else (*found, _disk_full(one.volume))


def _anywhere() -> tuple[Kind, ...]:
    """Each on a culprit of its own, so that all can happen at once."""
    # five failures open a breaker, and a share of ten minutes' attempts is an error rate
    unsteady = "error-rate breaker-open backlog-age"
    return (
        _partner("partner-down", "doi-tac-1", Mode.REFUSE, unsteady, 75),
        _partner("partner-unsteady", "doi-tac-2", Mode.ERROR, unsteady, 180, 0.7),
        _partner("partner-hangs", "doi-tac-3", Mode.HANG, unsteady, 180),
        _partner("partner-rejects", "doi-tac-4", Mode.REJECT, "refusals", 240),
        _partner("attempts-used-up", FRAGILE, Mode.ERROR, f"deliveries-dead {unsteady}", 60),
        _partner("partner-garbage", "doi-tac-6", Mode.GARBAGE, unsteady, 180),
        Kind(
            "mailbox-not-fetched",
            f"endpoint:{MAILBOX}",
            frozenset({"backlog-age"}),
            260,
            _stop_fetching,
            _fetch_again,
        ),
        _sender("sender-silent", SENDERS[1], "partner-silent", 180, quiet=True),
        _sender("sender-repeats", SENDERS[2], "duplicate-storm", 150, repeats=15),
        _sender("sender-drifts", SENDERS[3], "schema-drift", 30, oddity=" lạ='1'"),
        _sender("sender-ahead", SENDERS[4], "clock-skew", 90, shift=timedelta(minutes=9)),
        _sender("sender-in-utc", SENDERS[5], "clock-skew", 90, shift=timedelta(hours=-7)),
        Kind(
            "dossiers-late",
            f"agency:{LATE}",
            frozenset({"dossiers-late"}),
            0,
            _make_late,
            _finish_late,
        ),
        Kind(
            "certificate-expiring",
            f"endpoint:{TLS}",
            frozenset({"expiry"}),
            30,
            _declare_tls,
            _remove_tls,
        ),
        Kind(
            "key-expiring",
            f"client:{VISITOR}",
            frozenset({"expiry"}),
            0,
            _short_key,
            _long_key,
        ),
        Kind(
            "journal-altered",
            "bus:journal",
            frozenset({"journal-break"}),
            60,
            _alter_journal,
            _restore_journal,
        ),
        Kind(
            "alert-channel-away",
            "bus:alerts:webhook",
            frozenset({"channel-failing"}),
            300,
            _hook_away,
            _hook_back,
        ),
        Kind(
            "process-killed",
            "bus:gateway",
            frozenset({"process-lost"}),
            30,
            _kill_second,
            _start_second,
            DEAD_SECONDS,
        ),
    )


@dataclass
class Label:
    """One fault as it was done."""

    kind: Kind
    begun_at: Instant
    healed_at: Instant | None = None
    raised_at: Instant | None = None  # of the first alert that names it
    rule: str = ""


def match(labels: list[Label], rule: str, culprit: str, raised_at: Instant, tail: Instant) -> bool:
    """Whether an alert names a fault that was there (or had just gone); the label learns of it."""
    for label in labels:
        until = None if label.healed_at is None else label.healed_at + tail
        there = label.begun_at <= raised_at and (until is None or raised_at <= until)
        if there and culprit == label.kind.culprit and rule in label.kind.rules:
            if label.raised_at is None or raised_at < label.raised_at:
                label.raised_at, label.rule = raised_at, rule
            return True
    return False


@asynccontextmanager
async def world(folder: Path, *, scale: float) -> AsyncIterator[World]:
    """All of it running, and well."""
    async with AsyncExitStack() as stack:
        sandboxes = await _sandboxes(stack, folder)
        made: list[World] = []
        hook = await _hook(stack, lambda: bool(made) and made[0].hook_away)
        (folder / "secrets").mkdir()
        disk = volume(folder)
        for name in ("doi-tac", "canh-bao"):
            (folder / "secrets" / name).write_bytes(SECRET)
        settings = Settings.load(
            None,
            data_dir=folder,
            http_port=0,
            secrets_dir=folder / "secrets",
            log_level="ERROR",
            alerts=policy(scale, hook, {} if disk is None else {str(disk.path): disk.share}),
        )
        await prepare(settings.database_url)
        ledger = await Ledger.open(settings.database_url, settings.blob_dir, actor="faults")
        stack.push_async_callback(ledger.close)
        await _declare(ledger, sandboxes)
        address = await stack.enter_async_context(running(settings, ROLES))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=address or "", timeout=60)
        )
        tokens = {code: await _token(ledger, http, code) for code in SENDERS}
        await ledger.identities.add_key(VISITOR)
        habits = {code: Habit() for code in SENDERS}
        second = Second(settings, folder)
        stack.callback(second.kill)
        one = World(ledger, http, folder, sandboxes, habits, tokens, disk, second)
        made.append(one)
        await second.start(ledger)
        tasks = [asyncio.create_task(one.send_for_ever(code)) for code in SENDERS]
        tasks.append(asyncio.create_task(one.fetch_for_ever()))
        tasks.append(asyncio.create_task(one.watch_for_ever()))
        try:
            yield one
        finally:
            for sandbox in sandboxes.values():
                await sandbox._server.apply(Trouble(mode=Mode.OK))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def rhythm(one: World, seconds: float) -> None:
    """Until every sender is known well enough to be missed."""
    end = time.monotonic() + seconds
    while not await _known(one):
        if time.monotonic() > end:
            raise AssertionError(f"not every sender has a rhythm within {seconds:g} s")
        await asyncio.sleep(0.2)


async def _known(one: World) -> bool:
    memory = await one.ledger.alerts.memory()
    heard = memory.get("rhythm", {"senders": {}})["senders"]
    habits = memory.get("drift", {})
    return all(
        len(heard.get(code, {"spans": {}})["spans"]) > 4
        and habits.get(code, {"sent": 0})["sent"] > 5
        for code in SENDERS
    )


async def _sandboxes(stack: AsyncExitStack, folder: Path) -> dict[str, Sandbox]:
    cert, key = certificate(folder / "tls")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    made = {name: Sandbox(secrets=(SECRET,)) for name in PARTNERS}
    made[TLS] = Sandbox(secrets=(SECRET,), ssl_context=tls)
    for sandbox in made.values():
        await stack.enter_async_context(sandbox)
    return made


async def _hook(stack: AsyncExitStack, away: Callable[[], bool]) -> str:
    async def take(_request: web.Request) -> web.Response:
        return web.Response(status=503 if away() else 204)

    app = web.Application()
    app.router.add_post("/alerts", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return f"http://127.0.0.1:{site.port}/alerts"


async def _declare(ledger: Ledger, sandboxes: dict[str, Sandbox]) -> None:
    items: list[Item] = [Agency(code="H38", name="Tỉnh Lào Cai")]
    for name, code in zip(PARTNERS, RECEIVERS, strict=False):
        options: dict[str, Any] = {"breaker": {"failures": 5, "probe_every": 0.5}}
        if name == FRAGILE:
            options = {"breaker": {"failures": 100_000}}
        config = {
            "url": sandboxes[name].url,
            "secret": "doi-tac",
            "connect_seconds": 1.0,
            "answer_seconds": 1.0,
        }
        most = 2 if name == FRAGILE else 1_000
        retry = {"first": 0.1, "soft_cap": 0.5, "cap": 1.0, "max_attempts": most}
        declared = {"name": name, "kind": "rest-push", "config": config, "retry": retry}
        items.append(Endpoint.model_validate(declared | options))
        items.append(Agency(code=code, name=f"Nơi nhận {code}", parent="H38", endpoint=name))
    items.append(Endpoint(name=MAILBOX, kind="mailbox"))
    items.append(Agency(code=RECEIVERS[-1], name="Hộp thư", parent="H38", endpoint=MAILBOX))
    items.append(Client(id=VISITOR, agencies=("H38",)))
    for code in (*SENDERS, LATE):
        items.append(Agency(code=code, name=f"Nơi gửi {code}", parent="H38"))
        client = Client(id=code.lower(), agencies=(code,), rate=10_000, burst=10_000)
        items.append(client)
    changes = [Change(_kind_of(each), name_of(each), None, each) for each in items]
    await ledger.config.apply(changes, expected=0, actor="test", reason="")


def _kind_of(item: Item) -> ConfigKind:
    match item:
        case Agency():
            return "agency"
        case Endpoint():
            return "endpoint"
        case _:
            return "client"


async def _token(ledger: Ledger, http: httpx2.AsyncClient, code: str) -> str:
    secret = await ledger.identities.add_key(code.lower())
    form = {"grant_type": "client_credentials", "client_id": code.lower(), "client_secret": secret}
    deadline = time.monotonic() + 30
    while True:
        answer = await http.post("/api/v1/token", data=form)
        if answer.status_code == 200:
            return str(answer.json()["access_token"])
        if time.monotonic() > deadline:
            raise AssertionError(answer.text)
        await asyncio.sleep(0.2)
