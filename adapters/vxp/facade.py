"""The axis's own protocol, served to document systems written for the national axis.

Such a system points at the bus by changing endpoint, systemid and secret (edXML client guide of the
vendor's library 2.0).  Every operation of the axis is here; errors are told in its own words.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from types import MappingProxyType

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from adapters.vxp import codec
from adapters.vxp.codec import MessageType, Transport, refusal, reply
from adapters.vxp.signing import (
    VIETNAM,
    Replays,
    SignatureRefused,
    Signed,
    claimed_system,
    is_hash_of,
    verify,
)
from schemas.agency import form
from schemas.delivery import TERMINAL, DeliveryState
from schemas.door import AgencyEntry, Door, Doors, Refusal, Sent, Waiting
from schemas.errors import (
    Conflict,
    DuplicateMessage,
    Forbidden,
    InvalidRequest,
    LgspError,
    MalformedPacket,
    MalformedXml,
    NotFound,
    TooLarge,
    Unauthenticated,
    UnknownReceiver,
)
from schemas.instant import Instant, to_datetime
from schemas.multipart import Item, MediaType, Part, parts

NAME = "vxp"
FILE_PART = "file_doc"
PAGE = 200
MOST_ROWS = 2_000
"""Packets listed at once; what was answered leaves the list and makes room for the rest."""

_KINDS = {MessageType.EDOC.value: "document", MessageType.STATUS.value: "status"}
_TYPES = {kind: name for name, kind in _KINDS.items()}
_CODES: Mapping[type[LgspError], str] = MappingProxyType(
    {
        Unauthenticated: codec.BAD_CREDENTIALS,
        Forbidden: codec.NO_SENDER,
        UnknownReceiver: codec.NO_RECEIVER,
        MalformedXml: codec.BAD_FORMAT,
        MalformedPacket: codec.BAD_FORMAT,
        TooLarge: codec.BAD_FILE,
        DuplicateMessage: codec.BAD_FILE,
        InvalidRequest: codec.BAD_FILE,
        NotFound: codec.FILE_ERROR,
        Conflict: codec.FILE_ERROR,
    }
)
"""ErrorCode by class of error, the nearest above it; what is not here is an error of the bus."""

Serve = Callable[[Request, Door, Signed], Awaitable[Response]]


class VxpFacade:
    """See `schemas.door.Facade`."""

    name = NAME
    public: frozenset[str] = frozenset()

    def routes(self, doors: Doors) -> Sequence[BaseRoute]:
        entrance = _Entrance(doors)
        return [
            Route(f"/{name}", entrance.guarded(serve), methods=[method], name=name)
            for name, (method, serve) in _OPERATIONS.items()
        ]

    def refuse(self, refused: Refusal) -> Response:
        """Under 200, as the axis does it; only what another try may mend has a status of its own,
        so that clients and proxies wait.
        """
        error = refused.error
        known = codec.ERRORS[_code_of(error)]
        desc = f"{known.vi}: {error.detail.vi} (mã theo dõi {refused.correlation_id})"
        status = refused.status if error.retryable else 200
        return Response(refusal(_code_of(error), desc), status, media_type=codec.JSON)


def _code_of(error: LgspError) -> str:
    for cls in type(error).__mro__:
        if cls in _CODES:
            return _CODES[cls]
    return codec.SYSTEM_ERROR


class _Entrance:
    """Who asks, whether from now, and not for the second time."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._replays = Replays()

    def guarded(self, serve: Serve) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            door, signed = self._enter(request)
            if serve is not _send:
                await _drain(request)
            return await serve(request, door, signed)

        return handle

    def _enter(self, request: Request) -> tuple[Door, Signed]:
        headers = dict(request.headers)
        system = self._doors.signed(request.scope, claimed_system(headers))
        now = datetime.now(UTC)
        refused: Exception = SignatureRefused("the system has no secret")
        for secret in system.secrets:
            try:
                signed = verify(headers, secret, now)
                self._replays.check(signed, now)
            except SignatureRefused as error:
                refused = error
            else:
                return system.enter(), signed
        raise Unauthenticated(str(refused), vi=f"Chữ ký không hợp lệ ({refused})") from None


async def _drain(request: Request) -> None:
    """`{}` or an empty form. Reading it answers `Expect: 100-continue`, for which clients wait."""
    async for _ in request.stream():
        pass


# --- sending --------------------------------------------------------------------------------------


async def _send(request: Request, door: Door, signed: Signed) -> Response:
    async with aclosing(_uploaded(request)) as pieces:
        accepted = await door.send(_checked(pieces, signed.get("hash-file")))
    unreached = [each.code for each in accepted.receivers if each.outcome in _UNREACHED]
    told = {"ErrorDesc": f"Thanh cong; khong chuyen duoc toi: {', '.join(unreached)}"}
    return _json(reply({"DocId": accepted.message_id} | (told if unreached else {})))


_UNREACHED = frozenset({"unknown", "unroutable", "refused"})


