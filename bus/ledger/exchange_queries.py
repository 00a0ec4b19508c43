"""Reads of the documents followed: where each stands, tasks, figures of a period."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import ColumnElement, Subquery, and_, case, func, or_, select, text, tuple_

from bus.ledger.database import Database
from bus.ledger.tables import exchange, exchange_event
from schemas.exchange import MAY_BE_SENT_AGAIN, ExchangeState, Recall
from schemas.instant import SECOND, Instant

DIRECTED = (2, 3)  # SteeringType: chỉ đạo, báo cáo chỉ đạo
_DAY = 86_400 * SECOND

TaskState = Literal["open", "overdue", "done"]
Side = Literal["receiver", "sender"]
Concern = Literal["unread", "late", "refused", "recall"]
"""Why somebody has to look at a document: it arrived and was not accepted; its task is overdue; its
receiver refused it; its sender asked for it back and has no answer."""


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """A document at one of its receivers."""

    message_id: str
    receiver: str
    sender: str
    document_id: str
    document_code: str
    promulgated: str
    subject: str
    business: int
    priority: int
    due_at: Instant | None  # end of the day it is due
    steering: int
    state: ExchangeState
    recall: Recall
    sent_at: Instant
    arrived_at: Instant | None
    accepted_at: Instant | None
    finished_at: Instant | None
    changed_at: Instant
    reports: bool


@dataclass(frozen=True, slots=True)
class EventRow:
    """What was told of a document at a receiver, in order of arrival."""

    id: int
    message_id: str
    receiver: str
    event: str
    at: Instant
    told_by: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Documents sent to one agency in a period, and the tasks among them."""

    agency: str
    received: int
    accepted: int  # 03 or further
    refused: int
    tasks: int
    done_early: int  # before the day they were due
    done_on_time: int  # on that day, or without a day
    done_late: int
    open: int  # not done, not due yet
    overdue: int  # not done, due before today


@dataclass(frozen=True, slots=True)
class Standing:
    """What concerns one agency now: how many documents, by concern."""

    agency: str
    unread: int
    oldest_unread: Instant | None  # when it arrived
    late: int
    refused: int
    recall: int


_ROW = [exchange.c[field.name] for field in fields(ExchangeRow)]
_EVENT = [exchange_event.c[field.name] for field in fields(EventRow)]
_NO_TASK = [state.value for state in (*MAY_BE_SENT_AGAIN, ExchangeState.REPLACED)]
_IS_TASK = and_(
    or_(exchange.c.due_at.is_not(None), exchange.c.steering.in_(DIRECTED)),
    exchange.c.state.not_in(_NO_TASK),
)
_DONE = exchange.c.state == ExchangeState.FINISHED.value


