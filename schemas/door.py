"""The door port: all that a way in (REST, SOAP, a façade of a partner's protocol) asks of the bus.

A `Door` serves one authenticated caller. It sends only as, and shows only the traffic of, the
agencies the caller speaks for (invariant 8). Every method raises errors of `schemas.errors` and
nothing else on purpose: Forbidden, NotFound (which tells nothing about others' traffic),
LedgerUnavailable, and what each method names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from schemas.agency import AgencyCode
from schemas.delivery import DeliveryState
from schemas.dossier import DossierRecord, DossierStatus
from schemas.dossier import Step as DossierStep
from schemas.errors import LgspError
from schemas.flows import Item
from schemas.instant import Instant
from schemas.message import Lane

Scope = MutableMapping[str, Any]
"""An ASGI connection scope, as the gateway hands it to its routes."""

MAX_REF = 200
"""Characters of a sender's own message id."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """What was decided for one receiver when the message was accepted."""

    code: str  # as the packet names it
    agency: str | None  # the agency's own code
    name: str
    outcome: str  # as routing has it: deliver, hold, refused, unknown, already-there …
    endpoint: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Biên nhận: the message is durable. A repeat gets the receipt of the first."""

    message_id: str
    message_ref: str  # the sender's own id of it
    sender: str
    sha256: str  # hex, of the original bytes
    accepted_at: Instant
    receivers: tuple[Addressed, ...]
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery in the caller's mailbox (hộp thư)."""

    delivery_id: int
    message_id: str
    kind: str  # document, status
    sender: str
    receiver: str
    size: int  # bytes of the original
    sha256: str  # hex, of the original
    media_type: str
    accepted_at: Instant
    lane: Lane
    subject: str
    document_id: str
    document_code: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery of a message the caller's agencies sent."""

    delivery_id: int
    message_id: str
    kind: str
    document_id: str
    document_code: str
    subject: str
    sender: str
    receivers: tuple[str, ...]
    state: DeliveryState
    reason: str  # why it is where it is, in the words of who decided
    accepted_at: Instant
    finished_at: Instant | None


@dataclass(frozen=True, slots=True)
class AgencyEntry:
    """One agency of the directory (danh bạ)."""

    code: str
    name: str
    parent: str | None
    aliases: tuple[str, ...]  # other codes in force today
    in_force: bool
    connected: bool  # its documents have somewhere to go


@dataclass(frozen=True, slots=True)
class KnownDossier:
    """A dossier (hồ sơ) as the bus knows it."""

    sender: str  # agency that handles it
    code: str
    status: DossierStatus  # as last told, by its record or the latest step
    record: DossierRecord | None = field(repr=False)  # None: only steps have come so far


