"""The documents a contract is made of: given bytes first, then the offline catalogue.

Nothing is ever fetched.  A document that is named but neither given nor in the catalogue is
written down in `missing`; only what really needs it fails.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from urllib.parse import unquote, urlsplit

from lxml import etree

from bus.gateway.translate import names
from bus.gateway.translate.failure import bad_contract
from schemas.errors import InvalidContract, MalformedXml
from schemas.xml import Limits, parse

_LIMITS = Limits(size=32_000_000, elements=1_000_000, attributes=2_000_000)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_PLAIN_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*>")

CATALOGUE = {
    names.XML: "xml.xsd",
    "http://www.w3.org/1999/xlink": "xlink.xsd",
    names.ENV11: "soap11-envelope.xsd",
    names.ENV12: "soap12-envelope.xsd",
    names.ENC11: "soap11-encoding.xsd",
    names.ENC12: "soap12-encoding.xsd",
    names.WSA: "ws-addressing.xsd",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": "ws-addressing-2004.xsd",
    names.XMLMIME: "xmlmime.xsd",
    "http://www.w3.org/2004/11/xmlmime": "xmlmime-2004.xsd",
    names.XOP: "xop.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig.xsd",
    "http://www.w3.org/2001/04/xmlenc#": "xenc.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd": "wsse.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd": "wsu.xsd",
    "http://x-road.eu/xsd/xroad.xsd": "xroad.xsd",
    "http://x-road.eu/xsd/identifiers": "xroad-identifiers.xsd",
    "http://x-road.eu/xsd/representation.xsd": "xroad-representation.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": "swaref.xsd",
}
"""Schemas reduced from their specifications to what messages use, by namespace."""


class Sources:
    """All documents of one contract, parsed once. Names are the caller's (paths or URLs)."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = dict(documents)
        self._trees: dict[str, etree._Element] = {}
        self.missing: dict[str, str] = {}  # location or namespace → who named it
        self.from_catalogue: set[str] = set()

    def tree(self, name: str) -> etree._Element:
        if name not in self._trees:
            self._trees[name] = _parse(name, self._bytes(name))
        return self._trees[name]

    def _bytes(self, name: str) -> bytes:
        if name.startswith("catalogue:"):
            return _shipped(name.removeprefix("catalogue:"))
        try:
            return self._documents[name]
        except KeyError:
            raise bad_contract(
                f"document {name} was not given", vi=f"Thiếu tệp {name}", document=name
            ) from None

    def find(self, base: str, location: str | None, namespace: str | None) -> str | None:
        """The name of the document that `base` refers to; None (and noted) when it is missing."""
        found = self._given(base, location) if location else None
        if found is None and namespace in CATALOGUE:
            found = f"catalogue:{CATALOGUE[namespace]}"
            self.from_catalogue.add(namespace)
        if found is None and location:
            self.missing[location] = base
        return found

    def _given(self, base: str, location: str) -> str | None:
        location = location.strip()
        if location in self._documents:
            return location
        path = unquote(location)
        if "://" not in path and not path.startswith("/"):
            joined = _join(base, path)
            if joined in self._documents:
                return joined
        return self._same_file_name(location)

    def _same_file_name(self, location: str) -> str | None:
        """The only document whose file name is that of `location` (copies saved flat)."""
        parts = urlsplit(location)
        wanted = {posixpath.basename(unquote(parts.path))}
        if parts.query:  # ?xsd=xsd0 of many servers, saved as xsd0, xsd0.xsd or the like
            value = unquote(parts.query.rpartition("=")[2])
            wanted |= {value, f"{value}.xsd", f"{value}.wsdl", posixpath.basename(value)}
            wanted.discard(posixpath.basename(unquote(parts.path)))
        wanted.discard("")
        fitting = [name for name in self._documents if posixpath.basename(name) in wanted]
        return fitting[0] if len(fitting) == 1 else None


def _join(base: str, path: str) -> str:
    if "://" in base:
        scheme, _, rest = base.partition("://")
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(rest), path))
        return f"{scheme}://{joined}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path))


@cache
def _shipped(name: str) -> bytes:
    return resources.files("bus.gateway.translate").joinpath("catalogue", name).read_bytes()


def _parse(name: str, data: bytes) -> etree._Element:
    try:
        return parse(_plain(_as_utf8(data, name)), _LIMITS)
    except MalformedXml as error:
        raise InvalidContract(
            f"{name}: {error.detail.en}",
            vi=f"{name}: {error.detail.vi}",
            document=name,
            line=error.context.get("line", 0),
        ) from None


def _plain(data: bytes) -> bytes:
    """Without a DOCTYPE that only names a DTD: no entity of it can be meant in a schema."""
    return _PLAIN_DOCTYPE.sub(b"", data, count=1) if b"<!DOCTYPE" in data[:4096] else data


def _as_utf8(data: bytes, name: str) -> bytes:
    """Contracts come in any encoding; the parser takes UTF-8 only."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    declared = _DECLARED.match(data)
    if declared:
        encoding = declared[1].decode("ascii")
    if encoding.lower() in {"", "utf-8", "utf8"}:
        return data.lstrip()
    try:
        text = data.decode(encoding)
    except (LookupError, UnicodeError):
        raise bad_contract(
            f"{name}: not in the encoding it names ({encoding})",
            vi=f"{name}: không đúng bảng mã đã khai báo ({encoding})",
            document=name,
        ) from None
    return _DECLARATION.sub("", text, count=1).lstrip("\ufeff").encode()
