"""Cold reads of the ledger, the same on both databases, over real rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, text, update

from bus.ledger import tables
from bus.ledger.database import Database
from bus.ledger.dossier_queries import DossierQueries
from bus.ledger.queries import Queries
from bus.ledger.records import Backlog, DeliveryRow, EndpointState, MessageRow
from schemas.delivery import DeliveryState
from schemas.errors import ConfigurationError, LedgerUnavailable
from schemas.instant import SECOND, Instant
from schemas.message import Lane

START: Instant = 1_790_000_000 * SECOND
A, B = "H38.01", "H38.02"


@pytest.fixture
async def db(ledger_url: str) -> AsyncIterator[Database]:
    database = Database(ledger_url)
    async with database.write() as connection:
        await connection.run_sync(tables.metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def queries(db: Database) -> Queries:
    return Queries(db)


def message_id_of(at: Instant, number: int) -> str:
    """A UUIDv7 as given by a clock that shows `at`: RFC 9562, section 5.7."""
    digits = f"{at // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-{number:012x}"


class Rows:
    """Puts rows into the ledger as accepting and delivering leave them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._number = itertools.count(1)

    async def message(self, second: float = 0, **given: Any) -> str:
        at = START + int(second * SECOND)
        number = next(self._number)
        row = {
            "id": message_id_of(at, number),
            "sender": A,
            "sender_ref": f"ref-{number}",
            "client": "office",
            "kind": "document",
            "receivers": B,
            "document_id": f"doc-{number}",
            "document_code": f"{number}/UBND",
            "order_key": f"doc-{number}",
            "lane": "normal",
            "accepted_at": at,
            "sha256": "00" * 32,
            "size": 10,
            "media_type": "application/xml",
            "trace": "",
            "canonical": "{}",
            "decision": "[]",
        } | given
        async with self.db.write() as connection:
            await connection.execute(insert(tables.message).values(row))
        return str(row["id"])

    async def delivery(self, message_id: str | None = None, **given: Any) -> int:
        row = {
            "message_id": message_id or await self.message(),
            "endpoint": "push-b",
            "receivers": B,
            "order_key": f"key-{next(self._number)}",
            "lane": "normal",
            "state": "queued",
            "pull": False,
            "head": True,
            "next_attempt_at": START,
            "created_at": START,
        } | given
        async with self.db.write() as connection:
            result = await connection.execute(insert(tables.delivery).values(row))
        return int(result.inserted_primary_key[0])  # type: ignore[index]

    async def waiting(self, receiver: str = B, **given: Any) -> int:
        """A delivery that its receiver fetches."""
        fetched: dict[str, Any] = {"endpoint": "mailbox", "pull": True, "head": False}
        return await self.delivery(**(fetched | {"receivers": receiver} | given))

    async def finish(self, delivery_id: int) -> None:
        done = update(tables.delivery).where(tables.delivery.c.id == delivery_id)
        async with self.db.write() as connection:
            await connection.execute(done.values(state="delivered", finished_at=START))


@pytest.fixture
def rows(db: Database) -> Rows:
    return Rows(db)


# --- messages -------------------------------------------------------------------------------------


async def test_message_with_everything_of_it(queries: Queries, rows: Rows) -> None:
    message_id = await rows.message(
        receivers="H38.02 H38.03", lane="urgent", content=b"<a/>", canonical="{1}", decision="{2}"
    )
    found = await queries.message(message_id)
    assert found is not None
    assert (found.id, found.receivers, found.lane) == (message_id, (B, "H38.03"), Lane.URGENT)
    assert (found.accepted_at, found.expires_at, found.size) == (START, None, 10)
    assert await queries.canonical(message_id) == "{1}"
    assert await queries.decision(message_id) == "{2}"
    assert await queries.content(message_id) == ("00" * 32, b"<a/>")


async def test_content_in_the_blob_store_is_none(queries: Queries, rows: Rows) -> None:
    assert await queries.content(await rows.message()) == ("00" * 32, None)


async def test_unknown_ids_are_none(queries: Queries) -> None:
    assert await queries.message("x") is None
    assert await queries.canonical("x") is None
    assert await queries.decision("x") is None
    assert await queries.content("x") is None
    assert await queries.delivery(7) is None
    assert await queries.deliveries_of("x") == []


async def messages(queries: Queries, **given: Any) -> list[str]:
    """All pages of two."""
    found: list[MessageRow] = []
    while page := await queries.messages(
        **({"agencies": None} | given), after=found[-1].id if found else None, limit=2
    ):
        found += page
    return [row.id for row in found]


async def test_messages_are_paged_newest_first_each_once(queries: Queries, rows: Rows) -> None:
    ids = [await rows.message(second) for second in range(5)]
    assert await messages(queries) == ids[::-1]


