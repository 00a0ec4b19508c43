"""What a packet is, however it is written: the national axis writes packets anew on their way."""

from __future__ import annotations

from schemas.edxml import DocumentPacket, Packet, PacketReader
from schemas.errors import LgspError


class IdentityReader:
    """Feed the bytes of one arrival, then `close`. In flat memory, as the packet reader."""

    def __init__(self) -> None:
        self._reader: PacketReader | None = PacketReader()

    def feed(self, piece: bytes) -> None:
        try:
            if self._reader is not None:
                self._reader.feed(piece)
        except LgspError:
            self._reader = None

    def close(self) -> str:
        """`identity` of the packet; empty for what is none."""
        try:
            return identity(self._reader.close()) if self._reader is not None else ""
        except LgspError:
            return ""


def identity(packet: Packet) -> str:
    """The same for packets that say the same: a document with its files, or a status about one."""
    if isinstance(packet, DocumentPacket):
        files = ",".join(each.content.sha256[:16] for each in packet.attachments)
        return f"{packet.header.document_id} [{files}]"
    header = packet.header
    about = header.response_for.document_id
    return f"{header.status_code} of {about} by {header.sender.organ_id}"


def identity_of(content: bytes) -> str:
    """`identity` of a packet in memory; empty for what is none."""
    reader = IdentityReader()
    reader.feed(content)
    return reader.close()
