"""Every record and step accepted, numbered in one line for those who follow (luồng sự kiện hồ sơ).

A row is written in the transaction that accepts its message, or in which the last status that it
waited for is understood (bus.ledger.dossier_waits), but gets its position later: processes commit
out of order, and a reader that had passed 7 would never see a 6 that is committed after it.
Positions are given, by one process at a time, only to rows whose commit is seen, so that what is
read below a position stays as it is.  Rows of one dossier keep their order, since whoever accepts
for it holds its lock.
"""

from __future__ import annotations

from bus.ledger.tx import Columns, Tx

CHUNK = 2000
"""Rows numbered in one transaction."""

EVENT = """
INSERT INTO dossier_event (message_id, sender, code, kind)
SELECT message_id, sender, code, kind FROM {rows}
"""
EVENT_COLUMNS: Columns = (
    ("message_id", "text"),
    ("sender", "text"),
    ("code", "text"),
    ("kind", "text"),
)

_PLACE = """
UPDATE dossier_event SET position = r.position FROM {rows} WHERE dossier_event.id = r.id
"""
_PLACE_COLUMNS: Columns = (("id", "bigint"), ("position", "bigint"))


async def number(tx: Tx) -> int:
    """Gives the next rows their positions; how many. None while another process is at it."""
    if not await tx.try_lock("dossier-events"):
        return 0
    waiting = await tx.execute(
        "SELECT id FROM dossier_event WHERE position IS NULL ORDER BY id LIMIT ?", CHUNK
    )
    if waiting:
        ((last,),) = await tx.execute("SELECT coalesce(max(position), 0) FROM dossier_event")
        first = int(str(last)) + 1
        rows = [(row_id, first + place) for place, (row_id,) in enumerate(waiting)]
        await tx.over(_PLACE, _PLACE_COLUMNS, rows)
    return len(waiting)
