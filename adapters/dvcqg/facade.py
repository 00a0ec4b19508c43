"""The portal's own protocol, served to one-stop software (một cửa) written for the portal.

Such a system points its adapter address at the bus and logs in with the system id and secret of
its client.  It is answered at once, as the portal would, because the bus has made the work durable;
the two dialects of provincial relays are here as well, with the same credentials (HTTP Basic).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.dvcqg.codec import (
    JSON,
    LOOK_UP,
    SYNC_EVALUATION,
    SYNC_RECORD,
    SYNC_STEP,
    Element,
    answer,
    parse_array,
    parse_envelope,
)
from adapters.dvcqg.evaluations import read_evaluation
from adapters.portal_fields import read_record, read_step, write_record, wrong_field
from adapters.portal_submission import KNOWN, RECEIVED, read_submission, receipt
from schemas.door import AgencyEntry, Door, Doors, Refusal
from schemas.dossier import DossierRecord, DossierStatus, as_told, parse_dossier_code, unit_of
from schemas.errors import (
    Conflict,
    DuplicateMessage,
    InvalidRequest,
    LgspError,
    NotFound,
    Unauthenticated,
    UnknownReceiver,
)
from schemas.vietnam import VIETNAM

NAME = "dvcqg"
SESSION_SECONDS = 1800.0
"""Clients renew after 10 minutes; the portal announces no end either."""

MAX_DATA = 500
"""Elements of one call."""

PAGE = 200
OK, FAILED, EXISTS = 0, -1, 3
SUCCESS = "Thành công"

Parameters = Mapping[str, Any]


class DvcqgFacade:
    """See `schemas.door.Facade`."""

    name = NAME
    public = frozenset({"/mapi/login"})  # it is where a caller says who it is

    def routes(self, doors: Doors) -> Sequence[BaseRoute]:
        entrance = _Entrance(doors)
        posts: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
            ("/mapi/login", entrance.login),
            ("/mapi/{service_group}", entrance.enveloped),
            ("/relay/themmoi", entrance.relay(SYNC_RECORD, "False")),
            ("/relay/capnhat", entrance.relay(SYNC_RECORD, "True")),
            ("/relay/tientrinh", entrance.relay(SYNC_STEP, "")),
            ("/relay/tracuu", entrance.relay_lookup),
            (f"/relay/{SYNC_RECORD}", entrance.relay(SYNC_RECORD, None)),
            (f"/relay/{SYNC_STEP}", entrance.relay(SYNC_STEP, None)),
        ]
        posts += [
            (f"{prefix}/nhanhsdvcqg", entrance.submission)
            for prefix in ("", "/XrdAdapter/RestService/forward", "/VXPAdapter/RestService/forward")
        ]
        return [Route(path, serve, methods=["POST"]) for path, serve in posts]

    def refuse(self, refused: Refusal) -> Response:
        """Under 200, as the portal does it; only what another try may mend has a status of its
        own, so that clients and proxies wait.
        """
        error = refused.error
        code = EXISTS if isinstance(error, _Exists) else FAILED
        text = f"{_told(error)} (mã theo dõi {refused.correlation_id})"
        status = refused.status if error.retryable else 200
        return Response(answer(code, text), status, media_type=JSON)


class _Exists(Conflict):
    """An insert of a dossier that the bus has with other content: the client updates it."""


def _told(error: LgspError) -> str:
    if isinstance(error, Unauthenticated):
        return f"{error.detail.vi}. Đăng nhập lại bằng mã hệ thống và khóa được cấp."
    return f"{error.detail.vi}. {error.advice.vi}"


# ---- who asks


class _Entrance:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def login(self, request: Request) -> Response:
        given, _ = parse_envelope(await request.body())
        username, password = str(given.get("username", "")), str(given.get("password", ""))
        secret = self._proved(request, username, password)
        session = _session(username, secret, int(time.time()))
        return _json(answer(OK, SUCCESS, session=session))

    def _proved(self, request: Request, username: str, password: str) -> bytes:
        """The secret that the password is. Raises Unauthenticated."""
        system = self._doors.signed(request.scope, username)
        for secret in system.secrets:
            if hmac.compare_digest(secret, password.encode()):
                return secret
        raise Unauthenticated("wrong password", vi="Tài khoản hoặc mật khẩu không đúng")

    async def enveloped(self, request: Request) -> Response:
        body = await request.body()
        if not body:  # nobody is named before anything can be wrong with what was sent
            raise _lapsed()
        parameters, data = parse_envelope(body)
        door = self._in_session(request, str(parameters.get("session", "")))
        serve = _SERVICES.get(str(parameters.get("service", "")))
        if serve is None:
            raise _no_service(str(parameters.get("service", "")))
        return await serve(door, parameters, data)

    def _in_session(self, request: Request, session: str) -> Door:
        username, at = _claims(session)
        system = self._doors.signed(request.scope, username)
        fresh = 0 <= time.time() - at <= SESSION_SECONDS
        expected = [_session(username, secret, at).encode() for secret in system.secrets]
        given = session.encode(errors="replace")
        if not fresh or not any(hmac.compare_digest(each, given) for each in expected):
            raise _lapsed()
        return system.enter()

    def relay(self, service: str, updating: str | None) -> Callable[[Request], Awaitable[Response]]:
        """`updating` None: the query says it."""

        async def handle(request: Request) -> Response:
            door = self._by_password(request)
            query = request.query_params
            parameters = {
                "madonvi": query.get("MaDinhDanhDV", ""),
                "isUpdating": query.get("isUpdating", "") if updating is None else updating,
            }
            return await _SERVICES[service](door, parameters, parse_array(await request.body()))

        return handle

    async def submission(self, request: Request) -> Response:
        """A portal pushes an online submission, as to one-stop software; known ones are answered 1,
        whatever they say: the portal has been heard.
        """
        door = self._by_password(request)
        body = await request.body()
        try:
            item = read_submission(_object(body))
        except InvalidRequest as error:
            return _json(receipt(FAILED, "", error.detail.vi))
        number = item.record.code
        try:
            accepted = await door.submit_item(item, body)
        except DuplicateMessage:
            return _json(receipt(KNOWN, number, "Hồ sơ đã tồn tại"))
        except UnknownReceiver as error:
            return _json(receipt(FAILED, number, error.detail.vi))
        if accepted.duplicate:
            return _json(receipt(KNOWN, number, "Hồ sơ đã tồn tại"))
        return _json(receipt(RECEIVED, number, "Tiếp nhận thành công"))

    async def relay_lookup(self, request: Request) -> Response:
        door = self._by_password(request)
        parameters, data = parse_envelope(await request.body())
        return await _look_up(door, parameters, data)

    def _by_password(self, request: Request) -> Door:
        username, password = _basic(request)
        self._proved(request, username, password)
        return self._doors.signed(request.scope, username).enter()


def _object(body: bytes) -> object:
    """Raises InvalidRequest."""
    parameters, _ = parse_envelope(body)
    return parameters


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        text = base64.b64decode(token, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    username, colon, password = text.partition(":")
    if not colon:
        raise Unauthenticated(
            "a relay asks for HTTP Basic with system id and secret",
            vi="Thiếu Authorization Basic với mã hệ thống và khóa",
        )
    return username, password


def _session(username: str, secret: bytes, at: int) -> str:
    """Says who logged in and when, under the secret: good in every process, kept in none."""
    claims = f"{at}.{username}"
    mark = hmac.digest(secret, f"session.{claims}".encode(), "sha256").hex()
    return base64.urlsafe_b64encode(f"{mark}.{claims}".encode()).decode()


def _claims(session: str) -> tuple[str, int]:
    """Username and moment that a session names; proves nothing. Raises Unauthenticated."""
    try:
        text = base64.b64decode(session, altchars=b"-_", validate=True).decode()
        _, at, username = text.split(".", 2)
        return username, int(at)
    except ValueError:  # binascii.Error and UnicodeDecodeError are such
        raise _lapsed() from None


def _lapsed() -> Unauthenticated:
    return Unauthenticated(
        "the session is not good, or no longer", vi="Session không hợp lệ hoặc đã hết hạn"
    )


# ---- services


async def _sync_records(door: Door, parameters: Parameters, data: list[Element]) -> Response:
    """Nothing is accepted unless every element can be: the portal refuses a batch as a whole."""
    updating = _updating(parameters)
    records = [_record(door, parameters, each.value) for each in _counted(data)]
    if not updating:
        for record in records:
            await _not_there(door, record)
    for record, each in zip(records, data, strict=True):
        await door.submit_dossier(record, each.raw)
    return _json(answer(OK, f"Đồng bộ hồ sơ thành công ({len(records)})"))


def _updating(parameters: Parameters) -> bool:
    """Texts, capitalised; a client that means a boolean is understood."""
    text = str(parameters.get("isUpdating", "")).strip().lower()
    if text not in {"true", "false"}:
        raise wrong_field("isUpdating", 'phải là "True" hoặc "False"', "must be True or False")
    return text == "true"


def _record(door: Door, parameters: Parameters, item: object) -> DossierRecord:
    return read_record(item, agency=_agency(door, parameters, item))


def _agency(door: Door, parameters: Parameters, item: object) -> str:
    """The unit that gave the dossier's code, where the directory knows it; else `madonvi`."""
    code = item.get("MaHoSo") if isinstance(item, dict) else None
    try:
        unit = unit_of(parse_dossier_code(str(code)))
    except ValueError:
        en, vi = "must be a dossier code", "không đúng mẫu mã hồ sơ"
        raise wrong_field("MaHoSo", vi, en) from None
    for candidate in (unit, str(parameters.get("madonvi", ""))):
        found = _found(door, candidate)
        if found is not None:
            return found.code
    raise NotFound(
        f"neither {unit} nor madonvi is an agency of the directory",
        vi=f"Danh bạ không có đơn vị {unit} của mã hồ sơ, cũng không có madonvi",
    )


