"""REST for dossiers: what one-stop software sends, what it reads back, and what it is told."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from openpyxl import load_workbook

from schemas.province import Agency, Endpoint, Subscription
from tests.integration.gateway_harness import BUILD, Harness, opened

CODE = "H38.02-251102-0001"
PORTAL = Agency(code="H38.90", name="Cổng dịch vụ công tỉnh", endpoint="cong")
RECORD: dict[str, Any] = {
    "code": CODE,
    "procedure": "TT.01",
    "procedureName": "Cấp giấy phép xây dựng",
    "agency": BUILD,
    "agencyName": "Sở Xây dựng",
    "channel": 2,
    "applicant": {"kind": 1, "name": "Nguyễn Thị Bí Mật"},
    "summary": "Đề nghị cấp phép",
    "status": 2,
    "received": "2025-11-02T08:15:00+07:00",
    "due": "2025-11-23T17:00:00+07:00",
}
STEP: dict[str, Any] = {
    "code": CODE,
    "id": "B1",
    "at": "2025-11-02T09:00:00+07:00",
    "by": "Trần Văn Bí Mật",
    "content": "Tiếp nhận hồ sơ",
    "status": 4,
}
ONE_STOP = "so-xay-dung"


@pytest.fixture
async def bus(ledger_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(ledger_url, tmp_path) as harness:
        await harness.declare("endpoint", None, Endpoint(name="cong", kind="mailbox"))
        await harness.declare("agency", None, PORTAL)
        await harness.declare(
            "subscription", None, Subscription(name="cong-tinh", receivers=("H38.90",))
        )
        yield harness


async def put(bus: Harness, record: dict[str, Any], client: str = ONE_STOP, **given: Any) -> Any:
    return await bus.call(client, "PUT", f"/api/v1/dossiers/{record['code']}", json=record, **given)


async def post(bus: Harness, steps: Any, client: str = ONE_STOP, code: str = CODE) -> Any:
    return await bus.call(client, "POST", f"/api/v1/dossiers/{code}/steps", json=steps)


async def show(bus: Harness, client: str = ONE_STOP, code: str = CODE) -> Any:
    return (await bus.call(client, "GET", f"/api/v1/dossiers/{code}")).json()


async def batch(bus: Harness, lines: list[dict[str, Any] | bytes]) -> list[dict[str, Any]]:
    content = b"\n".join(each if isinstance(each, bytes) else orjson.dumps(each) for each in lines)
    answer = await bus.call(ONE_STOP, "POST", "/api/v1/dossiers/batch", content=content)
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def test_a_record_and_its_steps_are_accepted_and_read_back(bus: Harness) -> None:
    answer = await put(bus, RECORD)
    assert answer.status_code == 202, answer.text
    assert [each["code"] for each in answer.json()["receivers"]] == ["H38.90"]
    answer = await post(bus, STEP)
    assert answer.status_code == 202, answer.text
    shown = await show(bus)
    assert (shown["status"], shown["statusVi"]) == (4, "Đang xử lý")
    assert shown["dueAt"] == "2025-11-23T10:00:00.000000+00:00"
    assert shown["record"]["applicant"]["name"] == "Nguyễn Thị Bí Mật"
    assert [each["step"]["content"] for each in shown["steps"]] == ["Tiếp nhận hồ sơ"]
    (portal,) = shown["portals"]
    assert (portal["endpoint"], portal["open"], portal["delivered"]) == ("cong", 2, 0)
    listed = (await bus.call(ONE_STOP, "GET", "/api/v1/dossiers?status=4")).json()
    assert [each["code"] for each in listed["items"]] == [CODE]
    message = (await bus.call(ONE_STOP, "GET", "/api/v1/messages?kind=step")).json()["items"][0]
    assert message["documentId"] == CODE


async def test_7_the_original_bytes_are_kept(bus: Harness) -> None:
    """Odd spelling stays; the elements of an array are kept as each was written."""
    original = orjson.dumps(RECORD, option=orjson.OPT_INDENT_2) + b"\n"
    answer = await bus.call(ONE_STOP, "PUT", f"/api/v1/dossiers/{CODE}", content=original)
    assert answer.json()["sha256"] == hashlib.sha256(original).hexdigest()
    one, two = orjson.dumps(STEP), orjson.dumps(STEP | {"id": "B2"}, option=orjson.OPT_INDENT_2)
    body = b" [ " + one + b" ,\n" + two + b" ]\n"
    path = f"/api/v1/dossiers/{CODE}/steps"
    receipts = (await bus.call(ONE_STOP, "POST", path, content=body)).json()
    assert [each["sha256"] for each in receipts] == [
        hashlib.sha256(each).hexdigest() for each in (one, two)
    ]


async def test_3_repeats_get_the_same_receipt_and_other_content_a_conflict(bus: Harness) -> None:
    first = await put(bus, RECORD)
    again = await put(bus, RECORD)
    assert (again.json(), again.headers["LGSP-Duplicate"]) == (first.json(), "true")
    key = {"Idempotency-Key": "ho-so-1"}
    keyed = await put(bus, RECORD | {"note": "khác"}, headers=key)
    assert keyed.status_code == 202
    clash = await put(bus, RECORD | {"note": "khác nữa"}, headers=key)
    assert (clash.status_code, clash.json()["code"]) == (409, "duplicate-message")
    step = await post(bus, STEP)
    spelled = dict(reversed(STEP.items()))  # the same step in another order of names
    assert (await post(bus, spelled)).json() == step.json()
    assert (await post(bus, STEP | {"content": "khác"})).status_code == 409
    assert len((await show(bus))["steps"]) == 1


async def test_a_step_without_an_id_is_recognised_when_it_comes_again(bus: Harness) -> None:
    bare = {name: value for name, value in STEP.items() if name != "id"}
    first = await post(bus, bare)
    again = await post(bus, bare | {"title": "Chuyên viên"})
    assert again.json() == first.json()
    assert (await post(bus, bare | {"content": "Bước khác"})).json() != first.json()
    assert len((await show(bus))["steps"]) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"summary": "x" * 1001}, "summary"),
        ({"note": "x" * 2001}, "note"),
        ({"procedure": ""}, "procedure"),
        ({"received": None}, "received"),
        ({"received": "20251102081500"}, "received"),
        ({"applicant": {"kind": 9}}, "applicant.kind"),
        ({"strange": 1}, "strange"),
    ],
)
async def test_what_a_portal_would_refuse_is_refused_here_with_the_fields_name(
    bus: Harness, change: dict[str, Any], field: str
) -> None:
    answer = await put(bus, RECORD | change)
    assert answer.status_code == 400
    assert answer.json()["context"]["field"] == field
    assert "Bí Mật" not in answer.text
    steps = [STEP, STEP | {"id": "B2", "by": "x" * 51}]
    answer = await post(bus, steps)
    assert (answer.status_code, answer.json()["context"]["field"]) == (400, "1.by")
    missing = await bus.call(ONE_STOP, "GET", f"/api/v1/dossiers/{CODE}")
    assert missing.status_code == 404, "of a refused array nothing was accepted"


@pytest.mark.parametrize(
    "body", [b"[", b"[1,]", b"[]", b"[{}] x", b"[" * 100_000, b"\xff", b"[1 2]"]
)
async def test_what_is_no_json_is_refused(bus: Harness, body: bytes) -> None:
    path = f"/api/v1/dossiers/{CODE}/steps"
    answer = await bus.call(ONE_STOP, "POST", path, content=body)
    assert answer.status_code == 400, answer.text


async def test_8_each_speaks_only_for_itself_and_sees_only_its_own(bus: Harness) -> None:
    assert (await put(bus, RECORD, client="so-y-te")).status_code == 403
    assert (await post(bus, STEP, client="so-y-te")).status_code == 403
    await put(bus, RECORD)
    forged = RECORD | {"agency": "H38.03", "agencyName": "Sở Y tế", "status": 8}
    assert (await put(bus, forged, client="so-y-te")).status_code == 403, "the code is another's"
    await post(bus, STEP)
    hidden = await bus.call("so-y-te", "GET", f"/api/v1/dossiers/{CODE}")
    assert hidden.status_code == 404
    assert (await bus.call("so-y-te", "GET", "/api/v1/dossiers")).json()["items"] == []
    other = await bus.call("so-y-te", "GET", f"/api/v1/dossiers?agency={BUILD}")
    assert other.status_code == 403
    operator = await bus.call("van-hanh", "GET", f"/api/v1/dossiers/{CODE}")
    assert operator.status_code == 200
    assert "Bí Mật" not in operator.text, "personal data is masked for whoever is not its agency"
    assert operator.json()["steps"][0]["step"] is None


async def test_a_batch_answers_every_line_and_keeps_the_order_of_a_dossier(bus: Harness) -> None:
    codes = [f"H38.02-251102-{n:04d}" for n in range(1, 31)]
    lines: list[dict[str, Any] | bytes] = [RECORD | {"code": code} for code in codes]
    lines += [
        STEP | {"code": code, "id": f"B{n}", "at": f"2025-11-02T09:{n:02d}:00+07:00"}
        for n in range(6)
        for code in codes
    ]
    lines[40:40] = [b"no JSON", b"", STEP | {"by": ""}, b"[1]"]
    told = await batch(bus, lines)
    assert [each["line"] for each in told] == [n for n in range(1, len(lines) + 1) if n != 42]
    problems = {each["line"]: each["problem"] for each in told if "problem" in each}
    assert list(problems) == [41, 43, 44]
    assert problems[43]["context"]["field"] == "by"
    for code in codes:
        shown = await show(bus, code=code)
        ids = [each["messageId"] for each in shown["steps"]]
        assert [each["stepId"] for each in shown["steps"]] == [f"B{n}" for n in range(6)]
        assert ids == sorted(ids), "accepted in their order"
    again = await batch(bus, lines)
    assert [each.get("receipt") for each in again] == [each.get("receipt") for each in told]


async def test_the_same_dossier_from_two_sides_at_once_keeps_every_step(bus: Harness) -> None:
    await put(bus, RECORD)
    steps = [STEP | {"id": f"B{n}", "at": f"2025-11-02T09:{n:02d}:00+07:00"} for n in range(20)]
    answers = await asyncio.gather(*(post(bus, each) for each in [*steps, *steps]))
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["messageId"] for each in answers}) == 20
    assert len((await show(bus))["steps"]) == 20


@pytest.mark.parametrize(
    "period", ["from=0001-01-01&to=0002-01-01", "from=2025-01-01&to=9999-12-31"]
)
async def test_days_beyond_reckoning_are_refused(bus: Harness, period: str) -> None:
    """Schemathesis found the first: an error of the server."""
    answer = await bus.call("so-xay-dung", "GET", f"/api/v1/dossiers/figures?{period}")
    assert answer.status_code == 400
    report = await bus.call("so-xay-dung", "GET", "/api/v1/reports/documents?period=0001")
    assert report.status_code == 400


async def test_figures_count_what_became_of_the_dossiers(bus: Harness) -> None:
    ends = {
        1: "2025-11-20T10:00:00+07:00",
        2: "2025-11-23T16:00:00+07:00",
        3: "2025-11-24T08:00:00+07:00",
    }
    for number, at in ends.items():
        code = f"H38.02-251102-{number:04d}"
        finished = {"finished": at, "status": 9}
        assert (await put(bus, RECORD | {"code": code} | finished)).status_code == 202
        last = STEP | {"code": code, "at": at, "status": 9}
        assert (await post(bus, last, code=code)).status_code == 202
    path = "/api/v1/dossiers/figures?from=2025-11-01&to=2025-11-30"
    answer = (await bus.call(ONE_STOP, "GET", path)).json()
    (row,) = answer["agencies"]
    assert (row["agency"], row["received"], row["receivedOnline"]) == (BUILD, 3, 3)
    assert (row["early"], row["onTime"], row["late"]) == (1, 1, 1)
    assert answer["total"]["inTime"] == 2
    table = await bus.call(ONE_STOP, "GET", f"{path}&format=csv")
    assert table.content.startswith("\ufeffMã cơ quan".encode())
    book = await bus.call(ONE_STOP, "GET", f"{path}&format=xlsx")
    sheet = load_workbook(io.BytesIO(book.content)).worksheets[0]
    assert [cell.value for cell in list(sheet.rows)[1]][:2] == [BUILD, "Sở Xây dựng"]
    before = "/api/v1/dossiers/figures?from=2025-10-01&to=2025-10-31"
    assert (await bus.call(ONE_STOP, "GET", before)).json()["agencies"] == []
    after = "/api/v1/dossiers/figures?from=2025-11-23&to=2025-11-30"
    (row,) = (await bus.call(ONE_STOP, "GET", after)).json()["agencies"]
    assert (row["carried"], row["received"], row["onTime"], row["late"]) == (2, 0, 1, 1)


async def test_without_a_subscription_the_bus_itself_keeps_the_dossier(bus: Harness) -> None:
    old = Subscription(name="cong-tinh", receivers=("H38.90",))
    await bus.declare("subscription", old, None)
    answer = await put(bus, RECORD)
    assert (answer.status_code, answer.json()["receivers"]) == (202, [])
    assert (await show(bus))["portals"] == []
