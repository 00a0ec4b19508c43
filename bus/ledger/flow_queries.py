"""Figures of what flowed in a period: volumes, answers of partners, failures, times of silence.

They read all of a period once; whoever shows them again and again keeps them for a while.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, and_, case, func, select

from bus.ledger.database import Database
from bus.ledger.queries import concerning, lowest_id
from bus.ledger.tables import OUTAGES, delivery, journal, message
from schemas.delivery import OPEN, DeliveryState
from schemas.instant import SECOND, Instant

S = DeliveryState
MINUTE = 60 * SECOND
TROUBLE = (S.REJECTED, S.DEAD, S.EXPIRED, S.HELD)
"""States of a delivery that somebody has to explain."""

OPENED = "breaker-opened"


@dataclass(frozen=True, slots=True)
class Volume:
    """Messages of one kind that one agency sent."""

    agency: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Deliveries to one endpoint that stand in one state for one reason."""

    endpoint: str
    state: DeliveryState
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Response:
    """How one partner answered the deliveries of a period."""

    endpoint: str
    deliveries: int
    delivered: int
    rejected: int
    lost: int  # dead or expired
    cancelled: int
    open: int
    attempts: int
    again: int  # deliveries that took more than one attempt
    in_a_minute: int  # delivered within a minute of acceptance
    mean: int | None  # microseconds from acceptance to the partner's receipt
    longest: int | None


class Outage(NamedTuple):
    """A partner was left in peace because it did not answer. `ended`: None while it lasts."""

    endpoint: str
    began: Instant
    ended: Instant | None


class FlowQueries:
    """Every method raises LedgerUnavailable. `agencies`: what they sent or were to get."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def volumes(
        self, *, senders: Collection[str] | None, since: Instant, until: Instant
    ) -> list[Volume]:
        """Accepted from `since` up to `until`."""
        groups = (message.c.sender, message.c.kind)
        query = (
            select(*groups, func.count())
            .where(*_accepted(since, until))
            .group_by(*groups)
            .order_by(*groups)
        )
        if senders is not None:
            query = query.where(message.c.sender.in_(senders))
        return [Volume(*row) for row in await self._all(query)]

    async def responses(
        self, *, agencies: Collection[str] | None, since: Instant, until: Instant
    ) -> list[Response]:
        """Of the deliveries that arose from `since` up to `until`, by endpoint."""
        state, took = delivery.c.state, delivery.c.finished_at - delivery.c.created_at
        delivered = state == S.DELIVERED.value
        query = (
            select(
                delivery.c.endpoint,
                func.count(),
                _count(delivered),
                _count(state == S.REJECTED.value),
                _count(state.in_([S.DEAD.value, S.EXPIRED.value])),
                _count(state == S.CANCELLED.value),
                _count(state.in_([each.value for each in OPEN if each is not S.DEAD])),
                func.sum(delivery.c.attempts),
                _count(delivery.c.attempts > 1),
                _count(and_(delivered, took <= MINUTE)),
                func.avg(case((delivered, took))),
                func.max(case((delivered, took))),
            )
            .where(*_arisen(since, until), *concerning(agencies))
            .group_by(delivery.c.endpoint)
            .order_by(delivery.c.endpoint)
        )
        return [_response(row) for row in await self._all(query)]

    async def failures(
        self, *, agencies: Collection[str] | None, since: Instant, until: Instant
    ) -> list[Failure]:
        """The same deliveries, as far as somebody has to explain them; the most frequent first."""
        groups = (delivery.c.endpoint, delivery.c.state, func.coalesce(delivery.c.code, ""))
        query = (
            select(*groups, func.count())
            .where(*_arisen(since, until), *concerning(agencies))
            .where(delivery.c.state.in_([each.value for each in TROUBLE]))
            .group_by(*groups)
            .order_by(func.count().desc(), *groups)
        )
        rows = await self._all(query)
        return [Failure(row[0], DeliveryState(row[1]), row[2], row[3]) for row in rows]

    async def outages(self, *, since: Instant, until: Instant) -> list[Outage]:
        """That began from `since` up to `until`, by endpoint."""
        query = (
            select(journal.c.at, journal.c.event, journal.c.data)
            .where(OUTAGES, journal.c.at >= since)
            .order_by(journal.c.at)
        )
        found: list[Outage] = []
        open_: dict[str, Instant] = {}
        for at, event, data in await self._all(query):
            endpoint = str(orjson.loads(data).get("endpoint", ""))
            if event == OPENED:
                if at < until:
                    open_.setdefault(endpoint, at)
            elif endpoint in open_:
                found.append(Outage(endpoint, open_.pop(endpoint), at))
        found += [Outage(endpoint, began, None) for endpoint, began in open_.items()]
        return sorted(found, key=lambda each: (each.endpoint, each.began))

    async def _all(self, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        async with self._db.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]


def _accepted(since: Instant, until: Instant) -> tuple[ColumnElement[bool], ...]:
    accepted = message.c.accepted_at
    return message.c.id >= lowest_id(since), accepted >= since, accepted < until


def _arisen(since: Instant, until: Instant) -> tuple[ColumnElement[bool], ...]:
    created = delivery.c.created_at
    return delivery.c.message_id >= lowest_id(since), created >= since, created < until


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _response(row: tuple[Any, ...]) -> Response:
    *counts, mean, longest = row
    return Response(*(*counts, None if mean is None else round(mean), longest))
