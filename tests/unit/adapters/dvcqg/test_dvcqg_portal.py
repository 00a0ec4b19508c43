"""The adapter against the simulated portal: pitfalls, dialects, doubtful steps, the process."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import adapters.dvcqg
from adapters.dvcqg.codec import push_call
from adapters.dvcqg.config import DvcqgConfig
from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from adapters.http import open_session
from adapters.portal_fields import write_record, write_step
from adapters.registry import create, parse_config
from schemas.adapter import Adapter, OutboundDelivery, Outcome, Result
from schemas.dossier import DossierRecord, Step
from schemas.errors import ConfigurationError
from tests.contract.adapter_conformance import delivery_of
from tests.unit.adapters.dvcqg.samples import new_code, record, step
from tests.waiting import wait_until

PASSWORD = b"mat-khau-cua-tinh-mau"
UNIT = "000.00.00.H99"
ACCOUNT = Account(UNIT, PASSWORD, UNIT)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    async with Portal([ACCOUNT]) as running:
        yield running


def connect(http: aiohttp.ClientSession, portal: Portal, **config: Any) -> Adapter:
    given = {
        "url": portal.service_url,
        "login_url": portal.login_url,
        "username": UNIT,
        "password": "portal",
        "madonvi": UNIT,
        "dstcode": DSTCODE,
        "connect_seconds": 1.0,
        "answer_seconds": 0.4,
    }
    config = given | config
    return create("dvcqg", config, http=http, secrets={"portal": PASSWORD}.__getitem__)


def of(item: DossierRecord | Step, **changes: Any) -> OutboundDelivery:
    kind = "dossier" if isinstance(item, DossierRecord) else "step"
    content = item.model_dump_json(by_alias=True).encode()
    return delivery_of(content, kind=kind, media_type="application/json", **changes)


def again(item: DossierRecord | Step) -> OutboundDelivery:
    return of(item, attempt=2, maybe_sent=True)


async def good(adapter: Adapter, *items: DossierRecord | Step) -> None:
    for item in items:
        outcome = await adapter.deliver(of(item))
        assert outcome.result is Result.DELIVERED, outcome


# ---- records


async def test_a_dossier_is_inserted_then_updated(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal)
    first = record()
    second = first.model_copy(update={"summary": "Đăng ký khai tử (sửa)"})
    await good(adapter, first, second)
    assert [each.updating for each in portal.arrivals] == [False, True]
    assert portal.store.record(first.code) == write_record(second)


async def test_pitfall_2_an_insert_of_what_exists_becomes_an_update(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    """Every form of "đã tồn tại": codes 0, 3 and -3 in several types, texts NFC and NFD."""
    for _ in range(12):
        first = record()
        second = first.model_copy(update={"summary": "khác"})
        await good(connect(http, portal), first)
        await good(connect(http, portal), second)  # another process: it knows nothing
        assert portal.store.record(first.code) == write_record(second)
    updates = [each.updating for each in portal.arrivals]
    assert updates == [False, False, True] * 12


async def test_pitfall_2_stored_and_then_timed_out_is_found_by_asking(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal)
    await good(adapter, record())
    given = record()
    await portal.set_fault("hang")
    assert (await adapter.deliver(of(given))).result is Result.UNKNOWN
    await portal.set_fault("ok")
    assert (await adapter.deliver(again(given))).result is Result.DELIVERED
    assert sum(each.code == given.code for each in portal.arrivals) == 1


async def test_pitfall_2_a_lost_update_is_found_and_sent(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    """The portal has the dossier, but not this state of it."""
    first = record()
    second = first.model_copy(update={"summary": "khác"})
    await good(connect(http, portal), first)
    outcome = await connect(http, portal).deliver(again(second))
    assert outcome.result is Result.DELIVERED
    assert portal.store.record(first.code) == write_record(second)
    assert [each.updating for each in portal.arrivals] == [False, True]


async def test_a_dossier_that_the_portal_lost_is_inserted_again(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter, given = connect(http, portal), record()
    await good(adapter, given)
    portal.store._db.execute("DELETE FROM dossier")
    await good(adapter, given)
    assert [each.updating for each in portal.arrivals] == [False, True, False]


async def test_pitfall_7_a_refused_field_is_named_and_final(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal)
    await good(adapter, record())
    await portal.set_fault("reject")
    outcome = await adapter.deliver(of(record()))
    assert (outcome.result, outcome.code) == (Result.REJECTED, "partner-refused")
    assert "MaTTHC (procedure)" in outcome.detail


async def test_what_a_mapping_spoiled_waits_for_the_administrator(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    content = record().model_dump(mode="json", by_alias=True) | {"procedure": ""}
    delivery = delivery_of(json.dumps(content).encode(), kind="dossier")
    outcome = await connect(http, portal).deliver(delivery)
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")
    assert "procedure" in outcome.detail
    assert portal.calls == {}


# ---- steps


async def test_pitfall_3_every_step_is_a_line_in_order(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter, code = connect(http, portal), new_code()
    steps = [step(code, number, status=status) for number, status in enumerate([2, 4, 5, 4, 9, 10])]
    await good(adapter, record(code), *steps)
    assert portal.store.timeline(code) == [write_step(each) for each in steps]
    assert {each.size for each in portal.arrivals} == {1}


@pytest.mark.parametrize("fault", ["hang", "cut", "half", "slow"])
async def test_pitfall_6_a_step_stored_and_timed_out_is_not_doubled_where_look_ups_show_it(
    http: aiohttp.ClientSession, portal: Portal, fault: str
) -> None:
    portal.lookup_shows_steps = True
    adapter, code = connect(http, portal, lookup_shows_steps=True), new_code()
    await good(adapter, record(code), step(code, 1))
    await portal.set_fault(fault)
    outcome = await adapter.deliver(of(step(code, 2)))
    assert (outcome.result, outcome.code) == (Result.UNKNOWN, "partner-timeout")
    await portal.set_fault("ok")
    assert (await adapter.deliver(again(step(code, 2)))).result is Result.DELIVERED
    lines = [each["NoiDungXuLy"] for each in portal.store.timeline(code)]
    assert lines == ["Bước 1", "Bước 2"]


async def test_a_step_that_did_not_arrive_is_sent_after_the_look_up(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    portal.lookup_shows_steps = True
    adapter, code = connect(http, portal, lookup_shows_steps=True), new_code()
    await good(adapter, record(code), step(code, 1))
    assert (await adapter.deliver(again(step(code, 2)))).result is Result.DELIVERED
    assert len(portal.store.timeline(code)) == 2
    assert portal.calls["TraCuuHoSo"] == 1


async def test_where_look_ups_show_no_timeline_a_doubtful_step_is_sent_again(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    """Never missing; the portal's habit doubles the line, as the README says."""
    adapter, code = connect(http, portal), new_code()
    await good(adapter, record(code))
    await portal.set_fault("cut")
    assert (await adapter.deliver(of(step(code)))).result is Result.UNKNOWN
    await portal.set_fault("ok")
    assert (await adapter.deliver(again(step(code)))).result is Result.DELIVERED
    assert len(portal.store.timeline(code)) == 2
    assert "TraCuuHoSo" not in portal.calls


