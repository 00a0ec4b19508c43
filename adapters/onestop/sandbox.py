"""A simulated one-stop system that speaks the profile exchange.

`python -m adapters.onestop.sandbox --port 9301 --unit 000.00.00.H99 --secret-file key
--dossiers 100` runs it as a process.  It lists at most a hundred items, newest first; keeps what
was not acknowledged; writes numbers as text or not, and nothing as "" or null, as it happens.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import signal
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import uvloop
from aiohttp import web

from adapters.faults import KEEPS_MESSAGE, Fault, FaultyServer, Mode, misbehave
from adapters.onestop.stories import Change, Desk, Teller
from schemas.dossier import DossierRecord, Form, Step, Supplement
from schemas.dossier.calendar import WorkingCalendar
from schemas.vietnam import VIETNAM

_JSON = "application/json"
PAGE = 100

_EVENTS = {3: "TUCHOI", 6: "THANHTOAN", 7: "RUT", 9: "KETQUA", 10: "KETQUA"}


class OneStopSandbox:
    """The simulated system. Use as `async with OneStopSandbox(...) as sandbox`."""

    def __init__(
        self, unit_code: str, secret: bytes, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """`port` 0 takes a free one."""
        self.acks: dict[str, list[str]] = {}  # what the bus said of each item, by its id
        self.waiting: dict[str, tuple[Change, bytes]] = {}
        self._unit_code, self._secret = unit_code, secret
        self.submissions: list[dict[str, Any]] = []  # what came from portals, each once, in order
        self.pushed: list[str] = []  # dossiers of all pushes that were read, repeats included
        self._known: set[str] = set()
        self._given: dict[str, bytes] = {}
        self._broken: set[str] = set()
        self._lose_acks = 0
        self._told: dict[str, list[str]] = {}  # ids by dossier, in the order they were published
        self._changes: dict[str, Change] = {}  # by id
        self._hidden: set[str] = set()
        self._again: dict[str, int] = {}  # ids told again, with their place among those
        self._server = FaultyServer(self._app(), host=host, port=port)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return f"{self._server.url}/profiles"

    @property
    def receive_url(self) -> str:
        return f"{self._server.url}/rest/nhanhsdvcqg"

    def publish(self, changes: Iterable[Change]) -> list[str]:
        """Makes changes wait for the bus, in their order; their ids."""
        return [self._wait(change, detail(change)) for change in changes]

    def publish_raw(self, change: Change, model: Any) -> str:
        """Makes an item wait whose detail is `model`, whatever that is."""
        return self._wait(change, model)

    def break_item(self, profile_id: str, *, broken: bool = True) -> None:
        """Its detail answers 500 until it is mended."""
        (self._broken.add if broken else self._broken.discard)(profile_id)

    def hide(self, code: str) -> None:
        """The system forgets the dossier: it is listed no longer."""
        self._hidden.add(code)

    def lose_acks(self, count: int) -> None:
        """So many acknowledgements from now on are answered with 503 and forgotten."""
        self._lose_acks = count

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def _wait(self, change: Change, model: Any) -> str:
        profile_id = str(len(self._given) + 1)
        body = orjson.dumps({"profileOutmodel": model})
        self._given[profile_id] = body
        self._changes[profile_id] = change
        self._told.setdefault(change.item.code, []).append(profile_id)
        self.waiting[profile_id] = (change, body)
        return profile_id

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=8_000_000)
        app.router.add_get("/profiles/list", self._list)
        app.router.add_get("/profiles/detail", self._detail)
        app.router.add_post("/profiles/ack", self._ack)
        app.router.add_post("/rest/nhanhsdvcqg", self._receive)
        app.router.add_get("/profiles/dossiers", self._dossiers)
        app.router.add_post("/profiles/again", self._tell_again)
        app.router.add_post("/_sandbox/fault", self._server_control)
        app.router.add_get("/_sandbox/waiting", self._count)
        app.router.add_get("/_sandbox/submissions", self._submitted)
        return app

    async def _server_control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _count(self, _: web.Request) -> web.StreamResponse:
        """How many changes the bus has not acknowledged."""
        return web.Response(text=str(len(self.waiting)))

    async def _submitted(self, _: web.Request) -> web.StreamResponse:
        """What came from portals, each once, in order."""
        return web.json_response(self.submissions)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("unit_code") != self._unit_code:
            return web.json_response({"error": "unit_code"}, status=404)
        oldest = list(self.waiting.items())[:PAGE]
        rows = [_row(key, change, self._again.get(key)) for key, (change, _) in reversed(oldest)]
        return await self._answer(request, orjson.dumps({"profileReceivers": rows}))

    async def _detail(self, request: web.Request) -> web.StreamResponse:
        profile_id = request.query.get("profile_id", "")
        if profile_id in self._broken:
            return web.Response(status=500, text="NullPointerException")
        body = self._given.get(profile_id)
        if body is None:
            return web.json_response({"error": "profile_id"}, status=404)
        return await self._answer(request, body)

    async def _ack(self, request: web.Request) -> web.StreamResponse:
        profile_id = request.query.get("profile_id", "")
        status = request.query.get("status", "")
        if profile_id not in self._given or status not in {"done", "fail"}:
            return web.json_response({"error": "profile_id"}, status=404)
        if self._lose_acks:
            self._lose_acks -= 1
            return web.Response(status=503)
        answer = await self._answer(request, b'{"message":"success"}')
        if answer.status == 200:
            self.acks.setdefault(profile_id, []).append(status)
            self.waiting.pop(profile_id, None)
        return answer

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """An online submission; one that is there already is answered 1."""
        item = orjson.loads(await request.read())
        self.pushed.append(str(item.get("MaHoSo", "")))
        missing = [name for name in ("MaHoSo", "MaTTHC", "ChuHoSo") if not item.get(name)]

        def keep() -> bytes:
            number = str(item.get("MaHoSo", ""))
            if missing:
                code, text = -1, f"Trường {missing[0]} bắt buộc"
            else:
                supplements = item.get("DanhSachHoSoBoSung") or [{}]
                about = f"{number} {item.get('LoaiSuKien')} {supplements[-1].get('HoSoBoSungId')}"
                code, text = (1, "Hồ sơ đã tồn tại") if about in self._known else (0, "Đã nhận")
                if about not in self._known:
                    self._known.add(about)
                    self.submissions.append(item)
            return orjson.dumps({"error_code": code, "message": f"{number}| {text}"})

        return await self._answer(request, keep, _no_submission)

    async def _dossiers(self, request: web.Request) -> web.StreamResponse:
        """Dossiers received in a period, by code; a hundred at once."""
        query = request.query
        if query.get("unit_code") != self._unit_code:
            return web.json_response({"error": "unit_code"}, status=404)
        fits = [row for row in map(self._dossier_row, sorted(self._told)) if _within(row, query)]
        rows = [row for row in fits if row["source_id"] > query.get("after", "")]
        more = rows[PAGE - 1]["source_id"] if len(rows) > PAGE else ""
        body = {"profiles": rows[:PAGE], "next": more}
        return await self._answer(request, orjson.dumps(body))

    def _dossier_row(self, code: str) -> dict[str, Any]:
        """As the system has it, whatever the bus was told of it."""
        ids = self._told[code]
        changes = [self._changes[each] for each in ids]
        steps = [each.item for each in changes if isinstance(each.item, Step)]
        records = [each.item for each in changes if isinstance(each.item, DossierRecord)]
        record = records[-1] if records and code not in self._hidden else None
        return {
            "source_id": code,
            "from_unit_code": changes[-1].agency,
            "status_profile": str(int(changes[-1].item.status)),
            "time_of_process": Form.YEAR_FIRST.write(max((s.at for s in steps), default=None)),
            "steps": len(steps),
            "service_code": record.procedure if record else None,
            "receive_date": Form.YEAR_FIRST.write(record.received if record else None),
            "due_date": Form.YEAR_FIRST.write(record.due if record else None),
            "waiting": any(each in self.waiting for each in ids),
        }

    async def _tell_again(self, request: web.Request) -> web.StreamResponse:
        """The current record, then all steps, under the ids they had."""
        ids = self._told.get(request.query.get("source_id", ""))
        if ids is None or request.query.get("unit_code") != self._unit_code:
            return web.json_response({"error": "source_id"}, status=404)
        records = [each for each in ids if isinstance(self._changes[each].item, DossierRecord)]
        steps = [each for each in ids if isinstance(self._changes[each].item, Step)]
        answer = await self._answer(request, b'{"message":"success"}')
        if answer.status == 200:
            for place, each in enumerate(records[-1:] + steps):
                self._again[each] = place
                self.waiting[each] = (self._changes[each], self._given[each])
        return answer

    async def _answer(
        self,
        request: web.Request,
        body: bytes | Callable[[], bytes],
        refusal: Callable[[], web.Response] | None = None,
    ) -> web.StreamResponse:
        """`body` is made only when the request takes effect, whatever the bus hears of it."""
        expected = b"Bearer " + self._secret
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            return web.json_response({"error": "unauthorized"}, status=401)
        mode = self._server.switch.draw()
        told = b"" if mode not in KEEPS_MESSAGE else body if isinstance(body, bytes) else body()
        if mode is Mode.OK:
            return web.Response(body=told, content_type=_JSON)
        return await misbehave(request, mode, told, self._server.switch, refusal or _refusal)


def _no_submission() -> web.Response:
    answer = {"error_code": -1, "message": "| Trường MaTTHC không hợp lệ"}
    return web.json_response(answer)


def _refusal() -> web.Response:
    return web.json_response({"error": "refused"}, status=400)


def _within(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether it was received in the period, whose ends are days."""
    received = row["receive_date"][:10]
    return bool(received) and query["from_date"] <= received <= query["to_date"]


