"""The adapter port: all that an adapter knows of the bus, all that the bus knows of an adapter.

An adapter speaks one partner protocol.  It is a class with a `manifest`, a `Config` and `deliver`.
It raises nothing on purpose towards the engine: whatever happens is an `Outcome`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from schemas.agency import AgencyCode
from schemas.dossier import DossierRecord
from schemas.dossier import Step as DossierStep
from schemas.dossier.reconcile import Seen
from schemas.errors import LgspError
from schemas.flows import Item
from schemas.inquiries import Payment, PaymentInquiry, PostalEvent, Subject
from schemas.message import Kind, Lane

MessageKind = Kind
"""Kinds of messages that are delivered; the `kind` of their bodies."""


class Result(StrEnum):
    """What came of one attempt. The retry policy is chosen by it (class of error)."""

    DELIVERED = "delivered"
    REJECTED = "rejected"  # the partner said no, finally
    TRANSIENT = "transient"  # certainly not processed: not reached, 429, 503
    UNKNOWN = "unknown"  # perhaps processed: timeout, connection cut, 500, garbage


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one attempt, with the partner's own words kept."""

    result: Result
    partner_ref: str = ""  # the partner's id or receipt for it
    code: str = ""  # stable code of the error (schemas.errors), empty when delivered
    detail: str = ""  # one plain sentence, no secrets and no personal data, ≤ 500 characters
    answer: str = ""  # the partner's answer, cut to 2,000 characters
    retry_after: float | None = None  # seconds, when the partner asked for a pause


@dataclass(frozen=True, slots=True)
class Addressed:
    """Codes as the packet has them: an agency may be written by any of its codes."""

    sender: str
    receivers: tuple[str, ...]  # those of this delivery
    whole: bool  # the packet names nobody else


@dataclass(frozen=True, slots=True)
class OutboundDelivery:
    """One delivery as an adapter sees it.

    A dossier, step or item comes as its canonical JSON (schemas.dossier, schemas.flows, names by
    alias), whatever its sender wrote; with national codes in place of local ones where the manifest
    says `maps`, and a submission always with its receiver's local ones.
    Media type, size and digest are those of what is handed over.
    """

    id: int
    message_id: str  # UUIDv7: the id under which the partner can recognise a repeat
    sender: str
    receivers: tuple[str, ...]
    kind: MessageKind
    media_type: str
    size: int  # bytes of the content
    sha256: str  # hex, of the content
    lane: Lane
    order_key: str
    attempt: int  # 1 is the first
    maybe_sent: bool  # an earlier attempt ended unknown: look up before sending, where possible
    trace: str  # W3C traceparent to hand on
    addressed: Addressed | None = None  # given to adapters with fan-out "grouped"
    content: bytes | None = field(default=None, repr=False)  # small originals, else None
    open_content: OpenContent | None = field(default=None, repr=False)  # streams large ones

    async def read(self) -> AsyncGenerator[bytes, None]:
        """The content in pieces; never the whole of a large one in memory."""
        if self.content is not None:
            yield self.content
            return
        assert self.open_content is not None  # noqa: S101 - one of the two is always given
        async with self.open_content() as pieces:
            async for piece in pieces:
                yield piece


