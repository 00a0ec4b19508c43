"""Reads a SOAP envelope as it arrives: header blocks, operation, arguments, and the packet.

`packet` (base64, or an xop:Include) is decoded in pieces and never held whole; all other text
together is bounded.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from bus.gateway.soap.faults import MustUnderstand, VersionMismatch
from bus.gateway.soap.versions import BY_NAMESPACE, Version
from schemas.errors import InvalidRequest, TooLarge
from schemas.soap import NAMESPACE

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
TYPE_TEXT = f"{_PROFILE}#PasswordText"  # §3.1; the type taken when none is given
INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
PACKET = f"{{{NAMESPACE}}}packet"

_SECURITY = f"{{{WSSE}}}Security"
_TOKEN = f"{{{WSSE}}}UsernameToken"
_USERNAME, _PASSWORD = f"{{{WSSE}}}Username", f"{{{WSSE}}}Password"
_SECURITY_PARTS = frozenset({_TOKEN, f"{{{WSU}}}Timestamp"})
_TRUE = frozenset({"1", "true"})
_IN_BLOCK, _IN_OPERATION = 3, 3  # depth of what stands in a header block, in the operation


class Envelope:
    """Handler of schemas.xml.Events for one request. Raises InvalidRequest and its kind."""

    def __init__(self, *, max_text: int) -> None:
        """`max_text`: characters of all text outside of the packet."""
        self.version: Version | None = None
        self.operation = ""
        self.arguments: dict[str, Any] = {}
        self.username: str | None = None
        self.password: str | None = None
        self.has_packet = False  # the element has begun
        self.include: str | None = None  # Content-ID of the part that is the packet
        self.inline = False  # base64 text has begun
        self._decoded: list[bytes] = []
        self._base64 = _Base64()
        self._path: list[str] = []
        self._groups: list[dict[str, Any]] = []
        self._text: list[str] = []
        self._left = max_text
        self._max_text = max_text

    def take(self) -> bytes:
        """Bytes of an inline packet that were decoded since the last time."""
        data = b"".join(self._decoded)
        self._decoded.clear()
        return data

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._path.append(tag)
        self._text.clear()
        depth = len(self._path)
        if depth == 1:
            self._begin(tag)
        elif depth == 2:
            self._begin_part(tag)
        elif self._path[1] == self._soap("Header"):
            self._begin_in_header(tag, attributes, depth)
        elif depth == _IN_OPERATION:
            self._begin_operation(tag)
        else:
            self._begin_argument(tag, attributes)

    def text(self, piece: str) -> None:
        if self._in_packet():
            self._feed_packet(piece)
            return
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(
                f"more than {self._max_text:,} characters outside of the packet",
                vi=f"Hơn {self._max_text:,} ký tự ngoài gói tin",
                limit=self._max_text,
            )
        self._text.append(piece)

    def end(self, tag: str) -> None:
        if self._in_packet():
            if self.inline:
                self._base64.close()
        elif self._path[1:2] == [self._soap("Header")]:
            self._end_in_header(tag)
        elif len(self._path) > _IN_OPERATION:
            self._end_argument(tag)
        elif len(self._path) == 1 and not self.operation:
            raise _wrong("the SOAP body is empty", "Thân SOAP rỗng")
        self._path.pop()
        self._text.clear()

    def _soap(self, name: str) -> str:
        return f"{{{self.version.namespace}}}{name}" if self.version else ""

    def _begin(self, tag: str) -> None:
        namespace, name = _split(tag)
        if name != "Envelope":
            raise _wrong("the request is not a SOAP envelope", "Yêu cầu không phải phong bì SOAP")
        self.version = BY_NAMESPACE.get(namespace)
        if self.version is None:
            raise VersionMismatch(
                "the envelope is neither SOAP 1.1 nor SOAP 1.2",
                vi="Phong bì không phải SOAP 1.1 hay SOAP 1.2",
            )

    def _begin_part(self, tag: str) -> None:
        before_body = not self._groups
        if tag == self._soap("Body") and before_body:
            self._groups.append(self.arguments)
        elif tag != self._soap("Header") or not before_body:
            raise _wrong(
                f"{_name(tag)} is not expected in the envelope",
                f"Phong bì không được có {_name(tag)} ở đây",
            )

    def _begin_in_header(self, tag: str, attributes: Mapping[str, str], depth: int) -> None:
        block = self._path[2]
        if depth == _IN_BLOCK and tag != _SECURITY and self._must_understand(attributes):
            raise _not_understood(tag)
        if block != _SECURITY:
            return
        if depth == _IN_BLOCK + 1 and tag not in _SECURITY_PARTS:
            raise _not_understood(tag)
        if tag == _PASSWORD and attributes.get("Type", TYPE_TEXT) != TYPE_TEXT:
            raise _wrong(
                "only PasswordText is served: the bus keeps no key, only its hash",
                "Chỉ nhận PasswordText: trục không lưu khóa, chỉ lưu giá trị băm",
            )

    def _must_understand(self, attributes: Mapping[str, str]) -> bool:
        assert self.version is not None, "a header stands in an envelope"  # noqa: S101
        role = attributes.get(self._soap("actor")) or attributes.get(self._soap("role")) or ""
        asked = attributes.get(self._soap("mustUnderstand"), "").strip()
        return asked in _TRUE and role in self.version.roles

    def _end_in_header(self, tag: str) -> None:
        if self._path[2:4] != [_SECURITY, _TOKEN]:
            return
        if tag == _USERNAME:
            self.username = "".join(self._text).strip()
        elif tag == _PASSWORD:
            self.password = "".join(self._text)

    def _begin_operation(self, tag: str) -> None:
        if self.operation:
            raise _wrong("the SOAP body holds two elements", "Thân SOAP có hai phần tử")
        namespace, name = _split(tag)
        if namespace != NAMESPACE:
            raise _wrong(
                f"{_name(tag)}: the operations stand in the namespace {NAMESPACE}",
                f"{_name(tag)}: các thao tác thuộc không gian tên {NAMESPACE}",
            )
        self.operation = name

    def _begin_argument(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._in_packet():
            self._begin_in_packet(tag, attributes)
            return
        if self.has_packet:
            raise _wrong("packet must come last", "packet phải đứng cuối")
        namespace, name = _split(tag)
        if namespace != NAMESPACE:
            raise _wrong(
                f"{_name(tag)} is not in the namespace {NAMESPACE}",
                f"{_name(tag)} không thuộc không gian tên {NAMESPACE}",
            )
        if tag == PACKET and len(self._path) == _IN_OPERATION + 1:
            self.has_packet = True
            return
        if name in self._groups[-1]:
            raise _wrong(f"{name} is given twice", f"{name} xuất hiện hai lần", field=name)
        group: dict[str, Any] = {}
        self._groups[-1][name] = group
        self._groups.append(group)

    def _end_argument(self, tag: str) -> None:
        """An element without children is its text; an empty one is the same as none."""
        group = self._groups.pop()
        if group:
            return
        text, name = "".join(self._text).strip(), _split(tag)[1]
        if text:
            self._groups[-1][name] = text
        else:
            del self._groups[-1][name]

    def _in_packet(self) -> bool:
        return self.has_packet and PACKET in self._path[_IN_OPERATION : _IN_OPERATION + 1]

    def _begin_in_packet(self, tag: str, attributes: Mapping[str, str]) -> None:
        href = attributes.get("href", "")
        if tag != INCLUDE or self.include is not None or self.inline:
            raise _wrong(
                "packet is base64 text or one xop:Include",
                "packet phải là chuỗi base64 hoặc một xop:Include",
            )
        if not href.startswith("cid:"):
            raise _wrong("xop:Include without a cid: address", "xop:Include thiếu địa chỉ cid:")
        self.include = unquote(href.removeprefix("cid:"))

    def _feed_packet(self, piece: str) -> None:
        data = self._base64.feed(piece)
        if self._base64.begun:
            if self.include is not None:
                raise _wrong("text beside xop:Include", "Có chữ bên cạnh xop:Include")
            self.inline = True
        if data:
            self._decoded.append(data)


class _Base64:
    """RFC 4648 §4 in pieces, white space allowed."""

    def __init__(self) -> None:
        self.begun = False
        self._carry = ""
        self._padded = False

    def feed(self, piece: str) -> bytes:
        text = self._carry + "".join(piece.split())
        self.begun = self.begun or bool(text)
        if text and self._padded:
            raise _not_base64()
        whole = len(text) & ~3
        self._carry = text[whole:]
        return self._decode(text[:whole]) if whole else b""

    def close(self) -> None:
        if self._carry:
            raise _not_base64()

    def _decode(self, block: str) -> bytes:
        self._padded = block.endswith("=")
        try:
            return binascii.a2b_base64(block, strict_mode=True)
        except ValueError:  # binascii.Error, and what is not ASCII
            raise _not_base64() from None


def _split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.removeprefix("{").rpartition("}")
    return namespace, name


def _name(tag: str) -> str:
    return tag[:200]


def _wrong(en: str, vi: str, field: str = "") -> InvalidRequest:
    return InvalidRequest(en, vi=vi, field=field) if field else InvalidRequest(en, vi=vi)


def _not_base64() -> InvalidRequest:
    return _wrong("packet is not base64", "packet không phải base64", field="packet")


def _not_understood(tag: str) -> MustUnderstand:
    return MustUnderstand(
        f"the header {_name(tag)} must be understood, and is not known here",
        vi=f"Phần đầu {_name(tag)} bắt buộc phải hiểu nhưng trục không hỗ trợ",
        block=_name(tag),
    )
