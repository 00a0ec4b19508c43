"""Who called which operation of which service, how often, how it was answered: by the hour.

What processes have counted is added up here, so that any number of gateways make one figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Select, Table, func, select

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.tables import service_latency, service_usage
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
    spread: Mapping[int, int] = field(default_factory=dict)
    """How many took how long, by the upper bound of a bucket in milliseconds. Calls that were
    counted before there were buckets are in none."""

    @property
    def key(self) -> tuple[Instant, str, str, str, str, str]:
        return (self.at, self.service, self.operation, self.client, self.agency, self.outcome)


class UsageQueries:
    """Raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_period(
        self, *, since: Instant, until: Instant, agencies: Collection[str] | None = None
    ) -> list[Usage]:
        """Summed up over all hours that begin in it. `agencies`: their calls alone."""
        u, s = service_usage.c, service_latency.c
        sums = (func.sum(u.count), func.sum(u.milliseconds), func.max(u.longest))
        counted = _of(service_usage, since, until, agencies, (func.min(u.at),), sums)
        measured = (s.upto, func.sum(s.count))
        spread = _of(service_latency, since, until, agencies, (), measured).group_by(s.upto)
        async with self._db.read() as connection:
            rows = (await connection.execute(counted)).all()
            buckets = (await connection.execute(spread)).all()
        spreads: dict[tuple[str, ...], dict[int, int]] = defaultdict(dict)
        for *key, upto, calls in buckets:
            spreads[tuple(key)][upto] = int(calls)
        return [
            replace(Usage(*row[:6], *map(int, row[6:])), spread=spreads.get(tuple(row[1:6]), {}))
            for row in rows
        ]


def _of(
    table: Table,
    since: Instant,
    until: Instant,
    agencies: Collection[str] | None,
    before: Sequence[Any],
    after: Sequence[Any],
) -> Select[*tuple[Any, ...]]:
    """By what is called, by whom and how it was answered: values over all hours, before and after
    the names.
    """
    c = table.c
    keys = (c.service, c.operation, c.client, c.agency, c.outcome)
    query = select(*before, *keys, *after).where(c.at >= since, c.at < until)
    if agencies is not None:
        query = query.where(c.agency.in_(sorted(agencies)))
    return query.group_by(*keys).order_by(*keys)


_KEY = (
    ("at", "bigint"),
    ("service", "text"),
    ("operation", "text"),
    ("client", "text"),
    ("agency", "text"),
    ("outcome", "text"),
)


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
        (*_KEY, ("count", "bigint"), ("milliseconds", "bigint"), ("longest", "bigint")),
        [(*each.key, each.count, each.milliseconds, each.longest) for each in counted],
    )
    buckets = [(*each.key, *bucket) for each in counted for bucket in sorted(each.spread.items())]
    if not buckets:
        return
    await tx.over(
        "INSERT INTO service_latency"
        " (at, service, operation, client, agency, outcome, upto, count)"
        " SELECT at, service, operation, client, agency, outcome, upto, count"
        " FROM {rows} WHERE true"
        " ON CONFLICT (at, service, operation, client, agency, outcome, upto) DO UPDATE SET"
        " count = service_latency.count + excluded.count",
        (*_KEY, ("upto", "bigint"), ("count", "bigint")),
        buckets,
    )


async def forget(tx: Tx, chain: Chain, now: Instant) -> None:
    """What is older than is kept."""
    del chain
    await tx.execute("DELETE FROM service_usage WHERE at < ?", now - KEPT)
    await tx.execute("DELETE FROM service_latency WHERE at < ?", now - KEPT)
