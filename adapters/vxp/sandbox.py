"""The national document axis, simulated: several provinces' hubs exchange packets through it.

`python -m adapters.vxp.sandbox --provinces provinces.json --store axis.db` runs it as a process.
It checks what the real one checks, has its habits (README.md), and misbehaves on demand.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import random
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson
import uvloop
from aiohttp import web

from adapters.faults import KEEPS_MESSAGE, Fault, FaultyServer, Mode, misbehave
from adapters.vxp import codec
from adapters.vxp.codec import MessageType, Transport, refusal, reply
from adapters.vxp.hub_form import Stored, hub_form
from adapters.vxp.hub_store import HubStore, Item, NewPacket
from adapters.vxp.signing import (
    VIETNAM,
    Replays,
    SignatureRefused,
    Signed,
    claimed_system,
    is_hash_of,
    verify,
)
from schemas.errors import InvalidRequest, TooLarge

HUB_CODE = "00.00.W00"
MAX_UPLOAD = 1_000_000_000  # bytes
ROWS_AT_ONCE = 500
FILE_PART = "file_doc"

Handler = Callable[[web.Request, Signed], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Province:
    """A hub that the axis knows: its systemid, secret, and the agencies it registered."""

    systemid: str
    secret: bytes = field(repr=False)
    codes: tuple[str, ...]


class Upload(NamedTuple):
    """One arrival at /sendEdoc that was taken."""

    doc_id: str
    system: str
    message_id: str  # of the bus, when it says
    sha256: str
    repeat: bool  # recognised: nothing new was stored


class Axis:
    """The simulated axis. Use as `async with Axis(...) as axis`, then `axis.url`."""

    def __init__(
        self,
        provinces: Iterable[Province],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        store: Path | None = None,
        strict: bool = True,
        knows_repeats: bool = True,
        duplicates: float = 0.0,
        agencies: int = 0,
    ) -> None:
        """`strict` False takes what is not edXML, too, as lenient provincial gateways do.
        `knows_repeats` False gives the same bytes, sent again, another docId.
        `duplicates` is the share of packets that are delivered under a second docId as well.
        `agencies` are so many more rows in the directory, of no province that is connected.
        """
        self._provinces = {each.systemid: each for each in provinces}
        self.store = HubStore(store)
        self.uploads: list[Upload] = []
        self.bodies: dict[str, bytes] = {}  # by docId, as they were uploaded
        self.duplicates = duplicates
        self.knows_repeats = knows_repeats
        self.has_download = True  # False: an axis of before 2.0.1, without /downloadEdoc
        self.calls: dict[str, int] = {}  # by path
        self.instead: dict[str, web.Response] = {}  # by docId: what a proxy makes of its download
        self._strict = strict
        self._agencies = agencies
        self._replays = Replays()
        self._server = FaultyServer(self._app(), host=host, port=port)
        for each in self._provinces.values():
            for code in each.codes:
                self.store.register(code, each.systemid, f"Cơ quan {code}")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """`service.endpoint` of the clients."""
        return self._server.url

    async def start(self) -> None:
        await self._server.start()

    async def close(self) -> None:
        await self._server.close()
        self.store.close()

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_UPLOAD)
        operations: dict[str, Handler] = {
            "/sendEdoc": self._send,
            "/getReceivedEdocList": self._received,
            "/getSentEdocList": self._sent,
            "/getEdoc": self._get,
            "/updateStatus": self._update,
            "/getAgenciesList": self._agency_rows,
            "/getAgenciesListQD20": self._agency_rows_qd20,
            "/getSynchronizeUnit": self._unit_rows,
            "/registerAgency": self._register,
            "/deleteAgency": self._remove,
        }
        for path, handler in operations.items():
            app.router.add_post(path, self._guarded(handler))
        app.router.add_get("/downloadEdoc", self._guarded(self._download))
        app.router.add_get("/countReceiveEdoc", self._guarded(self._count_edoc))
        app.router.add_get("/countReceiveStatus", self._guarded(self._count_status))
        app.router.add_post("/_sandbox/fault", self._control)
        app.router.add_get("/_sandbox/report", self._report)
        return app

    def _guarded(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Who asks, whether from now, and which fault is on."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self.calls[request.path] = self.calls.get(request.path, 0) + 1
            headers = {name.lower(): value for name, value in request.headers.items()}
            province = self._provinces.get(claimed_system(headers))
            now = datetime.now(UTC)
            try:
                if province is None:
                    raise SignatureRefused("unknown systemid")  # noqa: TRY301 - one answer for all
                signed = verify(headers, province.secret, now)
                self._replays.check(signed, now)
            except SignatureRefused:
                await request.read()
                return _answer(refusal(codec.BAD_CREDENTIALS))
            if handler == self._send:
                return await handler(request, signed)
            mode = self._server.switch.draw()
            if mode in {Mode.OK, Mode.REJECT}:
                return await handler(request, signed)
            await request.read()
            return await self._misbehave(request, mode, reply({"data": []}))

        return handle

    async def _misbehave(
        self, request: web.Request, mode: Mode, answer: bytes
    ) -> web.StreamResponse:
        return await misbehave(
            request, mode, answer, self._server.switch, lambda: _answer(refusal(codec.BAD_FORMAT))
        )

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _report(self, _request: web.Request) -> web.StreamResponse:
        """State of every copy by docId and receiver."""
        return web.json_response({"copies": self.store.states(), "uploads": len(self.uploads)})

    # --- sending --------------------------------------------------------------------------------

    async def _send(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        mode = self._server.switch.draw()
        packet = await _upload_of(request)
        digest = hashlib.sha256(packet).digest()
        known_type = signed.get("messagetype") in {each.value for each in MessageType}
        if not known_type or not is_hash_of(signed.get("hash-file"), digest):
            return _answer(refusal(codec.BAD_FILE))
        if mode not in KEEPS_MESSAGE:
            return await self._misbehave(request, mode, b"")
        message_id = request.headers.get(codec.MESSAGE_ID, "")
        answer = self._take(packet, digest.hex(), signed, message_id)
        if mode is not Mode.OK:
            return await self._misbehave(request, mode, answer)
        return _answer(answer)

    def _take(self, packet: bytes, sha256: str, signed: Signed, message_id: str) -> bytes:
        system, sender = signed.get("systemid"), signed.get("from")
        known = self.store.repeat_of(system, sha256) if self.knows_repeats else None
        if known is not None:
            self.uploads.append(Upload(known, system, message_id, sha256, repeat=True))
            return reply({"DocId": known})
        try:
            stored = hub_form(packet, HUB_CODE, datetime.now(UTC))
        except (InvalidRequest, TooLarge):
            if self._strict:
                return refusal(codec.BAD_FORMAT)
            stored = Stored(sender, (), "", "", packet)
        if stored.sender != sender or self.store.owner(sender) != system:
            text = f"Don vi gui {stored.sender} khong dung voi ma da dang ky: {system}"
            return refusal(codec.NO_SENDER, text)
        owners = {code: self.store.owner(code) for code in stored.receivers}
        unknown = [code for code, owner in owners.items() if owner is None]
        if unknown:
            return refusal(codec.NO_RECEIVER, f"Don vi nhan {unknown[0]} khong ton tai")
        copies = [(code, owner) for code, owner in owners.items() if owner is not None]
        doc_id = self._store(stored, copies, signed, sha256)
        self.bodies[doc_id] = packet
        self.uploads.append(Upload(doc_id, system, message_id, sha256, repeat=False))
        if random.random() < self.duplicates:  # noqa: S311 - a dice for tests, no secret
            self._store(stored, copies, signed, sha256)
        return reply({"DocId": doc_id})

    def _store(
        self, stored: Stored, copies: list[tuple[str, str]], signed: Signed, sha256: str
    ) -> str:
        doc_id = secrets.token_hex(12)
        packet = NewPacket(
            doc_id,
            signed.get("systemid"),
            signed.get("messagetype"),
            stored.sender,
            sha256,
            stored.title,
            stored.notation,
            _now(),
            stored.content,
        )
        self.store.add(packet, copies)
        return doc_id

    # --- receiving ------------------------------------------------------------------------------

    async def _received(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        await request.read()
        items = self.store.received(signed.get("systemid"), signed.get("messagetype"))
        return await _rows(request, (_received_row(item) for item in items))

    async def _sent(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        await request.read()
        items = self.store.sent(
            signed.get("systemid"), signed.get("messagetype"), signed.get("docid")
        )
        return await _rows(request, (_sent_row(item) for item in items))

    async def _get(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        await request.read()
        content = self.store.content(signed.get("docid"), signed.get("systemid"))
        if content is None:
            return _answer(refusal(codec.BAD_FILE))
        return _answer(reply({"data": base64.b64encode(content).decode()}))

    async def _download(self, _request: web.Request, signed: Signed) -> web.StreamResponse:
        if not self.has_download:
            return web.Response(status=404, text="Not Found")
        if (other := self.instead.get(signed.get("docid"))) is not None:
            return web.Response(
                status=other.status, body=other.body, content_type=other.content_type
            )
        content = self.store.content(signed.get("docid"), signed.get("systemid"))
        if content is None:
            return _answer(refusal("100"))
        return web.Response(body=content, content_type=codec.OCTETS)

    async def _update(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        await request.read()
        state = signed.get("status").lower()
        if state not in {each.value for each in Transport}:
            return _answer(refusal(codec.BAD_FILE))
        found = self.store.update(signed.get("docid"), signed.get("systemid"), state, _now())
        return _answer(reply() if found else refusal(codec.BAD_FILE))

    async def _count_edoc(self, _request: web.Request, signed: Signed) -> web.StreamResponse:
        return self._count(signed, MessageType.EDOC)

    async def _count_status(self, _request: web.Request, signed: Signed) -> web.StreamResponse:
        return self._count(signed, MessageType.STATUS)

    def _count(self, signed: Signed, kind: MessageType) -> web.Response:
        items = self.store.received(signed.get("systemid"), kind.value)
        return _answer(reply({"count": len({item.doc_id for item in items})}))

    # --- agencies -------------------------------------------------------------------------------

    async def _agency_rows(self, request: web.Request, _signed: Signed) -> web.StreamResponse:
        await request.read()
        fields = ("id", "pid", "code", "name", "mail", "oldCode")
        return await _rows(request, ({name: row[name] for name in fields} for row in self._units()))

    async def _agency_rows_qd20(self, request: web.Request, _signed: Signed) -> web.StreamResponse:
        await request.read()
        return await _rows(
            request,
            (
                {**{name: row[name] for name in ("id", "code", "name", "mail")}, "code102": ""}
                for row in self._units()
            ),
        )

    async def _unit_rows(self, request: web.Request, _signed: Signed) -> web.StreamResponse:
        await request.read()
        more = {"version": "1", "deleted": "0", "modifyDate": "2026/01/01", "isAgency": "1"}
        return await _rows(request, (row | more for row in self._units()))

    def _units(self) -> Iterator[dict[str, str]]:
        for number, (code, system, name, mail) in enumerate(self.store.agencies(), start=1):
            yield _unit(number, code, name, system, mail)
        for number in range(self._agencies):
            code = f"{number // 10_000:03d}.{number // 100 % 100:02d}.{number % 100:02d}.T01"
            yield _unit(1_000_000 + number, code, f"Đơn vị số {number}", "00.01.W00", "")

    async def _register(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        given = orjson.loads(await request.read() or b"{}")
        code, name = str(given.get("code", "")), str(given.get("name", ""))
        system = signed.get("systemid")
        if not code or not name or self.store.owner(code) not in {None, system}:
            return _answer(refusal(codec.NO_SENDER))
        self.store.register(code, system, name, str(given.get("mail", "")))
        return _answer(reply())

    async def _remove(self, request: web.Request, signed: Signed) -> web.StreamResponse:
        await request.read()
        gone = self.store.remove(signed.get("agencycode"), signed.get("systemid"))
        return _answer(reply() if gone else refusal(codec.NO_SENDER))


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=codec.JSON)


async def _rows(request: web.Request, rows: Iterable[dict[str, str]]) -> web.StreamResponse:
    """A good answer with `data`, streamed: a directory has 120,000 of them."""
    response = web.StreamResponse()
    response.content_type = codec.JSON
    await response.prepare(request)
    await response.write(reply()[:-1] + b',"data":[')
    gathered: list[bytes] = []
    first = True
    for row in rows:
        gathered.append((b"" if first else b",") + orjson.dumps(row))
        first = False
        if len(gathered) == ROWS_AT_ONCE:
            await response.write(b"".join(gathered))
            gathered.clear()
    await response.write(b"".join(gathered) + b"]}")
    return response


async def _upload_of(request: web.Request) -> bytes:
    """The packet, as the raw body or as the part `file_doc`."""
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    async for part in await request.multipart():
        if getattr(part, "name", None) == FILE_PART:
            return bytes(await part.read())  # type: ignore[union-attr]  # a nested one has no name
    return b""


def _received_row(item: Item) -> dict[str, str]:
    return {
        "docId": item.doc_id,
        "serviceType": codec.SERVICE,
        "messageType": item.message_type,
        "created_time": item.created,
        "updated_time": item.updated,
        "from": item.sender,
        "to": item.receiver,
        "status": item.state,
        "status_desc": "",
    }


def _sent_row(item: Item) -> dict[str, str]:
    return {
        "serviceType": codec.SERVICE,
        "messageType": item.message_type,
        "senderDocId": item.doc_id,
        "receiverDocId": item.doc_id,
        "fromCode": item.sender,
        "toCode": item.receiver,
        "title": item.title,
        "notation": item.notation,
        "sentTime": item.created,
        "receivedTime": item.updated,
        "sendStatus": Transport.DONE.value,
        "sendStatusDesc": "",
        "receiveStatus": item.state,
        "receiveStatusDesc": "",
    }


def _unit(number: int, code: str, name: str, center: str, mail: str) -> dict[str, str]:
    return {
        "id": str(number),
        "pid": "0",
        "code": code,
        "name": name,
        "mail": mail,
        "oldCode": "",
        "centerCode": center,
    }


def _now() -> str:
    return f"{datetime.now(VIETNAM):%Y/%m/%d %H:%M:%S}"


def _read_provinces(path: Path) -> list[Province]:
    """`[{"systemid": …, "secret": …, "codes": […]}]`."""
    return [
        Province(each["systemid"], each["secret"].encode(), tuple(each["codes"]))
        for each in orjson.loads(path.read_bytes())
    ]


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Axis(
        _read_provinces(options.provinces),
        host=options.host,
        port=options.port,
        store=options.store,
        knows_repeats=not options.forgets_repeats,
        duplicates=options.duplicates,
        agencies=options.agencies,
    ) as axis:
        print(axis.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.vxp.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--store", type=Path, help="SQLite file that outlives the process")
    parser.add_argument(
        "--provinces", type=Path, required=True, help="JSON: [{systemid, secret, codes}]"
    )
    parser.add_argument(
        "--duplicates", type=float, default=0.0, help="share delivered under a second docId, too"
    )
    parser.add_argument(
        "--forgets-repeats", action="store_true", help="a repeat gets another docId"
    )
    parser.add_argument("--agencies", type=int, default=0, help="more rows in the directory")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