async def test_messages_of_others_are_not_seen(queries: Queries, rows: Rows) -> None:
    own = [await rows.message(1, sender=A), await rows.message(2, sender=B)]
    await rows.message(3, sender="H38.03", receivers=A)
    assert await messages(queries, agencies=[A, B]) == own[::-1]
    assert await messages(queries, agencies=[]) == []
    assert await messages(queries, agencies=[A], sender=B) == []


async def test_messages_by_sender_document_and_kind(queries: Queries, rows: Rows) -> None:
    first = await rows.message(1, document_id="d1")
    status = await rows.message(2, document_id="d1", kind="status", sender=B)
    await rows.message(3)
    assert await messages(queries, document_id="d1") == [status, first]
    assert await messages(queries, document_id="d1", kind="status") == [status]
    assert await messages(queries, sender=B) == [status]


async def test_since_is_exact_though_ids_come_from_other_clocks(
    queries: Queries, rows: Rows
) -> None:
    late_id = await rows.message(10)
    behind = message_id_of(START - 60 * SECOND, 0)
    await rows.message(10, id=behind)  # given by a process whose clock is a minute behind
    await rows.message(9.999999)
    assert await messages(queries, since=START + 10 * SECOND) == [late_id, behind]


# --- deliveries -----------------------------------------------------------------------------------


async def deliveries(queries: Queries, **given: Any) -> list[int]:
    found: list[DeliveryRow] = []
    while page := await queries.deliveries(**given, after=found[-1].id if found else None, limit=2):
        found += page
    return [row.id for row in found]


async def test_delivery_with_everything_of_it(queries: Queries, rows: Rows) -> None:
    message_id = await rows.message()
    number = await rows.delivery(message_id, receivers="H38.02 H38.03", state="dead", code="x")
    found = await queries.delivery(number)
    assert found is not None
    assert (found.id, found.message_id, found.receivers) == (number, message_id, (B, "H38.03"))
    assert (found.state, found.lane, found.head) == (DeliveryState.DEAD, Lane.NORMAL, True)
    assert (found.maybe_sent, found.attempts, found.code) == (False, 0, "x")


async def test_deliveries_of_a_message_in_order(queries: Queries, rows: Rows) -> None:
    message_id = await rows.message()
    ids = [await rows.delivery(message_id) for _ in range(3)]
    await rows.delivery()
    assert [row.id for row in await queries.deliveries_of(message_id)] == ids


async def test_deliveries_are_paged_newest_first_each_once(queries: Queries, rows: Rows) -> None:
    ids = [await rows.delivery() for _ in range(5)]
    assert await deliveries(queries) == ids[::-1]


async def test_deliveries_by_every_filter(queries: Queries, rows: Rows) -> None:
    dead = await rows.delivery(state="dead", code="partner-timeout", endpoint="e1")
    sent = await rows.delivery(state="delivered", endpoint="e1")
    held = await rows.delivery(state="held", endpoint="e2")
    message_id = await rows.message(100)
    late = await rows.delivery(message_id, created_at=START + 100 * SECOND)
    assert await deliveries(queries, states=[DeliveryState.DEAD]) == [dead]
    both = [DeliveryState.DEAD, DeliveryState.DELIVERED]
    assert await deliveries(queries, states=both) == [sent, dead]
    assert await deliveries(queries, endpoint="e1") == [sent, dead]
    assert await deliveries(queries, endpoint="e1", states=[DeliveryState.HELD]) == []
    assert await deliveries(queries, endpoint="e2") == [held]
    assert await deliveries(queries, code="partner-timeout") == [dead]
    assert await deliveries(queries, message_id=message_id) == [late]
    assert await deliveries(queries, since=START + 100 * SECOND) == [late]
    assert await deliveries(queries, since=START + 100 * SECOND + 1) == []


# --- mailbox --------------------------------------------------------------------------------------


