"""Who may call what: grants, and the headers in which a caller says on whose behalf and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from bus.engine.live import Snapshot
from bus.gateway.access import Caller, today
from bus.gateway.calling.asker import Asker
from bus.gateway.calling.partner import TIMEOUT_HEADER
from bus.gateway.exchange import Exchange
from schemas.errors import Forbidden, InvalidRequest
from schemas.service import ALL, Grant, Maintenance, Service

AGENCY, OFFICER, PURPOSE = "Lgsp-Agency", "Lgsp-Officer", "Lgsp-Purpose"
"""Headers: for which of its agencies a client asks; mã cán bộ tra cứu; mục đích. Text in UTF-8,
as it is or percent-encoded."""

_MAX_TEXT = 200


def admit(
    caller: Caller, exchange: Exchange, snapshot: Snapshot, service: Service, operation: str
) -> Asker:
    """Raises Forbidden (no grant, suspended, another purpose), InvalidRequest (a header)."""
    headers = exchange.headers
    agency = _agency(caller, _text(headers, AGENCY))
    grants = _grants(caller, agency, snapshot, service, operation)
    officer, purpose = _text(headers, OFFICER), _text(headers, PURPOSE)
    settings = service.settings(operation)
    if settings.personal is not None and not officer:
        raise _needed(OFFICER, "mã cán bộ tra cứu", "the officer who asks")
    if settings.needs_purpose and not purpose:
        raise _needed(PURPOSE, "mục đích tra cứu", "the purpose")
    fitting = [each for each in grants if not each.purposes or purpose in each.purposes]
    if not fitting:
        allowed = ", ".join(sorted({name for each in grants for name in each.purposes}))
        raise Forbidden(
            f"this is granted for other purposes: {allowed}",
            vi=f"Chỉ được cấp quyền cho mục đích: {allowed}",
            field=PURPOSE,
        )
    return Asker(
        client=caller.actor,
        agency=agency,
        trace=exchange.trace,
        officer=officer,
        purpose=purpose,
        fields=_fields(fitting),
        timeout=_timeout(headers),
    )


def callable_operations(
    caller: Caller, snapshot: Snapshot, service: Service, names: Mapping[str, object]
) -> dict[str, tuple[str, ...]]:
    """Operations of the service that the caller may call, with the fields it may see."""
    found = {}
    for name in names:
        fitting = [
            each
            for each in _in_force(snapshot, service, name)
            if _is_for(each, caller, caller.reach)
        ]
        usable = [each for each in fitting if not each.suspended]
        if usable:
            found[name] = _fields(usable)
    return found


def coming(service: Service) -> list[Maintenance]:
    """Announced maintenance that is not over."""
    now = datetime.now(UTC)
    return sorted((m for m in service.maintenance if m.ends > now), key=lambda m: m.begins)


def _agency(caller: Caller, named: str) -> str:
    if named:
        return caller.own_agency(named)
    if not caller.client.agencies:
        return ""
    if len(caller.client.agencies) > 1:
        raise InvalidRequest(
            f"this client speaks for several agencies: name one in {AGENCY}",
            vi=f"Hệ thống này thay mặt nhiều cơ quan: nêu mã cơ quan ở {AGENCY}",
            field=AGENCY,
        )
    return caller.own_agency(caller.client.agencies[0])


def _grants(
    caller: Caller, agency: str, snapshot: Snapshot, service: Service, operation: str
) -> list[Grant]:
    fitting = [
        each
        for each in _in_force(snapshot, service, operation)
        if _is_for(each, caller, frozenset({agency}))
    ]
    usable = [each for each in fitting if not each.suspended]
    if usable:
        return usable
    who = agency or caller.id
    if fitting:
        raise Forbidden(
            f"the right of {who} to call {service.name}/{operation} is suspended",
            vi=f"Quyền của {who} gọi {service.name}/{operation} đang bị tạm dừng",
        )
    raise Forbidden(
        f"{who} has no grant for {service.name}/{operation}",
        vi=f"{who} chưa được cấp quyền gọi {service.name}/{operation}",
    )


def _in_force(snapshot: Snapshot, service: Service, operation: str) -> list[Grant]:
    day = today()
    return [
        each
        for each in snapshot.grants
        if each.service == service.name and each.covers(operation, day)
    ]


def _is_for(grant: Grant, caller: Caller, agencies: frozenset[str]) -> bool:
    if grant.client is not None:
        return grant.client == caller.id
    agency = caller.directory.resolve(grant.agency or "", today()).agency
    return (agency.code if agency else grant.agency) in agencies


def _fields(grants: list[Grant]) -> tuple[str, ...]:
    """What any of them allows; equal rights give equal tuples."""
    paths = {path for each in grants for path in each.fields}
    return (ALL,) if ALL in paths else tuple(sorted(paths))


def _text(headers: Mapping[bytes, bytes], name: str) -> str:
    raw = headers.get(name.lower().encode(), b"").strip()
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        text = "\0"
    if len(text) > _MAX_TEXT or not (text.isprintable()):
        raise InvalidRequest(
            f"{name} must be at most {_MAX_TEXT} printable characters in UTF-8",
            vi=f"{name} phải là tối đa {_MAX_TEXT} ký tự in được, mã UTF-8",
            field=name,
        )
    return text


def _timeout(headers: Mapping[bytes, bytes]) -> float | None:
    raw = headers.get(TIMEOUT_HEADER.lower().encode())
    if raw is None:
        return None
    try:
        seconds = float(raw)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidRequest(
            f"{TIMEOUT_HEADER} must be a number of seconds above 0",
            vi=f"{TIMEOUT_HEADER} phải là số giây lớn hơn 0",
            field=TIMEOUT_HEADER,
        )
    return seconds


def _needed(header: str, vi: str, en: str) -> InvalidRequest:
    return InvalidRequest(
        f"this operation tells personal data: {en} is demanded in {header}",
        vi=f"Thao tác này cung cấp dữ liệu cá nhân: cần {vi} ở {header}",
        field=header,
    )
