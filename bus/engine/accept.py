"""Accept: bytes in, receipt out, and between them one commit (design: accepted means durable)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import uuid_utils

from bus.engine.follow import following
from bus.engine.live import LiveConfig, Snapshot
from bus.engine.observer import News, Observer, Silent
from bus.engine.spans import spanning
from bus.engine.spool import Spool
from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Planned, Receipt
from routing.decision import Decision, PlannedDelivery
from routing.router import Facts, route
from schemas.adapter import Manifest
from schemas.edxml import (
    PACKET_LIMITS,
    DocumentPacket,
    Packet,
    PacketReader,
    addressing,
    to_body,
)
from schemas.errors import DuplicateMessage, UnknownReceiver
from schemas.instant import SECOND, Instant, from_datetime
from schemas.message import Body, Lane, Message
from schemas.province import Endpoint
from schemas.vietnam import VIETNAM, day_of

DAY: Instant = 86_400 * SECOND
MEDIA_TYPE = "application/edxml+xml"

DECISIONS = 10_000
"""Decisions remembered at once: agencies write to the same receivers again and again."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A decision, with what is made of it for every message it fits."""

    decision: Decision
    text: str  # the decision as JSON
    planned: tuple[PlannedDelivery, ...]
    sender: str  # own code of the sender, where the directory knows it


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a door has read it, before anything is decided about it."""

    body: Body
    sender: str
    receivers: tuple[str, ...]  # as addressed; dossiers name none: subscriptions decide
    order_key: str
    lane: Lane
    media_type: str  # of the original
    warnings: tuple[str, ...] = ()
    record: str | None = None  # canonical JSON of a dossier or step
    said_at: Instant | None = None  # when its sender says that it sent it


class Acceptor:
    """Makes messages durable, with the decision where they go."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveConfig,
        manifests: Mapping[str, Manifest],
        *,
        max_bytes: int,
        max_files: int,
        inline_bytes: int,
        observer: Observer | None = None,
    ) -> None:
        """Originals up to `inline_bytes` live in the ledger row, larger ones in the blob store."""
        self.ledger = ledger
        self.live = live
        self.manifests = manifests
        self.max_bytes = max_bytes
        self.limits = replace(PACKET_LIMITS, size=max_bytes, attachments=max_files)
        self.inline_bytes = inline_bytes
        self.observer = observer or Silent()
        self._routed: dict[Facts, Routed] = {}
        self._routed_for: tuple[Snapshot, date] | None = None

    def intake(self) -> Intake:
        return Intake(self)

    def spool(self) -> Spool:
        return Spool(self.ledger.blobs, max_bytes=self.max_bytes, inline_bytes=self.inline_bytes)

    async def accept(
        self, letter: Letter, spool: Spool, *, client: str, sender_ref: str, trace: str, via: str
    ) -> Receipt:
        """Commit a message whose original is in `spool`; durable when it returns.

        Raises UnknownReceiver, DuplicateMessage, LedgerUnavailable.
        """
        began = time.perf_counter()
        snapshot = self.live.snapshot
        now = self.ledger.clock()
        facts = Facts(letter.body.kind, letter.sender, letter.receivers, via)
        routed = self.decide(snapshot, facts, now)
        message = _message(letter, spool, routed.sender, sender_ref, trace, now)
        if routed.decision.receivers and not routed.planned:
            return await self._known(message, routed.decision)
        acceptance = Acceptance(
            message,
            _planned(routed, snapshot, now),
            routed.text,
            client,
            await spool.commit(),
            *following(message, routed.decision, snapshot),
            record=letter.record,
        )
        try:
            with spanning(self.observer.spans, "accept", "internal", trace) as span:
                span.facts["lgsp.message"] = message.id
                receipt = await self.ledger.accept(acceptance)
        except DuplicateMessage:
            self.observer.heard(routed.sender, News("conflict"))
            raise
        self.observer.heard(routed.sender, _news(letter, receipt, now))
        if not receipt.duplicate:
            self.observer.accepted(
                message.body.kind, message.lane.value, time.perf_counter() - began
            )
        return receipt

    async def prepare(
        self, letter: Letter, *, original: bytes, client: str, sender_ref: str, trace: str
    ) -> Acceptance:
        """All of a message but its commit, for who commits it with something else.

        Raises UnknownReceiver, TooLarge.
        """
        snapshot, now = self.live.snapshot, self.ledger.clock()
        routed = self.decide(
            snapshot, Facts(letter.body.kind, letter.sender, letter.receivers), now
        )
        if not routed.planned:
            raise _nowhere(routed.decision)
        spool = self.spool()
        try:
            spool.count(original)
            await spool.keep(original)
            message = _message(letter, spool, routed.sender, sender_ref, trace, now)
            return Acceptance(
                message,
                _planned(routed, snapshot, now),
                routed.text,
                client,
                await spool.commit(),
                record=letter.record,
            )
        finally:
            spool.abort()

    async def _known(self, message: Message, decision: Decision) -> Receipt:
        """A repeat keeps its receipt even when its receivers have left the directory since."""
        receipt = await self.ledger.stored_receipt(message)
        if receipt is None:
            raise _nowhere(decision)
        return receipt

    def decide(self, snapshot: Snapshot, facts: Facts, at: Instant) -> Routed:
        """Routing is a pure function of facts, configuration and day, so it is worked out once."""
        on = day_of(at)
        known = self._routed_for
        if known is None or known[0] is not snapshot or known[1] != on:
            self._routed_for = (snapshot, on)
            self._routed.clear()
        routed = self._routed.get(facts)
        if routed is None:
            if len(self._routed) >= DECISIONS:
                self._routed.clear()
            routed = self._routed[facts] = self._decide(snapshot, facts, on)
        return routed

    def _decide(self, snapshot: Snapshot, facts: Facts, on: date) -> Routed:
        decision = route(
            facts,
            snapshot.directory,
            snapshot.routes,
            snapshot.endpoints,
            self.manifests,
            on=on,
            subscriptions=snapshot.subscriptions,
        )
        own = snapshot.directory.resolve(facts.sender, on).agency
        return Routed(
            decision,
            decision.to_json(),
            decision.planned(),
            own.code if own else facts.sender,
        )


