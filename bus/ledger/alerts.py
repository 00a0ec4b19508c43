"""Alerts as the ledger keeps them, so that a restart neither repeats nor forgets one.

An alert is found, is raised once it has lasted, is told to every channel, and is resolved when it
has not been found for a while.  What a channel is to be told is a row that stays until it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import orjson
from sqlalchemy import Select, func, select, tuple_

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.tables import alert, alert_memory, alert_notice, alert_silence, dossier, tally
from bus.ledger.tx import Tx
from schemas.errors import NotFound, Text
from schemas.instant import Instant

Severity = Literal["warning", "critical"]
NoticeEvent = Literal["raised", "reminded", "resolved"]
LOCK = "alerts"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong now. The same `rule` and `subject` again are the same trouble."""

    rule: str
    subject: str
    culprit: str  # kind and name, as `endpoint:so-y-te`: what most likely is the cause
    severity: Severity
    what: Text
    cause: Text  # the culprit in words
    step: Text  # what to do next; a command where there is one
    since: Instant  # when the trouble began, or was first seen
    lasts: float = 0.0  # seconds it must last before anybody is told

    @property
    def key(self) -> str:
        return f"{self.rule}:{self.subject}"


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it is kept."""

    id: int
    key: str
    rule: str
    culprit: str
    severity: Severity
    what: Text
    cause: Text
    step: Text
    since: Instant
    seen_at: Instant
    raised_at: Instant | None
    told_at: Instant | None
    resolved_at: Instant | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a channel is still to be told."""

    id: int
    channel: str
    event: NoticeEvent
    attempts: int
    next_attempt_at: Instant
    at: Instant
    alert: AlertRow


@dataclass(frozen=True, slots=True)
class Silence:
    pattern: str
    until: Instant
    reason: str
    actor: str
    at: Instant


@dataclass(frozen=True, slots=True)
class Tally:
    """What all processes counted of a subject in one span of time."""

    kind: str
    subject: str
    at: Instant
    count: int
    low: int | None = None
    high: int | None = None


LOST = "process-lost"


@dataclass(frozen=True, slots=True)
class Loss:
    """A process that ended without leaving: killed, or its machine is gone."""

    process: str
    host: str
    pid: int
    roles: tuple[str, ...]
    at: Instant  # when others took its work

    @property
    def tally(self) -> Tally:
        """By which whoever looks for trouble hears of it."""
        subject = " ".join((self.process, self.host, str(self.pid), *self.roles))
        return Tally(LOST, subject, self.at, 1)

    @staticmethod
    def of(tally: Tally) -> Loss:
        process, host, pid, *roles = tally.subject.split(" ")
        return Loss(process, host, int(pid), tuple(roles), tally.at)


@dataclass(frozen=True, slots=True)
class OpenDossiers:
    """Of one agency."""

    agency: str
    unfinished: int
    late: int
    oldest_due: Instant | None  # of those that are late


_ALERT = [c for c in alert.c if c.name != "body"]
_SILENCE = [alert_silence.c[each.name] for each in fields(Silence)]
_TALLY = [tally.c[each.name] for each in fields(Tally)]


