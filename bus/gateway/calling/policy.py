"""Who may call what: grants, and the headers in which a caller says on whose behalf and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import unquote_to_bytes

from bus.engine.live import Snapshot
from bus.gateway.access import Caller, today
from bus.gateway.calling.asker import Asker
from bus.gateway.calling.on_behalf import NOTHING, Said
from bus.gateway.calling.partner import TIMEOUT_HEADER
from bus.gateway.exchange import Exchange
from schemas.errors import Forbidden, InvalidRequest
from schemas.maintenance import Maintenance
from schemas.maintenance import coming as not_over
from schemas.service import ALL, Grant, Service

AGENCY, OFFICER, PURPOSE = "Lgsp-Agency", "Lgsp-Officer", "Lgsp-Purpose"
"""Headers: for which of its agencies a client asks; mã cán bộ tra cứu; mục đích. Text in UTF-8,
as it is or percent-encoded."""

SECONDS = re.compile(r"^(0\.[0-9]{0,6}[1-9][0-9]{0,6}|[1-9][0-9]{0,6}(\.[0-9]{1,12})?)$")
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Asking:
    """Who wants something, for whom and why, before it is known whether they may."""

    actor: str  # as the journal names it
    holders: tuple[str, ...]  # of grants: `client:` and an id, own codes of agencies
    agency: str  # on whose behalf; empty: nobody's
    officer: str = ""
    purpose: str = ""


class Rights:
    """Grants by whom they are for, worked out once for each configuration and day."""

    def __init__(self) -> None:
        self._grants: dict[tuple[str, str], list[Grant]] = {}
        self._for: tuple[Snapshot, date] | None = None

    def admit(
        self,
        caller: Caller,
        exchange: Exchange,
        snapshot: Snapshot,
        service: Service,
        operation: str,
        said: Said = NOTHING,
    ) -> Asker:
        """`said`: officer and purpose where the question itself names them.

        Raises Forbidden (no grant, suspended, another purpose), InvalidRequest (a header).
        """
        headers = exchange.headers
        agency = _agency(caller, _text(headers, AGENCY))
        return self.asker(
            Asking(
                caller.actor,
                (f"client:{caller.id}", agency),
                agency,
                _either(headers, OFFICER, said.officer),
                _either(headers, PURPOSE, said.purpose),
            ),
            snapshot,
            service,
            operation,
            trace=exchange.trace,
            timeout=_timeout(headers),
        )

    def asker(
        self,
        asking: Asking,
        snapshot: Snapshot,
        service: Service,
        operation: str,
        *,
        trace: str,
        timeout: float | None = None,
    ) -> Asker:
        """What may be asked now, whoever wants it. Raises as `admit`."""
        granted = self._granted(asking.holders, snapshot, service, operation)
        usable = _usable(granted, asking.agency or asking.actor, service, operation)
        settings = service.settings(operation)
        if settings.personal is not None and not asking.officer:
            raise _needed(OFFICER, "mã cán bộ tra cứu", "the officer who asks")
        if settings.needs_purpose and not asking.purpose:
            raise _needed(PURPOSE, "mục đích tra cứu", "the purpose")
        return Asker(
            client=asking.actor,
            agency=asking.agency,
            trace=trace,
            officer=asking.officer,
            purpose=asking.purpose,
            fields=_fields(_for_purpose(usable, asking.purpose)),
            timeout=timeout,
        )

    def operations(
        self, caller: Caller, snapshot: Snapshot, service: Service, names: Iterable[str]
    ) -> dict[str, tuple[str, ...]]:
        """Those of `names` that the caller may call, with the fields it may see."""
        found = {}
        for name in names:
            holders = (f"client:{caller.id}", *caller.reach)
            granted = self._granted(holders, snapshot, service, name)
            usable = [each for each in granted if not each.suspended]
            if usable:
                found[name] = _fields(usable)
        return found

    def _granted(
        self, holders: Iterable[str], snapshot: Snapshot, service: Service, operation: str
    ) -> list[Grant]:
        day = today()
        if self._for is None or self._for[0] is not snapshot or self._for[1] != day:
            self._grants = _by_holder(snapshot, day)
            self._for = (snapshot, day)
        return [
            grant
            for holder in holders
            for grant in self._grants.get((service.name, holder), ())
            if grant.covers(operation, day)
        ]


def _by_holder(snapshot: Snapshot, day: date) -> dict[tuple[str, str], list[Grant]]:
    """By name of the service, and own code of the agency or `client:` and its id."""
    found: dict[tuple[str, str], list[Grant]] = {}
    for grant in snapshot.grants:
        holder = f"client:{grant.client}"
        if grant.agency is not None:
            agency = snapshot.directory.resolve(grant.agency, day).agency
            holder = agency.code if agency else grant.agency
        found.setdefault((grant.service, holder), []).append(grant)
    return found


def _usable(granted: list[Grant], who: str, service: Service, operation: str) -> list[Grant]:
    usable = [each for each in granted if not each.suspended]
    if usable:
        return usable
    if granted:
        raise Forbidden(
            f"the right of {who} to call {service.name}/{operation} is suspended",
            vi=f"Quyền của {who} gọi {service.name}/{operation} đang bị tạm dừng",
        )
    raise Forbidden(
        f"{who} has no grant for {service.name}/{operation}",
        vi=f"{who} chưa được cấp quyền gọi {service.name}/{operation}",
    )


def _for_purpose(grants: list[Grant], purpose: str) -> list[Grant]:
    fitting = [each for each in grants if not each.purposes or purpose in each.purposes]
    if not fitting:
        allowed = ", ".join(sorted({name for each in grants for name in each.purposes}))
        raise Forbidden(
            f"this is granted for other purposes: {allowed}",
            vi=f"Chỉ được cấp quyền cho mục đích: {allowed}",
            field=PURPOSE,
        )
    return fitting


def coming(service: Service) -> list[Maintenance]:
    """Announced maintenance that is not over."""
    return not_over(service.maintenance, datetime.now(UTC))


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


def _fields(grants: list[Grant]) -> tuple[str, ...]:
    """What any of them allows; equal rights give equal tuples."""
    paths = {path for each in grants for path in each.fields}
    return (ALL,) if ALL in paths else tuple(sorted(paths))


def _either(headers: Mapping[bytes, bytes], name: str, said: object) -> str:
    """Of the header or of the question; of both only when they say the same."""
    header = _text(headers, name)
    if said is None:
        return header
    member = name.removeprefix("Lgsp-").lower()
    text = _printable(said.strip() if isinstance(said, str) else "\n", member)
    if header and text and header != text:
        raise InvalidRequest(
            f"{name} and the member {member} of the question differ",
            vi=f"{name} và thành phần {member} của câu hỏi khác nhau",
            field=member,
        )
    return text or header


def _text(headers: Mapping[bytes, bytes], name: str) -> str:
    raw = headers.get(name.lower().encode(), b"").strip()
    try:
        text = unquote_to_bytes(raw).decode().strip()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # a percent sign that encodes nothing, or another charset
    return _printable(text, name)


def _printable(text: str, name: str) -> str:
    if len(text) > _MAX_TEXT or not text.isprintable():
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
    text = raw.decode("latin-1").strip()
    if not SECONDS.fullmatch(text):
        raise InvalidRequest(
            f"{TIMEOUT_HEADER} must be a number of seconds above 0",
            vi=f"{TIMEOUT_HEADER} phải là số giây lớn hơn 0",
            field=TIMEOUT_HEADER,
        )
    return float(text)


def _needed(header: str, vi: str, en: str) -> InvalidRequest:
    return InvalidRequest(
        f"this operation tells personal data: {en} is demanded in {header}",
        vi=f"Thao tác này cung cấp dữ liệu cá nhân: cần {vi} ở {header}",
        field=header,
    )
