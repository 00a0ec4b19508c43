"""Documents followed at their receivers, through the REST door, on both ledgers."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from bus.engine.arrivals import ArrivalReporter
from bus.ledger.records import Finish
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.province import Endpoint
from schemas.vietnam import day_of
from tests.integration.gateway_harness import BUILD, HEALTH, OFFICE, Harness, opened
from tests.waiting import wait_until

NS = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
OLD_OFFICE = "000.00.01.H38"  # the office's code of before
PUSH = Endpoint(
    name="goi-toi",
    kind="rest-push",
    config={"url": "http://127.0.0.1:9/", "secret": "khoa"},
)


def document(
    number: int,
    to: tuple[str, ...] = (BUILD,),
    *,
    sender: str = OFFICE,
    business: int = 0,
    about: str = "",
    recalls: tuple[tuple[str, str], ...] = (),
    due: str = "",
    document_id: str | None = None,
    subject: str = "V/v rà soát",
) -> bytes:
    """A document packet of this project's own writing; `recalls` are (receiver, document id)."""
    own = identity(number, sender) if document_id is None else document_id
    receivers = "".join(f"<e:To><e:OrganId>{code}</e:OrganId></e:To>" for code in to)
    response = "".join(
        f"<e:ResponseFor><e:OrganId>{code}</e:OrganId><e:Code>{number}/VP</e:Code>"
        f"<e:DocumentId>{name}</e:DocumentId></e:ResponseFor>"
        for code, name in recalls
    )
    named = f"<e:DocumentId>{about}</e:DocumentId>" if about else ""
    deadline = f"<e:DueDate>{due}</e:DueDate>" if due else ""
    return _packet(
        f"<e:From><e:OrganId>{sender}</e:OrganId></e:From>{receivers}"
        f"<e:DocumentId>{own}</e:DocumentId><e:Code><e:CodeNumber>{number}</e:CodeNumber>"
        "<e:CodeNotation>VP</e:CodeNotation></e:Code><e:PromulgationInfo>"
        "<e:PromulgationDate>2026/11/02</e:PromulgationDate></e:PromulgationInfo>"
        f"<e:Subject>{subject}</e:Subject>{deadline}"
        f"<e:OtherInfo><e:Priority>0</e:Priority></e:OtherInfo>{response}",
        f"<e:TraceHeaderList><e:Bussiness><e:BussinessDocType>{business}</e:BussinessDocType>"
        f"{named}</e:Bussiness></e:TraceHeaderList>",
    )


def status(
    code: str,
    number: int,
    *,
    sender: str = BUILD,
    to: str = OFFICE,
    document_id: str | None = None,
    at: str = "2026/11/02 09:00:00",
    note: str = "",
) -> bytes:
    named = identity(number, OFFICE) if document_id is None else document_id
    return _packet(
        f"<e:From><e:OrganId>{sender}</e:OrganId></e:From><e:ResponseFor>"
        f"<e:OrganId>{to}</e:OrganId><e:Code>{number}/VP</e:Code>"
        "<e:PromulgationDate>2026/11/02</e:PromulgationDate>"
        f"<e:DocumentId>{named}</e:DocumentId></e:ResponseFor>"
        f"<e:StatusCode>{code}</e:StatusCode><e:Description>{note}</e:Description>"
        f"<e:Timestamp>{at}</e:Timestamp>",
        "",
    )


def identity(number: int, sender: str = OFFICE) -> str:
    return f"{sender},2026/11/02,{number}/VP"


def _packet(header: str, trace: str) -> bytes:
    return (
        f'<edXML xmlns="{NS}"><e:edXMLEnvelope xmlns:e="{NS}"><e:edXMLHeader>'
        f"<e:MessageHeader>{header}</e:MessageHeader>{trace}"
        "</e:edXMLHeader></e:edXMLEnvelope></edXML>"
    ).encode()


