"""Who called which operation of which service, how often, how it was answered: by the hour.

What processes have counted is added up here, so that any number of gateways make one figure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.tables import service_usage
from bus.ledger.tx import Tx
from schemas.instant import SECOND, Instant

HOUR: Instant = 3_600 * SECOND
KEPT: Instant = 800 * 24 * HOUR
"""Two years and what is needed to report the earlier of them: older hours are forgotten."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls with one outcome, by one consumer, of one operation."""

    at: Instant  # beginning of the hour; of a sum: of its first hour
    service: str  # name@version
    operation: str
    client: str
    agency: str  # empty: an operator's
    outcome: str  # "answered", or the code of an error
    count: int
    milliseconds: int  # all of them together
    longest: int  # milliseconds


class UsageQueries:
    """Raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_period(
        self, *, since: Instant, until: Instant, agencies: Collection[str] | None = None
    ) -> list[Usage]:
        """Summed up over all hours that begin in it. `agencies`: their calls alone."""
        u = service_usage.c
        keys = (u.service, u.operation, u.client, u.agency, u.outcome)
        sums = (func.sum(u.count), func.sum(u.milliseconds), func.max(u.longest))
        query = select(func.min(u.at), *keys, *sums).where(u.at >= since, u.at < until)
        if agencies is not None:
            query = query.where(u.agency.in_(sorted(agencies)))
        query = query.group_by(*keys).order_by(*keys)
        async with self._db.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Usage(*row[:6], *map(int, row[6:])) for row in rows]


async def count(tx: Tx, chain: Chain, now: Instant, counted: Collection[Usage]) -> None:
    """Adds what a process counted to what it and others did."""
    del chain, now
    if not counted:
        return
    await tx.over(
        "INSERT INTO service_usage"
        " (at, service, operation, client, agency, outcome, count, milliseconds, longest)"
        " SELECT at, service, operation, client, agency, outcome, count, milliseconds, longest"
        " FROM {rows} WHERE true"
        " ON CONFLICT (at, service, operation, client, agency, outcome) DO UPDATE SET"
        " count = service_usage.count + excluded.count,"
        " milliseconds = service_usage.milliseconds + excluded.milliseconds,"
        " longest = CASE WHEN excluded.longest > service_usage.longest"
        " THEN excluded.longest ELSE service_usage.longest END",
        (
            ("at", "bigint"),
            ("service", "text"),
            ("operation", "text"),
            ("client", "text"),
            ("agency", "text"),
            ("outcome", "text"),
            ("count", "bigint"),
            ("milliseconds", "bigint"),
            ("longest", "bigint"),
        ),
        [
            (
                each.at,
                each.service,
                each.operation,
                each.client,
                each.agency,
                each.outcome,
                each.count,
                each.milliseconds,
                each.longest,
            )
            for each in counted
        ],
    )


async def forget(tx: Tx, chain: Chain, now: Instant) -> None:
    """What is older than is kept."""
    del chain
    await tx.execute("DELETE FROM service_usage WHERE at < ?", now - KEPT)
