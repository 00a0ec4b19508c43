"""A whole engine in this process, for dossiers: two portals behind the adapter port that write down
what they are given, in the order in which they get it.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from collections.abc import Mapping as Named
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from adapters import registry
from bus import broker as brokers
from bus.engine.accept import Acceptor
from bus.engine.accept_dossier import Source, accept_record, accept_step
from bus.engine.collect import Collector
from bus.engine.deliver import CreateAdapter
from bus.engine.dispatch import Dispatcher
from bus.engine.endpoint_states import EndpointStates
from bus.engine.janitor import Janitor
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.observer import Silent
from bus.engine.worker import Worker
from bus.ledger.config_store import Change, Item, Kind, name_of
from bus.ledger.ledger import Ledger
from bus.ledger.records import Receipt
from schemas import instant
from schemas.adapter import Adapter, AdapterConfig, Manifest, OutboundDelivery, Outcome, Result
from schemas.declared import BreakerPolicy
from schemas.dossier import DossierRecord, Step
from schemas.instant import Clock
from schemas.province import Agency, Endpoint, Mapping, RetryPolicy, Subscription
from schemas.vietnam import VIETNAM
from tests.ledgers import prepare

BUILD, NATIONAL, PROVINCIAL = "H99.02", "000.00.00.G22", "H99.99"
MAPS, PLAIN = "cong-anh-xa", "cong-thuong"
BEGIN = datetime(2026, 11, 2, 8, 15, tzinfo=VIETNAM)
KNOWN = Mapping(table="procedure", local="TT.01", national="1.000656")
SOON = RetryPolicy(first=0.02, soft_cap=0.05)
PATIENT = BreakerPolicy(failures=1000)

ITEMS: tuple[tuple[Kind, Item], ...] = (
    ("endpoint", Endpoint(name="quoc-gia", kind=MAPS, retry=SOON, breaker=PATIENT)),
    ("endpoint", Endpoint(name="cap-tinh", kind=PLAIN, retry=SOON, breaker=PATIENT)),
    ("agency", Agency(code=NATIONAL, name="Cổng quốc gia", endpoint="quoc-gia")),
    ("agency", Agency(code=PROVINCIAL, name="Cổng tỉnh", endpoint="cap-tinh")),
    ("agency", Agency(code=BUILD, name="Sở Xây dựng")),
    ("subscription", Subscription(name="hai-cong", receivers=(NATIONAL, PROVINCIAL))),
    ("mapping", KNOWN),
)


def record(code: str, **given: Any) -> DossierRecord:
    facts: dict[str, Any] = {
        "procedure": "TT.01",
        "procedure_name": "Cấp giấy phép",
        "agency": BUILD,
        "agency_name": "Sở Xây dựng",
        "channel": 2,
        "applicant": {"kind": 1, "name": "Nguyễn Văn Ví Dụ"},
        "summary": "Đề nghị cấp phép",
        "status": 2,
        "received": BEGIN,
        "due": BEGIN + timedelta(days=10),
    }
    return DossierRecord.model_validate({"code": code} | facts | given)


def step(code: str, number: int, **given: Any) -> Step:
    facts: dict[str, Any] = {
        "id": f"B{number}",
        "at": BEGIN + timedelta(minutes=number),
        "by": "Trần Thị Ví Dụ",
        "content": f"Bước {number}",
        "status": 4,
    }
    return Step.model_validate({"code": code} | facts | given)


class _Portal:
    """Fails as often as it is told to, before or after it has written down what it got."""

    config_model: ClassVar[type[AdapterConfig]] = AdapterConfig

    def __init__(self, manifest: Manifest, got: list[OutboundDelivery], trouble: Trouble) -> None:
        self.manifest = manifest  # type: ignore[misc]
        self._got, self._trouble = got, trouble

    manifest: ClassVar[Manifest]

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        await asyncio.sleep(0)
        if self._trouble.now():
            return Outcome(Result.TRANSIENT, code="partner-unavailable")
        self._got.append(delivery)
        return Outcome(Result.DELIVERED, partner_ref=str(len(self._got)))

    async def close(self) -> None: ...


@dataclass
class Trouble:
    share: float = 0.0  # of the attempts
    dice: random.Random = field(default_factory=lambda: random.Random(4))

    def now(self) -> bool:
        return self.dice.random() < self.share


def _manifest(kind: str, *, maps: bool) -> Manifest:
    return Manifest(
        kind=kind,
        title_vi="cổng thử",
        title_en="a portal of the tests",
        mode="push",
        fan_out="per-receiver",
        looks_up=False,
        kinds=("dossier", "step"),
        maps=maps,
    )


@dataclass
class Engine:
    ledger: Ledger
    live: LiveConfig
    acceptor: Acceptor
    got: dict[str, list[OutboundDelivery]]
    trouble: Trouble
    manifests: Named[str, Manifest]
    create: CreateAdapter
    states: EndpointStates

    async def record(self, item: DossierRecord, *, ref: str | None = None) -> Receipt:
        return await accept_record(self.acceptor, item, self._source(item), ref)

    async def step(self, item: Step, agency: str = BUILD) -> Receipt:
        return await accept_step(self.acceptor, item, agency, self._source(item))

    def _source(self, item: DossierRecord | Step) -> Source:
        return Source("mot-cua", item.model_dump_json().encode(), "application/json", "")

    async def declare(self, kind: Kind, old: Item | None, new: Item | None) -> None:
        name = name_of(new or old)  # type: ignore[arg-type]
        expected = await self.ledger.config.revision()
        await self.ledger.config.apply(
            [Change(kind, name, old, new)], expected=expected, actor="test", reason="test"
        )

    def told(self, endpoint: str) -> list[tuple[str, str]]:
        """(code, step id) of the steps, (code, "") of the records that arrived, in order."""
        found = []
        for each in self.got[endpoint]:
            assert each.content is not None
            assert hashlib.sha256(each.content).hexdigest() == each.sha256
            assert len(each.content) == each.size
            if each.kind == "step":
                item = Step.model_validate_json(each.content)
                found.append((item.code, item.id))
            else:
                found.append((DossierRecord.model_validate_json(each.content).code, ""))
        return found


@asynccontextmanager
async def engine(
    url: str,
    folder: Path,
    *,
    broker_url: str | None = None,
    clock: Clock = instant.now,
    items: Sequence[tuple[Kind, Item]] = ITEMS,
    real: CreateAdapter | None = None,
) -> AsyncIterator[Engine]:
    """`real` makes the adapters of endpoints of kinds that are in the registry."""
    await prepare(url)
    manifests = {kind: each.manifest for kind, each in registry.adapters().items()}
    manifests |= {MAPS: _manifest(MAPS, maps=True), PLAIN: _manifest(PLAIN, maps=False)}
    got: dict[str, list[OutboundDelivery]] = {"quoc-gia": [], "cap-tinh": []}
    trouble = Trouble()

    def create(endpoint: Endpoint) -> Adapter:
        if real is not None and endpoint.kind in registry.adapters():
            return real(endpoint)
        return _Portal(manifests[endpoint.kind], got[endpoint.name], trouble)

    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(url, folder / "blobs", clock=clock)
        stack.push_async_callback(ledger.close)
        changes = [Change(kind, name_of(item), None, item) for kind, item in items]
        await ledger.config.apply(changes, expected=0, actor="test", reason="test")
        live = LiveConfig(ledger.config, poll=0.05)
        await live.start()
        stack.push_async_callback(live.close)
        membership = Membership(ledger, frozenset({"dispatcher", "worker"}))
        membership.start()
        stack.push_async_callback(membership.close)
        broker = brokers.create(broker_url, prefix=f"test-{uuid.uuid4().hex[:8]}")
        await broker.start()
        stack.push_async_callback(broker.close)
        states = EndpointStates(ledger, live)
        await states.start()
        stack.push_async_callback(states.close)
        worker = Worker(
            ledger,
            broker,
            live,
            states,
            membership,
            create=create,
            pull_kinds=(),
            observer=Silent(),
            drain_seconds=1,
        )
        await worker.start()
        stack.push_async_callback(worker.close)
        janitor = Janitor(ledger, live, pull_kinds=())
        janitor.start()
        stack.push_async_callback(janitor.close)
        dispatcher = Dispatcher(
            ledger, broker, live, states, membership, pull_kinds=(), observer=Silent()
        )
        await dispatcher.start()
        stack.push_async_callback(dispatcher.close)
        acceptor = Acceptor(
            ledger, live, manifests, max_bytes=1_000_000, max_files=50, inline_bytes=4_000
        )
        collector = Collector(ledger, live, states, membership, acceptor, create=create)
        await collector.start()
        stack.push_async_callback(collector.close)
        yield Engine(ledger, live, acceptor, got, trouble, manifests, create, states)