async def test_a_failed_look_up_sends_no_step(http: aiohttp.ClientSession, portal: Portal) -> None:
    adapter, code = connect(http, portal, lookup_shows_steps=True), new_code()
    await good(adapter, record(code))
    await portal.set_fault("500")
    assert (await adapter.deliver(again(step(code)))).result is Result.UNKNOWN
    assert portal.store.timeline(code) == []


async def test_a_step_of_a_dossier_the_portal_does_not_know_is_refused(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    outcome = await connect(http, portal).deliver(of(step(new_code())))
    assert outcome.result is Result.REJECTED
    assert "waits until a record" in outcome.detail


# ---- sessions


async def test_pitfall_5_a_lapsed_session_is_renewed_within_the_attempt(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal)
    await good(adapter, record())
    portal.forget_sessions()
    await good(adapter, record())
    assert portal.calls["login"] == 2


async def test_a_lapse_under_load_costs_few_logins(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter = connect(http, portal, answer_seconds=10.0)
    await good(adapter, record())
    portal.forget_sessions()
    outcomes = await asyncio.gather(*(adapter.deliver(of(record())) for _ in range(50)))
    assert {each.result for each in outcomes} == {Result.DELIVERED}
    assert portal.calls["login"] == 2


async def test_a_wrong_password_is_never_the_dossiers_fault(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    portal._accounts[UNIT] = Account(UNIT, b"another-password", UNIT)
    outcome = await connect(http, portal).deliver(of(record()))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")
    assert PASSWORD.decode() not in repr(outcome)


@pytest.mark.parametrize("wrong", [{"dstcode": None}, {"madonvi": "000.00.00.H98"}])
async def test_wrong_settings_are_the_administrators(
    http: aiohttp.ClientSession, portal: Portal, wrong: dict[str, Any]
) -> None:
    outcome = await connect(http, portal, **wrong).deliver(of(record()))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")


@pytest.mark.parametrize("where", ["query", "header", "both"])
async def test_dstcode_goes_where_the_adapter_of_the_province_wants_it(
    http: aiohttp.ClientSession, portal: Portal, where: str
) -> None:
    await good(connect(http, portal, dstcode_in=where), record())


# ---- relays


def relay(portal: Portal, dialect: str, **more: Any) -> dict[str, Any]:
    base = portal.relay_url
    none = {"login_url": None, "username": None, "password": None, "dstcode": None}
    if dialect == "relay-query":
        return none | {"dialect": dialect, "url": base} | more
    addresses = {"update_url": f"{base}/capnhat", "progress_url": f"{base}/tientrinh"}
    return none | addresses | {"dialect": dialect, "url": f"{base}/themmoi"} | more


@pytest.mark.parametrize("dialect", ["relay-query", "relay-paths"])
async def test_a_relay_takes_bare_arrays(
    http: aiohttp.ClientSession, portal: Portal, dialect: str
) -> None:
    adapter, code = connect(http, portal, **relay(portal, dialect)), new_code()
    await good(adapter, record(code), record(code, summary="khác"), step(code))
    await good(connect(http, portal, **relay(portal, dialect)), record(code))  # đã tồn tại
    updates = [each.updating for each in portal.arrivals if each.service == "DongBoHoSoMC"]
    assert updates == [False, True, False, True]
    assert len(portal.store.timeline(code)) == 1
    assert "login" not in portal.calls


async def test_a_relay_is_asked_where_it_answers_look_ups(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    given = record()
    plain = connect(http, portal, **relay(portal, "relay-query"))
    assert (await plain.deliver(again(given))).result is Result.DELIVERED
    assert "TraCuuHoSo" not in portal.calls
    lookup = f"{portal.relay_url}/tracuu"
    asking = connect(http, portal, **relay(portal, "relay-query", lookup_url=lookup))
    assert (await asking.deliver(again(given))).result is Result.DELIVERED
    assert len(portal.arrivals) == 1


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"url": "http://a/", "madonvi": UNIT}, "login_url, username, password"),
        ({"dialect": "relay-paths", "url": "http://a/", "madonvi": UNIT}, "update_url"),
        ({"dialect": "x", "url": "http://a/", "madonvi": UNIT}, "dialect"),
        ({"dialect": "relay-query", "url": "http://u:p@a/", "madonvi": UNIT}, "url"),
    ],
)
def test_an_incomplete_configuration_names_what_is_missing(
    config: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        parse_config("dvcqg", config)


# ---- the portal under storms, and as a process


async def deliver_until_done(adapter: Adapter, item: DossierRecord | Step) -> Outcome:
    """What the engine does: one after another, asking first when in doubt."""
    doubt, last = False, None
    for attempt in range(1, 200):
        last = await adapter.deliver(of(item, attempt=attempt, maybe_sent=doubt))
        if last.result in {Result.DELIVERED, Result.REJECTED}:
            return last
        doubt = doubt or last.result is Result.UNKNOWN
    raise AssertionError(last)


async def test_timelines_are_exact_under_every_fault(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    portal.lookup_shows_steps = True
    portal.lapse = 0.1
    adapter = connect(http, portal, lookup_shows_steps=True, answer_seconds=2.0)
    codes = [new_code() for _ in range(12)]

    async def dossier(code: str) -> None:
        await deliver_until_done(adapter, record(code))
        for number in range(1, 6):
            outcome = await deliver_until_done(adapter, step(code, number))
            assert outcome.result is Result.DELIVERED, outcome

    def all_there() -> bool:
        return all(len(portal.store.timeline(code)) >= 5 for code in codes)

    def more_came(seen: int) -> bool:
        return all_there() or len(portal.arrivals) > seen + 4

    async def storm() -> None:
        for fault in itertools.cycle(("cut", "500", "half", "garbage", "503")):
            if all_there():
                break
            await portal.set_fault(fault, probability=0.4)
            await wait_until(partial(more_came, len(portal.arrivals)), what="traffic")
        await portal.set_fault("ok")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(storm())
        for code in codes:
            tasks.create_task(dossier(code))
    for code in codes:
        lines = [each["NoiDungXuLy"] for each in portal.store.timeline(code)]
        assert lines == [f"Bước {number}" for number in range(1, 6)], code


async def test_the_portal_refuses_a_whole_batch_for_one_bad_field(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    bad = write_record(record()) | {"GhiChu": "x" * 2001}
    batches = [
        ("themmoi", [write_record(record()), bad], "GhiChu vượt quá 2000"),
        ("themmoi", [write_record(record()) | {"TrichYeuHoSo": "x" * 1001}], "TrichYeuHoSo"),
        ("themmoi", [write_record(record()) | {"NgayHenTra": "2026"}], "NgayHenTra"),
        ("themmoi", [write_record(record()) | {"KenhThucHien": 2}], "KenhThucHien"),
    ]
    known = record()
    await good(connect(http, portal), known)
    line = write_step(step(known.code))
    batches += [
        ("tientrinh", [line, line | {"NoiDungXuLy": None}], "NoiDungXuLy"),
        ("tientrinh", [line | {"NguoiXuLy": "x" * 51}], "NguoiXuLy vượt quá 50"),
        ("tientrinh", [line] * 11, "vượt quá 10"),
    ]
    for path, batch, told in batches:
        async with http.post(f"{portal.relay_url}/{path}", json=batch) as answer:
            found = await answer.json()
        assert str(found["error_code"]) == "-1"
        assert told in unicodedata.normalize("NFC", found["message"])
    assert portal.store.counts() == {"dossier": 1, "line": 0, "other": 0}


async def test_the_portal_doubles_a_step_sent_twice_and_gives_codes_in_three_types(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    known = record()
    await good(connect(http, portal), known)
    codes = set()
    for _ in range(30):
        batch = [write_step(step(known.code))]
        async with http.post(f"{portal.relay_url}/tientrinh", json=batch) as answer:
            codes.add(repr((await answer.json())["error_code"]))
    assert codes == {"0", "'0'", "'00'"}
    assert len(portal.store.timeline(known.code)) == 30


async def test_catalogues_ratings_states_and_payments(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    login = {"username": UNIT, "password": PASSWORD.decode()}
    params = {"dstcode": DSTCODE}
    async with http.post(portal.login_url, json=login, params=params) as answer:
        session = (await answer.json())["session"]

    async def ask(service: str, **more: Any) -> Any:
        body = {"session": session, "madonvi": UNIT, "service": service, **more}
        async with http.post(portal.service_url, json=body, params=params) as answer:
            return await answer.json()

    assert (await ask("LayDanhSachTTHC"))["result"][0]["MATTHC"] == "1.000656"
    assert (await ask("LayThuTuc", maTTHC="1.000656"))["result"][0]["TENTTHC"] == "Đăng ký khai tử"
    assert (await ask("LayThuTuc", maTTHC="x"))["result"] == []
    assert (await ask("LayDVC"))["result"]["data"][0]["MATTHC"] == "1.000656"
    for name in ("LayDanhMucGioiTinh", "LayDanhMucCoQuan", "LayDanhMucLinhVuc", "LayDanhMucLePhi"):
        assert (await ask(name))["result"]
    assert str((await ask("KhongCo"))["error_code"]) == "-1"
    rating = {"NgayTongHop": "11-2026", "TongSoNguoiDanhGia": 3, "Madonvi": UNIT, "TenDonVi": "Mẫu"}
    assert int((await ask("DongBoDanhGia", data=[rating]))["error_code"]) == 0
    state = {"MaHoSo": new_code(), "NgayXuLy": "20261124080000", "TrangThai": "2"}
    assert int((await ask("DongBoTrangThaiHoSo", type="2", data=state))["error_code"]) == 0
    wrong = await ask("DongBoTrangThaiHoSo", type="2", data=state | {"TrangThai": "4"})
    assert str(wrong["error_code"]) == "-1"
    assert portal.store.kept("DongBoDanhGia") == [rating]
    paid = record(online_payment=1)
    await good(connect(http, portal), paid)
    query = {"MaHoSo": paid.code, "MaTraCuuTT": f"{paid.code}20261124080000"}
    async with http.post(f"{portal.url}/payment", json=query) as answer:
        assert (await answer.json())["error_code"] == 1


async def test_a_killed_portal_loses_nothing_that_it_answered(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    accounts = tmp_path / "accounts.json"
    account = {"username": UNIT, "password": PASSWORD.decode(), "madonvi": UNIT}
    accounts.write_text(json.dumps([account]))
    command = [sys.executable, "-m", "adapters.dvcqg.sandbox", "--accounts", str(accounts)]
    command += ["--store", str(tmp_path / "portal.db"), "--lookup-shows-steps"]
    code = new_code()
    for kills in range(2):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            assert process.stdout is not None
            url = (await process.stdout.readline()).decode().strip()
            forward = f"{url}/XrdAdapter/RestService/forward/mapi"
            addresses = {"url": f"{forward}/tichhop", "login_url": f"{forward}/login"}
            async with Portal([ACCOUNT]) as unused:
                adapter = connect(http, unused, answer_seconds=10.0, **addresses)
            await good(adapter, record(code), step(code, kills))
            async with http.get(f"{url}/_sandbox/timelines") as answer:
                (line,) = (await answer.text()).splitlines()
        finally:
            process.kill()
            await process.wait()
    dossier = json.loads(line)
    assert [each["NoiDungXuLy"] for each in dossier["timeline"]] == ["Bước 0", "Bước 1"]
    assert (dossier["inserts"], dossier["updates"]) == (1, 1)


async def test_nothing_is_sent_twice_by_one_attempt(
    http: aiohttp.ClientSession, portal: Portal
) -> None:
    adapter, code = connect(http, portal), new_code()
    await good(adapter, record(code))
    await portal.set_fault("garbage")
    delivery = of(step(code))
    outcome = await adapter.deliver(delivery)
    assert outcome.result is Result.UNKNOWN
    assert portal.calls["CapNhatTienDoHoSoMC"] == 1
    await portal.set_fault("ok")
    outcome = await adapter.deliver(replace(delivery, attempt=2, maybe_sent=True))
    assert outcome.partner_ref == f"{code}#1"


async def test_pitfall_12_no_payload_session_or_password_reaches_a_log_or_an_outcome(
    http: aiohttp.ClientSession, portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    adapter, given = connect(http, portal), record(applicant={"kind": 1, "name": "Lê Thị Thử"})
    outcomes = [await adapter.deliver(of(given)), await adapter.deliver(again(given))]
    outcomes.append(await adapter.deliver(of(step(given.code, by="Lê Thị Thử"))))
    outcomes.append(await adapter.deliver(of(step(new_code(), by="Lê Thị Thử"))))
    shown = caplog.text + repr(outcomes) + repr(adapter)
    for hidden in ("Lê Thị Thử", PASSWORD.decode(), *portal._sessions):
        assert hidden not in shown


def test_the_readme_shows_what_is_sent() -> None:
    readme = (Path(adapters.dvcqg.__path__[0]) / "README.md").read_text()
    shown = json.loads(readme.split("```json\n", 1)[1].split("```", 1)[0])
    config = DvcqgConfig(
        url="http://a/", login_url="http://a/", username=UNIT, password="portal", madonvi=UNIT
    )
    item = {"MaHoSo": "H99.19-261124-0001"}
    call = push_call(config, "DongBoHoSoMC", item, session="…", updating=False)
    assert json.loads(call.body) == shown
