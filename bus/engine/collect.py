"""Collect: fetches from partners that do not call, one live worker for each such endpoint.

A packet is accepted durably, or its refusal is, before the partner hears anything; whatever is
killed in between, the packet comes again and is recognised.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

import structlog
import uuid_utils

from bus.engine.accept import Acceptor, Intake
from bus.engine.accept_dossier import Source, accept_record, accept_step, own_code
from bus.engine.accept_item import accept_item
from bus.engine.deliver import CreateAdapter
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig, Snapshot
from bus.engine.membership import Membership
from bus.engine.outlive import outliving
from bus.engine.retry import wait
from bus.engine.rounds import Rounds
from bus.ledger.blobs import BlobWriter
from bus.ledger.ledger import Ledger
from bus.ledger.records import Receipt
from schemas.adapter import Poller, Taken
from schemas.door import MAX_REF
from schemas.dossier import DossierRecord, Step
from schemas.edxml import DocumentPacket, Packet
from schemas.errors import (
    ConfigurationError,
    DuplicateMessage,
    Forbidden,
    InvalidRequest,
    LedgerUnavailable,
    LgspError,
    TooLarge,
    UnknownReceiver,
)
from schemas.flows import Item
from schemas.province import Endpoint
from schemas.vietnam import day_of

log = structlog.get_logger(__name__)

JITTER = 0.1
"""Each pause is moved by up to a tenth either way, so that endpoints do not march in step."""

STANDBY_SECONDS = 1.0
"""How often a worker that does not own an endpoint, or finds it paused, looks again."""

_REFUSALS = (InvalidRequest, TooLarge, UnknownReceiver, Forbidden)
"""What no later round would change."""


class EndpointInbox:
    """Where the packets of one polled endpoint go (schemas.adapter.Inbox)."""

    def __init__(self, endpoint: str, ledger: Ledger, live: LiveConfig, acceptor: Acceptor) -> None:
        self._endpoint = endpoint
        self._ledger = ledger
        self._live = live
        self._acceptor = acceptor

    async def take(self, ref: str, pieces: AsyncIterator[bytes]) -> Taken:
        """Raises LedgerUnavailable: nothing was accepted. Keeps what it refuses as a blob."""
        kept, intake = self._ledger.blobs.writer(), self._acceptor.intake()
        try:
            try:
                taken = await self._accept(ref, pieces, kept, intake)
            except _REFUSALS as error:
                async for piece in pieces:
                    if kept.size < self._acceptor.max_bytes:
                        await kept.write(piece)
                return await self._refuse(ref, kept, error)
        finally:
            kept.abort()
            await intake.abort()
        await self._ledger.note(
            "collected",
            actor=f"endpoint:{self._endpoint}",
            data={"endpoint": self._endpoint, "ref": ref, "duplicate": taken.duplicate},
            message_id=taken.message_id or None,
        )
        return taken

    async def take_dossier(
        self,
        ref: str,
        agency: str,
        item: DossierRecord | Step,
        original: bytes,
        *,
        media_type: str = "application/json",
    ) -> Taken:
        """Raises LedgerUnavailable: nothing was accepted. Keeps what it refuses as a blob."""
        try:
            receipt = await self._accept_dossier(
                ref, agency, item, self._source(original, media_type)
            )
        except (*_REFUSALS, DuplicateMessage) as error:
            return await self.refuse(ref, original, error)
        return Taken(accepted=True, message_id=receipt.message_id, duplicate=receipt.duplicate)

    async def take_item(
        self,
        ref: str,
        agency: str,
        item: Item,
        original: bytes,
        *,
        media_type: str = "application/json",
    ) -> Taken:
        """Raises LedgerUnavailable: nothing was accepted. Keeps what it refuses as a blob."""
        try:
            self._require_own(agency)
            source = self._source(original, media_type)
            receipt = await accept_item(self._acceptor, item, agency, source)
        except (*_REFUSALS, DuplicateMessage) as error:
            return await self.refuse(ref, original, error)
        return Taken(accepted=True, message_id=receipt.message_id, duplicate=receipt.duplicate)

    def _source(self, original: bytes, media_type: str) -> Source:
        trace = f"00-{uuid_utils.uuid4().hex}-{uuid_utils.uuid4().hex[:16]}-01"
        client = f"endpoint:{self._endpoint}"
        return Source(client, original, media_type, trace, via=self._endpoint)

    async def refuse(self, ref: str, original: bytes, error: LgspError) -> Taken:
        """Raises LedgerUnavailable: nothing was kept."""
        kept = self._ledger.blobs.writer()
        try:
            await kept.write(original)
            return await self._refuse(ref, kept, error)
        finally:
            kept.abort()

    async def _accept_dossier(
        self, ref: str, agency: str, item: DossierRecord | Step, source: Source
    ) -> Receipt:
        self._require_own(agency)
        if isinstance(item, Step):
            return await accept_step(self._acceptor, item, agency, source)
        if own_code(self._acceptor, item.agency) != own_code(self._acceptor, agency):
            raise InvalidRequest(
                f"the record of {item.code} is of agency {item.agency}, not of {agency[:50]}",
                vi=f"Hồ sơ {item.code} thuộc cơ quan {item.agency}, không phải {agency[:50]}",
                field="agency",
            )
        try:
            return await accept_record(
                self._acceptor, item, source, f"{self._endpoint}:{ref}"[:MAX_REF]
            )
        except DuplicateMessage:  # the partner uses an id twice: what it says is news all the same
            return await accept_record(self._acceptor, item, source, None)

    def _require_own(self, code: str) -> None:
        """Dossiers come from the agencies the endpoint is declared to speak for, and theirs."""
        snapshot = self._live.snapshot
        declared = snapshot.endpoints[self._endpoint].speaks_for
        if not declared:
            self._require_foreign(code)
            return
        own = own_code(self._acceptor, code)
        heads = [own_code(self._acceptor, each) for each in declared]
        if not any(snapshot.directory.is_within(own, head) for head in heads):
            raise Forbidden(
                f"endpoint {self._endpoint} does not speak for {code[:50]}: the administrator adds"
                " it to speaks_for",
                vi=f"Điểm kết nối {self._endpoint} không được gửi thay {code[:50]}: quản trị thêm"
                " vào speaks_for",
            )

    async def _accept(
        self, ref: str, pieces: AsyncIterator[bytes], kept: BlobWriter, intake: Intake
    ) -> Taken:
        async for piece in pieces:
            await kept.write(piece)
            await intake.feed(piece)
        packet = await intake.close()
        self._require_foreign(packet.header.sender.organ_id)
        try:
            receipt = await intake.accept(
                client=f"endpoint:{self._endpoint}",
                sender_ref=f"{self._endpoint}:{_identity(packet)}",
                trace=f"00-{uuid_utils.uuid4().hex}-{uuid_utils.uuid4().hex[:16]}-01",
                via=self._endpoint,
            )
        except DuplicateMessage:  # the same packet with another hop's trace in it
            log.info("collect.repeat_of_other_bytes", endpoint=self._endpoint, ref=ref)
            return Taken(accepted=True, duplicate=True)
        return Taken(accepted=True, message_id=receipt.message_id, duplicate=receipt.duplicate)

    def _require_foreign(self, code: str) -> None:
        """The endpoint speaks only for agencies beyond it: neither for those of other endpoints
        nor for those of the directory that have none, which only send.
        """
        directory = self._live.snapshot.directory
        agency = directory.resolve(code, day_of(self._ledger.clock())).agency
        if agency is None:
            return
        connection = directory.endpoint_of(agency)
        if connection is None or connection.endpoint != self._endpoint:
            en, vi = ("no endpoint", "không có điểm kết nối")
            if connection is not None:
                en, vi = f"endpoint {connection.endpoint}", f"điểm kết nối {connection.endpoint}"
            raise Forbidden(
                f"{code[:50]} is declared here with {en}: a packet of its own cannot come over"
                f" {self._endpoint}",
                vi=f"{code[:50]} được khai báo ở đây, {vi}: gói tin của cơ quan này không thể đến"
                f" qua {self._endpoint}",
            )

    async def _refuse(self, ref: str, kept: BlobWriter, error: Exception) -> Taken:
        size, reason = kept.size, str(getattr(error, "detail", [error])[0])[:500]
        code = str(getattr(error, "code", ""))
        sha256 = await kept.commit()
        await self._ledger.refuse_packet(
            self._endpoint, ref, sha256=sha256, size=size, code=code, reason=reason
        )
        log.warning("collect.refused", endpoint=self._endpoint, ref=ref, sha256=sha256)
        return Taken(accepted=False, reason=reason)


class Collector:
    """Polls the endpoints that fall to this worker. Call `start`, then `close`."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveConfig,
        states: EndpointStates,
        membership: Membership,
        acceptor: Acceptor,
        *,
        create: CreateAdapter,
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._states = states
        self._membership = membership
        self._acceptor = acceptor
        self._observer = acceptor.observer
        self._create = create
        self._tasks: dict[str, tuple[Endpoint, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._live.on_change(lambda _snapshot: self._changed.set())
        self._changed.set()
        self._follower = outliving(self._follow, name="collect-config")

    async def close(self) -> None:
        """What is being fetched is dropped: it was not acknowledged and comes again."""
        tasks = [task for _, task in self._tasks.values()]
        tasks += [self._follower] if self._follower is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._adjust(self._live.snapshot)

    async def _adjust(self, snapshot: Snapshot) -> None:
        gone = [n for n, (e, _) in self._tasks.items() if snapshot.endpoints.get(n) != e]
        ending = [self._tasks.pop(name)[1] for name in gone]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)  # never two rounds at once
        for name, endpoint in snapshot.endpoints.items():
            if name not in self._tasks:
                task = asyncio.create_task(self._keep_polling(endpoint), name=f"collect-{name}")
                self._tasks[name] = (endpoint, task)

    async def _keep_polling(self, endpoint: Endpoint) -> None:
        try:
            adapter = self._create(endpoint)
        except ConfigurationError:  # the worker has said so
            return
        try:
            if isinstance(adapter, Poller):
                await self._rounds(endpoint, adapter)
        finally:
            await adapter.close()

    async def _rounds(self, endpoint: Endpoint, adapter: Poller) -> None:
        inbox = EndpointInbox(endpoint.name, self._ledger, self._live, self._acceptor)
        rounds = Rounds(self._ledger, endpoint.name, adapter.interval)
        failures = 0
        while True:
            if not self._is_mine(endpoint.name) or self._states.of(endpoint.name).paused:
                await asyncio.sleep(STANDBY_SECONDS)
                continue
            try:
                taken = await adapter.poll(inbox)
            except Exception as error:  # noqa: BLE001 - fetching must outlive every failure
                failures += 1
                self._observer.polled(endpoint.name, None)
                if self._complain(endpoint.name, failures, error):
                    await rounds.bad(_said(error))
                pause = wait(endpoint.retry, failures, 0)  # asking is cheap
            else:
                if failures:
                    log.info("collect.works_again", endpoint=endpoint.name)
                self._observer.polled(endpoint.name, taken)
                await rounds.good()
                failures, pause = 0, adapter.interval
            await asyncio.sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    def _complain(self, endpoint: str, failures: int, error: Exception) -> bool:
        """At once and then ever more rarely: the 1st, 2nd, 4th, 8th failure in a row …"""
        if failures & (failures - 1):
            return False
        away = isinstance(error, LedgerUnavailable)
        log.warning(
            "collect.ledger_away" if away else "collect.failing",
            endpoint=endpoint,
            failures=failures,
            error=_said(error),
        )
        return not away

    def _is_mine(self, endpoint: str) -> bool:
        return self._membership.owns(endpoint)


def _said(error: Exception) -> str:
    """As deliveries keep their errors: the code, by which it has words, and what it says."""
    name = error.code if isinstance(error, LgspError) else type(error).__name__
    return f"{name}: {error}"[:300]


def _identity(packet: Packet) -> str:
    """The same for the same packet under another id of the partner, who appends a TraceHeader.

    The sender's own TraceHeader counts: a document sent anew after its recall is another one.
    """
    if isinstance(packet, DocumentPacket):
        hops = packet.trace.trace_headers[:-1]  # the last one is the partner's own
        trace = packet.trace.model_copy(update={"trace_headers": hops})
        packet = packet.model_copy(update={"trace": trace, "warnings": ()})
    text = packet.model_dump_json(exclude={"warnings", "kept"})
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
