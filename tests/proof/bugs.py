"""Seeded bugs: each breaks one invariant of the bus on purpose, so that the judge has to see it.

They are planted into patched processes only (`saboteur.py`); the bus has no such option.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import uuid_utils

from bus.engine.accept import Acceptor
from bus.engine.arrivals import ArrivalReporter, _reported
from bus.engine.deliver import EndpointRunner
from bus.engine.slots import Slots
from bus.engine.spool import Spool
from bus.gateway.access import Caller
from bus.ledger import postgres, sqlite, transaction
from bus.ledger.ledger import Ledger
from schemas.adapter import OutboundDelivery, Outcome, Result

EVERY = 25  # messages or deliveries, one is done wrong


@dataclass(frozen=True)
class Bug:
    name: str
    invariant: int  # that it breaks
    seen_as: str  # field of the judge's verdict
    plant: Callable[[], None]
    faults: tuple[str, ...] = ()  # without which nobody would notice
    large: int = 0  # large documents, without which nobody would notice


def put(owner: type, name: str, wrong: Any) -> None:
    """In the place of a method."""
    setattr(owner, name, wrong)


def _receipt_without_commit() -> None:
    count, accept = itertools.count(1), Ledger.accept

    async def wrong(ledger: Ledger, acceptance: Any) -> Any:
        if next(count) % EVERY:
            return await accept(ledger, acceptance)
        return transaction._receipt(acceptance)

    put(Ledger, "accept", wrong)


def _delivery_forgotten() -> None:
    count, attempt = itertools.count(1), EndpointRunner._attempt

    async def wrong(runner: EndpointRunner, claimed: Any, content: Any) -> Outcome:
        if next(count) % EVERY:
            return await attempt(runner, claimed, content)
        return Outcome(Result.DELIVERED)

    put(EndpointRunner, "_attempt", wrong)


def _arrival_untold() -> None:
    count, report = itertools.count(1), ArrivalReporter._report

    async def wrong(reporter: ArrivalReporter, row: Any) -> None:
        if next(count) % EVERY:
            await report(reporter, row)
        else:
            await reporter._acceptor.ledger.act(lambda tx, _chain, _now: _reported(tx, row))

    put(ArrivalReporter, "_report", wrong)


def _repeat_taken_for_new() -> None:
    accept = Acceptor.accept

    async def wrong(acceptor: Acceptor, *given: Any, **named: Any) -> Any:
        return await accept(acceptor, *given, **named | {"sender_ref": str(uuid_utils.uuid4())})

    put(Acceptor, "accept", wrong)


def _turn_not_kept() -> None:
    sqlite._INSERT_DELIVERY = sqlite._INSERT_DELIVERY.replace("?8 AND NOT", "?8 OR NOT")
    asked = "r.candidate AND NOT"
    postgres._INSERT_DELIVERIES = postgres._INSERT_DELIVERIES.replace(asked, "true OR NOT")


def _one_place_for_all() -> None:
    begin, attempt, places = EndpointRunner.__init__, EndpointRunner._attempt, Slots(1)

    def wrong(runner: EndpointRunner, *given: Any, **named: Any) -> None:
        begin(runner, *given, **named)
        runner._slots = places

    async def stubborn(runner: EndpointRunner, claimed: Any, content: Any) -> Outcome:
        while (outcome := await attempt(runner, claimed, content)).result is not Result.DELIVERED:
            pass
        return outcome

    put(EndpointRunner, "__init__", wrong)
    put(EndpointRunner, "resize", lambda _runner, places: None)  # noqa: ARG005
    put(EndpointRunner, "_attempt", stubborn)


def _decision_misstated() -> None:
    receipt = transaction._receipt

    def wrong(acceptance: Any) -> Any:
        given = receipt(acceptance)
        return replace(given, decision=given.decision.replace('"he-2"', '"he-3"'))

    transaction._receipt = wrong


def _content_rewritten() -> None:
    outbound = EndpointRunner._outbound

    async def wrong(runner: EndpointRunner, *given: Any) -> OutboundDelivery:
        delivery = await outbound(runner, *given)
        if delivery.content is None or delivery.kind != "document":
            return delivery
        content = delivery.content.replace(b"?>\n", b"?>")
        digest = hashlib.sha256(content).hexdigest()
        return replace(delivery, content=content, size=len(content), sha256=digest)

    put(EndpointRunner, "_outbound", wrong)


def _anyone_for_anyone() -> None:
    put(Caller, "require_sends_as", lambda _caller, _code: None)


def _original_in_memory() -> None:
    keep, kept = Spool.keep, bytearray()

    async def wrong(spool: Spool, chunk: bytes) -> None:
        kept.extend(chunk)
        await keep(spool, chunk)

    put(Spool, "keep", wrong)


_ALL = (
    Bug("receipt-without-commit", 1, "lost", _receipt_without_commit),
    Bug("delivery-forgotten", 2, "lost", _delivery_forgotten),
    Bug("arrival-untold", 2, "untold", _arrival_untold),
    Bug("repeat-taken-for-new", 3, "doubled", _repeat_taken_for_new),
    Bug("turn-not-kept", 4, "disordered", _turn_not_kept, faults=("partner: 500",)),
    Bug("one-place-for-all", 5, "held_up", _one_place_for_all, faults=("a partner hangs",)),
    Bug("decision-misstated", 6, "misdirected", _decision_misstated),
    Bug("content-rewritten", 7, "altered", _content_rewritten),
    Bug("anyone-for-anyone", 8, "trespassed", _anyone_for_anyone),
    Bug("original-in-memory", 9, "swollen", _original_in_memory, large=1),
)
BUGS = MappingProxyType({bug.name: bug for bug in _ALL})
