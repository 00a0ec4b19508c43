"""X-Road: who calls whose service.

Sources: X-Road Message Protocol v4.0 (PR-MESS) §2.2, §4; X-Road Message Protocol for REST v1.0
(PR-REST) §4. Security servers prove themselves to each other; to its own one a client shows, where
asked, a certificate (`tls`).
"""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

from lxml import etree

from adapters.signon.config import XRoadConfig
from adapters.signon.envelope import Element, Envelope, add, nsmap
from adapters.signon.plain import Base, Http, Secrets, put_header
from adapters.signon.port import PartnerCall

XROAD = "http://x-road.eu/xsd/xroad.xsd"
IDENTIFIERS = "http://x-road.eu/xsd/identifiers"
_PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
_OURS = ("client", "service", "id", "userId", "protocolVersion")


class XRoad(Base):
    def __init__(self, config: XRoadConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        self._config = config

    async def sign(self, call: PartnerCall) -> None:
        if not call.soap:
            self._sign_rest(call)
            return
        envelope = Envelope(call.body)
        envelope.replace(XROAD, *_OURS)
        header = envelope.header
        called = [part for part in (self._code(envelope), self._config.service_version) if part]
        _identify(header, "client", self._config.client, [])
        _identify(header, "service", self._config.service, called)
        add(header, XROAD, "id", str(uuid4()))
        if call.officer:
            add(header, XROAD, "userId", call.officer)
        add(header, XROAD, "protocolVersion", "4.0")
        call.body = envelope.written()

    def _code(self, envelope: Envelope) -> str:
        """The service code is the name of the body's element unless declared otherwise."""
        if self._config.service_code:
            return self._config.service_code
        first = next(iter(envelope.body), None)
        return etree.QName(first).localname if first is not None else ""

    def _sign_rest(self, call: PartnerCall) -> None:
        put_header(call, "X-Road-Client", quote(self._config.client, safe="/"))
        put_header(call, "X-Road-Id", str(uuid4()))
        if call.officer:
            put_header(call, "X-Road-UserId", quote(call.officer, safe=""))


def _identify(header: Element, name: str, member: str, called: list[str]) -> None:
    """`called`: service code and version."""
    block = etree.SubElement(
        header, f"{{{XROAD}}}{name}", nsmap=nsmap(xroad=XROAD, iden=IDENTIFIERS)
    )
    block.set(f"{{{IDENTIFIERS}}}objectType", "SERVICE" if called else "SUBSYSTEM")
    for part, text in zip(_PARTS, member.split("/"), strict=True):
        add(block, IDENTIFIERS, part, text)
    for part, text in zip(("serviceCode", "serviceVersion"), called, strict=False):
        add(block, IDENTIFIERS, part, text)
