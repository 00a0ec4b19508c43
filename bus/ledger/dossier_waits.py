"""Dossiers of which a status is told that no table translates yet (chờ ánh xạ trạng thái).

A row stands for each record or step that told one, and for whatever was told of the same dossier
after it: those who follow events get all of it, in order, once everything before is understood.
Everybody who changes what waits of a dossier holds its lock (bus.ledger.dossiers.locks).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import orjson

from bus.ledger.dossier_events import EVENT, EVENT_COLUMNS
from bus.ledger.records import Acceptance
from bus.ledger.tx import Columns, Tx
from schemas.dossier import DossierRecord, DossierStatus, Step
from schemas.instant import Instant, from_datetime
from schemas.message import DossierBody, StepBody
from schemas.vietnam import day_of

_WAIT = """
INSERT INTO dossier_wait (message_id, sender, code, kind, local, day)
SELECT message_id, sender, code, kind, local, day FROM {rows}
"""
_WAIT_COLUMNS: Columns = (*EVENT_COLUMNS, ("local", "text"), ("day", "text"))
_OF_DOSSIER = """
SELECT r.message_id FROM {rows} WHERE EXISTS (SELECT 1 FROM dossier_wait w
 WHERE w.sender = r.sender AND w.code = r.code)
"""
_FILL = "UPDATE message SET record = r.record FROM {rows} WHERE message.id = r.id"
_STEPS = """
UPDATE dossier_step SET status = r.status FROM {rows}
 WHERE dossier_step.sender = r.sender AND dossier_step.code = r.code
 AND dossier_step.step_id = r.step
"""


class Waiting(NamedTuple):
    """One code of an agency that is not understood, told on a day by which tables are asked."""

    sender: str
    local: str
    day: str  # ISO


class Dossier(NamedTuple):
    sender: str
    code: str


async def note(tx: Tx, acceptances: Sequence[Acceptance]) -> None:
    """Of newly accepted records and steps: events, or rows that wait."""
    told = [
        (each, body)
        for each in acceptances
        if isinstance(body := each.message.body, DossierBody | StepBody)
    ]
    if not told:
        return
    rows = [(m.message.id, m.message.sender, body.code, body.kind) for m, body in told]
    behind = {row[0] for row in await tx.over(_OF_DOSSIER, EVENT_COLUMNS, rows)}
    begun: set[tuple[str, str]] = set()
    events, waits = [], []
    for row, (each, body) in zip(rows, told, strict=True):
        unmapped = body.status is DossierStatus.UNMAPPED
        key = (each.message.sender, body.code)
        if unmapped:
            begun.add(key)
        if row[0] in behind or key in begun:
            at = from_datetime(body.at) if isinstance(body, StepBody) else each.message.accepted_at
            local = body.local_status if unmapped else ""
            waits.append((*row, local, day_of(at).isoformat()))
        else:
            events.append(row)
    if events:
        await tx.over(EVENT, EVENT_COLUMNS, events)
    if waits:
        await tx.over(_WAIT, _WAIT_COLUMNS, waits)


async def understand(
    tx: Tx, now: Instant, dossiers: Collection[Dossier], wait: Waiting, status: DossierStatus
) -> int:
    """Writes what the code means wherever it waits in `dossiers`. Returns of how many messages."""
    await tx.lock_keys({("dossier", f"{each.sender} {each.code}") for each in dossiers})
    done = 0
    for each in sorted(dossiers):
        done += await _understand(tx, now, each, wait, status)
    return done


async def _understand(
    tx: Tx, now: Instant, dossier: Dossier, wait: Waiting, status: DossierStatus
) -> int:
    found = await tx.execute(
        "SELECT message_id FROM dossier_wait WHERE sender = ? AND code = ? AND local = ?"
        " AND day = ?",
        *dossier,
        wait.local,
        wait.day,
    )
    understood = {str(row[0]) for row in found}
    if not understood:
        return 0
    told = {
        str(message_id): (str(kind), str(record))
        for message_id, kind, record in await tx.execute(
            "SELECT id, kind, record FROM message WHERE document_id = ? AND sender = ?"
            " AND kind IN ('dossier', 'step') ORDER BY id",
            dossier.code,
            dossier.sender,
        )
    }
    filled = {
        message_id: (kind, _filled(record, status))
        for message_id, (kind, record) in told.items()
        if message_id in understood
    }
    await tx.over(
        _FILL,
        (("id", "text"), ("record", "text")),
        [(message_id, record) for message_id, (_, record) in filled.items()],
    )
    steps = [
        (*dossier, Step.model_validate_json(record).id, status.value)
        for kind, record in filled.values()
        if kind == "step"
    ]
    if steps:
        columns = (("sender", "text"), ("code", "text"), ("step", "text"), ("status", "int"))
        await tx.over(_STEPS, columns, steps)
    latest = _latest(list((told | filled).values()))
    await tx.execute(
        "UPDATE dossier SET status = ?, changed_at = ? WHERE sender = ? AND code = ?",
        latest.value,
        now,
        *dossier,
    )
    await tx.over(
        "UPDATE dossier_wait SET local = '' FROM {rows} WHERE dossier_wait.message_id = r.id",
        (("id", "text"),),
        [(message_id,) for message_id in sorted(understood)],
    )
    await _tell(tx, dossier)
    return len(understood)


def _filled(record: str, status: DossierStatus) -> str:
    return orjson.dumps(orjson.loads(record) | {"status": status.value}).decode()


def _latest(told: Sequence[tuple[str, str]]) -> DossierStatus:
    """As bus.ledger.dossiers keeps it: the record told last says it, and after it the steps, unless
    one of a later moment had been told before.
    """
    status, last = DossierStatus.UNMAPPED, None
    for kind, text in told:
        if kind == "dossier":
            status = DossierRecord.model_validate_json(text).status
            continue
        step = Step.model_validate_json(text)
        if last is None or step.at >= last:
            status, last = step.status, step.at
    return status


async def _tell(tx: Tx, dossier: Dossier) -> None:
    """Events of what waited, up to the first that is still not understood."""
    rows = await tx.execute(
        "SELECT message_id, sender, code, kind, local FROM dossier_wait"
        " WHERE sender = ? AND code = ? ORDER BY id",
        *dossier,
    )
    clear: list[tuple[object, ...]] = []
    for *row, local in rows:
        if local:
            break
        clear.append(tuple(row))
    if clear:
        await tx.over(EVENT, EVENT_COLUMNS, clear)
        await tx.over(
            "DELETE FROM dossier_wait WHERE message_id IN (SELECT r.id FROM {rows})",
            (("id", "text"),),
            [(row[0],) for row in clear],
        )