def _found(door: Door, code: str) -> AgencyEntry | None:
    try:
        return door.agency(code)
    except NotFound:
        return None


async def _not_there(door: Door, record: DossierRecord) -> None:
    """The very same content is a repeat, and no insert of something else. Raises _Exists."""
    known = await door.dossier(record.code)
    if known is not None and known.record is not None and as_told(known.record) != as_told(record):
        raise _Exists(
            f"dossier {record.code} exists with other content",
            vi=f"Hồ sơ {record.code} đã tồn tại",
        )


async def _sync_steps(door: Door, parameters: Parameters, data: list[Element]) -> Response:
    """Sent by whoever sent the dossier; before any record has come, by whom it would belong to."""
    steps = [read_step(each.value) for each in _counted(data)]
    senders: dict[str, str | None] = {}
    for step, each in zip(steps, data, strict=True):
        if step.code not in senders:
            known = await door.dossier(step.code)
            senders[step.code] = None if known else _agency(door, parameters, each.value)
    for step, each in zip(steps, data, strict=True):
        await door.submit_step(step, each.raw, agency=senders[step.code])
    return _json(answer(OK, f"Cập nhật tiến độ thành công ({len(steps)})"))


async def _sync_evaluations(door: Door, _parameters: Parameters, data: list[Element]) -> Response:
    """The first of a day counts: what is summed up again on the same day is known already."""
    today = datetime.now(VIETNAM).date()
    items = [read_evaluation(each.value, told=today) for each in _counted(data)]
    for item, each in zip(items, data, strict=True):
        with suppress(DuplicateMessage):
            await door.submit_item(item, each.raw)
    return _json(answer(OK, f"Đồng bộ đánh giá thành công ({len(items)})"))


