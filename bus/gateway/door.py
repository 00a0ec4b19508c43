"""The door port on this bus: what REST, SOAP and façades share (schemas.door)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache

import orjson
import structlog

from bus.engine.accept import Acceptor
from bus.engine.accept_dossier import Source, accept_record, accept_step
from bus.engine.accept_item import accept_item
from bus.engine.national import translate
from bus.gateway.access import Caller, today
from bus.gateway.exchange import Exchange
from bus.gateway.gate import Gate
from bus.gateway.limits import GatewayLimits
from bus.gateway.places import LARGE, Places
from bus.ledger.ledger import Ledger
from bus.ledger.records import MailRow, Receipt
from routing.directory import Directory, in_force
from routing.mapping import Unmapped
from schemas.delivery import DeliveryState
from schemas.door import (
    MAX_REF,
    Accepted,
    Addressed,
    AgencyEntry,
    KnownDossier,
    Scope,
    Sent,
    Waiting,
)
from schemas.dossier import DossierRecord, DossierStatus, Step, unit_of
from schemas.errors import ConfigurationError, Conflict, InvalidRequest, NotFound, Unauthenticated
from schemas.flows import Item
from schemas.instant import Instant
from schemas.province import Agency, Client

log = structlog.get_logger("gateway")

Secrets = Callable[[str], bytes]
"""Resolves the name of a secret. Raises ConfigurationError when there is none."""


class BusDoor:
    """The bus for one caller (schemas.door.Door)."""

    __slots__ = ("_acceptor", "_ledger", "_places", "_trace", "caller")

    def __init__(self, caller: Caller, acceptor: Acceptor, places: Places, trace: str) -> None:
        self.caller = caller
        self._places = places
        self._acceptor = acceptor
        self._ledger: Ledger = acceptor.ledger
        self._trace = trace

    async def send(self, content: AsyncIterator[bytes], *, ref: str | None = None) -> Accepted:
        check_ref(ref, "messageRef")
        with self._places.held(self.caller.id):
            return await self._take(content, ref)

    async def _take(self, content: AsyncIterator[bytes], ref: str | None) -> Accepted:
        intake = self._acceptor.intake()
        try:
            async for piece in content:
                await intake.feed(piece)
            read = await intake.close()
            self.caller.require_sends_as(read.header.sender.organ_id)
            receipt = await intake.accept(client=self.caller.id, sender_ref=ref, trace=self._trace)
        finally:
            await intake.abort()
        return _accepted(receipt)

    async def submit_dossier(
        self,
        record: DossierRecord,
        original: bytes,
        *,
        media_type: str = "application/json",
        ref: str | None = None,
    ) -> Accepted:
        check_ref(ref, "messageRef")
        self.caller.require_sends_as(record.agency)
        self.caller.require_handles(record.code, await self._handlers_of(record.code))
        source = Source(self.caller.id, original, media_type, self._trace)
        return _accepted(await accept_record(self._acceptor, record, source, ref))

    async def submit_step(
        self,
        step: Step,
        original: bytes,
        *,
        agency: str | None = None,
        media_type: str = "application/json",
    ) -> Accepted:
        sender = await self.handler_of(step.code, agency)
        source = Source(self.caller.id, original, media_type, self._trace)
        return _accepted(await accept_step(self._acceptor, step, sender, source))

    async def submit_item(
        self,
        item: Item,
        original: bytes,
        *,
        agency: str | None = None,
        media_type: str = "application/json",
    ) -> Accepted:
        sender = agency or item.told_by or self._only_agency()
        self.caller.require_sends_as(sender)
        source = Source(self.caller.id, original, media_type, self._trace)
        return _accepted(await accept_item(self._acceptor, item, sender, source))

    def _only_agency(self) -> str:
        agencies = self.caller.client.agencies
        if len(agencies) == 1:
            return agencies[0]
        raise InvalidRequest(
            "which agency sends it is not known: name it",
            vi="Chưa rõ cơ quan gửi: nêu mã cơ quan",
            field="agency",
        )

    async def handler_of(self, code: str, agency: str | None = None) -> str:
        """Own code of the agency whose dossier it is, one the caller speaks for.

        Raises Forbidden, InvalidRequest (no agency can be told).
        """
        handlers = await self._handlers_of(code)
        self.caller.require_handles(code, handlers)
        sender = agency or self._handler(code, handlers)
        self.caller.require_sends_as(sender)
        return sender

    async def dossier(self, code: str) -> KnownDossier | None:
        for row in await self._ledger.dossiers.find(code, self.caller.reach):
            current = await self._ledger.dossiers.current(row.sender, code)
            record = DossierRecord.model_validate_json(current.record) if current else None
            return KnownDossier(row.sender, code, DossierStatus(row.status), record)
        return None

    async def _handlers_of(self, code: str) -> list[str]:
        """Agencies that have sent a dossier of that code, the latest first."""
        return [row.sender for row in await self._ledger.dossiers.find(code)]

    def _handler(self, code: str, handlers: list[str]) -> str:
        """Who handles a dossier: whoever sent it, else whom its code names, else the only one."""
        if handlers:
            return handlers[0]
        unit = self.caller.directory.resolve(unit_of(code), today()).agency
        if unit is not None:
            return unit.code
        if len(self.caller.client.agencies) == 1:
            return self.caller.client.agencies[0]
        raise InvalidRequest(
            f"which agency handles {code} is not known: send its record first, or name the agency",
            vi=f"Chưa rõ cơ quan xử lý hồ sơ {code}: gửi hồ sơ trước, hoặc nêu mã cơ quan",
            field="agency",
        )

    async def waiting(
        self,
        *,
        kind: str | None = None,
        agency: str | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Waiting]:
        rows = await self._ledger.queries.mailbox(
            self._receivers(agency), kind=kind, after=after, limit=limit
        )
        return [_waiting(row) for row in rows]

    async def count_waiting(self, *, kind: str | None = None, agency: str | None = None) -> int:
        return await self._ledger.queries.count_mailbox(self._receivers(agency), kind=kind)

    async def look(self, delivery_id: int) -> Waiting:
        return _waiting(await self._received(delivery_id))

    @asynccontextmanager
    async def fetch(self, delivery_id: int) -> AsyncIterator[tuple[Waiting, AsyncIterator[bytes]]]:
        mail = await self._received(delivery_id)
        async with self._ledger.original(mail.message.id) as pieces:
            await self._ledger.note(
                "fetched",
                actor=self.caller.actor,
                data={"receivers": " ".join(mail.delivery.receivers)},
                message_id=mail.message.id,
                delivery_id=delivery_id,
            )
            yield _waiting(mail), pieces

    async def canonical(self, delivery_id: int) -> bytes:
        """The canonical JSON of a dossier, step or item, with the receiver's own codes.

        Raises NotFound (a document has none), Conflict (a code that no mapping knows yet).
        """
        mail = await self._received(delivery_id)
        message = mail.message
        found = await self._ledger.dossiers.kinds_and_records({message.id})
        if message.id not in found:
            raise NotFound("it has no canonical form", vi="Thông điệp này không có dạng chuẩn")
        translated = translate(
            *found[message.id], self._acceptor.live.snapshot.mappings, today(), maps=False
        )
        if isinstance(translated, Unmapped):
            raise Conflict(translated.reason.en, vi=translated.reason.vi)
        await self._ledger.note(
            "fetched",
            actor=self.caller.actor,
            data={"receivers": " ".join(mail.delivery.receivers), "form": "canonical"},
            message_id=message.id,
            delivery_id=delivery_id,
        )
        return translated.encode()

    async def acknowledge(
        self, delivery_id: int, *, accepted: bool, receipt: str = "", reason: str = ""
    ) -> DeliveryState:
        await self._received(delivery_id)
        state = await self._ledger.acknowledge(
            delivery_id,
            state=DeliveryState.DELIVERED if accepted else DeliveryState.REJECTED,
            partner_ref=receipt,
            detail=reason,
            actor=self.caller.actor,
        )
        self._acceptor.observer.acknowledged(state.value)
        return state

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
        self.caller.require_agency_role()
        rows = await self._ledger.queries.sent(
            self.caller.reach,
            kind=kind,
            document_id=document_id,
            message_id=message_id,
            since=since,
            after=after,
            limit=limit,
        )
        return [_sent(row) for row in rows]

    def agencies(
        self, query: str = "", *, after: str | None = None, limit: int = 50
    ) -> list[AgencyEntry]:
        directory = self.caller.directory
        return [_entry(agency, directory) for agency in directory.search(query, limit, after)]

    def agency(self, code: str) -> AgencyEntry:
        directory = self.caller.directory
        resolution = directory.resolve(code, today())
        agency = resolution.agency or directory.get(code.strip().upper())
        if agency is None:
            raise NotFound(resolution.explanation.en, vi=resolution.explanation.vi)
        return _entry(agency, directory)

    def _receivers(self, agency: str | None) -> frozenset[str]:
        self.caller.require_agency_role()
        return self.caller.reach if agency is None else frozenset({self.caller.own_agency(agency)})

    async def _received(self, delivery_id: int) -> MailRow:
        return self.caller.received(await self._ledger.queries.mail(delivery_id))


class BusDoors:
    """Lets callers in (schemas.door.Doors). One per gateway process."""

    def __init__(
        self, gate: Gate, acceptor: Acceptor, secrets: Secrets, limits: GatewayLimits
    ) -> None:
        self._gate = gate
        self._acceptor = acceptor
        self._places = Places(limits.max_accepting)
        self._large_places = Places(limits.max_large)
        self._secrets = secrets

    async def bearer(self, scope: Scope) -> BusDoor:
        return self._door(await self._gate.admit(scope), scope)

    async def key(self, scope: Scope, client_id: str, key: str) -> BusDoor:
        """By a client's key itself. Raises Unauthenticated, RateLimited, LedgerUnavailable."""
        proved = await self._gate.prove(client_id, key, scope)
        if proved is None:
            raise Unauthenticated(
                "unknown client, wrong key, or suspended",
                vi="Mã hệ thống hoặc khóa không đúng, hoặc đã bị tạm dừng",
            )
        exchange: Exchange = scope["exchange"]
        return self._door(self._gate.enter(proved.client, exchange), scope)

    def signed(self, scope: Scope, system_id: str) -> Signed:
        client = self._gate.system(system_id)
        if client is None:
            raise Unauthenticated("unknown system id", vi="Mã hệ thống không tồn tại")
        names = [name for name in (client.secret, client.previous_secret) if name is not None]
        secrets = tuple(self._secret(client, name) for name in names)
        exchange: Exchange = scope["exchange"]
        return Signed(secrets, lambda: self._door(self._gate.enter(client, exchange), scope))

    def _secret(self, client: Client, name: str) -> bytes:
        """Read each time: a file that is replaced counts at once."""
        try:
            return self._secrets(name)
        except ConfigurationError as error:
            log.error("signing secret missing", client=client.id, error=str(error))  # noqa: TRY400
            raise ConfigurationError(
                "the bus does not have the secret this system signs with",
                vi="Trục chưa có khóa ký của hệ thống này",
            ) from None  # names and folders of secrets are no caller's business

    def _door(self, caller: Caller, scope: Scope) -> BusDoor:
        exchange: Exchange = scope["exchange"]
        size = exchange.headers.get(b"content-length", b"")
        small = size.isdigit() and int(size) <= LARGE
        places = self._places if small else self._large_places
        return BusDoor(caller, self._acceptor, places, exchange.trace)