class Intake:
    """One packet on its way in: parsed, hashed and spooled piece by piece."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._reader = PacketReader(limits=acceptor.limits)
        self._spool = acceptor.spool()
        self._packet: Packet | None = None

    async def feed(self, chunk: bytes) -> None:
        """Raises MalformedXml, MalformedPacket, TooLarge as soon as it is certain."""
        self._spool.count(chunk)
        self._reader.feed(chunk)
        await self._spool.keep(chunk)

    async def close(self) -> Packet:
        """The packet as read. Raises MalformedXml, MalformedPacket."""
        self._packet = self._reader.close()
        return self._packet

    async def accept(
        self, *, client: str, sender_ref: str | None, trace: str, via: str = ""
    ) -> Receipt:
        """Commit it. `sender_ref` is the sender's own id; without one the content is its own.
        `via` is the endpoint it was fetched from, whose receivers have it already.

        Raises UnknownReceiver, DuplicateMessage, LedgerUnavailable.
        """
        packet = self._packet
        assert packet is not None, "close() comes before accept()"  # noqa: S101
        sender, receivers, order_key, lane = addressing(packet)
        letter = Letter(
            to_body(packet),
            sender,
            receivers,
            order_key,
            lane,
            MEDIA_TYPE,
            packet.warnings,
            said_at=_said_at(packet),
        )
        ref = sender_ref or f"sha256:{self._spool.sha256}"
        return await self._acceptor.accept(
            letter, self._spool, client=client, sender_ref=ref, trace=trace, via=via
        )

    async def abort(self) -> None:
        """Leave nothing behind; harmless after accept."""
        self._spool.abort()


def _news(letter: Letter, receipt: Receipt, now: Instant) -> News:
    if receipt.duplicate:
        return News("duplicate")
    lag = None if letter.said_at is None else (now - letter.said_at) / SECOND
    return News("new", letter.warnings, lag)


def _said_at(packet: Packet) -> Instant | None:
    """Packets write local time without a zone: Vietnam's."""
    if isinstance(packet, DocumentPacket):
        hops = packet.trace.trace_headers
        said = hops[-1].timestamp if hops else None
    else:
        said = packet.header.timestamp
    try:
        return None if said is None else from_datetime(said.replace(tzinfo=VIETNAM))
    except OverflowError:  # the first day of the calendar, or its last
        return None


def _message(
    letter: Letter, spool: Spool, sender: str, sender_ref: str, trace: str, now: Instant
) -> Message:
    return Message.model_construct(
        id=str(uuid_utils.uuid7()),
        sender=sender,
        sender_ref=sender_ref,
        receivers=letter.receivers,
        order_key=letter.order_key,
        lane=letter.lane,
        accepted_at=now,
        expires_at=None,
        sha256=spool.sha256,
        size=spool.size,
        media_type=letter.media_type,
        trace=trace,
        body=letter.body,
        warnings=letter.warnings,
    )


def _planned(routed: Routed, snapshot: Snapshot, now: Instant) -> tuple[Planned, ...]:
    return tuple(
        Planned(
            plan.endpoint,
            plan.receivers,
            plan.pull,
            plan.held,
            _expiry(snapshot.endpoints.get(plan.endpoint), now),
        )
        for plan in routed.planned
    )


def _expiry(endpoint: Endpoint | None, now: Instant) -> Instant | None:
    if endpoint is None or endpoint.expire_after_days is None:
        return None
    return now + int(endpoint.expire_after_days * DAY)


def _nowhere(decision: Decision) -> UnknownReceiver:
    codes = ", ".join(receiver.addressed for receiver in decision.receivers)
    last = [receiver.steps[-1] for receiver in decision.receivers]
    return UnknownReceiver(
        f"none of the receivers can be delivered to ({codes}): {'; '.join(en for _, en in last)}",
        vi=f"Không chuyển được tới cơ quan nào ({codes}): {'; '.join(vi for vi, _ in last)}",
        receivers=codes,
    )