def _counted(data: list[Element]) -> list[Element]:
    if not data or len(data) > MAX_DATA:
        vi = f"phải có từ 1 đến {MAX_DATA} phần tử"
        raise wrong_field("data", vi, f"must have 1 to {MAX_DATA} elements")
    return data


async def _look_up(door: Door, parameters: Parameters, _data: list[Element]) -> Response:
    """A dossier of which only steps have come is not known yet, as at the portal."""
    try:
        code = parse_dossier_code(str(parameters.get("mahoso", "")))
    except ValueError:
        return _json(answer(OK, "Không có dữ liệu"))
    known = await door.dossier(code)
    if known is None or known.record is None:
        return _json(answer(OK, "Không có dữ liệu"))
    unmapped = known.status is DossierStatus.UNMAPPED
    status = known.record.local_status if unmapped else f"{known.status:d}"
    shown = write_record(known.record) | {"TrangThaiHoSo": status}
    return _json(answer(OK, SUCCESS, [shown]))


async def _agencies(door: Door, _parameters: Parameters, _data: list[Element]) -> Response:
    return _json(answer(OK, SUCCESS, list(_agency_rows(door))))


def _agency_rows(door: Door) -> Iterator[dict[str, str]]:
    """CAPDONVI: how many units are above it in the directory, and one."""
    levels: dict[str | None, int] = {None: 0}
    entries = list(_directory(door))
    parents = {each.code: each.parent for each in entries}
    for each in entries:
        level = _level(each.code, parents, levels)
        yield {"MADONVI": each.code, "TENDONVI": each.name, "CAPDONVI": str(level)}


def _level(
    code: str | None, parents: Mapping[str, str | None], levels: dict[str | None, int]
) -> int:
    if code not in levels:
        levels[code] = 1  # ends a circle, which the directory does not have
        levels[code] = _level(parents.get(code or ""), parents, levels) + 1
    return levels[code]


def _directory(door: Door) -> Iterator[AgencyEntry]:
    after: str | None = None
    while page := door.agencies(after=after, limit=PAGE):
        yield from page
        after = page[-1].code


def _no_service(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"service {name[:50]!r} is not served by the bus",
        vi=f"Trục không phục vụ dịch vụ {name[:50]!r}; lấy trực tiếp tại Cổng DVCQG",
        field="service",
    )


def _json(body: bytes) -> Response:
    return Response(body, media_type=JSON)


Serve = Callable[[Door, Parameters, list[Element]], Awaitable[Response]]

_SERVICES: Mapping[str, Serve] = MappingProxyType(
    {
        SYNC_RECORD: _sync_records,
        SYNC_STEP: _sync_steps,
        LOOK_UP: _look_up,
        SYNC_EVALUATION: _sync_evaluations,
        "LayDanhMucCoQuan": _agencies,
    }
)