def _row(profile_id: str, change: Change, again: int | None = None) -> dict[str, Any]:
    """Ids of even items are numbers, the others text. `again`: its place among those told again."""
    number = int(profile_id)
    at = change.at if again is None else datetime.now(VIETNAM) + timedelta(seconds=again)
    return {
        "profileId": number if number % 2 == 0 else profile_id,
        "fromUnitCode": change.agency,
        "toUnitCode": "",
        "createTime": Form.YEAR_FIRST.write(at),
        "status": "",
        "status_profile": str(int(change.item.status)),
        "type": "status" if isinstance(change.item, Step) else "profile",
    }


def detail(change: Change) -> dict[str, Any]:
    """`profileOutmodel` of a change, as the software writes it."""
    item = change.item
    told: dict[str, Any] = {
        "source_id": f"{item.code} ",  # the trailing blank has been seen
        "status_profile": str(int(item.status)),
        "from_unit_code": change.agency,
        "to_unit_code": [],
    }
    if isinstance(item, Step):
        return told | _status(item)
    event = _EVENTS.get(item.status, "CAPNHAT" if item.supplements else "TIEPNHAN")
    return told | {
        "type": "profile",
        "event": event,
        "ref_code": item.nation_code or None,
        "time_of_process": Form.YEAR_FIRST.write(change.at),
        "profile": _profile(item),
    }