class Door(Protocol):
    """The bus for one caller, for the length of one request."""

    async def send(self, content: AsyncIterator[bytes], *, ref: str | None = None) -> Accepted:
        """Accepts one edXML packet, read piece by piece; durable when it returns.

        `ref` is the sender's own message id; without one the content is its own.
        Raises MalformedXml, MalformedPacket, TooLarge, InvalidRequest (ref), UnknownReceiver,
        DuplicateMessage, and whatever `content` raises.
        """
        ...

    async def submit_dossier(
        self,
        record: DossierRecord,
        original: bytes,
        *,
        media_type: str = "application/json",
        ref: str | None = None,
    ) -> Accepted:
        """Accepts the whole current record of a dossier; durable when it returns.

        `original` is the record as the sender wrote it. `ref` is the sender's own id of this
        message; without one, a record equal to the one before is a repeat of it.
        Raises Forbidden (the record's agency), InvalidRequest (ref), DuplicateMessage,
        UnknownReceiver (a portal that should get it has nowhere to get it).
        """
        ...

    async def submit_step(
        self,
        step: DossierStep,
        original: bytes,
        *,
        agency: AgencyCode | None = None,
        media_type: str = "application/json",
    ) -> Accepted:
        """Accepts one step of a dossier's timeline; durable when it returns.

        A step with the id of one accepted before is a repeat, or DuplicateMessage when it says
        something else. `agency` sends it; without one: whoever sent the dossier, else the unit that
        its code names, else the caller's only agency.
        Raises Forbidden, InvalidRequest (no agency can be told), DuplicateMessage, UnknownReceiver.
        """
        ...

    async def submit_item(
        self,
        item: Item,
        original: bytes,
        *,
        agency: AgencyCode | None = None,
        media_type: str = "application/json",
    ) -> Accepted:
        """Accepts one item (schemas.flows); durable when it returns.

        One with the identity of an item accepted before is a repeat, or DuplicateMessage when it
        says something else. `agency` sends it; without one: whose word it is, else the caller's
        only agency.
        Raises Forbidden, InvalidRequest (no agency can be told), DuplicateMessage, UnknownReceiver.
        """
        ...

    async def dossier(self, code: str) -> KnownDossier | None:
        """A dossier of the caller's agencies; None when none has come."""
        ...

    async def waiting(
        self,
        *,
        kind: str | None = None,
        agency: str | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Waiting]:
        """Urgent first, then in order of acceptance; of each order key only the first.

        `after` is the delivery id of the last one before. Raises Forbidden for another's agency.
        """
        ...

    async def count_waiting(self, *, kind: str | None = None, agency: str | None = None) -> int:
        """How many `waiting` shows over all its pages."""
        ...

    async def look(self, delivery_id: int) -> Waiting:
        """One delivery, acknowledged or not. Raises NotFound."""
        ...

    def fetch(
        self, delivery_id: int
    ) -> AbstractAsyncContextManager[tuple[Waiting, AsyncIterator[bytes]]]:
        """The original in pieces, byte for byte; entering writes `fetched` into the journal.

        Raises NotFound. May be repeated, after an acknowledgement too.
        """
        ...

    async def acknowledge(
        self, delivery_id: int, *, accepted: bool, receipt: str = "", reason: str = ""
    ) -> DeliveryState:
        """The receiver has it, or refuses it (the sender is told). Repeating it changes nothing.

        Raises NotFound, Conflict (already answered otherwise).
        """
        ...

    async def sent(
        self,
        *,
        kind: str | None = None,
        document_id: str | None = None,
        message_id: str | None = None,
        since: Instant | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Sent]:
        """Newest first. `after` is the delivery id of the last one before.

        Receivers that were refused at acceptance have no delivery: the receipt named them.
        """
        ...

    def agencies(
        self, query: str = "", *, after: str | None = None, limit: int = 50
    ) -> list[AgencyEntry]:
        """Agencies whose codes and name hold every word of `query`, in order of code.

        `after` is the code of the last one before.
        """
        ...

    def agency(self, code: str) -> AgencyEntry:
        """By its own code, in force or not, or by an alias in force today. Raises NotFound."""
        ...


class SignedSystem(Protocol):
    """A system that signs its requests with a shared secret. Nothing is proved yet."""

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The present secret, and the previous one while both are in use (rotation)."""
        ...

    def enter(self) -> Door:
        """Call it once the signature was verified. Raises RateLimited."""
        ...


class Doors(Protocol):
    """How a caller is let in."""

    async def bearer(self, scope: Scope) -> Door:
        """By its access token (Authorization: Bearer). Raises Unauthenticated, RateLimited."""
        ...

    def signed(self, scope: Scope, system_id: str) -> SignedSystem:
        """By the system id a client is declared with.

        Raises Unauthenticated when there is none, or it is suspended; ConfigurationError when its
        secret is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request could not be answered for."""

    error: LgspError
    status: int  # HTTP status, where the protocol uses it
    scope: Scope = field(repr=False)
    correlation_id: str  # mã theo dõi


class Facade(Protocol):
    """A door in a partner's own protocol: `facade.py` of its adapter.

    Its routes raise; the gateway answers every error under its path by `refuse`, those of the
    gateway itself (unknown address, body too large, too many requests) included.
    """

    @property
    def name(self) -> str:
        """By which the settings give it a path."""
        ...

    @property
    def public(self) -> frozenset[str]:
        """Paths of its routes that answer anybody."""
        ...

    def routes(self, doors: Doors) -> Sequence[BaseRoute]:
        """Its routes, relative to the path it is mounted under."""
        ...

    def refuse(self, refusal: Refusal) -> Response: ...
