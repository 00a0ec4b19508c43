"""Documents as a form: a JSON part `document` and the files; the bus writes the edXML.

The same form always gives the same bytes: nothing of this moment goes into the packet, so a repeat
is recognised as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.types import Receive

from bus.gateway.body import Pieces
from bus.gateway.camel import read_json
from bus.gateway.exchange import Exchange
from bus.gateway.limits import GatewayLimits
from schemas.edxml import (
    Content,
    DocumentPacket,
    FileInfo,
    MessageHeader,
    PacketAttachment,
    TraceHeaderList,
    write,
)
from schemas.edxml.model import Group
from schemas.errors import InvalidRequest, TooLarge
from schemas.multipart import Item, MediaType, Part, parts

PART = "document"
_PIECE = 192 * 1024  # bytes of a file; a multiple of three, as base64 likes
_IN_MEMORY = 1024 * 1024  # bytes of a file; a longer one is spooled


class DocumentPart(Group):
    """The JSON part: the packet's MessageHeader, and its TraceHeaderList where it has one."""

    header: MessageHeader
    trace: TraceHeaderList = TraceHeaderList()


@asynccontextmanager
async def open_form(
    receive: Receive, exchange: Exchange, limits: GatewayLimits
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The edXML packet of the form, in pieces; files are spooled to disk meanwhile.

    Raises StatusError and InvalidRequest.
    """
    body = Pieces(receive, exchange, limit=limits.max_packet, idle=limits.body_idle)
    media = MediaType.of(exchange.headers.get(b"content-type", b""))
    with ExitStack() as opened:
        form = _Form(limits, opened)
        async with aclosing(parts(body, media)) as items:
            await form.fill(items)
        if form.document is None:
            raise InvalidRequest(
                f"the form has no part named {PART}", vi=f"Biểu mẫu thiếu phần {PART}", field=PART
            )
        document = read_json(DocumentPart, bytes(form.document))
        async with aclosing(_in_thread(_packet(document, form.files))) as packet:
            yield packet


@dataclass
class _Upload:
    """A file of the form."""

    part: Part
    file: IO[bytes]
    size: int = 0


class _Form:
    """The parts of a form; `opened` closes the files."""

    def __init__(self, limits: GatewayLimits, opened: ExitStack) -> None:
        self.document: bytearray | None = None  # some clients send it as a file, too
        self.files: list[_Upload] = []
        self._limits = limits
        self._opened = opened
        self._current: _Upload | None = None  # None: the document

    async def fill(self, items: AsyncIterator[Item]) -> None:
        """Raises InvalidRequest, TooLarge."""
        async for item in items:
            if isinstance(item, Part):
                self._begin(item)
            elif item != "end":
                await self._write(item)
        for upload in self.files:
            await asyncio.to_thread(upload.file.seek, 0)

    def _begin(self, part: Part) -> None:
        if part.name == PART and self.document is None:
            self.document, self._current = bytearray(), None
            return
        if part.filename is None or len(self.files) == self._limits.max_files:
            raise self._too_many()
        file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the stack closes it
        self._current = _Upload(part, self._opened.enter_context(file))
        self.files.append(self._current)

    async def _write(self, piece: bytes) -> None:
        if self._current is not None:
            self._current.size += len(piece)
            await asyncio.to_thread(self._current.file.write, piece)
            return
        assert self.document is not None, "the first part has begun"  # noqa: S101
        self.document += piece
        if len(self.document) > self._limits.max_json:
            raise TooLarge(
                f"the part {PART} may hold {self._limits.max_json:,} bytes",
                vi=f"Phần {PART} chỉ được {self._limits.max_json:,} byte",
                limit=self._limits.max_json,
            )

    def _too_many(self) -> TooLarge:
        most = self._limits.max_files
        return TooLarge(
            f"a form holds one part {PART} and at most {most} files",
            vi=f"Biểu mẫu chỉ gồm một phần {PART} và nhiều nhất {most} tệp",
            limit=most,
        )


def _packet(document: DocumentPart, files: list[_Upload]) -> Iterator[bytes]:
    attachments = tuple(_attachment(number, file) for number, file in enumerate(files, start=1))
    packet = DocumentPacket(header=document.header, trace=document.trace, attachments=attachments)
    return write(packet, [_contents(file.file) for file in files])


def _attachment(number: int, file: _Upload) -> PacketAttachment:
    claimed = file.part.content_type or "application/octet-stream"
    return PacketAttachment(
        info=FileInfo(
            content_id=f"file-{number}",
            content_type=claimed,
            attachment_name=_name(file.part.filename or f"file-{number}"),
        ),
        content=Content(size=file.size, sha256="", media_type=claimed),  # measured on intake
    )


def _name(claimed: str) -> str:
    """The file's name without the folders some browsers send along."""
    return PurePosixPath(PureWindowsPath(claimed).name).name


def _contents(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


async def _in_thread(packet: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Reading spooled files blocks, so each piece is made in a thread."""
    while (piece := await asyncio.to_thread(next, packet, None)) is not None:
        yield piece