class Signed:
    """A system whose signature is still to be verified (schemas.door.SignedSystem)."""

    def __init__(self, secrets: tuple[bytes, ...], enter: Callable[[], BusDoor]) -> None:
        self.secrets = secrets
        self._enter = enter

    def enter(self) -> BusDoor:
        return self._enter()


def check_ref(ref: str | None, field: str) -> None:
    """Whether it can be a sender's own message id. Raises InvalidRequest."""
    if ref is not None and not (0 < len(ref) <= MAX_REF and ref.isprintable()):
        raise InvalidRequest(
            f"{field} must be 1 to {MAX_REF} printable characters",
            vi=f"{field} phải có từ 1 đến {MAX_REF} ký tự in được",
            field=field,
        )


def _accepted(receipt: Receipt) -> Accepted:
    return Accepted(
        message_id=receipt.message_id,
        message_ref=receipt.sender_ref,
        sender=receipt.sender,
        sha256=receipt.sha256,
        accepted_at=receipt.accepted_at,
        receivers=_addressed(receipt.decision),
        duplicate=receipt.duplicate,
    )


@lru_cache(maxsize=1024)
def _addressed(decision: str) -> tuple[Addressed, ...]:
    """Senders write to the same receivers again and again: equal decisions are equal texts."""
    return tuple(
        Addressed(
            each["addressed"], each["agency"], each["name"], each["outcome"], each["endpoint"]
        )
        for each in orjson.loads(decision)["receivers"]
    )