def _status(step: Step) -> dict[str, Any]:
    return {
        "type": "status",
        "step_id": step.id,
        "ref_code": "",
        "process_officials": step.by,
        "process_position": step.title or None,
        "process_department": step.department,
        "process_content": step.content,
        "time_of_process": Form.YEAR_FIRST.write(step.at),
        "start_time": Form.YEAR_FIRST.write(step.started),
        "due_time": None,
    }


def _profile(record: DossierRecord) -> dict[str, Any]:
    who = record.applicant
    return {
        "unit_name": record.agency_name,
        "service_code": record.procedure,
        "service_name": record.procedure_name,
        "domain_code": record.sector,
        "domain_name": record.sector_name,
        "channel": int(record.channel),
        "applicants_type": str(int(who.kind)),
        "applicants_name": who.name,
        "applicants_id_number": who.paper_number,
        "tel_no": who.phone,
        "email": None,
        "commune_code": who.commune,
        "brief_note": record.summary,
        "note": record.note or None,
        "submit_date": Form.YEAR_FIRST.write(record.submitted),
        "receive_date": Form.YEAR_FIRST.write(record.received),
        "due_date": Form.YEAR_FIRST.write(record.due),
        "finish_date": Form.YEAR_FIRST.write(record.finished),
        "release_date": Form.YEAR_FIRST.write(record.returned) or None,
        "refuse_date": Form.YEAR_FIRST.write(record.refused) or None,
        "via_postal": "1" if record.by_post else "0",
        "digitised": "1" if record.has_digitised else "0",
        "verified": record.verified_account,
        "payment_online": int(record.online_payment),
        "attachments": [
            {
                "file_id": each.id,
                "file_name": each.name,
                "component_code": each.component,
                "file_url": each.url,
                "digitised": "1" if each.digitised else "0",
            }
            for each in record.submitted_papers
        ],
        "results": [
            {
                "file_id": each.id,
                "file_name": each.name,
                "file_url": each.url,
                "result_code": each.result_code,
            }
            for each in record.result_papers
        ],
        "fees": [
            {
                "fee_code": each.code,
                "fee_name": each.name,
                "amount": str(each.amount),
                "collected_at": int(each.collected_at),
            }
            for each in record.fees
        ],
        "supplements": [_supplement(each) for each in record.supplements] or None,
    }


def _supplement(each: Supplement) -> dict[str, Any]:
    return {
        "id": int(each.id),
        "asked_by": each.asked_by,
        "content": each.request,
        "request_date": Form.YEAR_FIRST.write(each.asked_at),
        "receive_date": Form.YEAR_FIRST.write(each.received_at),
        "done": each.complete,
        "due_before": Form.YEAR_FIRST.write(each.due_before),
        "due_after": Form.YEAR_FIRST.write(each.due_after) or None,
    }


async def _serve(options: argparse.Namespace) -> None:
    desks = tuple(Desk(code, f"UBND {code}") for code in options.desk or [options.unit])
    calendar = WorkingCalendar(
        holidays=frozenset(options.holiday), made_up=frozenset(options.made_up)
    )
    teller = Teller(desks, options.seed, options.first_day, calendar=calendar)
    secret = options.secret_file.read_bytes().strip()
    sandbox = OneStopSandbox(options.unit, secret, host=options.host, port=options.port)
    changes = [change for story in teller.stories(options.dossiers) for change in story.changes]
    changes.sort(key=lambda change: change.at)
    sandbox.publish(changes)
    async with sandbox:
        print(f"{sandbox.url}: {len(changes)} changes wait", flush=True)  # noqa: T201
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.onestop.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--unit", required=True, help="unit_code under which changes wait")
    parser.add_argument("--desk", action="append", help="agency code of a counter; may be repeated")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the access key")
    parser.add_argument("--dossiers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--first-day", type=date.fromisoformat, default=date(2026, 8, 3), help="of reception"
    )
    for name, text in (("--holiday", "nobody works then"), ("--made-up", "a day off is worked")):
        parser.add_argument(
            name, type=date.fromisoformat, action="append", default=[], help=f"{text}; repeatable"
        )
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
