"""Packages: many questions in one request, each under the rules of a single call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus.gateway.providing.package import AT_ONCE, MAX_QUESTIONS
from bus.ledger.accesses import subject_hash
from tests.integration.service_harness import (
    ONE,
    OPERATIONS,
    OTHER,
    WHY,
    Services,
    calling,
)
from tests.waiting import wait_until

PATH = "/services/cong-dan/TraCuu/package"
HIDDEN = {"#withheld": True}
NOBODY = "001000000009"


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    async with calling(sqlite_url, tmp_path) as services:
        yield services


def question(number: str) -> dict[str, str]:
    return {"SoDinhDanh": number}


def ndjson(*questions: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in questions)


async def ask(
    on: Services, content: bytes, client: str = "van-phong", path: str = PATH, **headers: str
) -> Any:
    sent = WHY | {name.replace("_", "-"): value for name, value in headers.items()}
    return await on.bus.call(client, "POST", path, content=content, headers=sent)


def told(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def test_each_question_has_its_answer_in_order(on: Services) -> None:
    wrong = {"SoDinhDanh": "không phải số"}
    body = ndjson(question(ONE), wrong, question(OTHER)) + b"{not json\n\n" + ndjson(question(ONE))
    lines = told(await ask(on, body))
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["status"] for line in lines] == [200, 422, 200, 422, 200]
    names = [lines[place]["reply"]["CongDan"]["HoVaTen"] for place in (0, 2, 4)]
    assert names == ["NGUYỄN THỊ MẪU", "TRẦN VĂN THỬ", "NGUYỄN THỊ MẪU"]
    problem = lines[1]["problem"]
    assert problem["code"] == "contract-mismatch"
    assert problem["adviceVi"]
    assert "không phải số" not in orjson.dumps(problem).decode(), "values are personal"
    assert sorted(on.asked) == ["TraCuu"] * 3, "what is against the contract never left"


async def test_an_array_is_a_package_too(on: Services) -> None:
    body = orjson.dumps([question(ONE), question(OTHER)], option=orjson.OPT_INDENT_2)
    assert [line["status"] for line in told(await ask(on, body))] == [200, 200]


async def test_rights_and_journal_are_those_of_single_calls(on: Services) -> None:
    lines = told(await ask(on, ndjson(question(ONE), question(OTHER)), "so-xay-dung"))
    citizen = lines[0]["reply"]["CongDan"]
    assert citizen["HoVaTen"] == "NGUYỄN THỊ MẪU"
    assert citizen["NgaySinh"] == HIDDEN
    for number in (ONE, OTHER):
        (row,) = await on.bus.ledger.accesses.find(subject=subject_hash(b"key of subjects", number))
        assert (row.agency, row.officer, row.outcome) == ("H38.02", "CB-01", "answered")
    refused = await ask(on, ndjson(question(ONE)), "so-y-te")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    nameless = await on.bus.call("van-phong", "POST", PATH, content=ndjson(question(ONE)))
    assert nameless.status_code == 400
    assert len(on.asked) == 2


async def test_a_package_has_a_limit_and_something_in_it(on: Services) -> None:
    many = await ask(on, ndjson(*[question(ONE)] * (MAX_QUESTIONS + 1)))
    assert (many.status_code, many.json()["code"]) == (413, "too-large")
    assert many.json()["context"]["limit"] == MAX_QUESTIONS
    for empty in (b"", b"\n \n", b"[]"):
        assert (await ask(on, empty)).status_code == 400
    assert on.asked == []


async def test_a_single_call_gets_in_between(on: Services) -> None:
    """One place: the package waits for it with its next questions, and others have their turn."""
    await on.declare(concurrency=1, operations=OPERATIONS)
    on.register.gate = asyncio.Event()
    package = asyncio.create_task(ask(on, ndjson(*[question(ONE)] * 20)))
    await wait_until(lambda: _waiting(on) == AT_ONCE - 1, 60, "its next questions wait")
    single = asyncio.create_task(on.call("Dem", {"Xa": "Suối Mẫu"}, client="so-y-te"))
    own = asyncio.create_task(on.call("Dem", {"Xa": "Suối Mẫu"}))
    await wait_until(lambda: _waiting(on) == AT_ONCE + 1, 60, "the single calls wait, too")
    on.register.gate.set()
    assert (await single).status_code == (await own).status_code == 200
    assert [line["status"] for line in told(await package)] == [200] * 20
    assert on.asked.index("Dem") <= 2, "another caller's turn comes at once"
    assert on.asked[-1] == "TraCuu", "the caller's own comes before its package ends"
    assert on.register.most_busy == 1


def _waiting(on: Services) -> int:
    """Calls that have no place yet."""
    guard = on.bus.app.state.services.calls._guards.of(on.service)
    return sum(map(len, guard._slots._waiting.values()))


async def test_a_package_keeps_to_its_allowance(on: Services) -> None:
    await on.declare(caller_rate=20, operations=OPERATIONS)  # 40 at once, then 20 a second
    lines = told(await ask(on, ndjson(*[question(ONE)] * 45)))
    assert [line["status"] for line in lines] == [200] * 45


async def test_what_there_was_no_time_for_is_told(on: Services) -> None:
    on.register.gate = asyncio.Event()
    answer = await ask(on, ndjson(*[question(ONE)] * 6), Lgsp_Timeout="0.3")
    on.register.gate.set()
    lines = told(answer)
    assert {line["status"] for line in lines} == {504}
    assert "hết thời gian" in lines[-1]["problem"]["detailVi"].lower()


async def test_as_of_is_refused_where_it_is_not_offered(on: Services) -> None:
    for path in (PATH, "/services/cong-dan/TraCuu"):
        answer = await ask(on, ndjson(question(ONE)), path=f"{path}?asOf=2026-01-31")
        assert (answer.status_code, answer.json()["code"]) == (400, "mode-not-offered")
        assert "theo thời điểm" in answer.json()["detailVi"]
        assert "administrator" in answer.json()["adviceEn"]
        wrong = await ask(on, ndjson(question(ONE)), path=f"{path}?asOf=31/01/2026")
        assert wrong.json()["code"] == "invalid-request"
    assert on.asked == []


AS_OF = {
    "TraCuu": OPERATIONS["TraCuu"].model_copy(update={"as_of": "Ngay"}),
    "Dem": OPERATIONS["Dem"].model_copy(update={"as_of": "Ngay"}),
}


async def test_as_of_tells_how_it_was_on_that_day(on: Services) -> None:
    """The citizen moved on 2025-07-01."""
    await on.declare(operations=AS_OF)
    for asked, commune in (
        ("?asOf=2025-06-30", "Nậm Khao"),
        ("?asOf=2025-07-01", "Suối Mẫu"),
        ("", "Suối Mẫu"),
    ):
        answer = await ask(on, ndjson(question(ONE)), path=f"/services/cong-dan/TraCuu{asked}")
        assert answer.json()["CongDan"]["DiaChi"]["Xa"] == commune, asked
        (line,) = told(await ask(on, ndjson(question(ONE)), path=f"{PATH}{asked}"))
        assert line["reply"]["CongDan"]["DiaChi"]["Xa"] == commune, asked
    path = "/services/cong-dan/Dem/package?asOf=2020-01-01"
    lines = told(await ask(on, ndjson({"Xa": "Suối Mẫu"}, {"Xa": "Nậm Khao"}), path=path))
    assert [line["reply"]["So"] for line in lines] == [1, 2], "with LÒ THỊ VÍ DỤ"
    wrong = await ask(on, ndjson(question(ONE)), path="/services/cong-dan/TraCuu?asOf=2025-02-30")
    assert wrong.json()["code"] == "invalid-request"
    described = (await on.bus.http.get("/services/cong-dan/openapi.json")).json()["paths"]
    for way in ("", "/package"):
        names = {p["name"] for p in described[f"/services/cong-dan/Dem{way}"]["post"]["parameters"]}
        assert "asOf" in names
