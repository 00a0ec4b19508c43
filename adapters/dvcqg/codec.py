"""Envelopes of the portal and of provincial relays, requests and answers; pure, no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from yarl import URL

from adapters.dvcqg.config import DvcqgConfig
from adapters.portal_fields import STEP, write_step
from schemas.dossier import Step
from schemas.errors import InvalidRequest
from schemas.inquiries import PaymentInquiry

JSON = "application/json"
SYNC_RECORD, SYNC_STEP, LOOK_UP = "DongBoHoSoMC", "CapNhatTienDoHoSoMC", "TraCuuHoSo"
SYNC_EVALUATION, SYNC_STATE = "DongBoDanhGia", "DongBoTrangThaiHoSo"
QUESTIONS = "LayDanhSachHoiDapGuiTuDVCQG"
ANSWER_QUESTION, PUBLISH_ANSWER = "DongBoKetQuaHoiDapGuiTuDVCQG", "DongBoHoiDap"
TIMELINE = "DanhSachTienTrinh"
"""List of the steps in a look-up's result, of portals that give it: elements as they were sent."""


class Call(NamedTuple):
    """One request, a POST unless it says otherwise."""

    url: URL
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


def login_call(config: DvcqgConfig, password: str) -> Call:
    assert config.login_url is not None  # noqa: S101 - of dialect portal
    return _call(config, config.login_url, {"username": config.username, "password": password})


def push_call(
    config: DvcqgConfig, service: str, item: Mapping[str, Any], *, session: str, updating: bool
) -> Call:
    """One dossier, or one step: one bad field would refuse a whole batch. `updating` of records."""
    if config.dialect == "portal":
        update = {"isUpdating": str(updating)} if service == SYNC_RECORD else {}
        return _enveloped(config, service, session, update | {"data": [item]})
    if config.dialect == "relay-query":
        query = {"MaDinhDanhDV": config.madonvi}
        if service == SYNC_RECORD:
            query["isUpdating"] = str(updating)
        return _call(config, config.url.rstrip("/") + f"/{service}", [item], query)
    url = config.update_url if updating else config.url
    return _call(config, str(config.progress_url if service == SYNC_STEP else url), [item])


def lookup_call(config: DvcqgConfig, code: str, *, session: str) -> Call:
    if config.dialect == "portal":
        return _enveloped(config, LOOK_UP, session, {"mahoso": code})
    return _call(config, str(config.lookup_url), {"mahoso": code})


def service_call(config: DvcqgConfig, service: str, *, session: str) -> Call:
    """A service that asks for nothing more."""
    return _enveloped(config, service, session, {})


def state_call(config: DvcqgConfig, item: Mapping[str, Any], *, session: str) -> Call:
    """An object, not an array; type 2: of dossiers submitted on the portal."""
    return _enveloped(config, SYNC_STATE, session, {"type": "2", "data": item})


def payment_call(config: DvcqgConfig, inquiry: PaymentInquiry, *, session: str) -> Call:
    """Names the dossier and the payment's reference, nobody and nothing else."""
    named = {"MaTraCuuTT": inquiry.reference, "MaHoSo": inquiry.code, "MaDonVi": config.madonvi}
    return _call(config, str(config.payment_url), {"session": session, **named})


def exchange_call(
    config: DvcqgConfig, method: str, url: URL, query: Mapping[str, str], *, session: str
) -> Call:
    """One operation of the profile exchange; the session is its bearer token."""
    call = _call(config, str(url), {}, query)
    headers = dict(call.headers) | {"Authorization": f"Bearer {session}"}
    return Call(call.url, headers, b"" if method == "GET" else call.body, method)


def _enveloped(
    config: DvcqgConfig, service: str, session: str, parameters: Mapping[str, Any]
) -> Call:
    envelope = {"session": session, "madonvi": config.madonvi, "service": service}
    return _call(config, config.url, {**envelope, **parameters})