class AlertQueries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def unresolved(self) -> list[AlertRow]:
        """Those not raised yet, too."""
        return await self._alerts(_select().where(alert.c.resolved_at.is_(None)))

    async def raised(
        self, *, limit: int, before: tuple[Instant, int] | None = None
    ) -> list[AlertRow]:
        """Newest first. `before`: only what comes after that one, by when it was raised and id."""
        query = _select().where(alert.c.raised_at.is_not(None))
        if before is not None:
            query = query.where(tuple_(alert.c.raised_at, alert.c.id) < tuple_(*before))
        query = query.order_by(alert.c.raised_at.desc(), alert.c.id.desc())
        return await self._alerts(query.limit(limit))

    async def alert(self, number: int) -> AlertRow:
        """Raises NotFound."""
        found = await self._alerts(_select().where(alert.c.id == number))
        if not found:
            raise NotFound(f"no alert {number}", vi=f"Không có cảnh báo {number}")
        return found[0]

    async def due_notices(self, channel: str, *, limit: int = 200) -> list[Notice]:
        """What it is still to be told, oldest first, whether or not it is time."""
        columns = (
            alert_notice.c.id,
            alert_notice.c.channel,
            alert_notice.c.event,
            alert_notice.c.attempts,
            alert_notice.c.next_attempt_at,
            alert_notice.c.at,
        )
        query = (
            select(*columns, alert.c.body, *_ALERT)
            .select_from(alert_notice.join(alert, alert_notice.c.alert_id == alert.c.id))
            .where(alert_notice.c.sent_at.is_(None), alert_notice.c.channel == channel)
            .order_by(alert_notice.c.id)
            .limit(limit)
        )
        width = len(columns)
        return [Notice(*(*row[:width], _row(row[width:]))) for row in await self._all(query)]

    async def told_at(self, channel: str, culprit: str) -> Instant | None:
        """When the channel was last told of it."""
        query = select(func.max(alert_notice.c.sent_at)).where(
            alert_notice.c.channel == channel, alert_notice.c.culprit == culprit
        )
        rows = await self._all(query)
        at: Instant | None = rows[0][0]
        return at

    async def waiting(self) -> dict[str, tuple[int, Instant, str | None]]:
        """By channel: how many notices it has not been told, since when, and the last error."""
        query = (
            select(
                alert_notice.c.channel,
                func.count(),
                func.min(alert_notice.c.at),
                func.max(alert_notice.c.error),
            )
            .where(alert_notice.c.sent_at.is_(None))
            .group_by(alert_notice.c.channel)
        )
        return {row[0]: (row[1], row[2], row[3]) for row in await self._all(query)}

    async def silences(self, now: Instant) -> list[Silence]:
        """In force."""
        query = select(*_SILENCE).where(alert_silence.c.until > now)
        rows = await self._all(query.order_by(alert_silence.c.until))
        return [Silence(*row) for row in rows]

    async def memory(self) -> dict[str, Any]:
        """What each rule knows of earlier rounds."""
        rows = await self._all(select(alert_memory.c.rule, alert_memory.c.body))
        return {rule: orjson.loads(body) for rule, body in rows}

    async def tallies(self, since: Instant) -> list[Tally]:
        rows = await self._all(select(*_TALLY).where(tally.c.at >= since))
        return [Tally(*row) for row in rows]

    async def dossiers(self, now: Instant) -> list[OpenDossiers]:
        """Of every agency that has unfinished dossiers."""
        late = dossier.c.due_at < now
        query = (
            select(
                dossier.c.sender,
                func.count(),
                func.count().filter(late),
                func.min(dossier.c.due_at).filter(late),
            )
            .where(dossier.c.finished_at.is_(None))
            .group_by(dossier.c.sender)
        )
        return [OpenDossiers(*row) for row in await self._all(query)]

    async def _alerts(self, query: Select[*tuple[Any, ...]]) -> list[AlertRow]:
        return [_row(row) for row in await self._all(query)]

    async def _all(self, query: Select[*tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
        async with self._db.read() as connection:
            return (await connection.execute(query)).all()


def _select() -> Select[*tuple[Any, ...]]:
    return select(alert.c.body, *_ALERT)


def _row(row: Sequence[Any]) -> AlertRow:
    body = orjson.loads(row[0])
    values: dict[str, Any] = {
        column.name: value for column, value in zip(_ALERT, row[1:], strict=True)
    }
    values |= {name: Text(*body[name]) for name in ("what", "cause", "step")}
    return AlertRow(**values)


# --- acts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """What a round changes."""

    found: Sequence[Finding]  # new, or found again
    raised: frozenset[str]  # keys of those raised now
    told: frozenset[str]  # keys of those channels are told of: raised and not silenced
    reminded: frozenset[str]  # told some time ago, and still there
    kept: frozenset[str]  # not found, but only because another alert explains them
    resolved: frozenset[str]  # raised once, gone now
    dropped: frozenset[str]  # never raised, gone now


async def settle(
    tx: Tx,
    chain: Chain,
    now: Instant,
    settled: Settled,
    *,
    channels: Collection[str],
    memory: dict[str, Any],
    forget_before: Instant,
) -> None:
    """Writes one round down: all of it, or nothing."""
    for finding in settled.found:
        await _found(tx, now, finding)
    for key in sorted(settled.kept):
        await tx.execute(
            "UPDATE alert SET seen_at = ? WHERE key = ? AND resolved_at IS NULL", now, key
        )
    for key in sorted(settled.raised):
        number, culprit, body = await _mark(tx, "raised_at", now, key)
        data = {"alert": number, "key": key, "culprit": culprit, "what": body["what"][1]}
        chain.add(now, "alert-raised", "alerts", data)
    for key in sorted(settled.told | settled.reminded):
        number, culprit, _ = await _mark(tx, "told_at", now, key)
        event = "raised" if key in settled.told else "reminded"
        await _tell(tx, now, number, culprit, event, channels)
    for key in sorted(settled.resolved):
        rows = await tx.execute(
            "SELECT told_at FROM alert WHERE key = ? AND resolved_at IS NULL", key
        )
        number, culprit, _ = await _mark(tx, "resolved_at", now, key)
        chain.add(now, "alert-resolved", "alerts", {"alert": number, "key": key})
        if rows[0][0] is not None:
            await _tell(tx, now, number, culprit, "resolved", channels)
    for key in sorted(settled.dropped):
        await tx.execute("DELETE FROM alert WHERE key = ? AND resolved_at IS NULL", key)
    for rule, body in memory.items():
        await remember(tx, chain, now, rule, body)
    await tx.execute("DELETE FROM tally WHERE at < ?", forget_before)


async def happened(
    tx: Tx,
    chain: Chain,
    now: Instant,
    finding: Finding,
    *,
    raised_at: Instant,
    ended_at: Instant,
) -> None:
    """An alert of which everybody has been told already, and that is over."""
    moments = (finding.since, ended_at, raised_at, raised_at, ended_at)
    rows = await tx.execute(
        "INSERT INTO alert (key, rule, culprit, severity, body, since, seen_at, raised_at, told_at,"
        " resolved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        finding.key,
        finding.rule,
        finding.culprit,
        finding.severity,
        _body(finding),
        *moments,
    )
    number = int(str(rows[0][0]))
    data = {"alert": number, "key": finding.key, "raised_at": raised_at, "ended_at": ended_at}
    more = {"culprit": finding.culprit, "what": finding.what.en}
    chain.add(now, "alert-raised", "alerts", data | more)
    chain.add(now, "alert-resolved", "alerts", data)


async def remember(tx: Tx, chain: Chain, now: Instant, rule: str, body: Any) -> None:
    """What the rule is to know in later rounds, of whichever process."""
    del chain, now
    await tx.execute(
        "INSERT INTO alert_memory (rule, body) VALUES (?, ?)"
        " ON CONFLICT (rule) DO UPDATE SET body = excluded.body",
        rule,
        orjson.dumps(body).decode(),
    )


async def _found(tx: Tx, now: Instant, finding: Finding) -> None:
    await tx.execute(
        "INSERT INTO alert (key, rule, culprit, severity, body, since, seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) WHERE resolved_at IS NULL"
        " DO UPDATE SET culprit = excluded.culprit, severity = excluded.severity,"
        " body = excluded.body, seen_at = excluded.seen_at",
        finding.key,
        finding.rule,
        finding.culprit,
        finding.severity,
        _body(finding),
        finding.since,
        now,
    )


def _body(finding: Finding) -> str:
    texts = {"what": finding.what, "cause": finding.cause, "step": finding.step}
    return orjson.dumps({name: list(text) for name, text in texts.items()}).decode()


async def _mark(tx: Tx, column: str, now: Instant, key: str) -> tuple[int, str, Any]:
    """Sets a moment of the open alert; returns its number, culprit and body."""
    rows = await tx.execute(
        f"UPDATE alert SET {column} = ? WHERE key = ? AND resolved_at IS NULL"  # noqa: S608
        " RETURNING id, culprit, body",
        now,
        key,
    )
    number, culprit, body = rows[0]
    return int(str(number)), str(culprit), orjson.loads(str(body))


async def _tell(
    tx: Tx, now: Instant, number: int, culprit: str, event: str, channels: Collection[str]
) -> None:
    for channel in channels:
        await tx.execute(
            "INSERT INTO alert_notice (alert_id, channel, event, culprit, at, next_attempt_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            number,
            channel,
            event,
            culprit,
            now,
            now,
        )


async def sent(tx: Tx, chain: Chain, now: Instant, numbers: Collection[int]) -> None:
    """The channel has taken these notices."""
    del chain
    for number in numbers:
        await tx.execute(
            "UPDATE alert_notice SET sent_at = ?, error = NULL, attempts = attempts + 1"
            " WHERE id = ?",
            now,
            number,
        )


async def unsent(
    tx: Tx, chain: Chain, now: Instant, numbers: Collection[int], *, again_at: Instant, error: str
) -> None:
    """The channel did not take them: they are told again, however often that takes."""
    del chain, now
    for number in numbers:
        await tx.execute(
            "UPDATE alert_notice SET attempts = attempts + 1, next_attempt_at = ?, error = ?"
            " WHERE id = ?",
            again_at,
            error,
            number,
        )


async def silence(
    tx: Tx, chain: Chain, now: Instant, pattern: str, *, until: Instant, reason: str, actor: str
) -> None:
    """Nobody is told of alerts whose key fits `pattern` until then; they are raised all the same.

    `until` that is over ends a silence.
    """
    await tx.execute(
        "INSERT INTO alert_silence (pattern, until, reason, actor, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (pattern) DO UPDATE SET until = excluded.until, reason = excluded.reason,"
        " actor = excluded.actor, at = excluded.at",
        pattern,
        until,
        reason,
        actor,
        now,
    )
    event = "alert-silenced" if until > now else "alert-silence-ended"
    chain.add(now, event, actor, {"pattern": pattern, "until": until, "reason": reason})


async def count(tx: Tx, chain: Chain, now: Instant, tallies: Collection[Tally]) -> None:
    """Adds what a process counted to what others did."""
    del chain, now
    if not tallies:
        return
    await tx.over(
        "INSERT INTO tally (kind, subject, at, count, low, high)"
        " SELECT kind, subject, at, count, low, high FROM {rows} WHERE true"
        " ON CONFLICT (kind, subject, at) DO UPDATE SET count = tally.count + excluded.count,"
        " low = CASE WHEN tally.low IS NULL OR excluded.low < tally.low"
        " THEN excluded.low ELSE tally.low END,"
        " high = CASE WHEN tally.high IS NULL OR excluded.high > tally.high"
        " THEN excluded.high ELSE tally.high END",
        (
            ("kind", "text"),
            ("subject", "text"),
            ("at", "bigint"),
            ("count", "bigint"),
            ("low", "bigint"),
            ("high", "bigint"),
        ),
        [(t.kind, t.subject, t.at, t.count, t.low, t.high) for t in tallies],
    )
