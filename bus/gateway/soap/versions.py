"""SOAP 1.1 and 1.2: what differs on the wire."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the protocol."""

    namespace: str
    media_type: str
    roles: frozenset[str]  # actor (1.1) or role (1.2) of header blocks that are for us

    def opening(self) -> str:
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{self.namespace}">'
            "<s:Body>"
        )


V11 = Version(
    "http://schemas.xmlsoap.org/soap/envelope/",
    "text/xml",
    frozenset({"", "http://schemas.xmlsoap.org/soap/actor/next"}),
)
V12 = Version(
    "http://www.w3.org/2003/05/soap-envelope",
    "application/soap+xml",
    frozenset(
        {
            "",
            "http://www.w3.org/2003/05/soap-envelope/role/next",
            "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
        }
    ),
)
BY_NAMESPACE = {each.namespace: each for each in (V11, V12)}
CLOSING = "</s:Body></s:Envelope>"