def _call(
    config: DvcqgConfig, address: str, body: object, query: Mapping[str, str] | None = None
) -> Call:
    url = URL(address).update_query(query or {})
    headers = {"Content-Type": JSON, "Accept": JSON, "Charset": "utf-8"}
    if config.dstcode is not None:
        if config.dstcode_in != "header":
            url = url.update_query(dstcode=config.dstcode)
        if config.dstcode_in != "query":
            headers["dstcode"] = config.dstcode
    if config.provider_url is not None:
        url = url.update_query(providerurl=config.provider_url)
    return Call(url, headers, orjson.dumps(body))


# ---- answers to a look-up


def found_record(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first result, or None: the portal does not know the dossier."""
    result = fields.get("result")
    rows = result if isinstance(result, list) else []
    return next((row for row in rows if isinstance(row, Mapping) and row), None)


def shows(found: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Whether the portal shows all that would be sent, and it is the same."""
    return all(found.get(name) == value for name, value in item.items())


def shows_step(found: Mapping[str, Any], step: Step) -> bool:
    """Whether the timeline has the step's line: all fields the portal shows of it are the same."""
    timeline = found.get(TIMELINE)
    wanted = write_step(step)
    return isinstance(timeline, list) and any(
        isinstance(line, Mapping) and {"ThoiDiemXuLy", "TrangThai", "NoiDungXuLy"} <= line.keys()
        and all(str(line[name.name]) == wanted[name.name] for name in STEP if name.name in line)
        for line in timeline
    )  # fmt: skip


# ---- reading what clients of the portal send


class Element(NamedTuple):
    value: Any
    raw: bytes  # as the sender wrote it


def parse_array(body: bytes) -> list[Element]:
    """A bare array, as relays take it. Raises InvalidRequest."""
    text = _decoded(body)
    start = _after_blanks(text, 0)
    if text[start : start + 1] != "[":
        raise unreadable()
    elements, end = _elements(text, start)
    if _after_blanks(text, end) != len(text):
        raise unreadable()
    return elements


def parse_envelope(body: bytes) -> tuple[dict[str, Any], list[Element]]:
    """The parameters of an envelope, and the elements of its `data` where that is an array.

    Raises InvalidRequest.
    """
    text = _decoded(body)
    try:
        envelope = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise unreadable() from None
    if not isinstance(envelope, dict):
        raise unreadable()
    elements: list[Element] = []
    for name, start in _members(text):
        if name == "data" and text[start] == "[":
            elements, _ = _elements(text, start)  # of a name given twice the last counts
    return {name: value for name, value in envelope.items() if name != "data"}, elements


def _members(text: str) -> Iterator[tuple[str, int]]:
    """Names of a JSON object that is known to be one, each with the place of its value."""
    place = _after_blanks(text, _after_blanks(text, 0) + 1)
    while text[place] != "}":
        name, place = _value(text, place)
        place = _after_blanks(text, _after_blanks(text, place) + 1)
        yield name, place
        _, place = _value(text, place)
        place = _after_blanks(text, place)
        if text[place] == ",":
            place = _after_blanks(text, place + 1)


def _elements(text: str, start: int) -> tuple[list[Element], int]:
    """The elements of the array that begins at `start`, and the place behind it."""
    found: list[Element] = []
    place = _after_blanks(text, start + 1)
    if text[place : place + 1] == "]":
        return found, place + 1
    while True:
        value, end = _value(text, place)
        found.append(Element(value, text[place:end].encode()))
        place = _after_blanks(text, end)
        closing = text[place : place + 1]
        if closing == "]":
            return found, place + 1
        if closing != ",":
            raise unreadable()
        place = _after_blanks(text, place + 1)


def _value(text: str, place: int) -> tuple[Any, int]:
    """The JSON value that begins there, and the place behind it. Raises InvalidRequest."""
    try:
        return _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        raise unreadable() from None


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


_DECODER = json.JSONDecoder()


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise unreadable() from None


def unreadable() -> InvalidRequest:
    return InvalidRequest("the body is not the JSON expected here", vi="Nội dung không phải JSON")


def answer(code: int, message: str, result: Sequence[Any] = (), **more: str) -> bytes:
    """What a portal answers; `session` is one of `more`."""
    return orjson.dumps({"error_code": code, "message": message, **more, "result": list(result)})
