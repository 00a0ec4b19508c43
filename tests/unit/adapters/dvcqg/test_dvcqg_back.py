"""What comes back from the portal, and what goes to it beside dossiers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import aiohttp
import pytest

from adapters.dvcqg.evaluations import read_evaluation, write_evaluation
from adapters.dvcqg.sandbox import Portal
from adapters.http import open_session
from adapters.portal_submission import read_submission, write_submission
from schemas.adapter import Payments, Poller, Result, Taken
from schemas.errors import ConfigurationError, InvalidRequest, LgspError, PartnerError
from schemas.flows import Evaluation, Item, Question, Shares, Submission
from schemas.inquiries import PaymentInquiry
from tests.contract.adapter_conformance import delivery_of
from tests.unit.adapters.dvcqg.samples import MORNING, new_code, record
from tests.unit.adapters.dvcqg.test_dvcqg_portal import ACCOUNT, connect, of


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    async with Portal([ACCOUNT]) as running:
        yield running


class Kept:
    """An inbox that writes down what it gets."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Item]] = []
        self.refused: list[LgspError] = []
        self.unknown: set[str] = set()  # agencies of questions that are not declared

    async def take(self, ref: str, *_: Any) -> Taken:
        raise AssertionError(ref)

    async def take_dossier(self, ref: str, *_: Any, **__: Any) -> Taken:
        raise AssertionError(ref)

    async def take_item(
        self, ref: str, agency: str, item: Item, original: bytes, **_: Any
    ) -> Taken:
        assert ref
        assert original
        if isinstance(item, Question) and item.agency in self.unknown:
            return Taken(accepted=False)
        self.items.append((agency, item))
        return Taken(accepted=True)

    async def refuse(self, ref: str, original: bytes, error: LgspError) -> Taken:
        assert ref
        assert original
        self.refused.append(error)
        return Taken(accepted=False)


def given(**changes: Any) -> dict[str, Any]:
    """As the portal tells a submission: nothing but what a citizen has given."""
    return {
        "MaHoSo": "G22.99.99-261124-0001",
        "MaDonVi": "000.00.19.H99",
        "MaTTHC": "1.000656",
        "TenTTHC": "Đăng ký khai tử",
        "LoaiDoiTuong": 1,
        "ChuHoSo": "Nguyễn Văn Ví Dụ",
        "TrichYeuHoSo": "Khai tử",
        "DonViXuLy": "Sở Tư pháp",
        "MaSoThue": "0100000001",
        "URLTepDangKy": "https://cong.example/don/1",
    } | changes


def source(http: aiohttp.ClientSession, portal: Portal, **config: Any) -> Poller:
    adapter = connect(http, portal, exchange_url=portal.exchange_url, **config)
    assert isinstance(adapter, Poller)
    return adapter