def _waiting(mail: MailRow) -> Waiting:
    delivery, message, subject = mail
    return Waiting(
        delivery_id=delivery.id,
        message_id=message.id,
        kind=message.kind,
        sender=message.sender,
        receiver=delivery.receivers[0],
        size=message.size,
        sha256=message.sha256,
        media_type=message.media_type,
        accepted_at=message.accepted_at,
        lane=delivery.lane,
        subject=subject,
        document_id=message.document_id,
        document_code=message.document_code,
    )


def _sent(mail: MailRow) -> Sent:
    delivery, message, subject = mail
    return Sent(
        delivery_id=delivery.id,
        message_id=message.id,
        kind=message.kind,
        document_id=message.document_id,
        document_code=message.document_code,
        subject=subject,
        sender=message.sender,
        receivers=delivery.receivers,
        state=delivery.state,
        reason=delivery.detail or "",
        accepted_at=message.accepted_at,
        finished_at=delivery.finished_at,
    )


def _entry(agency: Agency, directory: Directory) -> AgencyEntry:
    own, *aliases = directory.codes_of(agency, today())
    return AgencyEntry(
        code=own,
        name=agency.name,
        parent=agency.parent,
        aliases=tuple(aliases),
        in_force=in_force(agency, today()),
        connected=directory.endpoint_of(agency) is not None,
    )
