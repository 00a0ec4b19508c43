"""Where a message would go, by what is in force or by a configuration that is only proposed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from bus.ledger.ledger import Ledger
from routing.decision import Decision
from routing.directory import Directory
from routing.router import Facts, route
from routing.subscription import SubscriptionTable
from routing.table import RouteTable
from schemas.adapter import Manifest
from schemas.edxml import addressing, read
from schemas.errors import InvalidRequest, NotFound
from schemas.message import Message
from schemas.province import Province

MOST_BYTES = 2_000_000  # of a packet that is pasted


def by_proposal(
    facts: Facts, province: Province, manifests: Mapping[str, Manifest], on: date
) -> Decision:
    """As the bus would decide if the province were in force. Raises ConfigurationError."""
    return route(
        facts,
        Directory(province.agencies),
        RouteTable(province.routes),
        {endpoint.name: endpoint for endpoint in province.endpoints},
        manifests,
        on=on,
        subscriptions=SubscriptionTable(province.subscriptions),
    )


async def facts_of(ledger: Ledger, message_id: str) -> Facts:
    """Of an accepted message. Raises NotFound."""
    canonical = await ledger.queries.canonical(message_id)
    if canonical is None:
        raise NotFound(
            f"there is no message {message_id[:60]}", vi=f"Không có thông điệp {message_id[:60]}"
        )
    message = Message.model_validate_json(canonical)
    return Facts(message.body.kind, message.sender, message.receivers)


def facts_of_packet(text: str) -> Facts:
    """Of an edXML packet. Raises MalformedXml, MalformedPacket, InvalidRequest."""
    content = text.encode()
    if len(content) > MOST_BYTES:
        raise InvalidRequest(
            "the packet is too long to be pasted: use the id of an accepted message",
            vi="Gói tin quá dài để dán: hãy dùng mã của thông điệp đã nhận",
        )
    packet = read(content)
    sender, receivers, *_ = addressing(packet)
    return Facts(packet.kind, sender, receivers)