async def test_what_is_listed_newest_first_is_taken_oldest_first_and_acknowledged(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    inbox, poller = Kept(), source(http, portal)
    numbers = [portal.submit(given(MaHoSo=new_code())) for _ in range(150)]
    assert await poller.poll(inbox) == 150
    told = [item.record.code for _, item in inbox.items if isinstance(item, Submission)]
    assert told == sorted(told)
    assert {agency for agency, _ in inbox.items} == {"000.00.00.G22"}
    assert portal.acks == {number: ["done"] for number in numbers}
    assert await poller.poll(inbox) == 0


async def test_what_cannot_be_read_is_refused_and_the_rest_goes_on(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    inbox, poller = Kept(), source(http, portal)
    bad = portal.submit(given(LoaiDoiTuong="9"))
    good = portal.submit(given())
    assert await poller.poll(inbox) == 2
    assert (portal.acks[bad], portal.acks[good]) == (["fail"], ["done"])
    (error,) = inbox.refused
    assert "LoaiDoiTuong" in error.detail.vi
    assert "Ví Dụ" not in error.detail.vi


async def test_a_lost_session_is_renewed_within_the_round(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    inbox, poller = Kept(), source(http, portal)
    portal.submit(given())
    await poller.poll(inbox)
    portal.forget_sessions()
    portal.submit(given(MaHoSo=new_code()))
    assert await poller.poll(inbox) == 1


async def test_a_portal_that_is_away_is_an_error_not_an_empty_list(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    inbox, poller = Kept(), source(http, portal)
    for fault in ("503", "500", "garbage", "cut", "refuse"):
        await portal.set_fault(fault)
        with pytest.raises(PartnerError):
            await poller.poll(inbox)
        await portal.set_fault("ok")
    assert not inbox.items


async def test_a_question_is_taken_once_however_often_it_is_listed(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    inbox, poller = Kept(), source(http, portal, fetch_questions=True)
    asked = {"MaDonVi": "H99.19", "NoiDung": "Cần giấy tờ gì?", "NgayHoi": "24/11/2026"}
    portal.ask({"MaCauHoi": "1", **asked})
    assert await poller.poll(inbox) == 1
    assert await poller.poll(inbox) == 0
    ((_, question),) = inbox.items
    assert isinstance(question, Question)
    assert (question.id, question.agency, question.asked_at.day) == ("1", "H99.19", 24)


async def test_a_refused_question_is_tried_again_ever_more_rarely_until_it_is_taken(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    """What the portal tells wrongly, and one whose agency is not declared yet."""
    inbox, poller = Kept(), source(http, portal, fetch_questions=True)
    asked = {"MaDonVi": "H99.19", "NoiDung": "Cần giấy tờ gì?", "NgayHoi": "24/11/2026"}
    portal.ask({"MaCauHoi": "1", **asked, "NgayHoi": "hôm qua"})
    portal.ask({"MaCauHoi": "2", **asked})
    inbox.unknown = {"H99.19"}
    tried = [number for number in range(1, 17) if await poller.poll(inbox)]
    assert tried == [1, 2, 4, 8, 16]
    assert "NgayHoi" in inbox.refused[0].detail.vi
    assert not inbox.items
    inbox.unknown = set()
    rounds = [await poller.poll(inbox) for _ in range(48)]
    assert len(inbox.items) == 1
    assert sum(rounds) == 3, "the second once, the first twice"


async def test_a_refused_list_of_questions_is_no_empty_one(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal, fetch_questions=True, madonvi="000.00.00.H01")
    assert isinstance(adapter, Poller)
    with pytest.raises(ConfigurationError):
        await adapter.poll(Kept())


async def test_the_state_of_a_dossier_submitted_on_the_portal_is_told_by_its_number(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal)
    own = record()
    online = record(origin=1, nation_code="G22.99.99-261124-0007", status=5)
    facts = {"origin": 1, "nation_code": online.nation_code, "returned": MORNING}
    returned = record(online.code, status=10, **facts)
    for item in (own, online, returned):
        assert (await adapter.deliver(of(item))).result is Result.DELIVERED
    states = portal.store.kept("DongBoTrangThaiHoSo")
    assert [(each["MaHoSo"], each["TrangThai"]) for each in states] == [
        ("G22.99.99-261124-0007", "5"),
        ("G22.99.99-261124-0007", "2"),
    ]
    assert {each["MaHoSoDonVi"] for each in states} == {online.code}


async def test_an_evaluation_is_written_as_the_portal_wants_it(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    evaluation = Evaluation(
        agency="H99.19",
        agency_name="UBND xã Suối Mẫu",
        month="2026-06",
        until=date(2026, 6, 20),
        told=date(2026, 6, 20),
        total=120,
        overall=Shares(very_satisfied=60, satisfied=35, unsatisfied=5),
    )
    content = evaluation.model_dump_json(by_alias=True).encode()
    adapter = connect(http, portal)
    outcome = await adapter.deliver(delivery_of(content, kind="evaluation"))
    assert outcome.result is Result.DELIVERED
    (told,) = portal.store.kept("DongBoDanhGia")
    assert (told["NgayTongHop"], told["PhanTramDanhGiaHaiLong"]) == ("6-2026", "35%")
    assert told["PhanTramDanhGiaDichVuHaiLong"] == "", "nobody rated the service"
    assert read_evaluation(told, told=evaluation.told) == evaluation


@pytest.mark.parametrize(
    ("field", "value"),
    [("PhanTramDanhGiaHaiLong", "90%"), ("NgayTongHop", "13-2026"), ("TongSoNguoiDanhGia", 0)],
)
def test_an_evaluation_that_cannot_be_names_the_field(field: str, value: object) -> None:
    shares = Shares(very_satisfied=60, satisfied=35, unsatisfied=5)
    evaluation = Evaluation(
        agency="H99.19",
        agency_name="UBND xã",
        month="2026-06",
        until=date(2026, 6, 20),
        told=date(2026, 6, 20),
        total=120,
        overall=shares,
    )
    with pytest.raises(InvalidRequest) as caught:
        read_evaluation(write_evaluation(evaluation) | {field: value}, told=evaluation.told)
    assert field.removesuffix("HaiLong") in caught.value.detail.vi


async def test_a_payment_is_told_apart_from_none_and_from_no_answer(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal, payment_url=f"{portal.url}/payment")
    assert isinstance(adapter, Payments)
    item = record(online_payment=1)
    asked = PaymentInquiry(code=item.code, reference=f"{item.code}20261124081500")
    assert not (await adapter.payment(asked)).paid
    await adapter.deliver(of(item))
    assert (await adapter.payment(asked)).paid
    with pytest.raises(PartnerError):  # the portal answers -1
        await adapter.payment(asked.model_copy(update={"reference": "khác"}))
    await portal.set_fault("garbage")
    with pytest.raises(PartnerError):
        await adapter.payment(asked)


def test_a_submission_survives_the_portals_fields() -> None:
    supplement = {
        "HoSoBoSungId": "7",
        "NoiDungBoSung": "Giấy báo tử",
        "NgayBoSung": "20261124090000",
    }
    read = read_submission(given(DanhSachHoSoBoSung=[supplement], TepDonDangKy="PGEvPg=="))
    assert (read.event, read.id, read.record.channel, read.record.origin) == (
        "supplement",
        "7",
        2,
        1,
    )
    assert read.record.agency == "000.00.19.H99"
    assert read_submission(write_submission(read)) == read
    unit = read_submission(given(MaDonVi="", MaHoSo="000.00.19.H99-261124-0001"))
    assert unit.record.agency == "000.00.19.H99"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"MaDonVi": "không"}, "MaDonVi"),
        ({"MaDonVi": "", "MaHoSo": "x"}, "MaHoSo"),
        ({"TepDonDangKy": "<xml>"}, "TepDonDangKy"),
        ({"URLTepDangKy": "ftp://x"}, "URLTepDangKy"),
        ({"TenTTHC": ""}, "TenTTHC"),
    ],
)
def test_a_wrong_field_of_a_submission_is_named(changes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_submission(given(**changes))
    assert field in caught.value.detail.vi
