"""The ledger as the rest of the bus sees it."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uuid_utils

from bus.ledger import (
    accesses,
    acts,
    data_feeds,
    dossier_events,
    dossier_waits,
    endpoint_acts,
    service_jobs,
)
from bus.ledger.accesses import Access, Accesses
from bus.ledger.accounts import Accounts
from bus.ledger.alerts import AlertQueries
from bus.ledger.blobs import BlobStore
from bus.ledger.config_store import ConfigStore
from bus.ledger.contracts import Contracts
from bus.ledger.data_feeds import DataFeeds, FeedState
from bus.ledger.database import Database
from bus.ledger.dossier_queries import DossierQueries, FileRow
from bus.ledger.dossier_waits import Dossier, Waiting
from bus.ledger.event_queries import EventQueries
from bus.ledger.exchange_queries import ExchangeQueries
from bus.ledger.flow_queries import FlowQueries
from bus.ledger.handover import Reserve
from bus.ledger.identities import Identities
from bus.ledger.journal import JournalReport, JournalTuple
from bus.ledger.partner_sessions import PartnerSessions
from bus.ledger.postgres import PostgresStore
from bus.ledger.queries import Queries
from bus.ledger.reconcile_queries import ReconcileQueries
from bus.ledger.records import Acceptance, Claimed, Finish, Head, Receipt, SendAgain
from bus.ledger.search import Search
from bus.ledger.secret_lives import SecretLives
from bus.ledger.service_jobs import Job, ServiceJobs
from bus.ledger.sqlite import SqliteStore
from bus.ledger.subjects import Subjects
from bus.ledger.transaction import Finished, same_or_duplicate
from bus.ledger.tx import Mine, Store
from bus.ledger.usage import UsageQueries
from bus.ledger.verify import verify_journal
from bus.ledger.writer import Act, T, Writer
from schemas import instant
from schemas.delivery import DeliveryState
from schemas.dossier import DossierStatus
from schemas.errors import NotFound
from schemas.instant import Clock, Instant
from schemas.message import Message


class Ledger:
    """One process's way to the ledger database and the blob store."""

    def __init__(
        self,
        database_url: str,
        blob_dir: Path,
        *,
        actor: str = "",
        clock: Clock = instant.now,
        committed: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        """`actor` names this process in the journal and as holder of deliveries.

        `committed` hears of each group commit: how many asked, and seconds taken.
        """
        self.process = actor or f"{socket.gethostname()}:{os.getpid()}:{uuid_utils.uuid7()}"
        self.clock = clock
        self.db = Database(database_url)
        self.queries = Queries(self.db)
        self.search = Search(self.db)
        self.subjects = Subjects(self.db)
        self.exchanges = ExchangeQueries(self.db)
        self.dossiers = DossierQueries(self.db)
        self.flows = FlowQueries(self.db)
        self.reconciling = ReconcileQueries(self.db)
        self.events = EventQueries(self.db)
        self.config = ConfigStore(self.db)
        self.contracts = Contracts(self.db)
        self.accesses = Accesses(self.db)
        self.jobs = ServiceJobs(self.db)
        self.feeds = DataFeeds(self.db)
        self.identities = Identities(self.db)
        self.alerts = AlertQueries(self.db)
        self.accounts = Accounts(self.db)
        self.usage = UsageQueries(self.db)
        self.secret_lives = SecretLives(self.db)
        self.blobs = BlobStore(blob_dir)
        self._heard: Callable[[list[Head]], None] = lambda _heads: None
        self._store: Store = (
            SqliteStore(database_url)
            if self.db.is_sqlite
            else PostgresStore(database_url, self.db.pulse)
        )
        self._writer = Writer(
            self._store,
            worker=self.process,
            clock=clock,
            freed=self._freed,
            committed=committed,
            journalled=self._tell_journalled,
        )
        self.journalled: Callable[[Sequence[JournalTuple]], None] = lambda _entries: None
        """Replace it to hear of every journal entry this process commits."""

    @classmethod
    async def open(
        cls,
        database_url: str,
        blob_dir: Path,
        *,
        actor: str = "",
        clock: Clock = instant.now,
        committed: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> Ledger:
        """Start its writer. The database may be away: what is asked then is refused, not lost."""
        ledger = cls(database_url, blob_dir, actor=actor, clock=clock, committed=committed)
        ledger._writer.start()
        if not ledger.db.is_sqlite:
            ledger.db.pulse.start()
        return ledger

    async def close(self) -> None:
        await self._writer.close()
        await self._store.close()
        await self.db.close()

    def partner_sessions(self, secret: bytes) -> PartnerSessions:
        """Where processes that know `secret` keep partners' sessions for each other."""
        return PartnerSessions(self.db, secret, self.clock)

    # --- the hot path ---------------------------------------------------------------------------

    async def accept(self, acceptance: Acceptance) -> Receipt:
        """Commit one message with its deliveries and journal entry.

        Raises DuplicateMessage, LedgerUnavailable (then nothing was promised).
        """
        return await self._writer.accept(acceptance)

    async def stored_receipt(self, message: Message) -> Receipt | None:
        """The receipt of the same message accepted before, if it was.

        Raises DuplicateMessage when it was accepted with other content.
        """
        found = await self._writer.act(
            lambda tx, _chain, _now: tx.receipts([(message.sender, message.sender_ref)])
        )
        return same_or_duplicate(found[0], message) if found else None

    async def receipt_of(self, sender: str, sender_ref: str) -> Receipt | None:
        """Of the message accepted under that id, whatever it holds."""
        found = await self._writer.act(lambda tx, _chain, _now: tx.receipts([(sender, sender_ref)]))
        return found[0] if found else None

    async def claim(self, ids: Sequence[int]) -> list[Claimed]:
        """Take deliveries in hand; those not ready, or in other hands, are left out."""
        return await self._writer.claim(ids)

    async def finish(self, finish: Finish, *, take_next: bool = False) -> Finished:
        """Write what became of a delivery; waits until the ledger is there."""
        return await self._writer.finish(finish, take_next=take_next)

    def hand_over(self, reserve: Reserve | None) -> None:
        """From now on what is accepted here may leave at once, from places of `reserve`."""
        self._writer.reserve = reserve

    async def read_heads(self, endpoints: Collection[str], limit: int) -> list[Head]:
        return await self._store.read_heads(endpoints, limit, self.clock())

    async def hear_heads(
        self, heard: Callable[[list[Head]], None], mine: Mine = lambda _endpoint: False
    ) -> None:
        """`heard` is told of deliveries that may go out, of this process and of others; nobody
        else is told of those to an endpoint that is `mine`.
        """
        self._heard = heard
        await self._store.listen(heard, mine)

    # --- acts -----------------------------------------------------------------------------------

    async def cancel(self, ids: Sequence[int], *, actor: str, reason: str) -> list[int]:
        """Withdraw what has not left; returns those that could be."""
        done, heads = await self._writer.act(
            lambda tx, chain, now: acts.cancel(tx, chain, now, ids, actor=actor, reason=reason)
        )
        self._freed(heads)
        return done

    async def replay(self, ids: Sequence[int], *, actor: str, reason: str) -> list[int]:
        """Send dead deliveries again; returns those that were dead."""
        done, heads = await self._writer.act(
            lambda tx, chain, now: acts.replay(tx, chain, now, ids, actor=actor, reason=reason)
        )
        self._freed(heads)
        return done

    async def undo_replay(self, ids: Sequence[int], *, actor: str, reason: str) -> list[int]:
        """What was dead, was replayed and has not left is dead again; returns which."""
        return await self._writer.act(
            lambda tx, chain, now: acts.undo_replay(tx, chain, now, ids, actor=actor, reason=reason)
        )

    async def redirect(
        self, ids: Sequence[int], *, to: str, pull: bool, actor: str, reason: str
    ) -> list[int]:
        """Deliver to endpoint `to` instead what has certainly not arrived; returns which."""
        done, heads = await self._writer.act(
            lambda tx, chain, now: acts.redirect(
                tx, chain, now, ids, to=to, pull=pull, actor=actor, reason=reason
            )
        )
        self._freed(heads)
        return done

    async def release(self, ids: Sequence[int], *, code: str, actor: str, reason: str) -> list[int]:
        """Let deliveries go that are held under `code`; returns those that were."""
        done, heads = await self._writer.act(
            lambda tx, chain, now: acts.release(
                tx, chain, now, ids, code=code, actor=actor, reason=reason
            )
        )
        self._freed(heads)
        return done

    async def understand(
        self, dossiers: Sequence[Dossier], wait: Waiting, status: DossierStatus
    ) -> int:
        """Writes down what a waiting status of these dossiers means; of how many messages."""
        return await self._writer.act(
            lambda tx, _chain, now: dossier_waits.understand(tx, now, dossiers, wait, status)
        )

    async def send_again(self, sending: SendAgain, *, actor: str, reason: str) -> bool:
        """Deliver messages once more; False: something of their key is under way already."""
        done, heads = await self._writer.act(
            lambda tx, chain, now: acts.send_again(
                tx, chain, now, sending, actor=actor, reason=reason
            )
        )
        self._freed(heads)
        return done

    async def expire(self, *, limit: int = 500) -> int:
        done, heads = await self._writer.act(
            lambda tx, chain, now: acts.expire(tx, chain, now, limit=limit)
        )
        self._freed(heads)
        return done

    async def acknowledge(
        self,
        delivery_id: int,
        *,
        state: DeliveryState,
        partner_ref: str,
        detail: str,
        actor: str,
    ) -> DeliveryState:
        """The receiver of a pull delivery took it (DELIVERED) or says no (REJECTED)."""
        return await self._writer.act(
            lambda tx, chain, now: acts.acknowledge(
                tx,
                chain,
                now,
                delivery_id,
                state=state,
                partner_ref=partner_ref,
                detail=detail,
                actor=actor,
            )
        )

    async def set_paused(self, endpoint: str, *, paused: bool, actor: str, reason: str) -> None:
        await self._writer.act(
            lambda tx, chain, now: endpoint_acts.pause(
                tx, chain, now, endpoint, paused=paused, actor=actor, reason=reason
            )
        )

    async def note_poll(self, endpoint: str, *, due_at: Instant, error: str | None) -> None:
        """A round of fetching ended: well when there is no `error`."""
        await self._writer.act(
            lambda tx, chain, now: endpoint_acts.note_poll(
                tx, chain, now, endpoint, due_at=due_at, error=error
            )
        )

    async def open_breaker(self, endpoint: str, *, probe_at: Instant, error: str) -> None:
        await self._writer.act(
            lambda tx, chain, now: endpoint_acts.open_breaker(
                tx, chain, now, endpoint, probe_at=probe_at, actor=self.process, error=error
            )
        )

    async def close_breaker(self, endpoint: str) -> None:
        heads = await self._writer.act(
            lambda tx, chain, now: endpoint_acts.close_breaker(
                tx, chain, now, endpoint, actor=self.process
            )
        )
        self._freed(heads)

    async def ready_probe(self, endpoint: str) -> Head | None:
        return await self._writer.act(
            lambda tx, chain, now: endpoint_acts.ready_probe(tx, chain, now, endpoint)
        )

    async def mend_endpoint(self, endpoint: str, *, pull: bool) -> int:
        return await self._writer.act(
            lambda tx, chain, now: endpoint_acts.mend_endpoint(tx, chain, now, endpoint, pull=pull)
        )

    async def note(
        self,
        event: str,
        *,
        actor: str,
        data: dict[str, Any],
        message_id: str | None = None,
        delivery_id: int | None = None,
    ) -> None:
        """An entry of its own in the journal."""

        async def act(_tx: object, chain: Any, now: Instant) -> None:
            chain.add(now, event, actor, data, message_id, delivery_id)

        await self._writer.act(act)

    async def refuse_packet(
        self, endpoint: str, ref: str, *, sha256: str, size: int, code: str, reason: str
    ) -> None:
        """A packet fetched from `endpoint` can never be accepted; its bytes are a blob."""
        await self._writer.act(
            lambda tx, chain, now: acts.refuse_packet(
                tx,
                chain,
                now,
                endpoint,
                ref,
                sha256=sha256,
                size=size,
                code=code,
                reason=reason,
            )
        )

    async def add_file(self, file: FileRow, *, actor: str) -> FileRow:
        """Keeps a paper whose bytes are a blob; the same one again is the first."""
        return await self._writer.act(
            lambda tx, chain, now: acts.add_file(tx, chain, now, file, actor=actor)
        )

    async def number_events(self) -> int:
        """Gives accepted records and steps their positions for readers; how many got one."""
        return await self._writer.act(lambda tx, _chain, _now: dossier_events.number(tx))

    async def access_asked(self, access: Access) -> None:
        """Raises LedgerUnavailable: then the partner must not be asked."""
        await self._writer.act(lambda tx, chain, now: accesses.asked(tx, chain, now, access))

    async def access_ended(
        self,
        access: Access,
        *,
        outcome: str,
        fields: Collection[str] = (),
        subjects: Collection[bytes] = (),
    ) -> None:
        """Raises LedgerUnavailable: then the answer must not be handed on."""
        await self._writer.act(
            lambda tx, chain, now: accesses.ended(
                tx, chain, now, access, outcome=outcome, fields=fields, subjects=subjects
            )
        )

    async def add_job(self, job: Job, questions: Sequence[str]) -> Job:
        """Durable when it returns. Raises as `service_jobs.add`, LedgerUnavailable."""
        return await self._writer.act(
            lambda tx, chain, now: service_jobs.add(tx, chain, now, job, questions)
        )

    async def claim_job(self, running: Collection[str]) -> Job | None:
        """The next job for this process, which has `running` in hand."""
        return await self._writer.act(
            lambda tx, _chain, _now: service_jobs.claim(tx, self.process, running)
        )

    async def mark_asked(self, job: str, number: int) -> bool:
        return await self._writer.act(
            lambda tx, _chain, _now: service_jobs.mark_asked(tx, self.process, job, number)
        )

    async def answer_job(self, job: str, number: int, *, line: str, failed: bool) -> bool:
        return await self._writer.act(
            lambda tx, _chain, _now: service_jobs.answer(
                tx, self.process, job, number, line=line, failed=failed
            )
        )

    async def finish_job(self, job: Job, *, keep: Instant) -> bool:
        """`keep`: how long its results are kept from now on."""
        return await self._writer.act(
            lambda tx, chain, now: service_jobs.finish(
                tx, chain, now, self.process, job, expires_at=now + keep
            )
        )

    async def give_jobs_back(self) -> None:
        await self._writer.act(lambda tx, _chain, _now: service_jobs.give_back(tx, self.process))

    async def cancel_job(self, job: str, *, actor: str, reason: str) -> bool:
        return await self._writer.act(
            lambda tx, chain, now: service_jobs.cancel(
                tx, chain, now, job, actor=actor, reason=reason
            )
        )

    async def remove_expired_jobs(self) -> int:
        return await self._writer.act(service_jobs.remove_expired)

    async def take_feed(self, name: str, *, lease: Instant) -> FeedState:
        """As `data_feeds.take`."""
        return await self._writer.act(
            lambda tx, _chain, now: data_feeds.take(tx, now, name, lease=lease)
        )

    async def advance_feed(
        self, state: FeedState, *, cursor: str, due_at: Instant, acceptances: Sequence[Acceptance]
    ) -> bool:
        """Messages and cursor in one commit; False: somebody else has moved the cursor."""
        done, heads = await self._writer.act(
            lambda tx, chain, now: data_feeds.advance(
                tx, chain, now, state, cursor=cursor, due_at=due_at, acceptances=acceptances
            )
        )
        self._freed(heads)
        return done

    async def fail_feed(self, state: FeedState, *, due_at: Instant, error: str) -> None:
        await self._writer.act(
            lambda tx, _chain, _now: data_feeds.fail(tx, state, due_at=due_at, error=error)
        )

    async def note_restored(self, *, copied_at: Instant, actor: str) -> int:
        """This ledger was made from a copy; returns how many deliveries are open."""
        return await self._writer.act(
            lambda tx, chain, now: acts.restored(tx, chain, now, copied_at=copied_at, actor=actor)
        )

    async def act(self, act: Act[T]) -> T:
        """A change written by the engine itself (processes, deliveries taken back)."""
        return await self._writer.act(act)

    # --- reading --------------------------------------------------------------------------------

    @asynccontextmanager
    async def original(self, message_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The original bytes in pieces, from the row or the blob store."""
        found = await self.queries.content(message_id)
        if found is None:
            raise NotFound(f"no message {message_id}", vi=f"Không có thông điệp {message_id}")
        sha256, content = found
        if content is not None:
            yield _once(content)
            return
        async with self.blobs.open(sha256) as pieces:
            yield pieces

    async def verify_journal(self) -> JournalReport:
        return await verify_journal(self.db)

    def _tell_journalled(self, entries: Sequence[JournalTuple]) -> None:
        self.journalled(entries)

    def _freed(self, heads: list[Head]) -> None:
        if heads:
            self._heard(heads)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
