"""SOAP 1.1 and 1.2 in front of a service: POST /services/{service}."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree
from starlette.responses import Response

from bus.gateway.calling.catalogue import Served
from bus.gateway.calling.withhold import WITHHELD, for_soap
from bus.gateway.soap.envelope import TYPE_TEXT, WSSE
from bus.gateway.soap.faults import MustUnderstand, VersionMismatch
from bus.gateway.soap.versions import BY_NAMESPACE, V12, Version
from bus.gateway.translate import Operation, ServiceFault, mime
from bus.gateway.translate.names import ENV11, clark, local, split
from schemas.errors import InvalidRequest
from schemas.xml import parse

_SECURITY = clark(WSSE, "Security")
_NUMBERS = {ENV11: "1.1"}


@dataclass(frozen=True, slots=True)
class Opened:
    """A request as far as it must be known before it is anybody's."""

    version: Version
    operation: Operation
    username: str
    password: str

    @property
    def number(self) -> str:
        return "1.2" if self.version is V12 else "1.1"


def version_of(body: bytes, content_type: str) -> tuple[etree._Element, Version]:
    """The envelope. Raises MalformedXml, InvalidRequest, VersionMismatch."""
    data, _ = mime.unpack(body, content_type)
    envelope = parse(data)
    namespace, name = split(envelope.tag)
    if name != "Envelope":
        raise InvalidRequest(
            "the request is not a SOAP envelope", vi="Yêu cầu không phải phong bì SOAP"
        )
    if namespace not in BY_NAMESPACE:
        raise VersionMismatch(
            "the envelope is neither SOAP 1.1 nor SOAP 1.2",
            vi="Phong bì không phải SOAP 1.1 hay SOAP 1.2",
        )
    return envelope, BY_NAMESPACE[namespace]


def opened(envelope: etree._Element, version: Version, served: Served, action: str) -> Opened:
    """Which operation is asked for, by the element in the body, then by SOAPAction.

    Raises InvalidRequest, MustUnderstand.
    """
    body = envelope.find(clark(version.namespace, "Body"))
    if body is None:
        raise InvalidRequest("the envelope has no body", vi="Phong bì không có phần thân")
    first = next(iter(body), None)
    operation = _operation(served, str(first.tag) if first is not None else "", action)
    header = envelope.find(clark(version.namespace, "Header"))
    blocks = list(header) if header is not None else []
    _check_understood(blocks, version, operation)
    username, password = _user(blocks)
    return Opened(version, operation, username, password)


def _operation(served: Served, tag: str, action: str) -> Operation:
    usable = {key: each for key, each in served.operations.items() if not each.problems}
    fitting = [each for each in usable.values() if _asks(each, tag)]
    if len(fitting) != 1 and action:
        fitting = [each for each in fitting or usable.values() if each.soap_action == action]
    if not fitting:
        known = ", ".join(usable)
        raise InvalidRequest(
            f"no operation of {served.service.id} has this body; there are {known[:500]}",
            vi=f"Không thao tác nào của {served.service.id} có phần thân này; có: {known[:500]}",
        )
    return fitting[0]


def _asks(operation: Operation, tag: str) -> bool:
    root = operation.request.root
    if root is None:
        return not tag
    name = str(root.element.name)
    return tag == name or (operation.encoded and local(tag) == local(name))


def _check_understood(blocks: list[etree._Element], version: Version, operation: Operation) -> None:
    known = {str(slot.element.name) for slot, _ in operation.request.headers.values()}
    for block in blocks:
        tag = str(block.tag)
        must = block.get(clark(version.namespace, "mustUnderstand"), "0").strip() in {"1", "true"}
        role = block.get(clark(version.namespace, "role")) or block.get(
            clark(version.namespace, "actor"), ""
        )
        if must and role in version.roles and tag not in known and tag != _SECURITY:
            raise MustUnderstand(
                f"header block {tag[:200]} is not understood",
                vi=f"Không hiểu phần đầu {tag[:200]}",
                block=tag[:200],
            )


def _user(blocks: list[etree._Element]) -> tuple[str, str]:
    """Name and password of a UsernameToken with PasswordText; empty where there is none."""
    for block in blocks:
        token = block.find(clark(WSSE, "UsernameToken")) if block.tag == _SECURITY else None
        password = token.find(clark(WSSE, "Password")) if token is not None else None
        if token is not None and password is not None:
            if password.get("Type", TYPE_TEXT) != TYPE_TEXT:
                raise InvalidRequest(
                    "the UsernameToken must hold PasswordText: the bus keeps no key to compare a "
                    "digest with",
                    vi="UsernameToken phải là PasswordText: trục không lưu khóa để so bản băm",
                )
            name = token.findtext(clark(WSSE, "Username")) or ""
            return name.strip(), password.text or ""
    return "", ""


def without_strangers(request: dict[str, Any]) -> dict[str, Any]:
    """Header blocks that the contract does not name are between the caller and us: its password
    among them.
    """
    headers = request.get("#headers")
    if not isinstance(headers, dict) or "#any" not in headers:
        return request
    kept = {key: value for key, value in headers.items() if key != "#any"}
    rest = {key: value for key, value in request.items() if key != "#headers"}
    return rest | ({"#headers": kept} if kept else {})


def reply(asked: Opened, value: Mapping[str, Any]) -> Response:
    """The reply as an envelope of the version that was asked in."""
    operation = asked.operation
    if operation.one_way:
        return Response(status_code=202)
    message = operation.reply
    if message.version != asked.number:
        message = replace(message, version=asked.number)
    wire = message.to_xml(for_soap(dict(value)))
    return Response(wire.body, 200, _headers(wire.content_type))


def fault(asked: Opened, told: ServiceFault) -> Response:
    """The partner's fault with its own words (binding: 1.1 500; 1.2 400 for Sender, else 500)."""
    told.entries = ["#withheld" if entry == WITHHELD else entry for entry in told.entries]
    wire = asked.operation.fault_to_xml(told, asked.number)
    status = 400 if asked.version is V12 and told.fault_code == "Client" else 500
    return Response(wire.body, status, _headers(wire.content_type))


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "Cache-Control": "no-store"}