async def mailbox(queries: Queries, *agencies: str, limit: int = 2) -> list[int]:
    """All pages."""
    found: list[int] = []
    while page := await queries.mailbox(agencies, after=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += [mail.delivery.id for mail in page]
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_mailbox_shows_urgent_first_then_in_order(
    queries: Queries, rows: Rows, limit: int
) -> None:
    normal = [await rows.waiting() for _ in range(3)]
    urgent = [await rows.waiting(lane="urgent") for _ in range(2)]
    assert await mailbox(queries, B, limit=limit) == urgent + normal


async def test_mailbox_brings_the_message_of_each_delivery(queries: Queries, rows: Rows) -> None:
    message_id = await rows.message(sender=A, document_code="7/QĐ")
    await rows.waiting(message_id=message_id)
    ((delivery, message, subject),) = await queries.mailbox([B], limit=10)
    assert delivery.message_id == message.id == message_id
    assert (message.sender, message.document_code, delivery.receivers) == (A, "7/QĐ", (B,))
    assert subject == ""


async def test_mailbox_of_one_kind_and_how_much_it_holds(queries: Queries, rows: Rows) -> None:
    status = await rows.waiting(message_id=await rows.message(1, kind="status"))
    document = await rows.waiting(message_id=await rows.message(2))
    await rows.waiting(order_key="k")
    await rows.waiting(order_key="k")  # behind the one before
    await rows.waiting(A)
    found = [m.delivery.id for m in await queries.mailbox([B], kind="status")]
    assert (found, await queries.count_mailbox([B], kind="status")) == ([status], 1)
    assert document in [m.delivery.id for m in await queries.mailbox([B], kind="document")]
    assert len(await queries.mailbox([B])) == await queries.count_mailbox([B]) == 3
    assert await queries.count_mailbox([]) == 0


async def test_delivery_comes_with_its_message_and_subject(queries: Queries, rows: Rows) -> None:
    canonical = '{"body": {"subject": "Mời họp"}}'
    message_id = await rows.message(canonical=canonical)
    number = await rows.waiting(message_id=message_id)
    found = await queries.mail(number)
    assert found is not None
    assert (found.delivery.id, found.message.id, found.subject) == (number, message_id, "Mời họp")
    assert await queries.mail(number + 1) is None


async def test_sent_are_own_deliveries_newest_first(queries: Queries, rows: Rows) -> None:
    first = await rows.message(1, sender=A, document_id="d")
    second = await rows.message(2, sender=A, kind="status", document_id="d")
    ids = [await rows.delivery(each) for each in (first, first, second)]
    await rows.delivery(await rows.message(3, sender=B))

    async def sent(**given: Any) -> list[int]:
        return [row.delivery.id for row in await queries.sent([A], **given)]

    assert await sent() == ids[::-1]
    assert await sent(limit=2) + await sent(after=ids[1]) == ids[::-1]
    assert await sent(kind="status") == await sent(message_id=second) == ids[2:]
    assert await sent(document_id="d", since=START + 2 * SECOND) == ids[2:]
    assert await sent(document_id="x") == []


async def test_mailbox_of_others_is_not_seen(queries: Queries, rows: Rows) -> None:
    mine, theirs = await rows.waiting(A), await rows.waiting(B)
    assert await mailbox(queries, A) == [mine]
    assert await mailbox(queries, A, B) == [mine, theirs]
    assert await mailbox(queries, "H38.0") == []
    assert await mailbox(queries) == []


async def test_mailbox_shows_only_what_waits(queries: Queries, rows: Rows) -> None:
    for state in ("held", "delivered", "rejected", "cancelled", "expired"):
        await rows.waiting(state=state)
    waits = await rows.waiting()
    assert await mailbox(queries, B) == [waits]


async def test_pushed_deliveries_behind_their_head_are_in_no_mailbox(
    queries: Queries, rows: Rows
) -> None:
    """Two receivers behind one pushing endpoint: the head is addressed to the other one."""
    for state in ("queued", "sending", "waiting", "held", "dead"):
        await rows.delivery(endpoint="push", order_key=state, receivers=A, state=state)
        await rows.delivery(endpoint="push", order_key=state, receivers=B, head=False)
    assert await mailbox(queries, B) == []


async def test_next_of_an_order_key_appears_when_the_one_before_is_acknowledged(
    queries: Queries, rows: Rows
) -> None:
    """Also when the later one is urgent: an update must not come before what it updates."""
    first = await rows.waiting(order_key="doc")
    update_of_it = await rows.waiting(order_key="doc", lane="urgent")
    other = await rows.waiting()
    assert await mailbox(queries, B) == [first, other]
    await rows.finish(first)
    assert await mailbox(queries, B) == [update_of_it, other]


async def test_receivers_of_one_message_do_not_wait_for_each_other(
    queries: Queries, rows: Rows
) -> None:
    message_id = await rows.message()
    slow = await rows.waiting(A, message_id=message_id, order_key="doc")
    mine = await rows.waiting(B, message_id=message_id, order_key="doc")
    assert await mailbox(queries, B) == [mine]
    assert await mailbox(queries, A, B) == [slow, mine]


async def test_mailbox_goes_on_after_a_delivery_acknowledged_meanwhile(
    queries: Queries, rows: Rows
) -> None:
    urgent, normal = await rows.waiting(lane="urgent"), await rows.waiting()
    await rows.finish(urgent)
    assert [m.delivery.id for m in await queries.mailbox([B], after=urgent, limit=9)] == [normal]
    await rows.finish(normal)
    assert await queries.mailbox([B], after=normal, limit=9) == []


# --- journal, backlog, states ---------------------------------------------------------------------


async def test_journal_is_read_by_chain_and_by_message(queries: Queries, rows: Rows) -> None:
    entries = [
        {
            "chain": chain,
            "seq": seq,
            "at": START + seq,
            "event": "accepted",
            "message_id": f"m{seq}",
            "actor": "cli:x",
            "data": json.dumps({"n": seq}),
            "hash": b"h",
        }
        for chain in ("c1", "c2")
        for seq in (1, 2, 3)
    ]
    async with rows.db.write() as connection:
        await connection.execute(insert(tables.journal), entries)
    found = await queries.journal(limit=4)
    found += await queries.journal(after=(found[-1].chain, found[-1].seq))
    assert [(row.chain, row.seq) for row in found] == [(e["chain"], e["seq"]) for e in entries]
    assert found[1].data == {"n": 2}
    assert [row.chain for row in await queries.journal(message_id="m2")] == ["c1", "c2"]
    assert [row.chain for row in await queries.journal(message_id="m2", after=("c1", 2))] == ["c2"]


async def test_backlog_counts_what_is_open(queries: Queries, rows: Rows) -> None:
    await rows.delivery(endpoint="e1", created_at=START + 5)
    await rows.delivery(endpoint="e1", created_at=START + 3)
    await rows.delivery(endpoint="e1", lane="urgent")
    await rows.delivery(endpoint="e1", state="dead")
    await rows.delivery(endpoint="e2", state="delivered")
    assert await queries.backlog() == [
        Backlog("e1", Lane.NORMAL, DeliveryState.DEAD, 1, START),
        Backlog("e1", Lane.NORMAL, DeliveryState.QUEUED, 2, START + 3),
        Backlog("e1", Lane.URGENT, DeliveryState.QUEUED, 1, START),
    ]


async def test_endpoint_states_and_processes(queries: Queries, db: Database) -> None:
    state = {"endpoint": "e1", "paused": True, "pause_reason": "r", "breaker": "open"}
    process = {
        "id": "p1",
        "roles": "gateway worker",
        "host": "h",
        "pid": 7,
        "started_at": 1,
        "beat": 2,
    }
    async with db.write() as connection:
        await connection.execute(insert(tables.endpoint_state).values(state))
        await connection.execute(insert(tables.process).values(process))
    assert await queries.endpoint_states() == {
        "e1": EndpointState("e1", paused=True, pause_reason="r", breaker="open")
    }
    (found,) = await queries.processes()
    assert (found.id, found.roles, found.pid, found.beat) == ("p1", ("gateway", "worker"), 7, 2)


async def test_ping_says_whether_the_database_answers(queries: Queries, tmp_path: Path) -> None:
    await queries.ping()
    gone = Database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/ledger.db")
    with pytest.raises(LedgerUnavailable):
        await Queries(gone).ping()
    await gone.close()


async def test_ping_of_a_database_without_a_ledger_says_what_to_run(ledger_url: str) -> None:
    empty = Database(ledger_url)
    with pytest.raises(ConfigurationError, match="lgsp migrate"):
        await Queries(empty).ping()
    await empty.close()


# --- cost -----------------------------------------------------------------------------------------


async def plans(db: Database, query: Any) -> list[str]:
    """How the database would run each statement of a query, were its tables large."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, values))

    engine = db._reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await query
    event.remove(engine, "before_cursor_execute", note)
    found = []
    async with db.read() as connection:
        if not db.is_sqlite:
            await connection.execute(text("SET enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN " if db.is_sqlite else "EXPLAIN "
        for statement, values in statements:
            result = await connection.exec_driver_sql(explain + statement, values)
            found.append("\n".join(str(row[-1]) for row in result))
    return found


async def test_queries_use_the_partial_indexes(queries: Queries, db: Database) -> None:
    urgent, normal = await plans(db, queries.mailbox([B], limit=5))
    assert "delivery_pull" in urgent
    assert "delivery_open" in urgent, "looking for an earlier one of the same key"
    assert "delivery_pull" in normal
    (dead,) = await plans(db, queries.deliveries(states=[DeliveryState.DEAD], endpoint="e1"))
    assert "delivery_open" in dead
    (backlog,) = await plans(db, queries.backlog())
    assert "delivery_open" in backlog
    originals, refused, papers = await plans(db, queries.named_blobs(["00" * 32]))
    assert "message_blob" in originals
    assert "refused_packet_blob" in refused
    assert "dossier_file_blob" in papers
    (held,) = await plans(db, DossierQueries(db).unmapped("unmapped"))
    assert "delivery_held" in held
    (reasons,) = await plans(db, DossierQueries(db).unmapped_reasons("unmapped"))
    assert "delivery_held" in reasons
    (since,) = await plans(db, queries.deliveries(message_id="m", since=START))
    assert "delivery_message" in since
