"""A SOAP envelope opened to put blocks into its header."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lxml import etree

from schemas.errors import ConfigurationError, InvalidRequest
from schemas.xml import Limits, parse

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = OASIS + "wssecurity-secext-1.0.xsd"
WSU = OASIS + "wssecurity-utility-1.0.xsd"

_LIMITS = Limits(size=64_000_000, elements=1_000_000, attributes=1_000_000)
"""The bus's own messages, which have passed the limits of their service."""

LARGE = 256 * 1024
"""Bytes; signing takes about 30 ms for each megabyte."""

Element = etree._Element  # noqa: SLF001 - lxml's class has no public name


class Envelope:
    def __init__(self, body: bytes) -> None:
        """Raises ConfigurationError for what is no envelope alone."""
        try:
            self.root = parse(body, _LIMITS)
        except InvalidRequest:
            raise _no_envelope() from None
        self.namespace = etree.QName(self.root).namespace or ""
        if self.namespace not in {SOAP_11, SOAP_12}:
            raise _no_envelope()
        found = self.root.find(f"{{{self.namespace}}}Body")
        if found is None:
            raise _no_envelope()
        self.body: Element = found
        self.header = self._header()

    def replace(self, namespace: str, *names: str) -> None:
        """Takes header blocks out that the caller may have written: the bus speaks for itself."""
        for name in names:
            for block in self.header.findall(f"{{{namespace}}}{name}"):
                self.header.remove(block)

    def written(self) -> bytes:
        return etree.tostring(self.root, encoding="utf-8", xml_declaration=True)

    def _header(self) -> Element:
        name = f"{{{self.namespace}}}Header"
        header = self.root.find(name)
        if header is None:
            header = etree.Element(name)
            self.root.insert(0, header)
        return header


async def rewritten(body: bytes, change: Callable[[Envelope], None]) -> bytes:
    """The envelope as `change` leaves it; a large one in a thread, for others go on meanwhile.

    Raises ConfigurationError.
    """
    if len(body) <= LARGE:
        return _rewritten(body, change)
    return await asyncio.to_thread(_rewritten, body, change)


def _rewritten(body: bytes, change: Callable[[Envelope], None]) -> bytes:
    envelope = Envelope(body)
    change(envelope)
    return envelope.written()


def add(parent: Element, namespace: str, name: str, text: str = "", **attributes: str) -> Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    child.text = text or None
    return child


def nsmap(**prefixes: str) -> Any:
    """As lxml takes it: its stubs want a wider type than a mapping of text."""
    return prefixes


def _no_envelope() -> ConfigurationError:
    return ConfigurationError(
        "This sign_on signs SOAP envelopes without attachments, which this call is not.",
        vi="Kiểu sign_on này chỉ ký phong bì SOAP không kèm tệp; lời gọi này không phải vậy.",
    )
