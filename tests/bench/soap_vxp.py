"""Large packets by SOAP and by the axis's protocol: requests in pieces, answers measured in pieces.

Whole bodies never exist here: what a door takes in flat memory, its bench gives in flat memory.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp

from adapters.vxp import codec
from adapters.vxp.facade import FILE_PART
from adapters.vxp.signing import hash_file
from schemas.soap import NAMESPACE

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XOP = "http://www.w3.org/2004/08/xop/include"
BOUNDARY = "bench"
MTOM = (
    f'multipart/related; type="application/xop+xml"; boundary="{BOUNDARY}"; start-info="text/xml"'
)
_HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}"><s:Body>'
    f'<o:%s xmlns:o="{NAMESPACE}">'
)
_TAIL = "</o:%s></s:Body></s:Envelope>"
_PART = (
    f"--{BOUNDARY}\r\nContent-Type: %s\r\nContent-Transfer-Encoding: binary\r\n"
    "Content-ID: <%s>\r\n\r\n"
)
_END = f"\r\n--{BOUNDARY}--\r\n"


def text(operation: str, members: str) -> bytes:
    return (_HEAD % operation + members + _TAIL % operation).encode()


async def inline(packet: Iterable[bytes]) -> AsyncIterator[bytes]:
    """SendDocument with the packet as base64 in the envelope."""
    yield (_HEAD % "SendDocument" + "<o:packet>").encode()
    for piece in as_base64(packet):
        yield piece
    yield ("</o:packet>" + _TAIL % "SendDocument").encode()


def as_base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    carry = b""
    for piece in pieces:
        data = carry + piece
        whole = len(data) // 3 * 3
        carry = data[whole:]
        yield base64.b64encode(data[:whole])
    yield base64.b64encode(carry)


def root(envelope: bytes) -> bytes:
    """An envelope as the first part of MTOM."""
    return (_PART % ("application/xop+xml", "root")).encode() + envelope


async def attached(packet: Iterable[bytes]) -> AsyncIterator[bytes]:
    """SendDocument with the packet as a part of its own."""
    include = f'<o:packet><x:Include xmlns:x="{XOP}" href="cid:p"/></o:packet>'
    yield root(text("SendDocument", include))
    yield ("\r\n" + _PART % ("application/octet-stream", "p")).encode()
    for piece in packet:
        yield piece
    yield _END.encode()


async def fetched(
    http: aiohttp.ClientSession, url: str, number: int, headers: dict[str, str], *, mtom: bool
) -> int:
    """Bytes of the answer to FetchDocument."""
    call = text("FetchDocument", f"<o:deliveryId>{number}</o:deliveryId>")
    body = root(call) + _END.encode() if mtom else call
    sent = headers | {"Content-Type": MTOM if mtom else "text/xml; charset=utf-8"}
    async with http.post(url, data=body, headers=sent) as answer:
        assert answer.status == 200, await answer.text()
        return await _length(answer)


class VxpCaller:
    """A document system of the axis's protocol."""

    def __init__(self, http: aiohttp.ClientSession, url: str, system: str, secret: bytes) -> None:
        self._http, self._url, self._system, self._secret = http, url, system, secret

    async def is_known(self) -> bool:
        headers = self._headers({}, codec.JSON)
        async with self._http.get(f"{self._url}/countReceiveEdoc", headers=headers) as answer:
            return bool((await answer.json())["ErrorCode"] == "0")

    async def send(self, packet: Iterable[bytes], digest: bytes, sender: str, *, form: bool) -> Any:
        fields = {"servicetype": "eDoc", "messagetype": "edoc", "hash-file": hash_file(digest)}
        headers = self._headers(fields | {"from": sender}, codec.OCTETS)
        head, tail = "", ""
        if form:
            headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
            named = f'Content-Disposition: form-data; name="{FILE_PART}"; filename="a.edxml"'
            head, tail = f"--{BOUNDARY}\r\n{named}\r\n\r\n", _END

        async def body() -> AsyncIterator[bytes]:
            yield head.encode()
            for piece in packet:
                yield piece
            yield tail.encode()

        url = f"{self._url}/sendEdoc"
        async with self._http.post(url, data=body(), headers=headers) as answer:
            told = await answer.json()
        assert told["ErrorCode"] == "0", told
        return told

    async def fetch(self, number: int, operation: str) -> int:
        """Bytes of the answer; `operation` is getEdoc or downloadEdoc."""
        headers = self._headers({"docId": str(number)}, codec.JSON)
        method = "GET" if operation == "downloadEdoc" else "POST"
        url = f"{self._url}/{operation}"
        async with self._http.request(method, url, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await _length(answer)

    def _headers(self, fields: dict[str, str], content: str) -> dict[str, str]:
        return codec.request_headers(
            fields,
            system=self._system,
            secret=self._secret,
            now=datetime.now(UTC),
            content=content,
        )


def digest_of(packet: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for piece in packet:
        digest.update(piece)
    return digest.digest()


async def _length(answer: aiohttp.ClientResponse) -> int:
    size = 0
    async for piece in answer.content.iter_chunked(1 << 18):
        size += len(piece)
    return size
