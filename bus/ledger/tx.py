"""The steps a hot transaction is made of. Two backends write them in their own SQL.

What the steps mean together is written once, in `transaction.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from bus.ledger.journal import Chain, JournalTuple
from bus.ledger.records import Acceptance, Claimed, Head, Receipt
from schemas.errors import PartnerLacksDossier
from schemas.instant import Instant

T = TypeVar("T")

OPEN_SQL = "('queued','sending','waiting','held','dead')"
PARKED = PartnerLacksDossier.code
"""Code of a held step that lets others of its key pass: the record it waits for is behind it."""
READY_SQL = "('queued','waiting')"
REPLAYED_SQL = (
    "delivery.state = 'queued' AND delivery.attempts > 0 AND delivery.first_attempt_at IS NULL"
)
"""A delivery that was dead, is to go again and has not been tried since: only a replay forgets when
the first attempt was."""


def blocking(of: str = "") -> str:
    """SQL: a delivery (by the alias `of`, with its dot) that later ones of its key wait behind."""
    parked = f"{of}state = 'held' AND coalesce({of}code, '') = '{PARKED}'"
    return f"{of}state IN {OPEN_SQL} AND NOT ({parked})"


Columns = tuple[tuple[str, str], ...]
"""Names and PostgreSQL types."""


class NewDelivery(NamedTuple):
    message_id: str
    endpoint: str
    receivers: str
    order_key: str
    lane: str
    state: str
    pull: bool
    candidate: bool  # pushed, and first of its key in this batch: head unless an open one exists
    at: Instant
    expires_at: Instant | None
    detail: str | None


class Closing(NamedTuple):
    """New values of a delivery that leaves the hands of `worker`."""

    id: int
    attempt: int
    state: str
    head: bool
    next_attempt_at: Instant
    strike: int  # 1: the attempt is used up
    maybe_sent: bool
    partner_ref: str | None
    code: str | None
    detail: str | None
    finished_at: Instant | None


class Changed(NamedTuple):
    """A delivery changed by an operator, the clock or the receiver."""

    id: int
    endpoint: str
    order_key: str
    message_id: str


class Tx(Protocol):
    async def lock_keys(self, keys: Collection[tuple[str, str]]) -> None:
        """Keep others out of these (endpoint, order key) until the commit."""

    async def try_lock(self, name: str) -> bool:
        """Keep others out until the commit; False when another process is in."""

    async def insert_messages(self, batch: Sequence[Acceptance]) -> set[str]:
        """Ids of those that were new; the others' (sender, sender_ref) exists."""

    async def receipts(self, keys: Sequence[tuple[str, str]]) -> list[Receipt]:
        """What is stored under (sender, sender_ref)."""

    async def insert_deliveries(self, rows: Sequence[NewDelivery]) -> list[Head]:
        """In this order; returns those that may go out now."""

    async def claim(self, ids: Collection[int], worker: str, now: Instant) -> list[Claimed]:
        """Take ready, due heads in hand; what another has or what is not ready is left out."""

    async def close(self, worker: str, rows: Sequence[Closing]) -> set[int]:
        """Write what became of them; returns those that `worker` still had in hand."""

    async def next_heads(self, keys: Collection[tuple[str, str]]) -> list[tuple[Head, str]]:
        """Make the first open delivery of each key its head.

        Returns those that became so and may go, with their order key.
        """

    async def end(
        self,
        ids: Collection[int],
        from_states: Collection[str],
        state: str,
        now: Instant,
        detail: str,
        partner_ref: str | None = None,
    ) -> list[Changed]:
        """Finish deliveries nobody has in hand."""

    async def reopen(self, ids: Collection[int], now: Instant) -> list[Changed]:
        """Dead or held → queued."""

    async def take_back(self, worker: str, keep: Collection[int], now: Instant) -> list[int]:
        """A worker's deliveries back to waiting, perhaps sent, except those it says it holds."""

    async def wake(self, endpoint: str, now: Instant) -> list[Head]:
        """Let the waiting deliveries of an endpoint go now."""

    async def append_journal(self, chain: Chain, rows: Sequence[JournalTuple]) -> None: ...

    async def announce(self, heads: Sequence[Head]) -> None:
        """Tell the dispatchers of other processes, on commit; see `Store.listen`."""

    async def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """A statement with `?` for each value, for the rare acts."""

    async def over(
        self, sql: str, columns: Columns, rows: Sequence[Sequence[object]]
    ) -> list[tuple[Any, ...]]:
        """One statement over all `rows`, which stand in it as `{rows}`, a relation named r."""


Work = Callable[[Tx], Awaitable[T]]
Mine = Callable[[str], bool]
"""Whether the dispatcher of this process publishes for that endpoint."""


class Store(Protocol):
    """Runs transactions one at a time on one database connection."""

    async def run(self, work: Work[T]) -> T:
        """Commit `work` or nothing. LedgerUnavailable when the database is not there."""

    async def read_heads(self, endpoints: Collection[str], limit: int, now: Instant) -> list[Head]:
        """Due heads, at most `limit` for each endpoint and lane, longest due first."""

    async def listen(self, heard: Callable[[list[Head]], None], mine: Mine) -> None:
        """Call `heard` with heads announced by other processes.

        This one announces none of an endpoint that is `mine`: who listens here is told directly.
        """

    async def close(self) -> None: ...
