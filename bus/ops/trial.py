"""Thử kết nối: a document that an operator sends to see whether an agency gets it."""

from __future__ import annotations

import asyncio

import uuid_utils

from bus.engine.accept import Acceptor
from bus.ledger.records import Receipt
from schemas.edxml import (
    Code,
    Content,
    DocumentPacket,
    FileInfo,
    MessageHeader,
    Organ,
    PacketAttachment,
    TraceHeader,
    TraceHeaderList,
    write,
)
from schemas.errors import Unavailable
from schemas.instant import to_datetime
from schemas.province import Agency
from schemas.vietnam import VIETNAM

CLIENT = "bus"
LOOK_SECONDS = 0.1
LOOKS = 300
_TEXT = (
    "Đây là thông điệp thử kết nối của trục liên thông, không phải văn bản hành chính.\n"
    "This message tests the connection to the interoperability bus; it is no official document.\n"
).encode()


async def in_force(acceptor: Acceptor, revision: int) -> None:
    """Returns once this process works with that revision. Raises Unavailable."""
    for _ in range(LOOKS):
        if acceptor.live.snapshot.revision >= revision:
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise Unavailable(
        f"revision {revision} has not reached this process yet: try again",
        vi=f"Phiên bản {revision} chưa tới tiến trình này: hãy thử lại",
        retry_after=5,
    )


async def send(acceptor: Acceptor, sender: Agency, receiver: Agency, *, actor: str) -> Receipt:
    """Accepted like any document; who sent it is journalled.

    Raises UnknownReceiver with the reason when nothing leads there, LedgerUnavailable.
    """
    packet = _packet(sender, receiver, acceptor)
    intake = acceptor.intake()
    try:
        for piece in write(packet, [[_TEXT]]):
            await intake.feed(piece)
        await intake.close()
        ref = f"trial:{packet.header.document_id}"
        receipt = await intake.accept(client=CLIENT, sender_ref=ref, trace="")
    finally:
        await intake.abort()
    await acceptor.ledger.note(
        "trial-sent",
        actor=actor,
        data={"sender": sender.code, "receiver": receiver.code},
        message_id=receipt.message_id,
    )
    return receipt


def _packet(sender: Agency, receiver: Agency, acceptor: Acceptor) -> DocumentPacket:
    now = to_datetime(acceptor.ledger.clock()).astimezone(VIETNAM)
    number = uuid_utils.uuid7().hex[-8:]
    file = FileInfo(
        content_id="file-1", content_type="text/plain", attachment_name="thu-ket-noi.txt"
    )
    return DocumentPacket(
        header=MessageHeader(
            sender=Organ(organ_id=sender.code, organ_name=sender.name),
            receivers=(Organ(organ_id=receiver.code, organ_name=receiver.name),),
            document_id=f"{sender.code},{now:%Y/%m/%d},{number}/THU",
            code=Code(number=number, notation="THU-LGSP"),
            subject="Thử kết nối trục liên thông, không phải văn bản hành chính",
        ),
        trace=TraceHeaderList(
            trace_headers=(
                TraceHeader(
                    organ_id=sender.code, timestamp=now.replace(tzinfo=None, microsecond=0)
                ),
            )
        ),
        attachments=(
            PacketAttachment(
                info=file, content=Content(size=len(_TEXT), sha256="", media_type="text/plain")
            ),
        ),
    )
