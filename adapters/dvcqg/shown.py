"""What a look-up shows of a dossier, and what it would show: for reconciliation; pure, no I/O.

TraCuuHoSo is known to give the record as it was pushed; fields that a portal leaves out are not
compared.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from adapters.dvcqg.codec import TIMELINE
from adapters.portal_fields import CANONICAL, RECORD, Field, Rows, write_record, write_step
from schemas.dossier import DossierRecord, DossierStatus, Form, Step
from schemas.dossier.reconcile import Seen

_TOLD_APART = frozenset({"MaHoSo", "TrangThaiHoSo"})
_LINE = ("ThoiDiemXuLy", "TrangThai", "NoiDungXuLy")
"""Of a line of the timeline: what every portal that shows lines must show."""


def expected(record: DossierRecord, steps: Sequence[Step], *, with_steps: bool) -> Seen:
    lines = [write_step(step) for step in steps] if with_steps else None
    return _seen(write_record(record), lines)


def shown(found: Mapping[str, Any], *, with_steps: bool) -> Seen:
    """`found` is the result of a look-up."""
    lines = found.get(TIMELINE) if with_steps else None
    return _seen(found, lines if isinstance(lines, list) else None)


def _seen(item: Mapping[str, Any], lines: Sequence[Any] | None) -> Seen:
    facts = dict(_facts(item))
    status = _status(item.get("TrangThaiHoSo"))
    if lines is None:
        return Seen(status, facts=facts)
    told = [line if isinstance(line, Mapping) else {} for line in lines]
    moments = [_moment(line.get("ThoiDiemXuLy")) for line in told]
    return Seen(
        status,
        changed=max((each for each in moments if each is not None), default=None),
        steps=len(told),
        facts=facts,
        timeline=tuple(_word([_plain(line.get(name)) for name in _LINE]) for line in told),
    )


def _facts(item: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """By the canonical name; personal data among them, so lists are kept as digests only."""
    for column in RECORD:
        if column.name in _TOLD_APART or column.name not in item:
            continue
        value = item[column.name]
        if isinstance(column, Field):
            yield CANONICAL[column.name], _plain(value)
        elif isinstance(value, list) and all(_whole(row, column) for row in value):
            yield CANONICAL[column.name], _word(_rows(value, column))


def _whole(row: object, rows: Rows) -> bool:
    """A row that the portal shows in part cannot be compared."""
    return isinstance(row, Mapping) and all(column.name in row for column in rows.columns)


def _rows(value: Sequence[Mapping[str, Any]], rows: Rows) -> list[list[Any]]:
    return [[_cell(row[column.name], column) for column in rows.columns] for row in value]


def _cell(value: Any, column: Field | Rows) -> Any:
    if isinstance(column, Rows) and isinstance(value, list):
        return _rows(value, column) if all(_whole(row, column) for row in value) else []
    return _plain(value)


def _plain(value: object) -> str:
    return "" if value is None else unicodedata.normalize("NFC", str(value)).strip()


def _word(told: Any) -> str:
    return hashlib.sha256(orjson.dumps(told)).hexdigest()[:32]


def _status(value: object) -> DossierStatus | None:
    try:
        return DossierStatus(int(str(value)))
    except ValueError:
        return None


def _moment(value: object) -> Any:
    try:
        return Form.COMPACT.read(_plain(value))
    except ValueError:
        return None
