"""multipart/related of SOAP messages: MTOM/XOP (W3C XOP 1.0) and SOAP with Attachments."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from bus.gateway.translate.names import XOP, clark
from schemas.errors import InvalidRequest

_INCLUDE = clark(XOP, "Include")
_PARAMETER = re.compile(r';\s*([\w\-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]+)')


@dataclass(frozen=True, slots=True)
class Attachment:
    content_id: str  # without angle brackets
    content_type: str
    data: bytes


def parameters(content_type: str) -> dict[str, str]:
    """The parameters of a Content-Type, names in lower case."""
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        for name, value in _PARAMETER.findall(content_type)
    }


def unpack(body: bytes, content_type: str) -> tuple[bytes, list[Attachment]]:
    """The envelope and the attachments. A body that is not multipart is its own envelope."""
    if not content_type.strip().lower().startswith("multipart/"):
        return body, []
    given = parameters(content_type)
    parts = _parts(body, given.get("boundary", ""))
    start = given.get("start", "").strip("<>")
    root = next((p for p in parts if start and p.content_id == start), parts[0])
    return root.data, [part for part in parts if part is not root]


def _parts(body: bytes, boundary: str) -> list[Attachment]:
    if not boundary:
        raise _malformed("no boundary")
    mark = b"--" + boundary.encode("latin-1")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 3 or not pieces[-1].lstrip(b" \t").startswith(b"--"):
        raise _malformed("the last boundary is missing")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Attachment:
    head, blank, data = piece.partition(b"\r\n\r\n")
    if not blank:
        raise _malformed("a part without headers")
    headers = {}
    for line in head.replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ").split(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    encoding = headers.get("content-transfer-encoding", "binary").lower()
    if encoding == "base64":
        data = base64.b64decode(data)
    elif encoding not in {"binary", "8bit", "7bit"}:
        raise _malformed(f"a part in {encoding[:40]}")
    return Attachment(
        headers.get("content-id", "").strip("<>"), headers.get("content-type", ""), data
    )


def inline(envelope: etree._Element, attachments: list[Attachment]) -> list[Attachment]:
    """Put what xop:Include stands for in its place, as base64; the attachments left over."""
    by_id = {each.content_id: each for each in attachments}
    used: set[str] = set()
    for include in list(envelope.iter(_INCLUDE)):
        wanted = unquote(include.get("href", "").removeprefix("cid:"))
        parent = include.getparent()
        if wanted not in by_id or parent is None:
            raise _malformed("xop:Include names a part that is not there")
        if wanted in used:
            raise _malformed("xop:Include names a part twice")
        used.add(wanted)
        parent.remove(include)
        parent.text = base64.b64encode(by_id[wanted].data).decode()
    return [each for each in attachments if each.content_id not in used]


def pack(
    envelope: bytes, root_type: str, attachments: list[Attachment], *, xop: bool, action: str = ""
) -> tuple[bytes, str]:
    """multipart/related and its Content-Type. `root_type`: that of the envelope alone."""
    boundary = f"lgsp-{secrets.token_hex(16)}"
    kind = root_type.partition(";")[0]
    root = (
        f'application/xop+xml; charset=utf-8; type="{root_type.replace(chr(34), chr(39))}"'
        if xop
        else f"{kind}; charset=utf-8"
    )
    chunks = [_head(boundary, root, "envelope@lgsp"), envelope]
    for each in attachments:
        chunks += [b"\r\n", _head(boundary, each.content_type, each.content_id), each.data]
    chunks.append(f"\r\n--{boundary}--\r\n".encode())
    header = (
        f'multipart/related; boundary="{boundary}"; start="<envelope@lgsp>"; '
        f'type="{"application/xop+xml" if xop else kind}"'
    )
    if xop:
        header += f'; start-info="{kind}"'
    if action:
        header += f'; action="{action}"'
    return b"".join(chunks), header


def _head(boundary: str, content_type: str, content_id: str) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{content_id}>\r\n\r\n"
    ).encode()


def _malformed(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"multipart/related that cannot be read: {reason}"[:300],
        vi="Không đọc được multipart/related",
    )
