"""The seven flows of QĐ 31/2021/QĐ-TTg art. 30(3), each a named conformance case on a real bus:
dossiers with components and results, progress, statistics, surveys, postal orders, fees, questions.

Portal, one-stop system and post are the sandboxes; what arrives there is read as plain JSON.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from adapters.onestop.sandbox import OneStopSandbox
from adapters.vnpost.sandbox import PostSandbox
from deploy.stage import Stage
from schemas.vietnam import VIETNAM
from tests.waiting import wait_until

Condition = Callable[[], bool | Awaitable[bool]]
USER, G22, COMMUNE = "000.00.00.H38", "000.00.00.G22", "H38.30"
KEYS = {
    "cong-dvcqg": "mat-khau-cua-tinh",
    "cong-day": "khoa-cua-cong-quoc-gia",
    "mot-cua": "khoa-truy-cap-mot-cua",
    "buu-chinh": "khoa-cua-truc-o-buu-chinh",
}
PROVINCE = """
endpoints:
  - name: cong-dvcqg
    kind: dvcqg
    config:
      url: {portal.service_url}
      login_url: {portal.login_url}
      exchange_url: {portal.exchange_url}
      payment_url: {portal.url}/payment
      fetch_questions: true
      poll_seconds: 0.2
      username: {user}
      password: cong-dvcqg
      madonvi: {user}
      dstcode: {dstcode}
      connect_seconds: 2
      answer_seconds: 1
      lookup_shows_steps: true
    retry: &soon {{first: 0.05, soft_cap: 0.2, cap: 0.5, max_attempts: 1000}}
    breaker: &patient {{failures: 50, distinct: 20, probe_every: 0.2}}
  - name: mot-cua
    kind: onestop
    speaks_for: [H38]
    config:
      url: {one_stop.url}
      unit_code: {user}
      secret: mot-cua
      receive_url: {one_stop.receive_url}
      poll_seconds: 0.2
      connect_seconds: 2
      answer_seconds: 1
    retry: *soon
    breaker: *patient
  - {{name: hop-thu, kind: mailbox}}
  - name: buu-chinh
    kind: vnpost
    config:
      url: {post.url}
      token_url: {post.token_url}
      key: truc
      secret: buu-chinh
      customer_code: H38-001
      connect_seconds: 2
      answer_seconds: 1
    retry: *soon
    breaker: *patient
agencies:
  - {{code: H38, name: Tỉnh Mẫu, endpoint: hop-thu}}
  - {{code: H38.30, name: UBND xã Suối Mẫu, parent: H38}}
  - {{code: H38.98, name: Bưu điện, endpoint: buu-chinh}}
  - {{code: 000.00.00.G22, name: Cổng DVCQG, endpoint: cong-dvcqg}}
routes:
  - {{name: truc-tuyen, kinds: [submission], receiver: 'H38*', endpoint: mot-cua}}
subscriptions:
  - {{name: buu-chinh, kinds: [postal-order], sender: 'H38*', receivers: [H38.98]}}
  - name: cong
    kinds: [dossier, step, evaluation, answer]
    sender: 'H38*'
    receivers: [000.00.00.G22]
mappings:
  - {{table: procedure, local: HT-KHAITU, national: '1.000656'}}
  - {{table: postal, local: '10', national: '33'}}
  - {{table: agency, local: H38.30, national: 000.00.30.H38}}
clients:
  - {{id: so-lieu, agencies: [H38], descendants: true, rate: 10000, burst: 10000}}
  - id: cong-quoc-gia
    agencies: [000.00.00.G22]
    rate: 10000
    burst: 10000
    system_id: cong-dvcqg
    secret: cong-day
