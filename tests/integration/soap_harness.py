"""How tests talk SOAP to a gateway: envelopes by hand, answers read by the hardened parser."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from schemas.soap import NAMESPACE
from schemas.xml import Limits, parse
from tests.integration.gateway_harness import Harness

PATH = "/soap/documents"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
TYPES = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
XOP = "http://www.w3.org/2004/08/xop/include"


def envelope(
    operation: str,
    members: Mapping[str, Any] | None = None,
    *,
    version: str = SOAP_11,
    header: str = "",
    namespace: str = NAMESPACE,
) -> bytes:
    body = _members(members or {})
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{version}">'
        f"<e:Header>{header}</e:Header><e:Body>"
        f'<o:{operation} xmlns:o="{namespace}">{body}</o:{operation}></e:Body></e:Envelope>'
    ).encode()


def _members(members: Mapping[str, Any]) -> str:
    written = ""
    for name, value in members.items():
        if isinstance(value, Mapping):
            text = _members(value)
        elif isinstance(value, bytes):
            text = base64.b64encode(value).decode()
        else:
            text = escape(str(value))
        written += f"<o:{name}>{text}</o:{name}>"
    return written


def security(username: str, password: str, kind: str = "PasswordText") -> str:
    profile = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
    return (
        f'<w:Security xmlns:w="{WSSE}" e:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>{username}</w:Username>"
        f'<w:Password Type="{profile}#{kind}">{password}</w:Password>'
        "</w:UsernameToken></w:Security>"
    )


def mtom(
    root: bytes, parts: Mapping[str, bytes], *, version: str = SOAP_11, boundary: str = "uuid:b-1"
) -> tuple[bytes, str]:
    """A multipart/related request as .NET and CXF make it; its Content-Type."""
    media = TYPES[version].partition(";")[0]
    body = (
        f'--{boundary}\r\nContent-ID: <root@client>\r\nContent-Type: application/xop+xml; type="'
        f'{media}"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    ).encode() + root
    for name, content in parts.items():
        body += (
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\n\r\n"
        ).encode() + content
    body += f"\r\n--{boundary}--\r\n".encode()
    media_type = (
        f'multipart/related; type="application/xop+xml"; start="<root@client>"; '
        f'start-info="{media}"; boundary="{boundary}"'
    )
    return body, media_type


async def call(
    bus: Harness,
    client: str | None,
    operation: str,
    members: Mapping[str, Any] | None = None,
    *,
    version: str = SOAP_11,
) -> Any:
    """A request with the token of `client`; the answer as httpx has it."""
    content = envelope(operation, members, version=version)
    return await post(bus, client, content, TYPES[version])


async def post(
    bus: Harness, client: str | None, content: Any, media: str = TYPES[SOAP_11], **headers: str
) -> Any:
    sent = {"Content-Type": media} | headers
    return await bus.call(client, "POST", PATH, content=content, headers=sent)


def answer(response: Any, version: str = SOAP_11) -> Any:
    """The element inside the Body of an answer that is no fault."""
    assert response.status_code == 200, response.text
    root = parse(response.content, Limits(size=50_000_000))
    (body,) = root.iterchildren(f"{{{version}}}Body")
    return body[0]


def value(element: Any, *path: str) -> str:
    found = element.find("/".join(f"{{{NAMESPACE}}}{name}" for name in path))
    assert found is not None, etree.tostring(element)
    return found.text or ""


def fault(response: Any) -> tuple[str, str]:
    """The fault's code without its prefix, and the stable code in the detail."""
    root = parse(response.content)
    version = etree.QName(root).namespace
    found = root.find(f"{{{version}}}Body/{{{version}}}Fault")
    assert found is not None, response.text
    inner = "faultcode" if version == SOAP_11 else f"{{{version}}}Code/{{{version}}}Value"
    detail = found.find("detail" if version == SOAP_11 else f"{{{version}}}Detail")
    assert detail is not None
    problem = detail[0]
    for name in ("titleVi", "titleEn", "detailVi", "detailEn", "adviceVi", "adviceEn"):
        assert value(problem, name)
    assert value(problem, "correlationId") == response.headers["x-correlation-id"]
    return (found.findtext(inner) or "").partition(":")[2], value(problem, "code")
