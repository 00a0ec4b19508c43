"""Following dossiers: pull with a cursor, the stream, live totals; who may see whose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from bus.gateway import event_stream, feed
from bus.gateway.limits import GatewayLimits
from bus.ops import dossier_figures
from schemas import instant
from schemas.province import Agency, Client, Endpoint, Subscription
from tests.integration.gateway_harness import BUILD, DISTRICT, Harness, opened, served
from tests.integration.test_gateway_dossiers import RECORD, STEP
from tests.waiting import wait_until

MAIN = Client(id="cong-tinh", roles=("subscriber",), follows=("*",), rate=1e4, burst=10_000)
MEMBER = Client(
    id="cong-huyen", roles=("subscriber",), follows=("H38.30*",), rate=1e4, burst=10_000
)
PERSONAL = ("Bí Mật", "Đề nghị cấp phép", "Tiếp nhận hồ sơ")
"""Of the applicant, of what somebody wrote."""


@pytest.fixture
def limits() -> GatewayLimits:
    return GatewayLimits()


@pytest.fixture
async def bus(ledger_url: str, tmp_path: Path, limits: GatewayLimits) -> AsyncIterator[Harness]:
    async with opened(ledger_url, tmp_path, limits=limits) as harness:
        await harness.declare("endpoint", None, Endpoint(name="cong", kind="mailbox"))
        await harness.declare("agency", None, Agency(code="H38.90", name="Cổng", endpoint="cong"))
        await harness.declare(
            "subscription", None, Subscription(name="cong-tinh", receivers=("H38.90",))
        )
        for client in (MAIN, MEMBER):
            await harness.declare("client", None, client)
            harness.keys[client.id] = await harness.ledger.identities.add_key(
                client.id, expires_at=None, clock=instant.now
            )
        yield harness


async def tell(bus: Harness, agency: str, number: int, steps: int = 1) -> str:
    """A dossier of that agency with its first steps; its code."""
    code = f"{agency}-251102-{number:04d}"
    client = "so-xay-dung" if agency == BUILD else "huyen"
    record = RECORD | {"code": code, "agency": agency}
    answer = await bus.call(client, "PUT", f"/api/v1/dossiers/{code}", json=record)
    assert answer.status_code == 202, answer.text
    for each in range(steps):
        step = STEP | {"code": code, "id": f"B{each + 1}"}
        answer = await bus.call(client, "POST", f"/api/v1/dossiers/{code}/steps", json=step)
        assert answer.status_code == 202, answer.text
    return code


async def pull(bus: Harness, client: str, **query: Any) -> dict[str, Any]:
    answer = await bus.call(client, "GET", "/api/v1/dossiers/events", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def marks(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(code, step id), and (code, "") for records."""
    return [(each["code"], each["data"]["id"] if each["kind"] == "step" else "") for each in events]


# ---- pull


async def test_a_subscriber_pulls_everything_in_order_and_nothing_personal(bus: Harness) -> None:
    codes = [await tell(bus, BUILD, number, steps=2) for number in range(3)]
    seen: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": "0", "more": True}
    while page["more"]:
        page = await pull(bus, MAIN.id, after=page["next"], limit=2)
        seen += page["events"]
    assert marks(seen) == [(code, mark) for code in codes for mark in ("", "B1", "B2")]
    assert [int(each["cursor"]) for each in seen] == list(range(1, 10))
    assert page["next"] == "9"
    assert not any(text in str(seen) for text in PERSONAL)
    first = seen[0]
    assert (first["kind"], first["agency"], first["data"]["statusVi"]) == (
        "dossier",
        BUILD,
        "Được tiếp nhận",
    )
    assert (await pull(bus, MAIN.id, after="9"))["events"] == []
    code = await tell(bus, BUILD, 9, steps=0)
    assert marks((await pull(bus, MAIN.id, after="9"))["events"]) == [(code, "")]