def _uploaded(request: Request) -> AsyncGenerator[bytes]:
    """The packet as the raw body, or as the part `file_doc` of a form."""
    media = MediaType.of(request.headers.get("content-type", "").encode("latin-1"))
    if media.name.startswith("multipart/"):
        return _from_form(parts(request.stream(), media))
    return request.stream()


async def _from_form(items: AsyncGenerator[Item]) -> AsyncGenerator[bytes]:
    """Nothing is kept of the form. Raises InvalidRequest."""
    found = wanted = False
    async with aclosing(items):
        async for item in items:
            if isinstance(item, Part):
                wanted = item.name == FILE_PART
                if wanted and found:
                    raise InvalidRequest(
                        f"the form has two files {FILE_PART}", vi=f"Biểu mẫu có hai tệp {FILE_PART}"
                    )
                found = found or wanted
            elif wanted and item != "end":
                yield item
    if not found:
        raise InvalidRequest(
            f"the form has no file {FILE_PART}", vi=f"Biểu mẫu thiếu tệp {FILE_PART}"
        )


async def _checked(pieces: AsyncIterator[bytes], hash_file: str) -> AsyncIterator[bytes]:
    """Raises InvalidRequest at the end when the bytes are not those that were signed."""
    digest = hashlib.sha256()
    async for piece in pieces:
        digest.update(piece)
        yield piece
    if not is_hash_of(hash_file, digest.digest()):
        raise InvalidRequest(
            "hash-file is not the SHA-256 of the file",
            vi="hash-file không phải SHA-256 của tệp nhận được",
            field="hash-file",
        )


async def _sent(_request: Request, door: Door, signed: Signed) -> Response:
    rows = await door.sent(kind=_kind(signed), message_id=signed.get("docId") or None, limit=PAGE)
    return _listing(_sent_row(row, code) for row in rows for code in row.receivers)


def _sent_row(row: Sent, receiver: str) -> dict[str, str]:
    has = row.state is DeliveryState.DELIVERED
    gone = Transport.FAIL if row.state in TERMINAL else Transport.PROCESSING
    return {
        "serviceType": codec.SERVICE,
        "messageType": _TYPES.get(row.kind, ""),
        "senderDocId": row.message_id,
        "receiverDocId": str(row.delivery_id),
        "fromCode": row.sender,
        "toCode": receiver,
        "title": row.subject,
        "notation": row.document_code,
        "sentTime": _local(row.accepted_at),
        "receivedTime": _local(row.finished_at) if row.finished_at and has else "",
        "sendStatus": Transport.DONE.value,
        "sendStatusDesc": "",
        "receiveStatus": Transport.DONE.value if has else gone.value,
        "receiveStatusDesc": row.reason,
    }


# --- receiving ------------------------------------------------------------------------------------


async def _received(_request: Request, door: Door, signed: Signed) -> Response:
    """What waits; a packet stays in the list until done or fail."""
    kind = _kind(signed)
    rows: list[Waiting] = []
    after: int | None = None
    while len(rows) < MOST_ROWS:
        page = await door.waiting(kind=kind, after=after, limit=PAGE)
        rows += page
        if len(page) < PAGE:
            break
        after = page[-1].delivery_id
    return _listing(_received_row(row) for row in rows)


def _received_row(row: Waiting) -> dict[str, str]:
    return {
        "docId": str(row.delivery_id),
        "serviceType": codec.SERVICE,
        "messageType": _TYPES.get(row.kind, ""),
        "created_time": _local(row.accepted_at),
        "updated_time": _local(row.accepted_at),
        "from": row.sender,
        "to": row.receiver,
        "status": Transport.INITIAL.value,
        "status_desc": "",
    }


async def _get(_request: Request, door: Door, signed: Signed) -> Response:
    """The packet as base64 inside JSON, in pieces."""
    stack = AsyncExitStack()
    _, pieces = await stack.enter_async_context(door.fetch(_doc_id(signed)))

    async def answer() -> AsyncIterator[bytes]:
        async with stack:
            yield reply()[:-1] + b',"data":"'
            carry = b""
            async for piece in pieces:
                data = carry + piece
                whole = len(data) - len(data) % 3
                carry = data[whole:]
                yield base64.b64encode(data[:whole])
            yield base64.b64encode(carry) + b'"}'

    return StreamingResponse(answer(), media_type=codec.JSON)


async def _download(_request: Request, door: Door, signed: Signed) -> Response:
    stack = AsyncExitStack()
    number = _doc_id(signed)
    item, pieces = await stack.enter_async_context(door.fetch(number))

    async def answer() -> AsyncIterator[bytes]:
        async with stack:
            async for piece in pieces:
                yield piece

    headers = {
        "Content-Length": str(item.size),
        "Content-Disposition": f'attachment; filename="{number}.edxml"',
    }
    return StreamingResponse(answer(), headers=headers, media_type=codec.OCTETS)