class ExchangeQueries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self,
        *,
        senders: Collection[str] | None = None,
        receivers: Collection[str] | None = None,
        document_id: str | None = None,
        document_code: str | None = None,
        state: ExchangeState | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[ExchangeRow]:
        """Newest first; `after` is (message id, receiver) of the last one of the page before.

        `senders` and `receivers`: those sent or received by any of them; None: not asked for.
        """
        where: list[ColumnElement[bool]] = []
        sides = [
            exchange.c[name].in_(agencies)
            for name, agencies in (("sender", senders), ("receiver", receivers))
            if agencies is not None
        ]
        if sides:
            where.append(or_(*sides))
        for name, value in (
            ("document_id", document_id),
            ("document_code", document_code),
            ("state", state.value if state else None),
        ):
            if value is not None:
                where.append(exchange.c[name] == value)
        if after is not None:
            where.append(tuple_(exchange.c.message_id, exchange.c.receiver) < tuple_(*after))
        return await self._rows(where, limit)

    async def of_message(self, message_id: str) -> list[ExchangeRow]:
        return await self._rows([exchange.c.message_id == message_id], 10_000)

    async def events(self, message_id: str) -> list[EventRow]:
        query = (
            select(*_EVENT)
            .where(exchange_event.c.message_id == message_id)
            .order_by(exchange_event.c.id)
        )
        async with self._db.read() as connection:
            return [EventRow(*row) for row in await connection.execute(query)]

    async def unreported(self, *, limit: int) -> list[ExchangeRow]:
        """Arrivals the bus has yet to report, oldest first."""
        waiting = text("reports AND arrived_at IS NOT NULL AND NOT arrival_told")
        query = select(*_ROW).where(waiting).order_by(exchange.c.arrived_at).limit(limit)
        async with self._db.read() as connection:
            return [_row(row) for row in await connection.execute(query)]

    async def tasks(
        self,
        *,
        agencies: Collection[str] | None,
        state: TaskState | None,
        now: Instant,
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[ExchangeRow]:
        """Newest first. What is due by `now` and not done is overdue."""
        where: list[ColumnElement[bool]] = [_IS_TASK]
        if agencies is not None:
            where.append(exchange.c.receiver.in_(agencies))
        match state:
            case "done":
                where.append(_DONE)
            case "overdue":
                where.append(_overdue(now))
            case "open":
                where += [~_DONE, or_(exchange.c.due_at.is_(None), exchange.c.due_at > now)]
        if after is not None:
            where.append(tuple_(exchange.c.message_id, exchange.c.receiver) < tuple_(*after))
        return await self._rows(where, limit)

    async def standing(
        self, side: Side, *, agencies: Collection[str] | None, now: Instant, refused_since: Instant
    ) -> list[Standing]:
        """Of every agency with something that concerns it, as receiver or as sender.

        `refused_since`: older refusals concern nobody any more.
        """
        who, concerns = exchange.c[side], _concerns(now, refused_since)
        unread = concerns["unread"]
        query = (
            select(
                who,
                _count(unread),
                func.min(case((unread, exchange.c.arrived_at))),
                *(_count(concerns[each]) for each in ("late", "refused", "recall")),
            )
            .where(or_(*concerns.values()))
            .group_by(who)
            .order_by(who)
        )
        if agencies is not None:
            query = query.where(who.in_(agencies))
        async with self._db.read() as connection:
            return [Standing(*row) for row in await connection.execute(query)]

    async def of_concern(
        self,
        concern: Concern,
        side: Side,
        *,
        agencies: Collection[str] | None,
        now: Instant,
        refused_since: Instant,
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[ExchangeRow]:
        """What `standing` has counted, newest first."""
        where = [_concerns(now, refused_since)[concern]]
        if agencies is not None:
            where.append(exchange.c[side].in_(agencies))
        if after is not None:
            where.append(tuple_(exchange.c.message_id, exchange.c.receiver) < tuple_(*after))
        return await self._rows(where, limit)

    async def states(
        self, *, agencies: Collection[str] | None, since: Instant, until: Instant
    ) -> list[tuple[str, ExchangeState, int]]:
        """How many of the documents accepted from `since` up to `until` are where, by receiver."""
        groups = (exchange.c.receiver, exchange.c.state)
        query = (
            select(*groups, func.count())
            .where(exchange.c.sent_at >= since, exchange.c.sent_at < until)
            .group_by(*groups)
            .order_by(*groups)
        )
        if agencies is not None:
            query = query.where(exchange.c.receiver.in_(agencies))
        async with self._db.read() as connection:
            rows = (await connection.execute(query)).all()
        return [(row[0], ExchangeState(row[1]), row[2]) for row in rows]

    async def figures(
        self, *, agencies: Collection[str] | None, since: Instant, until: Instant, now: Instant
    ) -> list[Figures]:
        """Of the documents accepted from `since` up to `until`, by receiving agency."""
        period = [exchange.c.sent_at >= since, exchange.c.sent_at < until]
        if agencies is not None:
            period.append(exchange.c.receiver.in_(agencies))
        state = exchange.c.state
        received = (
            select(
                exchange.c.receiver,
                func.count().label("received"),
                _count(state.in_(["accepted", "assigned", "processing", "finished"])).label(
                    "taken"
                ),
                _count(state == ExchangeState.REFUSED.value).label("refused"),
            )
            .where(*period)
            .group_by(exchange.c.receiver)
            .subquery()
        )
        tasks = _tasks(period, now)
        sums = [func.coalesce(each, 0) for each in tasks.c if each.name != "receiver"]
        query = (
            select(*received.c, *sums)
            .join_from(received, tasks, received.c.receiver == tasks.c.receiver, isouter=True)
            .order_by(received.c.receiver)
        )
        async with self._db.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Figures(row[0], *(int(value) for value in row[1:])) for row in rows]

    async def _rows(self, where: Sequence[ColumnElement[bool]], limit: int) -> list[ExchangeRow]:
        query = (
            select(*_ROW)
            .where(*where)
            .order_by(exchange.c.message_id.desc(), exchange.c.receiver.desc())
            .limit(limit)
        )
        async with self._db.read() as connection:
            return [_row(row) for row in await connection.execute(query)]


def _tasks(period: Sequence[ColumnElement[bool]], now: Instant) -> Subquery:
    """Few documents are tasks: what is asked of them is asked of no other."""
    finished, due = exchange.c.finished_at, exchange.c.due_at
    counted = {
        "done_early": and_(_DONE, finished < due - _DAY),
        "done_on_time": and_(
            _DONE, or_(due.is_(None), and_(finished >= due - _DAY, finished < due))
        ),
        "done_late": and_(_DONE, finished >= due),
        "open": and_(~_DONE, or_(due.is_(None), due > now)),
        "overdue": _overdue(now),
    }
    sums = [_count(condition).label(name) for name, condition in counted.items()]
    query = select(exchange.c.receiver, func.count().label("tasks"), *sums)
    return query.where(*period, _IS_TASK).group_by(exchange.c.receiver).subquery()


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _overdue(now: Instant) -> ColumnElement[bool]:
    return and_(_IS_TASK, ~_DONE, exchange.c.due_at <= now)


def _concerns(now: Instant, refused_since: Instant) -> dict[Concern, ColumnElement[bool]]:
    state = exchange.c.state
    refused = state == ExchangeState.REFUSED.value
    return {
        "unread": state == ExchangeState.ARRIVED.value,
        "late": _overdue(now),
        "refused": and_(refused, exchange.c.changed_at >= refused_since),
        "recall": exchange.c.recall == Recall.ASKED.value,
    }


def _row(row: Sequence[Any]) -> ExchangeRow:
    values = {column.name: value for column, value in zip(_ROW, row, strict=True)}
    values["state"] = ExchangeState(values["state"])
    values["recall"] = Recall(values["recall"])
    return ExchangeRow(**values)
