"""Documents as a form: a JSON part `document` and the files; the bus writes the edXML.

The same form always gives the same bytes: nothing of this moment goes into the packet, so a repeat
is recognised as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope

from bus.gateway.body import bounded
from bus.gateway.camel import read_json
from bus.gateway.exchange import Exchange
from bus.gateway.limits import GatewayLimits
from bus.gateway.problems import StatusError
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

PART = "document"
_PIECE = 192 * 1024  # bytes of a file; a multiple of three, as base64 likes


class DocumentPart(Group):
    """The JSON part: the packet's MessageHeader, and its TraceHeaderList where it has one."""

    header: MessageHeader
    trace: TraceHeaderList = TraceHeaderList()


@asynccontextmanager
async def open_form(
    scope: Scope, receive: Receive, exchange: Exchange, limits: GatewayLimits
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The edXML packet of the form, in pieces; files are spooled to disk meanwhile.

    Raises StatusError and InvalidRequest.
    """
    reading = bounded(receive, exchange, limit=limits.max_packet, idle=limits.body_idle)
    form = await _read(Request(scope, reading), limits)
    try:
        document = read_json(DocumentPart, await _document(form))
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        files = [part for part in files if part is not form.get(PART)]
        async with aclosing(_in_thread(_packet(document, files))) as packet:
            yield packet
    finally:
        await form.close()


async def _read(request: Request, limits: GatewayLimits) -> FormData:
    try:
        return await request.form(
            max_files=limits.max_files, max_fields=1, max_part_size=limits.max_json
        )
    except StatusError:
        raise
    except HTTPException as error:
        if not error.detail.startswith(("Too many", "Part exceeded")):
            raise
        raise TooLarge(
            f"{error.detail} (a form holds one part {PART} and at most {limits.max_files} files)",
            vi=f"Biểu mẫu chỉ gồm một phần {PART} và nhiều nhất {limits.max_files} tệp",
            limit=limits.max_files,
        ) from None


async def _document(form: FormData) -> bytes | str:
    """The part as text, or as a file, which is what some clients make of any JSON part."""
    part = form.get(PART)
    if part is None:
        raise InvalidRequest(
            f"the form has no part named {PART}", vi=f"Biểu mẫu thiếu phần {PART}", field=PART
        )
    return await part.read() if isinstance(part, UploadFile) else part


def _packet(document: DocumentPart, files: list[UploadFile]) -> Iterator[bytes]:
    attachments = tuple(_attachment(number, file) for number, file in enumerate(files, start=1))
    packet = DocumentPacket(header=document.header, trace=document.trace, attachments=attachments)
    return write(packet, [_contents(file.file) for file in files])


def _attachment(number: int, file: UploadFile) -> PacketAttachment:
    claimed = file.content_type or "application/octet-stream"
    return PacketAttachment(
        info=FileInfo(
            content_id=f"file-{number}",
            content_type=claimed,
            attachment_name=_name(file.filename or f"file-{number}"),
        ),
        content=Content(size=file.size or 0, sha256="", media_type=claimed),  # measured on intake
    )


def _name(claimed: str) -> str:
    """The file's name without the folders some browsers send along."""
    return PurePosixPath(PureWindowsPath(claimed).name).name


def _contents(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


async def _in_thread(packet: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Reading spooled files blocks, so each piece is made in a thread."""
    while (piece := await asyncio.to_thread(next, packet, None)) is not None:
        yield piece
