"""`lgsp ledger check`: it finds nothing in a ledger that is in order, and each kind of harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from bus.cli import ledger as command
from bus.ledger.audit import Audit, audit, beats, count_messages, held_by
from bus.ledger.ledger import Ledger
from schemas.delivery import DeliveryState as S
from tests.contract.test_ledger import acceptance, finish, take
from tests.ledgers import prepare

HARM = {
    "content": "UPDATE message SET content = '\\x79' WHERE sender_ref = '1'",
    "receipt": "UPDATE message SET size = 7 WHERE sender_ref = '1'",
    "missing": "DELETE FROM delivery WHERE order_key = 'd'",
    "unjournalled": "UPDATE delivery SET state = 'delivered', head = false WHERE order_key = 'd'",
    "unexplained": "UPDATE delivery SET state = 'dead' WHERE order_key = 'd'",
    "order": "UPDATE delivery SET state = 'sending' WHERE order_key = 'k'",
    "stuck": "UPDATE delivery SET head = false WHERE order_key = 'd'",
}
"""SQL that somebody might run who should not, or that a fault of ours would come to."""


async def _filled(url: str, folder: Path) -> Ledger:
    """One delivered, one open behind it, one of another key, and one in hand."""
    await prepare(url)
    ledger = await Ledger.open(url, folder / "blobs", actor="a")
    for ref in ("1", "2"):
        await ledger.accept(acceptance(ref))
    await ledger.finish(finish(await take(ledger)))
    await ledger.accept(acceptance("3", "s"))
    heads = {head.id for head in await ledger.read_heads(["ep"], 10)}
    await ledger.claim([max(heads)])
    await ledger.accept(acceptance("4", "d"))
    return ledger


async def _audit(ledger: Ledger) -> Audit:
    seen: list[int] = []
    found = await audit(ledger.db, ledger.blobs, seen.append)
    assert sum(seen) == found.messages == await count_messages(ledger.db)
    return found


async def test_a_ledger_in_order(ledger_url: str, tmp_path: Path) -> None:
    ledger = await _filled(ledger_url, tmp_path)
    found = await _audit(ledger)
    assert found.problems == {}
    assert found.deliveries == {S.DELIVERED: 1, S.QUEUED: 2, S.SENDING: 1}
    assert list((await held_by(ledger.db)).values()) == ["a"]
    assert "a" not in await beats(ledger.db), "this test has not registered itself"
    await ledger.close()


async def test_what_is_in_the_hands_of_nobody(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that lives raises its beat between two looks; one that is gone does not."""
    monkeypatch.setattr(command, "WATCH_SECONDS", 0.0)
    ledger = await _filled(ledger_url, tmp_path)
    found, report = await command.look(ledger)
    assert (dict(found.problems), report.problems) == ({"abandoned": 1}, ())
    beat = iter(range(10))

    async def alive(_db: object) -> dict[str, int]:
        return {"a": next(beat)}

    monkeypatch.setattr("bus.ledger.audit.beats", alive)
    found, _ = await command.look(ledger)
    assert found.problems == {}
    await ledger.close()


@pytest.mark.parametrize("kind", HARM)
async def test_each_kind_of_harm_is_seen(ledger_url: str, tmp_path: Path, kind: str) -> None:
    ledger = await _filled(ledger_url, tmp_path)
    sql = HARM[kind].replace("'\\x79'", "x'79'" if ledger.db.is_sqlite else "'\\x79'::bytea")
    async with ledger.db.write() as connection:
        assert (await connection.execute(text(sql.replace(":", "\\:")))).rowcount
    found = await _audit(ledger)
    assert kind in found.problems, found
    assert all(found.examples[each] for each in found.problems)
    assert set(found.problems) <= set(command.KINDS)
    await ledger.close()