async def _update(_request: Request, door: Door, signed: Signed) -> Response:
    """Transport states only; business statuses (01…16) are packets sent by /sendEdoc."""
    state = signed.get("status").lower()
    number = _doc_id(signed)
    if state in {Transport.DONE, Transport.FAIL}:
        accepted = state == Transport.DONE
        reason = "" if accepted else "the receiving system reported fail"
        await door.acknowledge(number, accepted=accepted, reason=reason)
    elif state == Transport.PROCESSING:
        await door.look(number)
    else:
        raise InvalidRequest(
            "status must be processing, done or fail",
            vi="status phải là processing, done hoặc fail; trạng thái nghiệp vụ gửi bằng sendEdoc",
            field="status",
        )
    return _json(reply())


async def _count_documents(_request: Request, door: Door, _signed: Signed) -> Response:
    return _json(reply({"count": await door.count_waiting(kind="document")}))


async def _count_statuses(_request: Request, door: Door, _signed: Signed) -> Response:
    return _json(reply({"count": await door.count_waiting(kind="status")}))


# --- directory ------------------------------------------------------------------------------------


async def _agencies(_request: Request, door: Door, _signed: Signed) -> Response:
    return _listing(
        {
            "id": each.code,
            "pid": each.parent or "",
            "code": each.code,
            "name": each.name,
            "mail": "",
            "oldCode": each.aliases[0] if each.aliases else "",
        }
        for each in _directory(door)
    )


async def _agencies_qd20(_request: Request, door: Door, _signed: Signed) -> Response:
    """Codes of QĐ 20/2020, each with the one of QCVN 102 that it replaced."""
    return _listing(
        {
            "id": each.code,
            "code": _in_form(each, "qd20"),
            "name": each.name,
            "mail": "",
            "code102": _in_form(each, "qcvn102"),
        }
        for each in _directory(door)
    )


async def _units(_request: Request, door: Door, _signed: Signed) -> Response:
    return _listing(
        {
            "id": each.code,
            "pid": each.parent or "",
            "code": each.code,
            "name": each.name,
            "mail": "",
            "version": "1",
            "centerCode": "",
            "deleted": "0" if each.in_force else "1",
            "modifyDate": "",
            "isAgency": "1",
        }
        for each in _directory(door)
    )


def _directory(door: Door) -> Iterator[AgencyEntry]:
    after: str | None = None
    while page := door.agencies(after=after, limit=PAGE):
        yield from page
        after = page[-1].code


def _in_form(agency: AgencyEntry, wanted: str) -> str:
    codes = (agency.code, *agency.aliases)
    return next((code for code in codes if form(code) == wanted), agency.code)


async def _declared(_request: Request, _door: Door, _signed: Signed) -> Response:
    raise Forbidden(
        "agencies are declared by the administrator of the bus",
        vi="cơ quan do quản trị trục khai báo (lgsp apply), không đăng ký qua đường này",
    )


# --- small steps ----------------------------------------------------------------------------------


def _kind(signed: Signed) -> str | None:
    """None: both kinds, for a client that names none."""
    given = signed.get("messagetype")
    if given and given not in _KINDS:
        raise InvalidRequest(
            "messagetype must be edoc or status",
            vi="messagetype phải là edoc hoặc status",
            field="messagetype",
        )
    return _KINDS.get(given)


def _doc_id(signed: Signed) -> int:
    """A number here; to clients it is an opaque text."""
    text = signed.get("docId")
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19):
        raise NotFound(f"no packet {text[:50]!r}", vi=f"Không có gói tin {text[:50]!r}")
    return int(text)


def _local(at: Instant) -> str:
    return f"{to_datetime(at).astimezone(VIETNAM):%Y/%m/%d %H:%M:%S}"


def _json(body: bytes) -> Response:
    return Response(body, media_type=codec.JSON)


def _listing(rows: Iterator[dict[str, str]]) -> Response:
    """A good answer with `data`, in pieces: a directory has 120,000 rows."""

    async def answer() -> AsyncIterator[bytes]:
        yield reply()[:-1] + b',"data":['
        gathered: list[bytes] = []
        between = b""
        for row in rows:
            gathered.append(between + orjson.dumps(row))
            between = b","
            if len(gathered) == PAGE:
                yield b"".join(gathered)
                gathered.clear()
        yield b"".join(gathered) + b"]}"

    return StreamingResponse(answer(), media_type=codec.JSON)


_OPERATIONS: Mapping[str, tuple[str, Serve]] = MappingProxyType(
    {
        "sendEdoc": ("POST", _send),
        "getReceivedEdocList": ("POST", _received),
        "getEdoc": ("POST", _get),
        "downloadEdoc": ("GET", _download),
        "updateStatus": ("POST", _update),
        "getSentEdocList": ("POST", _sent),
        "countReceiveEdoc": ("GET", _count_documents),
        "countReceiveStatus": ("GET", _count_statuses),
        "getAgenciesList": ("POST", _agencies),
        "getAgenciesListQD20": ("POST", _agencies_qd20),
        "getSynchronizeUnit": ("POST", _units),
        "registerAgency": ("POST", _declared),
        "deleteAgency": ("POST", _declared),
    }
)