"""


class Scene:
    """The bus, what stands around it, and a client of the province's agencies."""

    def __init__(
        self, stage: Stage, portal: Portal, one_stop: OneStopSandbox, post: PostSandbox
    ) -> None:
        self.stage, self.portal, self.one_stop, self.post = stage, portal, one_stop, post
        self._key = stage.lgsp("client", "key", "add", "so-lieu", "--json")["key"]

    async def call(self, method: str, path: str, **given: Any) -> Any:
        async with aiohttp.ClientSession(self.stage.url) as http:
            form = {
                "grant_type": "client_credentials",
                "client_id": "so-lieu",
                "client_secret": self._key,
            }
            async with http.post("/api/v1/token", data=form) as answer:
                token = (await answer.json())["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            async with http.request(method, path, headers=headers, **given) as answer:
                assert answer.ok, await answer.text()
                return await answer.json()

    async def declare(self, more: str) -> None:
        """Something more of the province's configuration."""
        folder = self.stage.folder / "province"
        (folder / "more.yaml").write_text(more)
        await asyncio.to_thread(self.stage.lgsp, "apply", "-f", str(folder), "--reason", "thêm")

    async def push(self, item: Any) -> dict[str, Any]:
        """As the portal's adapter pushes to one-stop software."""
        pair = base64.b64encode(f"cong-dvcqg:{KEYS['cong-day']}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        url = f"{self.stage.url}/dvcqg/XrdAdapter/RestService/forward/nhanhsdvcqg"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=item, headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    account = Account(USER, KEYS["cong-dvcqg"].encode(), USER)
    async with (
        Portal([account], lapse=0.02, lookup_shows_steps=True) as portal,
        OneStopSandbox(USER, KEYS["mot-cua"].encode()) as one_stop,
        PostSandbox("truc", KEYS["buu-chinh"].encode()) as post,
    ):
        stage = Stage(
            tmp_path / "stage",
            settings={"LGSP_FACADES": '{"dvcqg": "/dvcqg"}'},
            secret_values=KEYS,
        )
        (stage.folder / "bus").mkdir()
        province = stage.folder / "province"
        province.mkdir()
        declared = PROVINCE.format(
            portal=portal, one_stop=one_stop, post=post, user=USER, dstcode=DSTCODE
        )
        (province / "all.yaml").write_text(declared)
        await asyncio.to_thread(stage.lgsp, "migrate")
        await asyncio.to_thread(stage.lgsp, "apply", "-f", str(province), "--reason", "mở trục")
        stage.bus.append(stage._bus_process("serve-1", "serve"))
        stage.bus[0].start()
        try:
            await asyncio.to_thread(stage.wait_ready)
            yield Scene(stage, portal, one_stop, post)
        finally:
            await asyncio.to_thread(stage.close)


def submission(number: int, **given: Any) -> dict[str, Any]:
    """What a citizen gives the national portal, in its fields and codes."""
    return {
        "MaHoSo": f"G22.99.99-261124-{number:04d}",
        "MaHoSoQG": f"QG-{number}",
        "MaDonVi": "000.00.30.H38",
        "MaTTHC": "1.000656",
        "TenTTHC": "Đăng ký khai tử",
        "LoaiDoiTuong": "1",
        "ChuHoSo": "Lê Thị Thử",
        "TrichYeuHoSo": f"Khai tử số {number}",
        "NgayNopHoSo": "20261124081500",
        "DonViXuLy": "UBND xã Suối Mẫu",
        "TepDonDangKy": base64.b64encode(b"<to-khai/>").decode(),
        "TaiLieuNop": [{"TepDinhKemId": "1", "TenTepDinhKem": "Giấy báo tử"}],
    } | given


def supplement(number: int, which: int) -> dict[str, Any]:
    asked = {
        "HoSoBoSungId": str(which),
        "NoiDungBoSung": "Bổ sung giấy báo tử",
        "NgayBoSung": "20261124090000",
        "NgayTiepNhanBoSung": "20261124100000",
        "TrangThaiBoSung": True,
    }
    return submission(number, DanhSachHoSoBoSung=[asked])


def arrived(scene: Scene) -> list[tuple[str, str, str]]:
    """(dossier, event, supplement) of what the one-stop system has, in the order it came."""
    return [
        (
            each["MaHoSo"],
            each["LoaiSuKien"],
            "".join(part["HoSoBoSungId"] for part in each["DanhSachHoSoBoSung"]),
        )
        for each in scene.one_stop.submissions
    ]


def dossier(**given: Any) -> dict[str, Any]:
    """As the province's own software sends it by REST."""
    return {
        "code": "H38.30-261102-0001",
        "procedure": "HT-KHAITU",
        "procedureName": "Đăng ký khai tử",
        "agency": COMMUNE,
        "agencyName": "UBND xã Suối Mẫu",
        "channel": 2,
        "applicant": {"kind": 1, "name": "Nguyễn Văn Ví Dụ"},
        "summary": "Khai tử",
        "status": 2,
        "received": "2026-11-02T08:15:00+07:00",
        "fees": [{"code": "1", "name": "Lệ phí", "amount": 8000}],
        "submittedPapers": [{"id": "1", "name": "Giấy báo tử", "component": "TP-1"}],
    } | given


async def test_1_dossiers_reach_the_portal_with_components_and_results(scene: Scene) -> None:
    """Hồ sơ, thành phần hồ sơ, kết quả."""
    code = dossier()["code"]
    result = {"name": "Trích lục khai tử", "id": "KQ1", "resultCode": "KQ.G15.000034"}
    await scene.call("PUT", f"/api/v1/dossiers/{code}", json=dossier())
    finished = dossier(status=10, finished=at(3), returned=at(3), resultPapers=[result])
    await scene.call("PUT", f"/api/v1/dossiers/{code}", json=finished)
    store = scene.portal.store

    def closed() -> bool:
        return (store.record(code) or {}).get("TrangThaiHoSo") == "10"

    await wait_until(closed, 30, "the finished dossier at the portal")
    told = store.record(code) or {}
    assert told["MaTTHC"] == "1.000656"
    assert told["TaiLieuNop"][0]["MaThanhPhanHoSo"] == "TP-1"
    assert told["DanhSachGiayToKetQua"][0]["MaGiayToKetQua"] == "KQ.G15.000034"


async def test_2_progress_reaches_the_portal_step_by_step(scene: Scene) -> None:
    """Tiến độ xử lý: each step once, in order."""
    code = dossier()["code"]
    await scene.call("PUT", f"/api/v1/dossiers/{code}", json=dossier())
    steps = [
        {
            "code": code,
            "id": f"B{n}",
            "at": at(3, n),
            "by": "Trần Thị Ví Dụ",
            "content": f"Bước {n}",
            "status": status,
        }
        for n, status in enumerate((2, 4, 5, 4, 9, 10))
    ]
    await scene.call("POST", f"/api/v1/dossiers/{code}/steps", json=steps)
    store = scene.portal.store
    await wait_until(lambda: len(store.timeline(code)) >= len(steps), 30, "the timeline")
    assert [each["TrangThai"] for each in store.timeline(code)] == ["2", "4", "5", "4", "9", "10"]


def at(day: int, minute: int = 0) -> str:
    return f"2026-11-{day:02d}T09:{minute:02d}:00+07:00"


async def test_3_and_4_statistics_and_surveys_are_sent_once_for_the_day(scene: Scene) -> None:
    """Thống kê, đánh giá: ratings behind the month's evaluation; totals to whoever subscribes."""
    yesterday = datetime.now(VIETNAM) - timedelta(days=1)
    moment = yesterday.replace(hour=8, minute=0, second=0, microsecond=0).isoformat()
    ratings = [
        {
            "id": f"DG-{n}",
            "code": dossier()["code"],
            "agency": COMMUNE,
            "score": score,
            "service": 1,
            "at": moment,
        }
        for n, score in enumerate((1, 1, 2, 3))
    ]
    await scene.call("POST", "/api/v1/flows/rating", json=ratings)
    await scene.call("POST", "/api/v1/flows/rating", json=ratings)  # again: counted once
    record = dossier(received=moment, submitted=moment)
    await scene.call("PUT", f"/api/v1/dossiers/{record['code']}", json=record)
    day = yesterday.date().isoformat()
    figures = await asyncio.to_thread(scene.stage.lgsp, "dossier", "figures", day, day, "--json")
    total = figures["total"]
    assert (total["verySatisfied"], total["satisfied"], total["unsatisfied"]) == (2, 1, 1)
    await scene.declare("subscriptions:\n  - {name: so, kinds: [statistics], receivers: [H38]}\n")
    store = scene.portal.store
    await wait_until(lambda: bool(store.kept("DongBoDanhGia")), 60, "the evaluation")
    (told,) = store.kept("DongBoDanhGia")
    assert told["NgayTongHop"] == f"{yesterday.month}-{yesterday.year}"
    assert told["TongSoNguoiDanhGia"] == 4
    shares = [told[f"PhanTramDanhGia{name}"] for name in ("RatHaiLong", "HaiLong", "ChuaHaiLong")]
    assert shares == ["50%", "25%", "25%"]
    assert told["PhanTramDanhGiaDichVuRatHaiLong"] == "100%"
    assert told["Madonvi"] == COMMUNE

    async def there() -> bool:
        found = await scene.call("GET", "/api/v1/mailbox", params={"kind": "statistics"})
        return bool(found["items"])

    condition: Condition = there
    await wait_until(condition, 60, "the statistics")
    (mail,) = (await scene.call("GET", "/api/v1/mailbox", params={"kind": "statistics"}))["items"]
    path = f"/api/v1/mailbox/{mail['deliveryId']}/content"
    totals = await scene.call("GET", path, params={"form": "canonical"})
    assert totals["figures"]["received"] == 1
    assert (totals["agency"], totals["until"]) == (COMMUNE, day)
    assert len(store.kept("DongBoDanhGia")) == 1


@pytest.mark.timeout(180)
async def test_1_online_submissions_reach_their_one_stop_system_once_and_in_order(
    scene: Scene,
) -> None:
    """On the way back: fetched from the portal, both sides failing, the bus killed."""
    await scene.portal.set_fault("cut", probability=0.2)
    await scene.one_stop.set_fault("cut", probability=0.3)
    for number in range(1, 21):
        scene.portal.submit(submission(number))
        scene.portal.submit(supplement(number, 1), "CAPNHAT")
        scene.portal.submit(supplement(number, 2), "CAPNHAT")
    await wait_until(lambda: len(scene.one_stop.submissions) > 10, 60, "traffic")
    scene.stage.bus[0].kill()
    scene.stage.bus[0].start()
    await wait_until(lambda: len(scene.one_stop.submissions) >= 60, 90, "all of them")
    await wait_until(lambda: not scene.portal.waiting, 60, "all acknowledged")
    await scene.portal.set_fault("ok")
    assert {said for acks in scene.portal.acks.values() for said in acks} == {"done"}
    told = arrived(scene)
    assert len(told) == len(set(told)) == 60
    for number in range(1, 21):
        code = submission(number)["MaHoSo"]
        assert [each[1:] for each in told if each[0] == code] == [
            ("TIEPNHAN", ""),
            ("CAPNHAT", "1"),
            ("CAPNHAT", "2"),
        ]
    one = scene.one_stop.submissions[0]
    assert one["MaTTHC"] == "HT-KHAITU", "the one-stop system gets its own codes"
    assert one["MaDonVi"] == COMMUNE
    assert base64.b64decode(one["TepDonDangKy"]) == b"<to-khai/>"
    assert one["ChuHoSo"] == "Lê Thị Thử"


async def test_1_a_submission_that_is_pushed_again_is_answered_as_known(scene: Scene) -> None:
    first = await scene.push(submission(1))
    assert first["error_code"] == 0
    assert first["message"].startswith("G22.99.99-261124-0001|")
    again = await scene.push(submission(1))
    assert again["error_code"] == 1
    assert "đã tồn tại" in again["message"]
    changed = await scene.push(submission(1, TrichYeuHoSo="Nội dung khác"))
    assert changed["error_code"] == 1
    more = await scene.push(supplement(1, 1))
    assert more["error_code"] == 0
    wrong = await scene.push(submission(2, LoaiDoiTuong="9"))
    assert wrong["error_code"] == -1
    assert "LoaiDoiTuong" in wrong["message"]
    nobody = await scene.push(submission(3, MaDonVi="000.00.77.H38"))
    assert nobody["error_code"] == -1
    await wait_until(lambda: len(scene.one_stop.submissions) == 2, 30, "both")
    assert [event for _, event, _ in arrived(scene)] == ["TIEPNHAN", "CAPNHAT"]


async def test_1_an_unmapped_submission_is_held_and_leaves_by_itself(scene: Scene) -> None:
    assert (await scene.push(submission(1, MaTTHC="2.000999")))["error_code"] == 0
    assert (await scene.push(submission(2)))["error_code"] == 0
    await wait_until(lambda: len(scene.one_stop.submissions) == 1, 30, "the mapped one")
    await scene.declare("mappings:\n  - {table: procedure, local: HT-MOI, national: '2.000999'}\n")
    await wait_until(lambda: len(scene.one_stop.submissions) == 2, 30, "the other, let go")
    assert scene.one_stop.submissions[1]["MaTTHC"] == "HT-MOI"


def order(code: str, province: str = "10", **given: Any) -> dict[str, Any]:
    party = {"address": "Xã Suối Mẫu", "phone": "0000000000", "province": province}
    return {
        "code": code,
        "sender": {"name": "UBND xã Suối Mẫu", **party},
        "receiver": {"name": "Nguyễn Văn Ví Dụ", **party},
    } | given


async def test_5_postal_orders_are_placed_cancelled_and_tracked_once(scene: Scene) -> None:
    """Bưu chính công ích: the post loses answers, forgets tokens, has numbers of its own."""
    codes = [f"H38.30-261102-{n:04d}" for n in range(1, 7)]
    record = dossier()
    await scene.call("PUT", f"/api/v1/dossiers/{record['code']}", json=record)
    await scene.post.set_fault("cut", probability=0.4)
    agency = {"agency": COMMUNE}
    for code in codes:
        await scene.call("POST", "/api/v1/flows/postal-order", json=order(code), params=agency)
        scene.post.forget_tokens()
    orders = scene.post.orders
    await wait_until(lambda: len(orders) == len(codes), 60, "all orders at the post")
    assert {each["ReceiverProvince"] for each in orders.values()} == {33}, "the post's own number"
    cancel = {"code": codes[1], "action": 2}
    await scene.call("POST", "/api/v1/flows/postal-order", json=cancel, params=agency)
    tracks = scene.post.tracking
    await wait_until(lambda: tracks[codes[1]][-1]["StatusCode"] == "101", 30, "the cancellation")
    await scene.post.set_fault("ok")
    scene.post.move(codes[0], "110", "Đang phát")
    way = await scene.call("GET", f"/api/v1/inquiries/tracking/{codes[0]}")
    assert [each["status"] for each in way] == ["100", "110"]

    far = order("H38.30-261102-0099", province="77")
    await scene.call("POST", "/api/v1/flows/postal-order", json=far, params=agency)
    await scene.declare("mappings:\n  - {table: postal, local: '77', national: '79'}\n")
    await wait_until(lambda: far["code"] in orders, 30, "the order, let go by the mapping")
    assert orders[far["code"]]["SenderProvince"] == 79


async def test_6_fees_go_with_the_dossier_and_their_payment_is_looked_up(scene: Scene) -> None:
    """Phí, lệ phí và thanh toán trực tuyến."""
    code = dossier()["code"]
    await scene.call("PUT", f"/api/v1/dossiers/{code}", json=dossier())
    store = scene.portal.store
    await wait_until(lambda: store.record(code) is not None, 30, "the dossier at the portal")
    (fee,) = (store.record(code) or {})["DanhSachLePhi"]
    assert (fee["MaPhiLePhi"], fee["Gia"]) == ("1", "8000")
    path, asked = f"/api/v1/inquiries/payment/{code}", {"reference": f"{code}20261102101500"}
    assert (await scene.call("GET", path, params=asked))["paid"] is False
    await scene.call("PUT", f"/api/v1/dossiers/{code}", json=dossier(onlinePayment=1))

    async def paid() -> bool:
        return bool((await scene.call("GET", path, params=asked))["paid"])

    condition: Condition = paid
    await wait_until(condition, 30, "the payment")


async def test_7_questions_reach_their_agency_and_answers_the_portal(scene: Scene) -> None:
    """Art. 30(3), hỏi đáp: asked at the portal, read in the agency's mailbox, answered once."""
    question = {
        "MaCauHoi": "CH-1",
        "MaDonVi": "000.00.30.H38",
        "TieuDe": "Khai tử",
        "NoiDung": "Cần giấy tờ gì?",
        "NguoiHoi": "Nguyễn Văn Ví Dụ",
        "NgayHoi": "24/11/2026",
    }
    scene.portal.ask(question)

    async def there() -> bool:
        found = await scene.call("GET", "/api/v1/mailbox", params={"kind": "question"})
        return bool(found["items"])

    condition: Condition = there
    await wait_until(condition, 30, "the question")
    (waiting,) = (await scene.call("GET", "/api/v1/mailbox", params={"kind": "question"}))["items"]
    assert (waiting["sender"], waiting["receiver"]) == (G22, COMMUNE)
    path = f"/api/v1/mailbox/{waiting['deliveryId']}/content"
    read = await scene.call("GET", path, params={"form": "canonical"})
    assert (read["id"], read["content"]) == ("CH-1", "Cần giấy tờ gì?")
    await scene.portal.set_fault("cut", probability=0.5)
    answer = {
        "question": "CH-1",
        "agency": COMMUNE,
        "agencyName": "UBND xã Suối Mẫu",
        "content": "Giấy báo tử và căn cước của người khai",
        "answeredAt": "2026-11-25T08:00:00+07:00",
        "to": G22,
    }
    await scene.call("POST", "/api/v1/flows/answer", json=answer)
    store = scene.portal.store
    await wait_until(lambda: bool(store.kept("hoi-dap")), 30, "the answer at the portal")
    await scene.portal.set_fault("ok")
    (told,) = store.kept("hoi-dap")
    assert told["NoiDungTraLoi"] == answer["content"]
    assert told["NgayTraLoi"] == "25/11/2026"
    assert not scene.portal.questions
