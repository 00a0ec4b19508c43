"""Keeps, in the transaction that accepts them, what the latest record and steps say of a dossier.

The original record and every step are messages of their own; here stands what is searched for and
counted.  Whoever accepts for a dossier holds its lock, so what is told last is what stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from bus.ledger.records import Acceptance
from bus.ledger.tx import Columns, Tx
from schemas.instant import Instant, from_datetime
from schemas.message import DossierBody, Message, StepBody

RECORD = """
INSERT INTO dossier (sender, code, first_message, record_message, nation_code, procedure, channel,
  status, received_at, due_at, finished_at, returned_at, changed_at)
SELECT sender, code, message_id, message_id, nation_code, proc, channel, status, received_at,
  due_at, finished_at, returned_at, at FROM {rows} WHERE true
ON CONFLICT (sender, code) DO UPDATE SET record_message = excluded.record_message,
  nation_code = excluded.nation_code, procedure = excluded.procedure, channel = excluded.channel,
  status = excluded.status, received_at = excluded.received_at, due_at = excluded.due_at,
  finished_at = excluded.finished_at, returned_at = excluded.returned_at,
  changed_at = excluded.changed_at
"""
RECORD_COLUMNS: Columns = (
    ("sender", "text"),
    ("code", "text"),
    ("message_id", "text"),
    ("nation_code", "text"),
    ("proc", "text"),
    ("channel", "int"),
    ("status", "int"),
    ("received_at", "bigint"),
    ("due_at", "bigint"),
    ("finished_at", "bigint"),
    ("returned_at", "bigint"),
    ("at", "bigint"),
)

LATEST_STEP = """
INSERT INTO dossier (sender, code, first_message, nation_code, procedure, status, last_step_at,
  changed_at)
SELECT sender, code, message_id, '', '', status, step_at, at FROM {rows} WHERE true
ON CONFLICT (sender, code) DO UPDATE SET
  status = CASE WHEN dossier.last_step_at > excluded.last_step_at
    THEN dossier.status ELSE excluded.status END,
  last_step_at = CASE WHEN dossier.last_step_at > excluded.last_step_at
    THEN dossier.last_step_at ELSE excluded.last_step_at END,
  changed_at = excluded.changed_at
"""
LATEST_STEP_COLUMNS: Columns = (
    ("sender", "text"),
    ("code", "text"),
    ("message_id", "text"),
    ("status", "int"),
    ("step_at", "bigint"),
    ("at", "bigint"),
)

STEP = """
INSERT INTO dossier_step (sender, code, step_id, message_id, status, at, accepted_at)
SELECT sender, code, step_id, message_id, status, step_at, at FROM {rows} WHERE true
ON CONFLICT (sender, code, step_id) DO NOTHING
"""
STEP_COLUMNS: Columns = (
    ("sender", "text"),
    ("code", "text"),
    ("step_id", "text"),
    ("message_id", "text"),
    ("status", "int"),
    ("step_at", "bigint"),
    ("at", "bigint"),
)


class Key(NamedTuple):
    """A dossier at the agency that handles it."""

    sender: str
    code: str


class _Record(NamedTuple):
    message: Message
    body: DossierBody


class _Step(NamedTuple):
    message: Message
    body: StepBody


def locks(acceptances: Iterable[Acceptance]) -> set[tuple[str, str]]:
    """Held by whoever changes what is known of these dossiers."""
    return {
        ("dossier", f"{each.message.sender} {body.code}")
        for each in acceptances
        if isinstance(body := each.message.body, DossierBody | StepBody)
    }


async def settle(tx: Tx, acceptances: Sequence[Acceptance]) -> None:
    """What newly accepted records and steps say, in the order in which they were accepted."""
    steps: list[_Step] = []
    runs: dict[Key, list[_Record | _Step]] = {}
    for acceptance in acceptances:
        message, body = acceptance.message, acceptance.message.body
        if isinstance(body, DossierBody):
            _follow(runs.setdefault(Key(message.sender, body.code), []), _Record(message, body))
        elif isinstance(body, StepBody):
            steps.append(_Step(message, body))
            _follow(runs.setdefault(Key(message.sender, body.code), []), steps[-1])
    for round_ in range(max(map(len, runs.values()), default=0)):
        some = [(key, runs[key][round_]) for key in sorted(runs) if len(runs[key]) > round_]
        records = [_record_row(key, each) for key, each in some if isinstance(each, _Record)]
        if records:
            await tx.over(RECORD, RECORD_COLUMNS, records)
        latest = [_latest_row(key, each) for key, each in some if isinstance(each, _Step)]
        if latest:
            await tx.over(LATEST_STEP, LATEST_STEP_COLUMNS, latest)
    if steps:
        await tx.over(STEP, STEP_COLUMNS, [_step_row(each) for each in steps])


def _follow(run: list[_Record | _Step], told: _Record | _Step) -> None:
    """Of what is told in a row the last record counts, and the latest step.

    A statement may touch a row but once: what alternates takes several.
    """
    last = run[-1] if run else None
    if isinstance(last, _Record) and isinstance(told, _Record):
        run[-1] = told
    elif isinstance(last, _Step) and isinstance(told, _Step):
        run[-1] = told if told.body.at >= last.body.at else last
    else:
        run.append(told)


def _record_row(key: Key, told: _Record) -> tuple[object, ...]:
    message, body = told
    return (
        *key,
        message.id,
        body.nation_code,
        body.procedure,
        body.channel,
        body.status.value,
        _instant(body.received),
        _instant(body.due),
        _instant(body.finished),
        _instant(body.returned),
        message.accepted_at,
    )


def _latest_row(key: Key, told: _Step) -> tuple[object, ...]:
    message, body = told
    at = from_datetime(body.at)
    return (*key, message.id, body.status.value, at, message.accepted_at)


def _step_row(told: _Step) -> tuple[object, ...]:
    message, body = told
    at = from_datetime(body.at)
    key = Key(message.sender, body.code)
    return (*key, body.step_id, message.id, body.status.value, at, message.accepted_at)


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)
