"""Accept: bytes in, receipt out, and between them one commit (design: accepted means durable)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import uuid_utils

from bus.engine.follow import following
from bus.engine.live import LiveConfig, Snapshot
from bus.engine.observer import Observer, Silent
from bus.ledger.blobs import BlobWriter
from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Planned, Receipt
from routing.decision import Decision, PlannedDelivery
from routing.router import Facts, route
from schemas.adapter import Manifest
from schemas.edxml import PACKET_LIMITS, Packet, PacketReader, addressing, to_body
from schemas.errors import TooLarge, UnknownReceiver
from schemas.instant import SECOND, Instant
from schemas.message import Message
from schemas.province import Endpoint
from schemas.vietnam import day_of

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
            facts, snapshot.directory, snapshot.routes, snapshot.endpoints, self.manifests, on=on
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
        self._digest = hashlib.sha256()
        self._size = 0
        self._small = bytearray()
        self._blob: BlobWriter | None = None
        self._packet: Packet | None = None

    async def feed(self, chunk: bytes) -> None:
        """Raises MalformedXml, MalformedPacket, TooLarge as soon as it is certain."""
        self._size += len(chunk)
        if self._size > self._acceptor.max_bytes:
            limit = self._acceptor.max_bytes
            raise TooLarge(
                f"the packet is larger than {limit:,} bytes",
                vi=f"Gói tin lớn hơn giới hạn {limit:,} byte",
                limit=limit,
            )
        self._digest.update(chunk)
        self._reader.feed(chunk)
        if self._blob is not None:
            await self._blob.write(chunk)
            return
        self._small += chunk
        if len(self._small) > self._acceptor.inline_bytes:
            self._blob = self._acceptor.ledger.blobs.writer()
            await self._blob.write(bytes(self._small))
            self._small.clear()

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
        began = time.perf_counter()
        message, routed = self._message(sender_ref, trace, via)
        if not routed.planned:
            return await self._known(message, routed.decision)
        if self._blob is not None:
            await self._blob.commit()
        snapshot = self._acceptor.live.snapshot
        receipt = await self._acceptor.ledger.accept(
            Acceptance(
                message,
                _planned(routed, snapshot, message.accepted_at),
                routed.text,
                client,
                bytes(self._small) if self._blob is None else None,
                *following(message, routed.decision, snapshot),
            )
        )
        if not receipt.duplicate:
            self._acceptor.observer.accepted(
                message.body.kind, message.lane.value, time.perf_counter() - began
            )
        return receipt

    async def abort(self) -> None:
        """Leave nothing behind; harmless after accept."""
        if self._blob is not None:
            self._blob.abort()

    async def _known(self, message: Message, decision: Decision) -> Receipt:
        """A repeat keeps its receipt even when its receivers have left the directory since."""
        receipt = await self._acceptor.ledger.stored_receipt(message)
        if receipt is None:
            raise _nowhere(decision)
        return receipt

    def _message(self, sender_ref: str | None, trace: str, via: str) -> tuple[Message, Routed]:
        packet = self._packet
        assert packet is not None, "close() comes before accept()"  # noqa: S101
        acceptor = self._acceptor
        sender, receivers, order_key, lane = addressing(packet)
        body = to_body(packet)
        snapshot = acceptor.live.snapshot
        now = acceptor.ledger.clock()
        routed = acceptor.decide(snapshot, Facts(body.kind, sender, receivers, via), now)
        digest = self._digest.hexdigest()
        message = Message.model_construct(
            id=str(uuid_utils.uuid7()),
            sender=routed.sender,
            sender_ref=sender_ref or f"sha256:{digest}",
            receivers=receivers,
            order_key=order_key,
            lane=lane,
            accepted_at=now,
            expires_at=None,
            sha256=digest,
            size=self._size,
            media_type=MEDIA_TYPE,
            trace=trace,
            body=body,
            warnings=packet.warnings,
        )
        return message, routed


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
