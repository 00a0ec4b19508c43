"""Group commit: what many tasks want written shares one transaction, one fsync, one journal chain.

While a transaction is on its way the next batch gathers by itself, so the batch grows with the
load. Where many share a commit, the next waits a moment besides: what a commit costs, in this
process and in the database, is then shared by more. One that is alone never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import structlog

from bus.ledger.handover import Places, Reserve
from bus.ledger.journal import Chain, JournalTuple
from bus.ledger.records import Acceptance, Claimed, Finish, Head, Receipt
from bus.ledger.transaction import Finished, Finishing, Results, transact
from bus.ledger.tx import Store, Tx
from schemas.adapter import Outcome
from schemas.errors import DuplicateMessage, LedgerUnavailable
from schemas.instant import SECOND, Clock, Instant

log = structlog.get_logger(__name__)

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")
Act = Callable[[Tx, Chain, Instant], Awaitable[T]]

BATCH = 256
"""Most questions of a kind in one transaction: bounds its length and the locks it takes."""

KEYS = 2_000
"""Most order keys that the acceptances of one transaction lock, if it holds more than one of them:
PostgreSQL's table of locks is finite (some 6,400 places by default), and a document to every
commune of a province has 164 receivers."""

CROWD = 8
"""So many questions in one transaction are a crowd …"""
GATHER_SECONDS = 0.005
"""… behind which the next transaction waits so long for others to come."""

ANCHOR_WINDOW = 24 * 3600 * SECOND
ANCHORS = 200


@dataclass(slots=True)
class Asked(Generic[Q, A]):
    question: Q
    answer: asyncio.Future[A]

    def resolve(self, answer: A) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class Batch:
    finishes: list[Asked[Finishing, Finished]]
    acceptances: list[Asked[Acceptance, Receipt]]
    claims: list[Asked[tuple[int, ...], list[Claimed]]]

    def __len__(self) -> int:
        return len(self.finishes) + len(self.acceptances) + len(self.claims)

    def singles(self) -> list[Batch]:
        return [
            *(Batch([f], [], []) for f in self.finishes),
            *(Batch([], [a], []) for a in self.acceptances),
            *(Batch([], [], [c]) for c in self.claims),
        ]

    def fail(self, error: BaseException, *, finishes: bool = True) -> None:
        for asked in (*self.acceptances, *self.claims, *(self.finishes if finishes else ())):
            asked.fail(error)

    def resolve(self, results: Results) -> None:
        for finish, finished in zip(self.finishes, results.finished, strict=True):
            finish.resolve(finished)
        for acceptance, receipt in zip(self.acceptances, results.accepted, strict=True):
            if isinstance(receipt, DuplicateMessage):
                acceptance.fail(receipt)
            else:
                acceptance.resolve(receipt)
        for claim in self.claims:
            found = [results.claimed.pop(i) for i in claim.question if i in results.claimed]
            claim.resolve(found)


class Writer:
    """The one writer of this process. `worker` is the name under which it holds deliveries."""

    def __init__(
        self,
        store: Store,
        *,
        worker: str,
        clock: Clock,
        freed: Callable[[list[Head]], None],
        committed: Callable[[int, float], None],
        journalled: Callable[[Sequence[JournalTuple]], None],
    ) -> None:
        """What is called after a commit: `freed` with heads, `committed` with the size of the
        batch and the seconds taken, `journalled` with the entries written.
        """
        self.worker = worker
        self._store = store
        self._clock = clock
        self._freed = freed
        self._committed = committed
        self._journalled = journalled
        self._chain: Chain | None = None
        self._finishes: list[Asked[Finishing, Finished]] = []
        self._acceptances: list[Asked[Acceptance, Receipt]] = []
        self._claims: list[Asked[tuple[int, ...], list[Claimed]]] = []
        self._acts: list[Asked[Act[Any], Any]] = []
        self._work = asyncio.Event()
        self._closing = False
        self._held: set[int] = set()
        self.reserve: Reserve | None = None
        """Where the runners of this process hold places, if it has any."""
        self._uncertain = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="ledger-writer")

    async def close(self) -> None:
        """Write what was asked before, then stop. Outcomes that cannot be written are given up."""
        self._closing = True
        self._work.set()
        if self._task is not None:
            await self._task

    async def accept(self, acceptance: Acceptance) -> Receipt:
        return await self._ask(self._acceptances, acceptance)

    async def claim(self, ids: Sequence[int]) -> list[Claimed]:
        return await self._ask(self._claims, tuple(ids))

    async def finish(self, finish: Finish, *, take_next: bool = False) -> Finished:
        """Waits until the ledger has it, however long the ledger is away."""
        outcome = _storable(finish.outcome)
        if outcome is not finish.outcome:
            finish = replace(finish, outcome=outcome)
        return await self._ask(self._finishes, Finishing(finish, take_next))

    async def act(self, act: Act[T]) -> T:
        """A rare change in a transaction of its own, journalled in the same chain."""
        return await self._ask(self._acts, act)

    async def _ask(self, waiting: list[Asked[Q, A]], question: Q) -> A:
        if self._closing:
            raise LedgerUnavailable("the bus is shutting down", vi="Trục đang dừng", retry_after=5)
        asked: Asked[Q, A] = Asked(question, asyncio.get_running_loop().create_future())
        waiting.append(asked)
        self._work.set()
        return await asked.answer

    async def _run(self) -> None:
        trouble = 0
        while True:
            await self._work.wait()
            self._work.clear()
            while batch := self._gather():
                trouble = await self._commit(batch, trouble)
                if trouble and self._closing:
                    self._give_up()
                if self._acts:  # under load batches never end, and a beat must not wait for that
                    await self._perform(self._acts.pop(0))
                if len(batch) >= CROWD and not self._closing:
                    await asyncio.sleep(GATHER_SECONDS)
            while self._acts:
                await self._perform(self._acts.pop(0))
            if self._closing and not (self._finishes or self._acceptances or self._acts):
                return

    def _give_up(self) -> None:
        """Outcomes not written are found again as "perhaps sent" by whoever takes them back."""
        batch = Batch(self._finishes, self._acceptances, self._claims)
        self._finishes, self._acceptances, self._claims = [], [], []
        batch.fail(LedgerUnavailable("closed while the ledger was away"))

    def _gather(self) -> Batch | None:
        accepting = _within(self._acceptances[:BATCH], KEYS)
        batch = Batch(self._finishes[:BATCH], self._acceptances[:accepting], self._claims[:BATCH])
        del self._finishes[:BATCH], self._acceptances[:accepting], self._claims[:BATCH]
        return batch if len(batch) else None

    async def _commit(self, batch: Batch, trouble: int) -> int:
        """Returns how many times in a row the ledger was not there."""
        try:
            await self._transact(batch)
        except LedgerUnavailable as error:
            self._lost_sight()
            if trouble == 0:
                log.warning("ledger.unavailable", error=str(error))
            batch.fail(error, finishes=False)
            self._finishes[:0] = batch.finishes
            if self._finishes:
                self._work.set()
            await asyncio.sleep(min(0.05 * 2**trouble, 0.5))
            return min(trouble + 1, 10)
        except Exception as error:  # noqa: BLE001 - handed to those who asked
            await self._separate(batch, error)
        if trouble:
            log.info("ledger.available_again")
        return 0

    async def _separate(self, batch: Batch, error: Exception) -> None:
        """One poisonous question must not spoil the others' commit."""
        if len(batch) == 1:
            log.error("ledger.refused", error=repr(error))
            batch.fail(error)
            return
        for single in batch.singles():
            await self._commit(single, 0)

    async def _transact(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        now = self._clock()

        places = Places(self.reserve, (asked.question for asked in batch.acceptances))

        async def work(tx: Tx) -> tuple[Results, Chain]:
            chain = await self._draft(tx, now)
            await self._settle(tx, now)
            results = await transact(
                tx,
                chain,
                worker=self.worker,
                now=now,
                finishes=[asked.question for asked in batch.finishes],
                acceptances=[asked.question for asked in batch.acceptances],
                claims=[number for asked in batch.claims for number in asked.question],
                places=places.count(),
            )
            return results, chain

        try:
            results, chain = await self._store.run(work)
            self._uncertain = False
            self._chain = replace(chain, entries=[])
            self._hold(batch, results)
            batch.resolve(results)  # receipts first: their senders wait
            places.fill(results.taken)
        finally:
            places.give_up()
        self._tell(chain, len(batch), loop.time() - began, results.heads)

    async def _perform(self, asked: Asked[Act[Any], Any]) -> None:
        now = self._clock()

        async def work(tx: Tx) -> tuple[Any, Chain]:
            chain = await self._draft(tx, now)
            await self._settle(tx, now)
            result = await asked.question(tx, chain, now)
            if chain.entries:
                await tx.append_journal(chain, chain.entries)
            return result, chain

        try:
            result, chain = await self._store.run(work)
        except LedgerUnavailable as error:
            self._lost_sight()
            asked.fail(error)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            asked.fail(error)
        else:
            self._uncertain = False
            self._chain = replace(chain, entries=[])
            asked.resolve(result)
            self._tell(chain, 1, 0.0, [])

    def _lost_sight(self) -> None:
        """Whether the last transaction was committed is not known: never build on it."""
        self._chain = None
        self._uncertain = True

    async def _settle(self, tx: Tx, now: Instant) -> None:
        """Give back what the ledger says is in this process's hands and is not."""
        if self._uncertain:
            await tx.take_back(self.worker, self._held, now)

    def _hold(self, batch: Batch, results: Results) -> None:
        """Keep count of what is in hand, for `_settle`."""
        for asked, finished in zip(batch.finishes, results.finished, strict=True):
            self._held.discard(asked.question.finish.claimed.id)
            if finished.next is not None:
                self._held.add(finished.next.id)
        self._held.update(claimed.id for claimed in results.taken)
        for claim in batch.claims:
            if claim.answer.done():  # whoever asked has gone: nobody has them
                self._uncertain |= any(number in results.claimed for number in claim.question)
            else:
                self._held.update(n for n in claim.question if n in results.claimed)

    async def _draft(self, tx: Tx, now: Instant) -> Chain:
        """The chain to write on; the real one moves only when the commit is certain."""
        if self._chain is not None:
            return replace(self._chain, entries=[])
        chain = Chain()
        rows = await tx.execute(
            "SELECT chain, seq, hash FROM journal_chain WHERE at > ? ORDER BY at DESC LIMIT ?",
            now - ANCHOR_WINDOW,
            ANCHORS,
        )
        anchors = {str(c): [int(str(s)), bytes(h).hex()] for c, s, h in rows}  # type: ignore[call-overload]
        chain.add(now, "chain-started", self.worker, {"anchors": anchors})
        return chain

    def _tell(self, chain: Chain, size: int, seconds: float, heads: list[Head]) -> None:
        """Those who listen must not be able to stop the writer."""
        try:
            self._committed(size, seconds)
            self._journalled(chain.entries)
            if heads:
                self._freed(heads)
        except Exception:
            log.exception("ledger.listener_failed")


def _within(waiting: Sequence[Asked[Acceptance, Receipt]], most: int) -> int:
    """How many of them, from the first on, fit into one transaction; at least one."""
    keys = 0
    for number, asked in enumerate(waiting):
        keys += len(asked.question.planned) + len(asked.question.about) + 1
        if keys > most and number:
            return number
    return len(waiting)


def _storable(outcome: Outcome) -> Outcome:
    """A partner's words may hold what no database takes (NUL, lone surrogates).

    An outcome that can never be written would leave its delivery in hand for ever.
    """
    words = f"{outcome.partner_ref}{outcome.code}{outcome.detail}{outcome.answer}"
    if words.isascii() and "\0" not in words:
        return outcome

    def clean(text: str) -> str:
        return text.encode("utf-8", "replace").decode().replace("\0", "?")

    return replace(
        outcome,
        partner_ref=clean(outcome.partner_ref),
        code=clean(outcome.code),
        detail=clean(outcome.detail),
        answer=clean(outcome.answer),
    )
