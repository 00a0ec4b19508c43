"""How the simulated axis rewrites a packet: its own order of elements, one more TraceHeader."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from adapters.vxp.signing import VIETNAM
from schemas.edxml import (
    DocumentPacket,
    StatusPacket,
    TraceHeader,
    TraceHeaderList,
    read,
    write,
    write_status,
)


class Stored(NamedTuple):
    """A packet as the axis keeps it, and the facts by which it is listed."""

    sender: str
    receivers: tuple[str, ...]
    title: str
    notation: str
    content: bytes


class _Buffer(bytearray):
    def write(self, data: bytes, /) -> None:
        self += data

    def close(self) -> None: ...


def hub_form(packet: bytes, hub_code: str, now: datetime) -> Stored:
    """Read and written anew, as the real one does. Raises MalformedXml, MalformedPacket."""
    files: dict[int, _Buffer] = {}

    def open_sink(index: int) -> _Buffer:
        return files.setdefault(index, _Buffer())

    found = read(packet, open_sink=open_sink)
    if isinstance(found, StatusPacket):
        header = found.header
        about = header.response_for
        return Stored(
            header.sender.organ_id,
            (about.organ_id,),
            header.description,
            about.code,
            write_status(found),
        )
    traced = _trace(found, hub_code, now)
    contents = [[bytes(files[index])] for index in sorted(files)]
    code = found.header.code
    return Stored(
        found.header.sender.organ_id,
        tuple(to.organ_id for to in found.header.receivers),
        found.header.subject,
        f"{code.number}/{code.notation}",
        b"".join(write(traced, contents)),
    )


def _trace(packet: DocumentPacket, hub_code: str, now: datetime) -> DocumentPacket:
    moment = now.astimezone(VIETNAM).replace(tzinfo=None, microsecond=0)
    hops = (*packet.trace.trace_headers, TraceHeader(organ_id=hub_code, timestamp=moment))
    trace: TraceHeaderList = packet.trace.model_copy(update={"trace_headers": hops})
    return packet.model_copy(update={"trace": trace})