class OpenContent(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...


class Manifest(BaseModel):
    """What an adapter declares about itself; the conformance suite checks it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str  # name used in endpoint configuration
    title_vi: str
    title_en: str
    mode: Literal["push", "pull", "source"]
    """push: a worker calls deliver(); pull: the receiver fetches; source: nothing goes to it."""
    fan_out: Literal["per-receiver", "grouped"]  # grouped: one delivery for all receivers of it
    looks_up: bool  # can ask the partner whether an earlier attempt arrived
    kinds: tuple[MessageKind, ...] = ("document", "status")  # what can be delivered to it
    maps: bool = False  # dossiers and steps are to have national codes, by the mapping tables
    answers: tuple[Subject, ...] = ()  # questions it can put to its partner (schemas.inquiries)
    secrets: tuple[str, ...] = ()  # names of Config fields that hold references to secrets


class AdapterConfig(BaseModel):
    """Base of every adapter's configuration: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Adapter(Protocol):
    """One connected endpoint. Created by the worker, used by many tasks at once, closed once."""

    manifest: ClassVar[Manifest]
    config_model: ClassVar[type[AdapterConfig]]

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """One attempt. Bounded by the adapter's own timeouts; safe to cancel."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a packet that was put into the inbox. Final, and durable."""

    accepted: bool  # False: it can never be accepted, `reason` says why
    message_id: str = ""
    duplicate: bool = False  # it had been accepted before
    reason: str = ""  # Vietnamese, for the partner and the journal


class Inbox(Protocol):
    """Where packets go that an adapter fetched."""

    async def take(self, ref: str, pieces: AsyncIterator[bytes]) -> Taken:
        """Accepts one packet durably; `ref` is the partner's id of it.

        Only after it has returned may the partner be told that the packet is here.
        Raises LedgerUnavailable: nothing was accepted, the round must end.
        """
        ...

    async def take_dossier(
        self,
        ref: str,
        agency: AgencyCode,
        item: DossierRecord | DossierStep,
        original: bytes,
        *,
        media_type: str = "application/json",
    ) -> Taken:
        """Accepts one dossier record or one step durably, as sent by `agency`.

        `original` is what the partner wrote, `ref` its id of it: a record told again under the
        same one is a repeat. A step is recognised by its dossier and its own id, whatever door it
        comes through. `agency` must belong to the endpoint, and be the record's own.
        Raises LedgerUnavailable: nothing was accepted, the round must end.
        """
        ...

    async def take_item(
        self,
        ref: str,
        agency: AgencyCode,
        item: Item,
        original: bytes,
        *,
        media_type: str = "application/json",
    ) -> Taken:
        """Accepts one item durably, as sent by `agency`, which must belong to the endpoint.

        It is recognised by its own identity, whatever `ref`. Refused is one whose identity was
        accepted with other content, or whose receiver cannot be told.
        Raises LedgerUnavailable: nothing was accepted, the round must end.
        """
        ...

    async def refuse(self, ref: str, original: bytes, error: LgspError) -> Taken:
        """Keeps, durably and in sight of the operators, what can never be read.

        Raises LedgerUnavailable: nothing was kept, the round must end.
        """
        ...


@runtime_checkable
class Poller(Protocol):
    """An adapter whose partner does not call: packets are fetched from it."""

    @property
    def interval(self) -> float:
        """Seconds from the end of one round to the beginning of the next."""
        ...

    async def poll(self, inbox: Inbox) -> int:
        """One round: everything that waits is fetched and put into the inbox, in order.

        Returns the number of packets taken. May be cancelled at any moment: what was not
        acknowledged comes again. Raises PartnerError, ConfigurationError, LedgerUnavailable.
        """
        ...


@runtime_checkable
class Payments(Protocol):
    """An adapter whose partner says whether a dossier's fee was paid."""

    async def payment(self, inquiry: PaymentInquiry) -> Payment:
        """Raises PartnerError, ConfigurationError."""
        ...


@runtime_checkable
class Tracking(Protocol):
    """An adapter whose partner says where a parcel is."""

    async def track(self, number: str) -> tuple[PostalEvent, ...]:
        """The way of the order of that number, oldest first; nothing when there is none.

        Raises PartnerError, ConfigurationError.
        """
        ...


@dataclass(frozen=True, slots=True)
class ListedAgency:
    """One row of a partner's directory, as it says it."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()  # other codes that the partner gives the same agency


@runtime_checkable
class DirectorySource(Protocol):
    """An adapter whose partner keeps a directory of the agencies that it serves.

    All methods raise PartnerError and ConfigurationError.
    """

    @property
    def directory_interval(self) -> float:
        """Seconds from one reading of the directory to the next."""
        ...

    def agencies(self) -> AsyncGenerator[ListedAgency, None]:
        """The directory, row by row, never the whole of it in memory.

        The same agency may come in several rows. Left out is what the partner serves through this
        bus itself. A list that breaks off raises, so that what came before is never taken for all.
        """
        ...

    async def register(self, code: str, name: str) -> None:
        """The partner lists the agency, from now on served by this bus. Repeating is harmless."""
        ...

    async def remove(self, code: str) -> None:
        """The partner lists the agency no longer."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciling:
    """How an endpoint is reconciled (đối soát) by itself, and how gently."""

    interval: float  # seconds from one reconciliation to the next; inf: only on demand
    days: int  # dossiers of the last so many days are looked at
    rate: float  # calls a second, at most


@dataclass(frozen=True, slots=True)
class ListedDossier:
    """One row of a one-stop system's list."""

    code: str
    agency: str
    seen: Seen
    local_status: str = ""  # the software's own code, which is no number of the list


@runtime_checkable
class DossierSource(Protocol):
    """An adapter whose partner lists the dossiers it has, and tells one again on demand.

    Both methods raise PartnerError and ConfigurationError.
    """

    @property
    def reconciling(self) -> Reconciling | None:
        """None: as it is configured, it cannot be."""
        ...

    def listing(self, since: date, until: date) -> AsyncGenerator[ListedDossier, None]:
        """Dossiers received on those days, both included; `pending` where something of a dossier
        still waits for the bus. A list that breaks off raises.

        Facts are named and written as `schemas.dossier.reconcile.row_facts` has them.
        """
        ...

    async def tell_again(self, code: str) -> None:
        """The dossier's current record, then its steps, wait for the bus once more, under the ids
        they had: what the bus has is a repeat.
        """
        ...


@runtime_checkable
class DossierLookup(Protocol):
    """An adapter whose partner says what it has of a dossier."""

    @property
    def reconciling(self) -> Reconciling | None:
        """None: as it is configured, it cannot be."""
        ...

    def expected(self, record: DossierRecord, steps: Sequence[DossierStep]) -> Seen:
        """What the partner would show, had it exactly these, in the words of `look_up`.

        `timeline` has one word for each of `steps`, or is None where look-ups do not show steps.
        """
        ...

    async def look_up(self, code: str) -> Seen | None:
        """What it shows of the dossier; None: it does not know it.

        Raises PartnerError, ConfigurationError.
        """
        ...