async def test_a_member_site_sees_its_agencies_and_goes_past_the_others(bus: Harness) -> None:
    await tell(bus, BUILD, 1)
    ours = await tell(bus, DISTRICT, 1)
    below = await tell(bus, "H38.30.07", 1)
    await tell(bus, BUILD, 2)
    page = await pull(bus, MEMBER.id)
    assert marks(page["events"]) == [(ours, ""), (ours, "B1"), (below, ""), (below, "B1")]
    assert (page["next"], page["more"]) == ("8", False)
    assert marks((await pull(bus, "so-y-te"))["events"]) == []
    assert len((await pull(bus, "huyen"))["events"]) == 4, "an agency follows its own"
    assert len((await pull(bus, "van-hanh"))["events"]) == 8
    assert (await bus.call(None, "GET", "/api/v1/dossiers/events")).status_code == 401


async def test_few_events_among_many_are_found_in_bounded_looks(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SCAN", 4)
    for number in range(5):
        await tell(bus, BUILD, number)
    ours = await tell(bus, DISTRICT, 1)
    page = await pull(bus, MEMBER.id)
    assert (page["events"], page["next"], page["more"]) == ([], "4", True)
    page = await pull(bus, MEMBER.id, after="8")
    assert (marks(page["events"]), page["more"]) == ([(ours, ""), (ours, "B1")], True)


async def test_a_subscriber_may_neither_send_nor_read_dossiers(bus: Harness) -> None:
    code = await tell(bus, BUILD, 1)
    answer = await bus.call(
        MAIN.id, "PUT", f"/api/v1/dossiers/{code}", json=RECORD | {"code": code}
    )
    assert answer.status_code == 403
    assert (await bus.call(MAIN.id, "GET", f"/api/v1/dossiers/{code}")).status_code == 404
    assert (await bus.call(MAIN.id, "GET", "/api/v1/dossiers")).json()["items"] == []


async def test_a_cursor_that_nobody_gave_is_refused_with_what_to_do(bus: Harness) -> None:
    await tell(bus, BUILD, 1)
    assert (await pull(bus, MAIN.id, after="now"))["events"] == []
    for cursor, says in (("x", "không hợp lệ"), ("-1", "không hợp lệ"), ("3", "khôi phục")):
        answer = await bus.call(MAIN.id, "GET", "/api/v1/dossiers/events", params={"after": cursor})
        assert answer.status_code == 400
        assert says in answer.text


# ---- stream


class Stream:
    """What a client of the stream sees."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.last_id = ""
        self.heartbeats = 0
        self.ended = False

    async def read(self, content: aiohttp.StreamReader) -> None:
        """As the standard has it: fields up to an empty line are one event."""
        fields: dict[str, str] = {}
        async for raw in content:
            line = raw.decode().rstrip("\n")
            name, _, value = line.partition(":")
            if line:
                self.heartbeats += not name
                fields[name] = value.removeprefix(" ")
                continue
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                event = orjson.loads(fields["data"])
                assert (event["cursor"], event["kind"]) == (fields["id"], fields["event"])
                self.events.append(event)
            fields = {}
        self.ended = True


@asynccontextmanager
async def following(
    bus: Harness, url: str, client: str, after: str | None = None, last_id: str = ""
) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {await bus.token(client)}"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    stream = Stream()
    async with aiohttp.ClientSession() as http:
        params = {"after": after} if after is not None else {}
        address = f"{url}/api/v1/dossiers/events/stream"
        async with http.get(address, headers=headers, params=params) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            reading = asyncio.create_task(stream.read(answer.content))
            try:
                yield stream
            finally:
                reading.cancel()
                await asyncio.wait({reading})


async def test_a_stream_tells_what_was_and_what_comes_and_resumes(bus: Harness) -> None:
    async with served(bus.app) as url:
        first = await tell(bus, BUILD, 1)
        async with following(bus, url, MAIN.id) as stream:
            await wait_until(lambda: len(stream.events) == 2, what="what was there before")
            second = await tell(bus, BUILD, 2)
            await wait_until(lambda: len(stream.events) == 4, what="what came")
        missed = await tell(bus, BUILD, 3)
        async with following(bus, url, MAIN.id, after="now", last_id=stream.last_id) as again:
            await wait_until(lambda: len(again.events) == 2, what="what was missed")
            async with following(bus, url, MAIN.id, after="now") as late:
                fourth = await tell(bus, BUILD, 4, steps=0)
                await wait_until(lambda: late.events, what="what comes after now")
            assert marks(late.events) == [(fourth, "")]
        told = marks(stream.events + again.events[:2])
        assert told == [(code, m) for code in (first, second, missed) for m in ("", "B1")]
        assert not any(text in str(stream.events) for text in PERSONAL)


async def test_many_streams_are_fed_by_one_reader(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    said = bus.ledger.events.said

    async def counted(message_ids: Any) -> Any:
        nonlocal reads
        reads += 1
        return await said(message_ids)

    monkeypatch.setattr(bus.ledger.events, "said", counted)
    async with served(bus.app) as url:
        streams: list[Stream] = []
        leave = asyncio.Event()

        async def watch(client: str) -> None:
            async with following(bus, url, client, after="now") as stream:
                streams.append(stream)
                await leave.wait()

        await bus.token(MAIN.id)
        await bus.token(MEMBER.id)
        tasks = [asyncio.create_task(watch(each)) for each in (MAIN.id, MEMBER.id) * 30]
        await wait_until(lambda: len(streams) == 60, what="all connected")
        codes = [await tell(bus, agency, n) for n in range(5) for agency in (BUILD, DISTRICT)]
        await wait_until(
            lambda: sum(len(each.events) for each in streams) == 30 * (20 + 10),
            what="everything at everybody",
        )
        whole = max(streams, key=lambda each: len(each.events))
        assert marks(whole.events) == [(code, mark) for code in codes for mark in ("", "B1")]
        assert reads <= 20, "the ledger is read once for all of them"
        leave.set()
        await asyncio.gather(*tasks)
        await wait_until(lambda: bus.app.state.services.feed._watch is None, what="the reader gone")


async def test_silence_is_broken_by_heartbeats_that_move_the_cursor(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.05)
    async with served(bus.app) as url, following(bus, url, MEMBER.id) as stream:
        await tell(bus, BUILD, 1)
        await wait_until(lambda: stream.last_id == "2", what="the cursor past what is others'")
        assert stream.heartbeats
        assert stream.events == []


async def test_whoever_is_far_behind_reads_for_itself(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEPT", 2)
    monkeypatch.setattr(feed, "BATCH", 3)
    async with served(bus.app) as url, following(bus, url, MAIN.id) as ahead:
        for number in range(10):
            await tell(bus, BUILD, number)
        await wait_until(lambda: len(ahead.events) == 20, what="everything")
        assert len(bus.app.state.services.feed._kept) <= 2 * 2 + 3
        async with following(bus, url, MAIN.id) as behind:
            await wait_until(lambda: len(behind.events) == 20, what="everything from the start")
        assert behind.events == ahead.events


async def test_a_client_that_does_not_read_is_dropped_and_misses_nothing(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told so much that neither the server nor the network can hold it."""
    monkeypatch.setattr(event_stream, "SLOW", 0.2)
    services = bus.app.state.services
    big = b'"' + b"x" * 100_000 + b'"'

    async def fat(places: Any) -> Any:
        return [feed.Event(p.position, p.sender, p.kind, big) for p in places]

    for number in range(4):
        await tell(bus, BUILD, number, steps=50)
    monkeypatch.setattr(services.feed, "_events", fat)
    token = await bus.token(MAIN.id)
    async with served(bus.app) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(
            b"GET /api/v1/dossiers/events/stream HTTP/1.1\r\nHost: bus\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
        )
        await reader.readline()
        await wait_until(lambda: services.feed._streams == 1, what="the stream")
        await wait_until(lambda: services.feed._streams == 0, what="the client dropped")
        writer.close()
        monkeypatch.undo()
        async with following(bus, url, MAIN.id) as stream:
            await wait_until(lambda: len(stream.events) == 204, what="everything")


async def test_a_suspended_client_hears_nothing_more(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.05)
    async with served(bus.app) as url, following(bus, url, MAIN.id) as stream:
        await wait_until(lambda: stream.heartbeats, what="the stream")
        stopped = MAIN.model_copy(update={"suspended": True})
        await bus.declare("client", MAIN, stopped)
        await wait_until(lambda: stream.ended, what="its end")


async def test_streams_end_when_the_gateway_closes(bus: Harness) -> None:
    async with served(bus.app) as url, following(bus, url, MAIN.id) as stream:
        await wait_until(lambda: bus.app.state.services.feed._streams == 1, what="the stream")
        await bus.app.state.services.feed.close()
        await wait_until(lambda: stream.ended, what="its end")
        answer = await bus.call(MAIN.id, "GET", "/api/v1/dossiers/events/stream")
        assert answer.status_code == 503


@pytest.mark.parametrize("limits", [GatewayLimits(max_streams=1)])
async def test_there_are_only_so_many_streams(bus: Harness) -> None:
    async with served(bus.app) as url, following(bus, url, MAIN.id):
        await wait_until(lambda: bus.app.state.services.feed._streams == 1, what="the stream")
        answer = await bus.call(MAIN.id, "GET", "/api/v1/dossiers/events/stream")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0


# ---- totals


async def test_totals_count_what_each_may_see_and_are_not_counted_for_every_caller(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = instant.to_iso(instant.now())
    for agency, client in ((BUILD, "so-xay-dung"), (DISTRICT, "huyen")):
        code = f"{agency}-261101-0001"
        record = RECORD | {"code": code, "agency": agency, "received": today, "due": None}
        answer = await bus.call(client, "PUT", f"/api/v1/dossiers/{code}", json=record)
        assert answer.status_code == 202, answer.text
        for number, score in enumerate((1, 2, 3) if agency == BUILD else (3,)):
            rating: dict[str, Any] = {"id": f"DG-{number}", "code": code, "agency": agency}
            rating |= {"score": score, "at": today}
            answer = await bus.call(client, "POST", "/api/v1/flows/rating", json=rating)
            assert answer.status_code == 202, answer.text
    counts = 0
    of_period = dossier_figures.of_period

    async def counted(*args: Any, **given: Any) -> Any:
        nonlocal counts
        counts += 1
        return await of_period(*args, **given)

    monkeypatch.setattr(dossier_figures, "of_period", counted)
    answers = await asyncio.gather(
        *(bus.call(c, "GET", "/api/v1/dossiers/totals") for c in (MAIN.id, MEMBER.id) * 5)
    )
    whole, part = answers[0].json(), answers[1].json()
    assert counts == 1
    assert [row["agency"] for row in whole["agencies"]] == sorted((BUILD, DISTRICT))
    assert (whole["total"]["received"], whole["total"]["open"]) == (2, 2)
    assert [row["name"] for row in part["agencies"]] == ["UBND huyện Mẫu"]
    assert part["total"]["received"] == 1
    assert [row["satisfiedPercent"] for row in whole["agencies"]] == [66, 0]
    assert (whole["total"]["satisfiedPercent"], part["total"]["satisfiedPercent"]) == (50, 0)
    assert whole["total"]["onlinePercent"] == 100
    tables = [
        await bus.call(c, "GET", "/api/v1/dossiers/totals", params={"format": kind})
        for c, kind in ((MAIN.id, "csv"), (MEMBER.id, "csv"), (MEMBER.id, "xlsx"))
    ]
    head, first, *_, last = tables[0].content.decode().splitlines()
    assert head.endswith("Tỷ lệ hài lòng (%) / Content (%)")
    assert (first.rsplit(",", 1)[1], last.rsplit(",", 1)[1]) == ("66", "50")
    assert BUILD not in tables[1].content.decode()
    assert tables[2].content.startswith(b"PK")
    assert counts == 1
    year = await bus.call(MAIN.id, "GET", "/api/v1/dossiers/totals", params={"span": "year"})
    assert year.json()["since"].endswith("-01-01")
