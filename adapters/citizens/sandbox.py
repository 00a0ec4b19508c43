"""The register as a server: SOAP 1.1 and 1.2, its contract, and faults on demand.

Written against the contract by hand, not with the bus's translation, so that the two check each
other.  It keeps what it was asked in `asked`, headers included.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape

import uvloop
from aiohttp import web
from lxml import etree

from adapters.faults import Fault, FaultyServer, Mode, misbehave
from schemas.errors import InvalidRequest
from schemas.xml import parse

NAMESPACE = "urn:lgsp:sandbox:citizens"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_MEDIA = {SOAP11: "text/xml", SOAP12: "application/soap+xml"}


@dataclass(frozen=True, slots=True)
class Citizen:
    """A person who does not exist."""

    number: str
    name: str
    born: str
    sex: int
    blood: str | None
    commune: str
    former: tuple[str, ...] = ()
    moved: tuple[str, str] = ("", "")  # the day of the last move, and the commune before

    def commune_on(self, day: str) -> str:
        """Where the person lived on that day; empty: now. Days compare as they are written."""
        return self.moved[1] if day and day < self.moved[0] else self.commune


CITIZENS = (
    Citizen(
        "001099000001",
        "NGUYỄN THỊ MẪU",
        "1999-01-31",
        2,
        "O",
        "Suối Mẫu",
        ("123456789",),
        ("2025-07-01", "Nậm Khao"),
    ),
    Citizen("001088000002", "TRẦN VĂN THỬ", "1988-12-01", 1, None, "Suối Mẫu"),
    Citizen("001077000003", "LÒ THỊ VÍ DỤ", "1977-06-15", 2, "AB", "Nậm Khao"),
)


class ServiceError(Exception):
    """A fault of the service's own."""

    def __init__(self, code: int, text: str, *, by_client: bool) -> None:
        super().__init__(text)
        self.code, self.text, self.by_client = code, text, by_client


@dataclass(slots=True)
class Asked:
    """One request as it arrived."""

    operation: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