@pytest.fixture
async def bus(ledger_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(ledger_url, tmp_path) as harness:
        yield harness


async def sent(bus: Harness, client: str, packet: bytes) -> dict[str, Any]:
    answer = await bus.send(client, packet)
    assert answer.status_code == 202, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


async def at(bus: Harness, message_id: str, client: str = "van-phong") -> dict[str, dict[str, Any]]:
    answer = await bus.call(client, "GET", f"/api/v1/exchanges/{message_id}")
    assert answer.status_code == 200, answer.text
    return {each["receiver"]: each for each in answer.json()["receivers"]}


async def fetched(bus: Harness, client: str, kind: str = "document") -> list[dict[str, Any]]:
    """Take everything of a kind out of a mailbox, as the receiving system does."""
    taken: list[dict[str, Any]] = []
    while True:  # a listing shows the first of each order key
        items = (await bus.call(client, "GET", "/api/v1/mailbox")).json()["items"]
        found = [item for item in items if item["kind"] == kind]
        if not found:
            return taken
        for item in found:
            path = f"/api/v1/mailbox/{item['deliveryId']}"
            assert (await bus.call(client, "GET", f"{path}/content")).status_code == 200
            ack = {"result": "delivered"}
            assert (await bus.call(client, "POST", f"{path}/ack", json=ack)).status_code == 200
        taken += found


def outcomes(receipt: dict[str, Any]) -> dict[str, str]:
    return {each["code"]: each["outcome"] for each in receipt["receivers"]}


async def test_the_clocks_of_a_document(bus: Harness) -> None:
    """Signed, sent, arrived, accepted, finished; kept for each receiver by itself."""
    receipt = await sent(bus, "van-phong", document(1, (BUILD, HEALTH)))
    message = receipt["messageId"]
    before = await at(bus, message)
    assert {row["state"] for row in before.values()} == {"sent"}
    assert before[BUILD]["promulgated"] == "2026-11-02"
    await fetched(bus, "so-xay-dung")
    await sent(bus, "so-xay-dung", status("03", 1, at="2026/11/02 10:00:00"))
    await sent(bus, "so-xay-dung", status("06", 1, at="2026/11/03 10:00:00"))
    after = await at(bus, message)
    assert after[BUILD]["state"] == "finished"
    assert after[BUILD]["arrivedAt"] is not None
    assert after[BUILD]["acceptedAt"] == "2026-11-02T03:00:00.000000+00:00"
    assert after[BUILD]["finishedAt"] == "2026-11-03T03:00:00.000000+00:00"
    assert after[HEALTH]["state"] == "sent"


async def test_late_repeated_and_regressing_statuses_are_kept_and_undo_nothing(
    bus: Harness,
) -> None:
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    for n, code in enumerate(("05", "03", "05", "06", "01", "02")):
        await sent(bus, "so-xay-dung", status(code, 1, note=str(n)))
    answer = (await bus.call("van-phong", "GET", f"/api/v1/exchanges/{message}")).json()
    assert answer["receivers"][0]["state"] == "finished"
    told = [(each["event"], each["changed"]) for each in answer["events"]]
    # 03 came late: it changes no state, and gives the time of acceptance
    assert told == [
        ("05", True),
        ("03", True),
        ("05", False),
        ("06", True),
        ("01", True),
        ("02", False),
    ]
    assert len(await fetched(bus, "van-phong", "status")) == 6, "every status is delivered"


async def test_a_status_finds_its_document_by_an_old_code_of_its_sender(bus: Harness) -> None:
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    await sent(bus, "so-xay-dung", status("03", 1, to=OLD_OFFICE))
    assert (await at(bus, message))[BUILD]["state"] == "accepted"


async def test_a_status_finds_its_document_by_an_id_written_with_the_old_code(bus: Harness) -> None:
    """The id is not the one sent: number, notation and date still name the document."""
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    old = identity(1, OLD_OFFICE)
    await sent(bus, "so-xay-dung", status("03", 1, to=OLD_OFFICE, document_id=old))
    assert (await at(bus, message))[BUILD]["state"] == "accepted"


async def test_statuses_of_the_same_second_count_in_order_of_arrival(bus: Harness) -> None:
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    for code in ("05", "04", "06"):
        await sent(bus, "so-xay-dung", status(code, 1, note=code))
    answer = (await bus.call("van-phong", "GET", f"/api/v1/exchanges/{message}")).json()
    told = [(each["event"], each["changed"]) for each in answer["events"]]
    assert told == [("05", True), ("04", False), ("06", True)]
    assert answer["receivers"][0]["state"] == "finished"


async def test_a_status_without_an_id_finds_its_document_by_code_and_date(bus: Harness) -> None:
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    await sent(bus, "so-xay-dung", status("03", 1, document_id=""))
    assert (await at(bus, message))[BUILD]["state"] == "accepted"


async def test_a_status_of_somebody_else_changes_nothing(bus: Harness) -> None:
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    await sent(bus, "so-y-te", status("02", 1, sender=HEALTH))
    assert (await at(bus, message))[BUILD]["state"] == "sent"


async def test_the_same_new_document_goes_to_a_receiver_once(bus: Harness) -> None:
    """Uniqueness is (receiver, document); a new receiver of it gets it."""
    first = await sent(bus, "van-phong", document(1))
    again = await sent(bus, "van-phong", document(1, (BUILD, HEALTH), subject="lần hai"))
    assert again["messageId"] != first["messageId"]
    assert outcomes(again) == {BUILD: "already-there", HEALTH: "deliver"}
    assert len(await fetched(bus, "so-xay-dung")) == 1
    assert len(await fetched(bus, "so-y-te")) == 1
    shown = (await bus.call("van-phong", "GET", f"/api/v1/messages/{again['messageId']}")).json()
    assert first["messageId"] in str(shown["decision"]), "and says which message brought it"


async def test_the_same_document_at_once_goes_once(bus: Harness) -> None:
    await bus.token("van-phong")
    packets = [document(1, subject=f"bản {n}") for n in range(12)]
    receipts = await asyncio.gather(*(sent(bus, "van-phong", each) for each in packets))
    assert sorted(outcomes(each)[BUILD] for each in receipts) == ["already-there"] * 11 + [
        "deliver"
    ]
    assert len(await fetched(bus, "so-xay-dung")) == 1


async def test_a_refused_document_may_be_sent_again(bus: Harness) -> None:
    await sent(bus, "van-phong", document(1))
    await fetched(bus, "so-xay-dung")
    await sent(bus, "so-xay-dung", status("02", 1, note="gửi nhầm"))
    again = await sent(bus, "van-phong", document(1, subject="sửa lại"))
    assert outcomes(again) == {BUILD: "deliver"}


async def test_an_update_is_linked_and_is_no_duplicate(bus: Harness) -> None:
    message = (await sent(bus, "van-phong", document(1)))["messageId"]
    update = await sent(bus, "van-phong", document(1, business=2, about=identity(1)))
    assert outcomes(update) == {BUILD: "deliver"}
    answer = (await bus.call("van-phong", "GET", f"/api/v1/exchanges/{message}")).json()
    assert [(e["event"], e["toldBy"]) for e in answer["events"]] == [
        ("update", update["messageId"])
    ]


@pytest.mark.parametrize("way", ["status 13", "packet of type 1"])
async def test_a_recall_of_what_has_not_left_cancels_it_inside(bus: Harness, way: str) -> None:
    message = (await sent(bus, "van-phong", document(1, (BUILD, HEALTH))))["messageId"]
    await fetched(bus, "so-y-te")  # there it has left
    if way == "status 13":
        recalls = [
            await sent(bus, "van-phong", status("13", 1, sender=OFFICE, to=to))
            for to in (BUILD, HEALTH)
        ]
        told = outcomes(recalls[0]) | outcomes(recalls[1])
    else:
        packet = document(
            2,
            (BUILD, HEALTH),
            business=1,
            recalls=((BUILD, identity(1)), (HEALTH, identity(1))),
        )
        told = outcomes(await sent(bus, "van-phong", packet))
    assert told == {BUILD: "stopped", HEALTH: "deliver"}
    rows = await at(bus, message)
    assert (rows[BUILD]["state"], rows[BUILD]["recall"]) == ("cancelled", "agreed")
    assert (rows[HEALTH]["state"], rows[HEALTH]["recall"]) == ("arrived", "asked")
    items = (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox")).json()["items"]
    assert items == [], "neither the document nor its recall reaches who never had it"
    kind = "status" if way == "status 13" else "document"
    assert len(await fetched(bus, "so-y-te", kind)) == 1, "the recall goes where the document is"
    await sent(bus, "so-y-te", status("15", 1, sender=HEALTH))
    assert (await at(bus, message))[HEALTH]["state"] == "recalled"


async def test_what_was_fetched_and_not_acknowledged_has_left(bus: Harness) -> None:
    await sent(bus, "van-phong", document(1))
    (item,) = (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox")).json()["items"]
    await bus.call("so-xay-dung", "GET", f"/api/v1/mailbox/{item['deliveryId']}/content")
    recall = await sent(bus, "van-phong", status("13", 1, sender=OFFICE, to=BUILD))
    assert outcomes(recall) == {BUILD: "deliver"}


async def test_a_recall_against_a_worker_is_one_or_the_other(bus: Harness) -> None:
    """Each document either left, and its recall goes too, or was stopped: never both or neither."""
    await bus.declare("endpoint", None, PUSH)
    build = next(a for a in _agencies(bus) if a.code == BUILD)
    await bus.declare("agency", build, build.model_copy(update={"endpoint": PUSH.name}))
    count = 40
    messages = [
        (await sent(bus, "van-phong", document(n)))["messageId"] for n in range(1, count + 1)
    ]
    ledger = bus.ledger
    left: set[str] = set()

    async def work() -> None:
        while True:
            heads = await ledger.read_heads([PUSH.name], 5)
            for claimed in await ledger.claim([head.id for head in heads]):
                if claimed.kind == "document":
                    left.add(claimed.message_id)
                done = Outcome(Result.DELIVERED)
                await ledger.finish(Finish(claimed, DeliveryState.DELIVERED, done))
            await asyncio.sleep(0)

    worker = asyncio.create_task(work())
    recalls = await asyncio.gather(
        *(
            sent(bus, "van-phong", status("13", n, sender=OFFICE, to=BUILD))
            for n in range(count, 0, -1)
        )
    )

    async def quiet() -> bool:
        return not await ledger.read_heads([PUSH.name], 1)

    _: bool = await wait_until(quiet, 30, "everything to leave")
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    stopped = 0
    for message, recall in zip(messages, reversed(recalls), strict=True):
        row = (await at(bus, message))[BUILD]
        if outcomes(recall)[BUILD] == "stopped":
            stopped += 1
            assert row["state"] == "cancelled"
            assert message not in left
        else:
            assert row["state"] == "arrived"
            assert message in left
    assert stopped + len(left) == count


def _agencies(bus: Harness) -> Any:
    return [bus.live.snapshot.directory.get(code) for code in (BUILD,)]


async def test_the_bus_reports_arrivals_for_systems_that_do_not(bus: Harness) -> None:
    """Status 01 on behalf of the receiver: once, through the normal path, and no second one."""
    mail = bus.live.snapshot.endpoints["hop-thu"]
    await bus.declare("endpoint", mail, mail.model_copy(update={"reports_arrival": False}))
    first = (await sent(bus, "van-phong", document(1)))["messageId"]
    await sent(bus, "van-phong", document(2))
    await fetched(bus, "so-xay-dung")
    await sent(bus, "so-xay-dung", status("01", 2))  # this one told it itself after all
    reporters = [ArrivalReporter(bus.app.state.services.deps.acceptor) for _ in range(2)]
    for reporter in reporters:
        reporter.start()

    async def all_reported() -> bool:
        return not await bus.ledger.exchanges.unreported(limit=10)

    _: bool = await wait_until(all_reported, 20, "arrivals to be reported")
    for reporter in reporters:
        await reporter.close()
    statuses = await fetched(bus, "van-phong", "status")
    assert sorted(each["documentId"] for each in statuses) == [identity(1), identity(2)]
    answer = (await bus.call("van-phong", "GET", f"/api/v1/exchanges/{first}")).json()
    assert [each["event"] for each in answer["events"]] == ["01"]


async def test_each_sees_its_own_documents_only(bus: Harness) -> None:
    message = (await sent(bus, "van-phong", document(1, (BUILD, HEALTH))))["messageId"]
    assert set(await at(bus, message)) == {BUILD, HEALTH}
    assert set(await at(bus, message, "so-y-te")) == {HEALTH}
    assert set(await at(bus, message, "van-hanh")) == {BUILD, HEALTH}
    hidden = await bus.call("huyen", "GET", f"/api/v1/exchanges/{message}")
    assert hidden.status_code == 404
    for path in ("/api/v1/exchanges", "/api/v1/tasks"):
        assert (await bus.call("huyen", "GET", path)).json()["items"] == []
    listed = (await bus.call("so-y-te", "GET", "/api/v1/exchanges?side=received")).json()["items"]
    assert [each["receiver"] for each in listed] == [HEALTH]
    other = await bus.call("so-y-te", "GET", f"/api/v1/tasks?agency={BUILD}")
    assert other.status_code == 403


async def test_pages_of_documents_hold_each_once(bus: Harness) -> None:
    for number in range(1, 6):
        await sent(bus, "van-phong", document(number, (BUILD, HEALTH)))
    seen, cursor = [], None
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await bus.call("van-phong", "GET", "/api/v1/exchanges", params=query)).json()
        seen += [(each["documentId"], each["receiver"]) for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 10


async def test_tasks_and_the_figures_of_a_period(bus: Harness) -> None:
    """Early, on time, late, open, overdue: each a document of its own."""
    finished = {1: "2026/11/19", 2: "2026/11/20", 3: "2026/11/21"}
    for number, due in ((1, "2026/11/20"), (2, "2026/11/20"), (3, "2026/11/20")):
        await sent(bus, "van-phong", document(number, due=due))
        at_night = f"{finished[number]} 23:30:00"
        await sent(bus, "so-xay-dung", status("06", number, at=at_night))
    await sent(bus, "van-phong", document(4, due="2026/01/05"))
    await sent(bus, "van-phong", document(5, due="2099/01/05"))
    await sent(bus, "van-phong", document(6))  # no task
    for state, numbers in (("done", {1, 2, 3}), ("overdue", {4}), ("open", {5})):
        items = (await bus.call("so-xay-dung", "GET", f"/api/v1/tasks?state={state}")).json()
        assert {each["documentCode"] for each in items["items"]} == {f"{n}/VP" for n in numbers}
    path = f"/api/v1/reports/documents?period={day_of(bus.ledger.clock()).year}"
    (row,) = (await bus.call("so-xay-dung", "GET", path)).json()["agencies"]
    counted = {name: row[name] for name in ("received", "tasks", "open", "overdue")}
    assert counted == {"received": 6, "tasks": 5, "open": 1, "overdue": 1}
    done = (row["doneEarly"], row["doneOnTime"], row["doneLate"])
    assert done == (1, 1, 1)
    text = (await bus.call("so-xay-dung", "GET", f"{path}&format=csv")).content
    table = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    assert table[1][:3] == [BUILD, "Sở Xây dựng", "6"]
    book = await bus.call("so-xay-dung", "GET", f"{path}&format=xlsx")
    (sheet,) = load_workbook(io.BytesIO(book.content)).worksheets
    lines = [["" if cell is None else str(cell) for cell in line] for line in sheet.values]
    assert lines == table


async def test_a_replaced_document_is_no_task_any_more(bus: Harness) -> None:
    """The replacement's own due day counts; what was finished before stays finished."""
    for number in (1, 2):
        await sent(bus, "van-phong", document(number, due="2026/01/05"))
    await sent(bus, "so-xay-dung", status("06", 2))
    for number in (1, 2):
        packet = document(number + 10, business=3, due="2099/01/05")
        replaced = (
            f"<e:ReplacementInfoList><e:ReplacementInfo><e:DocumentId>{identity(number)}"
            f"</e:DocumentId><e:OrganIdList><e:OrganId>{BUILD}</e:OrganId></e:OrganIdList>"
            "</e:ReplacementInfo></e:ReplacementInfoList></e:Bussiness>"
        )
        await sent(bus, "van-phong", packet.replace(b"</e:Bussiness>", replaced.encode()))
    for state, codes in (("open", {"11/VP", "12/VP"}), ("overdue", set()), ("done", {"2/VP"})):
        items = (await bus.call("so-xay-dung", "GET", f"/api/v1/tasks?state={state}")).json()
        assert {each["documentCode"] for each in items["items"]} == codes, state
    await sent(bus, "so-xay-dung", status("05", 1))  # late: it stays replaced
    path = "/api/v1/exchanges?documentCode=1/VP"
    (row,) = (await bus.call("van-phong", "GET", path)).json()["items"]
    assert row["state"] == "replaced"


@pytest.mark.parametrize("period", ["2026-13", "2026-Q5", "26", "2026-11-31", "0000", ""])
async def test_a_period_that_is_none_is_refused(bus: Harness, period: str) -> None:
    answer = await bus.call("so-xay-dung", "GET", f"/api/v1/reports/documents?period={period}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid-request"


async def test_one_arrival_that_cannot_be_told_keeps_no_other(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours on one document must not silence the reporter for all."""
    mail = bus.live.snapshot.endpoints["hop-thu"]
    await bus.declare("endpoint", mail, mail.model_copy(update={"reports_arrival": False}))
    for number in (1, 2):
        await sent(bus, "van-phong", document(number))
    await fetched(bus, "so-xay-dung")
    reporter = ArrivalReporter(bus.app.state.services.deps.acceptor)
    packet_of = reporter._packet

    def faulty(row: Any) -> Any:
        if row.document_id == identity(1):
            raise ZeroDivisionError
        return packet_of(row)

    monkeypatch.setattr(reporter, "_packet", faulty)
    reporter.start()

    async def only_the_faulty_left() -> bool:
        left = await bus.ledger.exchanges.unreported(limit=10)
        return [row.document_id for row in left] == [identity(1)]

    _: bool = await wait_until(only_the_faulty_left, 20, "the other arrival to be reported")
    await reporter.close()
