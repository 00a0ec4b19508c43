"""What a packet must say, or nobody could route it."""

from __future__ import annotations

from schemas.edxml.model import DocumentPacket, Packet, StatusPacket
from schemas.errors import MalformedPacket

Path = tuple[str | int, ...]
"""Element names below MessageHeader; a number is the position (from 0) of a repeated one."""


def missing(packet: Packet) -> Path | None:
    """The first element that routing needs and the packet lacks."""
    if not packet.header.sender.organ_id:
        return ("From", "OrganId")
    if isinstance(packet, StatusPacket):
        return _missing_of_status(packet)
    return _missing_of_document(packet)


def refusal(path: Path, line: int = 0) -> MalformedPacket:
    """The error for a missing element; `line` 0 when it is not read from XML."""
    name = "MessageHeader"
    for step in path:
        name += f"[{step + 1}]" if isinstance(step, int) else f"/{step}"
    where_en, where_vi = (f" (line {line})", f" (dòng {line})") if line else ("", "")
    return MalformedPacket(
        f"{name} is missing or empty{where_en}",
        vi=f"Thiếu {name}{where_vi}",
        element=name,
        line=line,
    )


def _missing_of_document(packet: DocumentPacket) -> Path | None:
    header = packet.header
    if not header.receivers:
        return ("To",)
    for position, receiver in enumerate(header.receivers):
        if not receiver.organ_id:
            return ("To", position, "OrganId")
    if not header.document_id and not (header.code.number or header.code.notation):
        return ("DocumentId",)
    return None


def _missing_of_status(packet: StatusPacket) -> Path | None:
    about = packet.header.response_for
    if not about.organ_id:
        return ("ResponseFor", "OrganId")
    if not about.document_id and not about.code:
        return ("ResponseFor", "DocumentId")
    if not packet.header.status_code:
        return ("StatusCode",)
    return None
