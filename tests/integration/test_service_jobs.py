"""Jobs: many questions that the bus asks by itself, and that survive its death."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from lxml import etree

from adapters.faults import Mode
from bus.engine.membership import Membership
from bus.gateway.providing.package import AT_ONCE
from bus.ledger.accesses import subject_hash
from schemas.service import OperationSettings
from tests.integration.gateway_harness import BUILD
from tests.integration.service_harness import (
    LIMITED,
    ONE,
    OPERATIONS,
    OTHER,
    WHY,
    Services,
    calling,
    grant,
)
from tests.integration.service_process import bus_process
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

JOBS = "/api/v1/service-jobs"
PATH = "/services/cong-dan/TraCuu/jobs"
LONG = 120.0
Condition = Callable[[], bool | Awaitable[bool]]


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    """The gateway with its runner, and on the list of the living."""
    async with calling(sqlite_url, tmp_path) as services, working(services):
        yield services


@asynccontextmanager
async def working(on: Services) -> AsyncIterator[None]:
    membership = Membership(on.bus.ledger, {"gateway"})
    membership.start()
    jobs = on.bus.app.state.services.jobs
    jobs.start()
    try:
        yield
    finally:
        await jobs.close()
        await membership.close()


def people(*numbers: str) -> bytes:
    return b"".join(orjson.dumps({"SoDinhDanh": number}) + b"\n" for number in numbers)


async def send(on: Services, content: bytes, client: str = "van-phong", **headers: str) -> Any:
    sent = WHY | {name.replace("_", "-"): value for name, value in headers.items()}
    return await on.bus.call(client, "POST", PATH, content=content, headers=sent)


async def sent(on: Services, content: bytes, client: str = "van-phong") -> str:
    answer = await send(on, content, client)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    assert answer.headers["location"] == f"{JOBS}/{job}"
    return job


async def read(on: Services, job: str, client: str = "van-phong") -> dict[str, Any]:
    answer = await on.bus.call(client, "GET", f"{JOBS}/{job}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def results(
    on: Services, job: str, client: str = "van-phong", after: int = 0
) -> list[dict[str, Any]]:
    answer = await on.bus.call(client, "GET", f"{JOBS}/{job}/results?after={after}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def ended(on: Services, job: str, client: str = "van-phong") -> dict[str, Any]:
    over: Condition = partial(_is_over, on, job, client)
    await wait_until(over, LONG, "the job ends")
    return await read(on, job, client)


async def _is_over(on: Services, job: str, client: str) -> bool:
    return (await read(on, job, client))["state"] in {"done", "cancelled"}


async def test_a_job_is_answered_line_by_line_under_the_rules_of_single_calls(
    on: Services,
) -> None:
    body = people(ONE, "sai", OTHER) + b"{not JSON\n"
    job = await sent(on, body, "so-xay-dung")
    done = await ended(on, job, "so-xay-dung")
    assert (done["total"], done["answered"], done["failed"]) == (4, 4, 2)
    assert done["finishedAt"] < done["expiresAt"]
    lines = await results(on, job, "so-xay-dung")
    assert [(line["number"], line["status"]) for line in lines] == [
        (1, 200),
        (2, 422),
        (3, 200),
        (4, 422),
    ]
    assert lines[0]["reply"]["CongDan"]["HoVaTen"] == "NGUYỄN THỊ MẪU"
    assert lines[0]["reply"]["CongDan"]["NgaySinh"] == {"#withheld": True}
    assert lines[1]["problem"]["adviceVi"]
    assert await results(on, job, "so-xay-dung", after=3) == lines[3:]
    for number in (ONE, OTHER):
        (row,) = await on.bus.ledger.accesses.find(subject=subject_hash(b"key of subjects", number))
        assert (row.client, row.officer, row.outcome) == ("client:so-xay-dung", "CB-01", "answered")
    kept = await on.bus.ledger.jobs.unanswered(job, after=0, limit=9)
    assert kept == []


async def test_only_its_owner_reads_or_cancels_it(on: Services) -> None:
    job = await sent(on, people(ONE))
    await ended(on, job)
    for client in ("so-xay-dung", "huyen", "van-hanh"):
        for method, path in (("GET", ""), ("GET", "/results"), ("POST", "/cancel")):
            answer = await on.bus.call(client, method, f"{JOBS}/{job}{path}")
            assert answer.status_code == 404, (client, path)
            assert "NGUYỄN" not in answer.text
        listed = await on.bus.call(client, "GET", JOBS)
        assert listed.json() == {"items": []}
    own = await on.bus.call("van-phong", "GET", JOBS)
    assert [each["id"] for each in own.json()["items"]] == [job]


async def test_what_cannot_be_a_job_is_refused_at_once(on: Services) -> None:
    assert (await send(on, b"")).status_code == 400
    assert (await send(on, people(ONE), "so-y-te")).status_code == 403
    assert (await send(on, people(ONE) + b"\xff\n")).json()["context"] == {"number": 2}
    many = await send(on, people(*["1"] * 10_001))
    assert (many.status_code, many.json()["code"]) == (413, "too-large")
    dated = await on.bus.call(
        "van-phong", "POST", f"{PATH}?asOf=2026-01-01", content=people(ONE), headers=WHY
    )
    assert dated.json()["code"] == "mode-not-offered"
    assert on.asked == []


async def test_sent_again_under_its_key_it_is_the_first(on: Services) -> None:
    first, again = [await send(on, people(ONE), Idempotency_Key="L-1") for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    other = await send(on, people(OTHER), Idempotency_Key="L-1")
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    await ended(on, first.json()["id"])
    assert len(on.asked) == 1


async def test_a_register_that_is_away_is_waited_for(on: Services) -> None:
    await on.register.set(Mode.BUSY)
    job = await sent(on, people(ONE, OTHER))
    await wait_until(lambda: on.register.asked, LONG, "it was tried")
    assert (await read(on, job))["answered"] == 0
    await on.register.set(Mode.OK)
    assert (await ended(on, job))["failed"] == 0


async def test_a_cancelled_job_asks_no_more(on: Services) -> None:
    on.register.gate = asyncio.Event()
    job = await sent(on, people(*[ONE] * 20))
    await wait_until(lambda: on.register.busy == AT_ONCE, LONG, "it has begun")
    answer = await on.bus.call("van-phong", "POST", f"{JOBS}/{job}/cancel")
    assert answer.json()["state"] == "cancelled"
    on.register.gate.set()
    await wait_until(lambda: not on.bus.app.state.services.jobs._running, LONG, "it was let go")
    assert len(on.asked) == AT_ONCE
    assert await results(on, job) == []


async def test_rights_that_end_count_for_what_is_left(on: Services) -> None:
    on.register.gate = asyncio.Event()
    job = await sent(on, people(*[ONE] * 10), "so-xay-dung")
    await wait_until(lambda: on.register.busy == AT_ONCE, LONG, "it has begun")
    held = grant(BUILD, fields=LIMITED)
    await on.bus.declare("grant", held, held.model_copy(update={"suspended": True}))
    on.register.gate.set()
    assert (await ended(on, job, "so-xay-dung"))["failed"] == 10 - AT_ONCE
    lines = await results(on, job, "so-xay-dung")
    assert {line["problem"]["code"] for line in lines if "problem" in line} == {"forbidden"}


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_kill_9_asks_again_only_what_had_no_answer(sqlite_url: str, tmp_path: Path) -> None:
    """Of two jobs: one whose questions may be asked again, and one whose may not."""
    operations = OPERATIONS | {"Dem": OperationSettings(idempotent=False)}
    numbers = [f"0010990{place:05}" for place in range(14)]
    communes = [f"xa-{place:02}" for place in range(14)]
    async with calling(sqlite_url, tmp_path, operations=operations, timeout=300) as on:
        on.register.free = 8
        on.register.gate = asyncio.Event()
        again = await sent(on, people(*numbers))
        places = b"".join(orjson.dumps({"Xa": each}) + b"\n" for each in communes)
        path = "/services/cong-dan/Dem/jobs"
        once = (await on.bus.call("van-phong", "POST", path, content=places)).json()["id"]

        with bus_process(sqlite_url, tmp_path, data_subjects="key of subjects"):
            cut: Condition = partial(_is_stuck, on, (again, once))
            await wait_until(cut, LONG, "some are answered, the next are in hand")
        cut_people = await in_hand(on, again, numbers)
        cut_communes = await in_hand(on, once, communes)
        on.register.gate.set()
        with bus_process(sqlite_url, tmp_path, data_subjects="key of subjects"):
            await ended(on, again)
            done = await ended(on, once)

        asked = Counter(told(on, "SoDinhDanh"))
        assert asked == Counter(numbers) + Counter(cut_people)
        assert [line["number"] for line in await results(on, again)] == list(range(1, 15))
        assert Counter(told(on, "Xa")) == Counter(communes), "none was asked a second time"
        lines = await results(on, once)
        assert [communes[line["number"] - 1] for line in lines if "problem" in line] == cut_communes
        assert {line["status"] for line in lines} == {200, 504}
        assert done["failed"] == AT_ONCE


async def _is_stuck(on: Services, jobs: tuple[str, ...]) -> bool:
    answered = sum([(await read(on, each))["answered"] for each in jobs])
    return on.register.busy == len(jobs) * AT_ONCE and answered == 8


async def in_hand(on: Services, job: str, subjects: list[str]) -> list[str]:
    """Those of a killed process's questions that were asked and had no answer."""
    rows = await on.bus.ledger.jobs.lines(job, after=0, limit=len(subjects))
    begun = sum(line is not None for _, line in rows) + AT_ONCE
    return [subjects[number - 1] for number, line in rows[:begun] if line is None]


def told(on: Services, element: str) -> list[str]:
    """What the register was asked about."""
    found = (etree.fromstring(body).findtext(f".//{{*}}{element}") for body in on.register.arrived)
    return [str(text) for text in found if text is not None]
