"""The national public service portal, simulated, with its relays.

`python -m adapters.dvcqg.sandbox --accounts accounts.json --store portal.db` runs it as a process.
It checks what the real one checks, has its habits (README.md), and misbehaves on demand.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import secrets
import signal
import time
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

import orjson
import uvloop
from aiohttp import web

from adapters.dvcqg import portal_data
from adapters.dvcqg.portal_rules import MOST_STEPS, record_fault, step_fault
from adapters.dvcqg.portal_store import PortalStore
from adapters.faults import KEEPS_MESSAGE, Fault, FaultyServer, Mode, misbehave

DSTCODE = "VN:GOV:000.00.00.G22:vpcpdvcprovider"
MAX_BODY = 50_000_000  # bytes
FORWARD = "/XrdAdapter/RestService/forward/mapi"

_SUCCESSES = ("Đồng bộ thành công", "Thành công", "ĐỒNG BỘ THÀNH CÔNG")
_EXISTS = ("Hồ sơ {} đã tồn tại", "Hồ sơ {} ĐÃ TỒN TẠI trên hệ thống")


@dataclass(frozen=True)
class Account:
    """A province's or ministry's account."""

    username: str
    password: bytes = field(repr=False)
    madonvi: str


class Arrival(NamedTuple):
    """One push that was read, whatever came of it."""

    service: str
    code: str  # MaHoSo of its first element
    updating: bool
    size: int  # elements


class Refused(Exception):
    """Answered under HTTP 200 with an error_code."""

    def __init__(self, message: str, code: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Reply(NamedTuple):
    message: str
    result: Any


class Portal:
    """The simulated portal. Use as `async with Portal(...) as portal`, then `portal.url`."""

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        store: Path | None = None,
        session_seconds: float = 1800.0,
        lapse: float = 0.0,
        lookup_shows_steps: bool = False,
    ) -> None:
        """`lapse` is the share of calls that find their session forgotten; `lookup_shows_steps`
        puts the timeline into look-ups.
        """
        self._accounts = {each.username: each for each in accounts}
        self.store = PortalStore(store)
        self.arrivals: list[Arrival] = []
        self.calls: dict[str, int] = {}  # by service
        self.waiting: dict[str, dict[str, Any]] = {}  # details of submissions, by profile_id
        self.acks: dict[str, list[str]] = {}  # what the province said of each
        self.questions: dict[str, dict[str, Any]] = {}  # not answered yet, by number
        self._details: dict[str, dict[str, Any]] = {}
        self.lapse = lapse
        self.lookup_shows_steps = lookup_shows_steps
        self._session_seconds = session_seconds
        self._sessions: dict[str, tuple[Account, float]] = {}  # with the end, time.monotonic()
        self._dice = random.Random(0)  # noqa: S311 - habits of a simulation, no secret
        self._server = FaultyServer(self._app(), host=host, port=port)
        self._services: Mapping[str, Callable[[Mapping[str, Any]], Reply]] = MappingProxyType(
            {
                "DongBoHoSoMC": self._sync_records,
                "CapNhatTienDoHoSoMC": self._sync_steps,
                "TraCuuHoSo": self._look_up,
                "DongBoTrangThaiHoSo": self._keep_status,
                "DongBoDanhGia": self._keep_ratings,
                "LayDanhSachHoiDapGuiTuDVCQG": self._list_questions,
                "DongBoKetQuaHoiDapGuiTuDVCQG": self._keep_answers,
                "DongBoHoiDap": self._publish_answers,
                "LayThuTuc": _procedure,
                "LayDVC": lambda _: Reply("Thành công", {"data": portal_data.services()}),
                **{name: _catalogue(name) for name in portal_data.CATALOGUES},
            }
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Login, envelope and relays are `login_url`, `service_url`, `relay_url`."""
        return self._server.url

    @property
    def login_url(self) -> str:
        return f"{self.url}{FORWARD}/login"

    @property
    def service_url(self) -> str:
        return f"{self.url}{FORWARD}/tichhop"

    @property
    def exchange_url(self) -> str:
        return f"{self.url}{FORWARD}/hoso"

    @property
    def relay_url(self) -> str:
        return f"{self.url}/relay"

    async def start(self) -> None:
        await self._server.start()

    async def close(self) -> None:
        await self._server.close()
        self.store.close()

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def forget_sessions(self) -> None:
        """As after a restart of the real one."""
        self._sessions.clear()

    def submit(self, item: Mapping[str, Any], event: str = "TIEPNHAN") -> str:
        """A citizen has submitted a dossier online, or what was missing; its number here."""
        number = str(len(self._details) + 1)
        created = time.strftime("%Y/%m/%d %H:%M:%S")
        detail = {"type": "profile", "event": event, "createTime": created, "profile": dict(item)}
        self._details[number] = self.waiting[number] = detail
        return number

    def ask(self, question: Mapping[str, Any]) -> None:
        """A citizen asks an agency."""
        self.questions[str(question["MaCauHoi"])] = dict(question)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_get(f"{FORWARD}/hoso/list", self._exchange(self._list_submissions))
        app.router.add_get(f"{FORWARD}/hoso/detail", self._exchange(self._show_submission))
        app.router.add_post(f"{FORWARD}/hoso/ack", self._exchange(self._ack_submission))
        app.router.add_post(f"{FORWARD}/login", self._login)
        for name in ("tichhop", "chiase"):
            app.router.add_post(f"{FORWARD}/{name}", self._enveloped)
        app.router.add_post("/relay/tracuu", self._relay_lookup)
        app.router.add_post("/relay/themmoi", self._relay("DongBoHoSoMC", "False"))
        app.router.add_post("/relay/capnhat", self._relay("DongBoHoSoMC", "True"))
        app.router.add_post("/relay/tientrinh", self._relay("CapNhatTienDoHoSoMC", ""))
        app.router.add_post("/relay/{service}", self._relay_by_query)
        app.router.add_post("/payment", self._payment)
        app.router.add_post("/_sandbox/fault", self._control)
        app.router.add_post("/_sandbox/forget-sessions", self._forget)
        app.router.add_get("/_sandbox/report", self._report)
        app.router.add_get("/_sandbox/timelines", self._timelines)
        app.router.add_post("/_sandbox/submissions", self._submitted)
        app.router.add_post("/_sandbox/questions", self._asked)
        app.router.add_get("/_sandbox/back", self._back)
        return app

    # ---- sessions

    async def _login(self, request: web.Request) -> web.StreamResponse:
        given = _object(await request.read())
        self._count("login")

        def enter() -> dict[str, Any]:
            account = self._accounts.get(str(given.get("username")))
            password = str(given.get("password")).encode()
            if account is None or not secrets.compare_digest(account.password, password):
                return {"error_code": -1, "message": "Tài khoản hoặc mật khẩu không đúng"}
            session = secrets.token_hex(16)
            self._sessions[session] = (account, time.monotonic() + self._session_seconds)
            return {"error_code": self._code(0), "message": "Thành công", "session": session}

        return await self._answered(request, _behind_adapter(request, enter))

    def _account(self, session: object) -> Account:
        known = self._sessions.get(str(session))
        lapsed = self._dice.random() < self.lapse
        if known is None or known[1] < time.monotonic() or lapsed:
            self._sessions.pop(str(session), None)
            raise Refused("Session không tồn tại hoặc đã hết hạn")
        return known[0]

    # ---- envelopes

    async def _enveloped(self, request: web.Request) -> web.StreamResponse:
        envelope = _object(await request.read())
        service = str(envelope.get("service", ""))

        def serve() -> dict[str, Any]:
            account = self._account(envelope.get("session"))
            if envelope.get("madonvi") != account.madonvi:
                raise Refused("Mã đơn vị không đúng với tài khoản")
            return self._serve(service, envelope)

        self._note(service, envelope)
        return await self._answered(request, _behind_adapter(request, serve), service)

    def _relay(
        self, service: str, updating: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A provincial relay: the bare array, the rest of the envelope is its own."""

        async def handle(request: web.Request) -> web.StreamResponse:
            data = _loads(await request.read())
            envelope = {"data": data, "isUpdating": updating}
            self._note(service, envelope)
            return await self._answered(request, lambda: self._serve(service, envelope), service)

        return handle

    async def _relay_by_query(self, request: web.Request) -> web.StreamResponse:
        service = request.match_info["service"]
        if request.query.get("MaDinhDanhDV") not in {
            each.madonvi for each in self._accounts.values()
        }:
            return _json({"error_code": -1, "message": "MaDinhDanhDV không đúng"})
        return await self._relay(service, request.query.get("isUpdating", ""))(request)

    async def _relay_lookup(self, request: web.Request) -> web.StreamResponse:
        given = _object(await request.read())
        self._count("TraCuuHoSo")
        return await self._answered(request, lambda: self._serve("TraCuuHoSo", given), "TraCuuHoSo")

    def _serve(self, service: str, envelope: Mapping[str, Any]) -> dict[str, Any]:
        serve = self._services.get(service)
        if serve is None:
            raise Refused("Dịch vụ không hợp lệ")
        done = serve(envelope)
        return {"error_code": self._code(0), "message": done.message, "result": done.result}

    async def _answered(
        self,
        request: web.Request,
        serve: Callable[[], dict[str, Any]],
        service: str = "",
    ) -> web.StreamResponse:
        """What the service says, or what the fault of the hour makes of it."""
        mode = self._server.switch.draw()
        rejects = mode is Mode.REJECT
        if rejects and not service.startswith(("DongBo", "CapNhat")):
            mode, rejects = Mode.OK, False
        if mode not in KEEPS_MESSAGE and not rejects:
            return await self._misbehave(request, mode, b"")
        try:
            if rejects:
                raise Refused("Trường MaTTHC không hợp lệ")  # noqa: TRY301 - one way out
            answer = serve()
        except Refused as refused:
            message = self._in_some_form(refused.message)
            answer = {"error_code": self._code(refused.code), "message": message, "result": []}
        if mode in {Mode.OK, Mode.REJECT}:
            return _json(answer)
        return await self._misbehave(request, mode, orjson.dumps(answer))

    async def _misbehave(
        self, request: web.Request, mode: Mode, answer: bytes
    ) -> web.StreamResponse:
        return await misbehave(request, mode, answer, self._server.switch, lambda: _json({}))

    # ---- services

    def _sync_records(self, envelope: Mapping[str, Any]) -> Reply:
        updating = envelope.get("isUpdating")
        if updating not in {"True", "False"}:
            raise Refused("Trường isUpdating không hợp lệ")
        records = _checked(envelope, record_fault)
        seen: set[str] = set()
        for each in records:
            known = each["MaHoSo"] in seen or self.store.record(each["MaHoSo"]) is not None
            seen.add(each["MaHoSo"])
            if known and updating == "False":
                text = self._dice.choice(_EXISTS).format(each["MaHoSo"])
                raise Refused(text, self._dice.choice((0, 3, -3)))
            if not known and updating == "True":
                raise Refused(f"Hồ sơ {each['MaHoSo']} không tồn tại")
        self.store.write(records, updating=updating == "True")
        return Reply(self._success(), [])

    def _sync_steps(self, envelope: Mapping[str, Any]) -> Reply:
        steps = _checked(envelope, step_fault)
        if len(steps) > MOST_STEPS:
            raise Refused(f"Danh sách data vượt quá {MOST_STEPS} bước")
        for each in steps:
            if self.store.record(each["MaHoSo"]) is None:
                raise Refused(f"Hồ sơ {each['MaHoSo']} không tồn tại")
        self.store.append(steps)
        return Reply(self._success(), [])

    def _look_up(self, envelope: Mapping[str, Any]) -> Reply:
        code = str(envelope.get("mahoso", ""))
        record = self.store.record(code)
        if record is None:
            return Reply("Không có dữ liệu", [])
        if self.lookup_shows_steps:
            record["DanhSachTienTrinh"] = self.store.timeline(code)
        return Reply("Thành công", [record])

    def _keep_status(self, envelope: Mapping[str, Any]) -> Reply:
        data = envelope.get("data")
        if envelope.get("type") != "2" or not isinstance(data, dict):
            raise Refused("Trường data không hợp lệ")
        for name in ("MaHoSo", "NgayXuLy", "TrangThai"):
            if not data.get(name):
                raise Refused(f"Trường {name} bắt buộc, không được để trống")
        if data["TrangThai"] not in {"2", "5"}:
            raise Refused("Trường TrangThai không hợp lệ")
        self.store.keep("DongBoTrangThaiHoSo", [data])
        return Reply(self._success(), [])

    def _keep_ratings(self, envelope: Mapping[str, Any]) -> Reply:
        rows = _checked(envelope, _rating_fault)
        self.store.keep("DongBoDanhGia", rows)
        return Reply(self._success(), [])

    # ---- submissions, by the profile exchange

    def _exchange(
        self, serve: Callable[[web.Request], dict[str, Any]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._count(request.path.rsplit("/", 1)[1])
            session = request.headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                self._account(session)
            except Refused:
                return web.Response(status=401)
            return await self._answered(request, _behind_adapter(request, lambda: serve(request)))

        return handle

    def _list_submissions(self, request: web.Request) -> dict[str, Any]:
        """Newest first, a hundred of the oldest."""
        if request.query.get("unit_code") not in {a.madonvi for a in self._accounts.values()}:
            raise Refused("unit_code không hợp lệ")
        oldest = list(self.waiting.items())[:100]
        rows = [
            {"profileId": number, "createTime": each["createTime"], "type": "profile"}
            for number, each in reversed(oldest)
        ]
        return {"profileReceivers": rows}

    def _show_submission(self, request: web.Request) -> dict[str, Any]:
        detail = self._details.get(request.query.get("profile_id", ""))
        if detail is None:
            raise Refused("profile_id không tồn tại")
        return {"profileOutmodel": detail}

    def _ack_submission(self, request: web.Request) -> dict[str, Any]:
        number, status = request.query.get("profile_id", ""), request.query.get("status", "")
        if number not in self._details or status not in {"done", "fail"}:
            raise Refused("profile_id không tồn tại")
        self.acks.setdefault(number, []).append(status)
        self.waiting.pop(number, None)
        return {"message": "success"}

    # ---- questions

    def _list_questions(self, _envelope: Mapping[str, Any]) -> Reply:
        return Reply("Thành công", list(self.questions.values()))

    def _keep_answers(self, envelope: Mapping[str, Any]) -> Reply:
        answers = _checked(envelope, _answer_fault)
        for each in answers:
            if each["MaCauHoi"] not in self.questions:
                known = [kept["MaCauHoi"] for kept in self.store.kept("hoi-dap")]
                if each["MaCauHoi"] in known:
                    raise Refused(f"Câu hỏi {each['MaCauHoi']} đã tồn tại câu trả lời", 3)
                raise Refused("Trường MaCauHoi không hợp lệ")
        for each in answers:
            self.questions.pop(each["MaCauHoi"], None)
        self.store.keep("hoi-dap", answers)
        return Reply(self._success(), [])

    def _publish_answers(self, envelope: Mapping[str, Any]) -> Reply:
        answers = _checked(envelope, lambda each: _answer_fault(each, asked=True))
        self.store.keep("DongBoHoiDap", answers)
        return Reply(self._success(), [])

    async def _payment(self, request: web.Request) -> web.StreamResponse:
        """Look-up of a payment: 1 is paid, 0 there is none, -1 an error."""
        given = _object(await request.read())

        def serve() -> dict[str, Any]:
            code = str(given.get("MaHoSo", ""))
            if not str(given.get("MaTraCuuTT", "")).startswith(code) or not code:
                raise Refused("Trường MaTraCuuTT không hợp lệ")
            record = self.store.record(code) or {}
            paid = record.get("DuocThanhToanTrucTuyen") in {"1", "2"}
            message = "Đã thanh toán" if paid else "Chưa có thanh toán"
            return {"error_code": int(paid), "message": message, "result": []}

        self._count("payment")
        return await self._answered(request, serve)

    # ---- what the portal is like

    def _success(self) -> str:
        return self._in_some_form(self._dice.choice(_SUCCESSES))

    def _in_some_form(self, text: str) -> str:
        return unicodedata.normalize(self._dice.choice(("NFC", "NFD")), text)

    def _code(self, code: int) -> int | str:
        """A number, a text, a text of two digits."""
        padded = f"{code:02d}" if code >= 0 else str(code)
        return self._dice.choice((code, str(code), padded))

    # ---- for tests

    def _count(self, service: str) -> None:
        self.calls[service] = self.calls.get(service, 0) + 1

    def _note(self, service: str, envelope: Mapping[str, Any]) -> None:
        self._count(service)
        data = envelope.get("data")
        if not service.startswith(("DongBoHoSo", "CapNhat")) or not isinstance(data, list):
            return
        first = data[0] if data and isinstance(data[0], dict) else {}
        updating = envelope.get("isUpdating") == "True"
        self.arrivals.append(Arrival(service, str(first.get("MaHoSo", "")), updating, len(data)))

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _forget(self, _request: web.Request) -> web.StreamResponse:
        self.forget_sessions()
        return _json({})

    async def _report(self, _request: web.Request) -> web.StreamResponse:
        """Counts: dossiers, lines of timelines, calls."""
        return _json({**self.store.counts(), "calls": self.calls, "pushes": len(self.arrivals)})

    async def _submitted(self, request: web.Request) -> web.StreamResponse:
        """A citizen submits the profile that the body is; its number here."""
        return _json({"profileId": self.submit(await request.json())})

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        self.ask(await request.json())
        return _json({})

    async def _back(self, _request: web.Request) -> web.StreamResponse:
        """What became of submissions and questions: acknowledgements, answers."""
        return _json({"acks": self.acks, "answers": self.store.kept("hoi-dap")})

    async def _timelines(self, request: web.Request) -> web.StreamResponse:
        """NDJSON, one dossier a line: its record, and its steps in order of arrival."""
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        for code, record, inserts, updates in self.store.dossiers():
            line = {
                "MaHoSo": code,
                "inserts": inserts,
                "updates": updates,
                "record": record,
                "timeline": self.store.timeline(code),
            }
            await response.write(orjson.dumps(line) + b"\n")
        return response


def _behind_adapter(
    request: web.Request, serve: Callable[[], dict[str, Any]]
) -> Callable[[], dict[str, Any]]:
    """The VXP adapter finds the portal by `dstcode`, as a parameter or a header."""
    found = request.query.get("dstcode") or request.headers.get("dstcode")

    def checked() -> dict[str, Any]:
        if found != DSTCODE:
            raise Refused("dstcode không hợp lệ")
        return serve()

    return checked


def _checked(
    envelope: Mapping[str, Any], fault_of: Callable[[Any], str | None]
) -> list[dict[str, Any]]:
    """One bad element, and the whole batch is refused."""
    data = envelope.get("data")
    if not isinstance(data, list) or not data:
        raise Refused("Trường data không hợp lệ")
    for each in data:
        fault = fault_of(each)
        if fault is not None:
            raise Refused(fault)
    return data


def _rating_fault(item: Any) -> str | None:
    if not isinstance(item, dict):
        return "Dữ liệu đánh giá không hợp lệ"
    if not isinstance(item.get("TongSoNguoiDanhGia"), int):
        return "Trường TongSoNguoiDanhGia không hợp lệ"
    for name in ("NgayTongHop", "Madonvi", "TenDonVi"):
        if not item.get(name):
            return f"Trường {name} bắt buộc, không được để trống"
    return None


def _answer_fault(item: Any, *, asked: bool = False) -> str | None:
    if not isinstance(item, dict):
        return "Dữ liệu hỏi đáp không hợp lệ"
    for name in ("MaCauHoi", "NoiDungTraLoi", "NgayTraLoi", *(["NoiDung"] if asked else [])):
        if not item.get(name):
            return f"Trường {name} bắt buộc, không được để trống"
    day = str(item["NgayTraLoi"])
    return None if re.fullmatch(r"\d\d/\d\d/\d{4}", day) else "Trường NgayTraLoi sai định dạng"


def _procedure(envelope: Mapping[str, Any]) -> Reply:
    found = portal_data.procedure(str(envelope.get("maTTHC", "")))
    return Reply("Thành công", [found] if found else [])


def _catalogue(name: str) -> Callable[[Mapping[str, Any]], Reply]:
    rows = portal_data.CATALOGUES[name]
    return lambda _envelope: Reply("Thành công", list(rows))


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _object(body: bytes) -> dict[str, Any]:
    found = _loads(body)
    return found if isinstance(found, dict) else {}


def _json(answer: Mapping[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


def _read_accounts(path: Path) -> list[Account]:
    """`[{"username": …, "password": …, "madonvi": …}]`."""
    return [
        Account(each["username"], each["password"].encode(), each["madonvi"])
        for each in orjson.loads(path.read_bytes())
    ]


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Portal(
        _read_accounts(options.accounts),
        host=options.host,
        port=options.port,
        store=options.store,
        session_seconds=options.session_seconds,
        lapse=options.lapse,
        lookup_shows_steps=options.lookup_shows_steps,
    ) as portal:
        print(portal.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.dvcqg.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--store", type=Path, help="SQLite file that outlives the process")
    parser.add_argument(
        "--accounts", type=Path, required=True, help="JSON: [{username, password, madonvi}]"
    )
    parser.add_argument("--session-seconds", type=float, default=1800.0)
    parser.add_argument(
        "--lapse", type=float, default=0.0, help="share of calls whose session is forgotten"
    )
    parser.add_argument(
        "--lookup-shows-steps", action="store_true", help="TraCuuHoSo gives the timeline, too"
    )
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