class Sandbox:
    """`async with Sandbox() as sandbox`: serves at `sandbox.url` + "/citizens"."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.arrived: list[bytes] = []  # bodies, also of what nobody waited for
        self.empty = False  # answer HTTP 200 without a body
        self.sealed: Callable[[bytes], bytes] | None = (
            None  # what an envelope is made before it goes
        )
        self.fault = False  # answer every request with a fault of the server
        self.gate: asyncio.Event | None = None  # requests wait for it, if there is one
        self.free = 0  # so many do not wait for it
        self.busy = self.most_busy = 0  # requests in hand, now and at most
        self._receipts = 0
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post("/citizens", self._serve)
        app.router.add_get("/citizens", self._contract)
        app.router.add_get("/citizens.xsd", self._contract)
        app.router.add_get("/_sandbox/asked", self._tell)
        self.server = FaultyServer(app, host=host, port=port)
        app.router.add_post("/_sandbox/fault", self.server.control)

    @property
    def url(self) -> str:
        return f"{self.server.url}/citizens"

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.server.close()

    async def set(self, mode: Mode, seconds: float | None = None) -> None:
        await self.server.apply(Fault(mode=mode, seconds=seconds))

    async def _contract(self, request: web.Request) -> web.Response:
        name = "citizens.xsd" if request.path.endswith(".xsd") else "citizens.wsdl"
        text = document(name).decode().replace("http://127.0.0.1:9102", self.server.url)
        return web.Response(text=text, content_type="text/xml", charset="utf-8")

    async def _tell(self, _request: web.Request) -> web.Response:
        return web.json_response([each.operation for each in self.asked])

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.arrived.append(body)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            self.free -= 1
            if self.gate is not None and self.free < 0:
                await self.gate.wait()
            return await self._answer(request, body)
        finally:
            self.busy -= 1

    async def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        try:
            envelope = parse(body)
            namespace = str(envelope.tag).removeprefix("{").partition("}")[0]
            first = envelope.find(f"{{{namespace}}}Body")
            asked = first[0] if first is not None else envelope
        except (InvalidRequest, IndexError):
            return web.Response(status=400, text="not SOAP")
        operation = etree.QName(asked).localname
        self.asked.append(Asked(operation, dict(request.headers), body))
        mode = self.server.switch.draw()
        status, content = self._reply(operation, asked, namespace)
        if self.sealed is not None:
            content = self.sealed(content)
        if mode is not Mode.OK:
            refused = _fault(namespace, ServiceError(9, "từ chối", by_client=False))
            return await misbehave(
                request,
                mode,
                content,
                self.server.switch,
                lambda: _response(500, refused, namespace),
            )
        if self.empty:
            return web.Response(status=200, content_type="text/xml")
        return _response(status, content, namespace)

    def _reply(self, operation: str, asked: etree._Element, namespace: str) -> tuple[int, bytes]:
        try:
            if self.fault:
                raise ServiceError(5, "hệ thống đang bận", by_client=False)  # noqa: TRY301
            body = self._do(operation, asked)
        except ServiceError as error:
            return 500, _fault(namespace, error)
        name = f"{operation}TraLoi"
        return 200, _envelope(namespace, f'<{name} xmlns="{NAMESPACE}">{body}</{name}>')

    def _do(self, operation: str, asked: etree._Element) -> str:
        match operation:
            case "TraCuu":
                number = _text(asked, "SoDinhDanh")
                if not number.startswith("0"):
                    raise ServiceError(17, f"số định danh {number} sai", by_client=True)
                day = _text(asked, "Ngay")
                return "".join(_citizen(each, day) for each in CITIZENS if each.number == number)
            case "DanhSach":
                return "".join(_citizen(each) for each in _of(_text(asked, "Xa")))
            case "Dem":
                return f"<So>{len(_of(_text(asked, 'Xa'), _text(asked, 'Ngay')))}</So>"
            case "GhiNhan":
                self._receipts += 1
                return f"<SoBienNhan>{self._receipts}</SoBienNhan>"
            case _:
                raise ServiceError(1, "không có thao tác này", by_client=True)


def document(name: str) -> bytes:
    """A document of the contract."""
    return resources.files("adapters.citizens").joinpath(name).read_bytes()


def _text(element: etree._Element, name: str) -> str:
    return element.findtext(f"{{{NAMESPACE}}}{name}") or ""


def _of(commune: str, day: str = "") -> list[Citizen]:
    return [each for each in CITIZENS if each.commune_on(day) == commune]


def _citizen(each: Citizen, day: str = "") -> str:
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    blood = (
        f"<NhomMau>{each.blood}</NhomMau>"
        if each.blood
        else f'<NhomMau xmlns:xsi="{xsi}" xsi:nil="true"/>'
    )
    former = "".join(f"<SoGiayToCu>{number}</SoGiayToCu>" for number in each.former)
    return (
        f'<CongDan capNhat="2026-01-02"><SoDinhDanh>{each.number}</SoDinhDanh>'
        f"<HoVaTen>{each.name}</HoVaTen><NgaySinh>{each.born}</NgaySinh>"
        f"<GioiTinh>{each.sex}</GioiTinh>{blood}"
        f"<DiaChi><Tinh>Sơn Bình</Tinh><Xa>{each.commune_on(day)}</Xa></DiaChi>{former}</CongDan>"
    )


def _envelope(namespace: str, body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><e:Envelope xmlns:e="{namespace}"><e:Header>'
        f'<r:Relay xmlns:r="urn:lgsp:sandbox:relay">node-7</r:Relay></e:Header><e:Body>{body}'
        "</e:Body></e:Envelope>"
    ).encode()


def _fault(namespace: str, error: ServiceError) -> bytes:
    words = escape(error.text)
    told = f'<Loi xmlns="{NAMESPACE}"><MaLoi>{error.code}</MaLoi><MoTa>{words}</MoTa></Loi>'
    if namespace == SOAP12:
        code = "Sender" if error.by_client else "Receiver"
        return _envelope(
            namespace,
            f"<e:Fault><e:Code><e:Value>e:{code}</e:Value></e:Code><e:Reason>"
            f'<e:Text xml:lang="vi">{words}</e:Text></e:Reason>'
            f"<e:Detail>{told}</e:Detail></e:Fault>",
        )
    code = "Client" if error.by_client else "Server"
    return _envelope(
        namespace,
        f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>{words}</faultstring>"
        f"<detail>{told}</detail></e:Fault>",
    )


def _response(status: int, content: bytes, namespace: str) -> web.Response:
    return web.Response(
        status=status, body=content, content_type=_MEDIA[namespace], charset="utf-8"
    )


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Sandbox(host=options.host, port=options.port) as sandbox:
        print(sandbox.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.citizens.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
