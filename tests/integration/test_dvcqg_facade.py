"""One-stop software written for the national portal works against the bus, by address and login."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.dvcqg import Dvcqg
from adapters.dvcqg.config import DvcqgConfig
from adapters.dvcqg.facade import DvcqgFacade
from adapters.http import open_session
from adapters.portal_fields import write_record, write_step
from bus.gateway.limits import GatewayLimits
from schemas.adapter import Outcome, Result
from schemas.door import Refusal
from schemas.dossier import DossierRecord, Step
from schemas.errors import Conflict, LedgerUnavailable, LgspError, RateLimited
from schemas.province import Agency, Client, Endpoint, Subscription
from tests.contract.adapter_conformance import delivery_of
from tests.integration.gateway_harness import Harness, opened, served
from tests.unit.adapters.dvcqg.samples import record as any_record
from tests.unit.adapters.dvcqg.samples import step

USER, SECRETS = "000.00.00.H38", {"mc-2026": b"khoa-cua-mot-cua-2026", "mc-2025": b"khoa-cu-2025-x"}
ONE_STOP = Client(
    id="mot-cua",
    agencies=("H38",),
    descendants=True,
    rate=10_000,
    burst=10_000,
    system_id=USER,
    secret="mc-2026",
    previous_secret="mc-2025",
)
CODE = "H38.30.07-261124-0001"
BASIC = base64.b64encode(f"{USER}:khoa-cua-mot-cua-2026".encode()).decode()
PORTAL = Endpoint(
    name="cong-dvcqg",
    kind="dvcqg",
    config={"dialect": "relay-query", "url": "http://127.0.0.1:1/", "madonvi": USER},
)


def record(code: str = CODE, **changes: Any) -> DossierRecord:
    return any_record(code, **{"agency": "H38.30.07", **changes})


def secret(name: str) -> bytes:
    return SECRETS[name]


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    facades = {"/dvcqg": DvcqgFacade()}
    limits = GatewayLimits(max_json=100_000)
    async with opened(
        sqlite_url, tmp_path, facades=facades, secrets=secret, limits=limits
    ) as harness:
        await harness.declare("endpoint", None, PORTAL)
        portal = Agency(code="000.00.00.G22", name="Cổng DVCQG", endpoint="cong-dvcqg")
        await harness.declare("agency", None, portal)
        to_portal = Subscription(name="cong", sender="H38*", receivers=("000.00.00.G22",))
        await harness.declare("subscription", None, to_portal)
        await harness.declare("client", None, ONE_STOP)
        yield harness


async def login(bus: Harness, password: bytes = SECRETS["mc-2026"], user: str = USER) -> Any:
    given = {"username": user, "password": password.decode()}
    answer = await bus.http.post("/dvcqg/mapi/login", json=given)
    assert answer.status_code == 200
    return answer.json()


async def call(bus: Harness, service: str, *, session: str | None = None, **more: Any) -> Any:
    session = (await login(bus))["session"] if session is None else session
    body = {"session": session, "madonvi": USER, "service": service, **more}
    answer = await bus.http.post("/dvcqg/mapi/tichhop", content=orjson.dumps(body))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sync(bus: Harness, *items: Any, updating: str = "False", **more: Any) -> Any:
    data = [write_record(each) if isinstance(each, DossierRecord) else each for each in items]
    return await call(bus, "DongBoHoSoMC", isUpdating=updating, data=data, **more)


async def messages(bus: Harness) -> list[tuple[str, str, str]]:
    """(kind, sender, order key) of every message accepted, in order."""
    rows = await bus.ledger.queries.messages(agencies=None, limit=200)
    return [(each.kind, each.sender, each.order_key) for each in reversed(rows)]


async def test_a_login_gives_a_session_and_a_wrong_one_does_not(bus: Harness) -> None:
    for good in SECRETS.values():
        answer = await login(bus, good)
        assert (answer["error_code"], answer["message"]) == (0, "Thành công")
        assert (await call(bus, "LayDanhMucCoQuan", session=answer["session"]))["error_code"] == 0
    for wrong in (await login(bus, b"sai"), await login(bus, user="ai-do")):
        assert wrong["error_code"] == -1
        assert "session" not in wrong
    assert "mật khẩu không đúng" in (await login(bus, b"sai"))["message"]


@pytest.mark.parametrize("spoil", ["", "x", "1" * 40, "á", "AAAA" * 20])
async def test_a_made_up_session_is_refused(bus: Harness, spoil: str) -> None:
    answer = await call(bus, "LayDanhMucCoQuan", session=spoil)
    assert answer["error_code"] == -1
    assert "Session không hợp lệ" in answer["message"]


async def test_a_session_cannot_be_altered_or_outlive_its_time(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = (await login(bus))["session"]
    mark, at, user = base64.urlsafe_b64decode(session).decode().split(".", 2)
    forged = base64.urlsafe_b64encode(f"{mark}.{int(at) + 60}.{user}".encode()).decode()
    assert (await call(bus, "LayDanhMucCoQuan", session=forged))["error_code"] == -1
    monkeypatch.setattr("adapters.dvcqg.facade.SESSION_SECONDS", -1.0)
    assert (await call(bus, "LayDanhMucCoQuan", session=session))["error_code"] == -1


async def test_a_dossier_and_its_steps_are_accepted_once_each_and_kept_as_written(
    bus: Harness,
) -> None:
    wire = write_record(record()) | {"FieldOfTheProvince": " x "}
    raw = b'{ "MaHoSo" :' + orjson.dumps(wire).removeprefix(b'{"MaHoSo":')
    session = (await login(bus))["session"]
    body = b'{"session":"%s","madonvi":"%s","service":"DongBoHoSoMC","isUpdating":"False",' % (
        session.encode(),
        USER.encode(),
    )
    answer = await bus.http.post("/dvcqg/mapi/tichhop", content=body + b'"data": [ %s ]}' % raw)
    assert answer.json()["error_code"] == 0, answer.text
    assert "thành công" in answer.json()["message"]
    lines = [write_step(step(CODE, number)) for number in range(3)]
    for _ in range(2):  # the whole call again: a repeat
        assert (await call(bus, "CapNhatTienDoHoSoMC", data=lines))["error_code"] == 0
    kinds = [("dossier", "H38.30.07", CODE), *[("step", "H38.30.07", CODE)] * 3]
    assert await messages(bus) == kinds
    first = (await bus.ledger.queries.messages(agencies=None, limit=10))[-1]
    assert first.sha256 == hashlib.sha256(raw).hexdigest()
    assert session.encode() not in raw


async def test_look_up_shows_what_the_bus_has(bus: Harness) -> None:
    assert (await call(bus, "TraCuuHoSo", mahoso=CODE))["result"] == []
    await sync(bus, record())
    late = write_step(step(CODE, status=9))
    await call(bus, "CapNhatTienDoHoSoMC", data=[late])
    (found,) = (await call(bus, "TraCuuHoSo", mahoso=CODE))["result"]
    assert found == write_record(record()) | {"TrangThaiHoSo": "9"}
    assert (await call(bus, "TraCuuHoSo", mahoso="x"))["result"] == []


async def test_insert_and_update_as_the_portal_has_them(bus: Harness) -> None:
    changed = record(summary="khác")
    assert (await sync(bus, record()))["error_code"] == 0
    assert (await sync(bus, record()))["error_code"] == 0  # its answer was lost: no new message
    exists = await sync(bus, changed)
    assert exists["error_code"] == 3
    assert "đã tồn tại" in exists["message"]
    assert (await sync(bus, changed, updating="True"))["error_code"] == 0
    assert len(await messages(bus)) == 2
    unknown = record("H38.30.07-261124-0002")
    assert (await sync(bus, unknown, updating="True"))["error_code"] == 0


async def test_the_same_state_again_after_another_travels_again(bus: Harness) -> None:
    for number, status in enumerate((4, 5, 4)):
        answer = await sync(bus, record(status=status), updating=str(number > 0))
        assert answer["error_code"] == 0
    assert len(await messages(bus)) == 3


async def test_one_bad_field_refuses_the_whole_call_by_name(bus: Harness) -> None:
    bad = write_record(record("H38.30.07-261124-0003")) | {"TrichYeuHoSo": "x" * 1001}
    answer = await sync(bus, record(), bad)
    assert answer["error_code"] == -1
    assert "TrichYeuHoSo" in answer["message"]
    assert "dài quá 1000" in answer["message"]
    assert "mã theo dõi" in answer["message"]
    line = write_step(step(CODE)) | {"NoiDungXuLy": None}
    answer = await call(bus, "CapNhatTienDoHoSoMC", data=[write_step(step(CODE)), line])
    assert "NoiDungXuLy" in answer["message"]
    assert await messages(bus) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"service": "DongBoHoSoMC", "isUpdating": "maybe", "data": [{}]}, "isUpdating"),
        ({"service": "DongBoHoSoMC", "isUpdating": "False", "data": []}, "data"),
        ({"service": "DongBoHoSoMC", "isUpdating": "False", "data": {"a": 1}}, "data"),
        ({"service": "DongBoHoSoMC", "isUpdating": "False", "data": ["x"]}, "MaHoSo"),
        ({"service": "DongBoHoSoMC", "isUpdating": "False", "data": [{}] * 501}, "data"),
        ({"service": "DongBoDanhGia", "data": []}, "DongBoDanhGia"),
        ({"service": "CapNhatTienDoHoSoMC"}, "data"),
    ],
)
async def test_what_cannot_be_served_is_told(
    bus: Harness, given: dict[str, Any], told: str
) -> None:
    answer = await call(bus, **given)
    assert answer["error_code"] == -1
    assert told in answer["message"]


@pytest.mark.parametrize("body", [b"", b"[", b"{", b"\xff", b"[" * 5000, b'{"a":1}x', b"1"])
async def test_what_is_no_json_is_told(bus: Harness, body: bytes) -> None:
    headers = {"Authorization": f"Basic {BASIC}"}
    for path in ("/mapi/login", "/mapi/tichhop", "/relay/themmoi"):
        answer = await bus.http.post(f"/dvcqg{path}", content=body, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["error_code"] == -1


async def test_nobody_sends_anothers_dossiers(bus: Harness) -> None:
    narrow = ONE_STOP.model_copy(update={"agencies": ("H38.03",), "descendants": False})
    await bus.declare("client", ONE_STOP, narrow)
    answer = await sync(bus, record())
    assert answer["error_code"] == -1
    assert (await call(bus, "TraCuuHoSo", mahoso=CODE))["result"] == []
    answer = await call(bus, "CapNhatTienDoHoSoMC", data=[write_step(step(CODE))])
    assert answer["error_code"] == -1
    assert await messages(bus) == []


async def test_the_handling_agency_is_the_codes_unit_else_madonvi(bus: Harness) -> None:
    await sync(bus, record("H38.02-261124-0001"))
    await sync(bus, record("H38.99-261124-0001"), madonvi="H38")
    unknown = await sync(bus, record("H38.99-261124-0002"), madonvi="H77")
    assert "H38.99" in unknown["message"]
    assert [sender for _, sender, _ in await messages(bus)] == ["H38.02", "H38"]


async def test_the_directory_is_a_catalogue(bus: Harness) -> None:
    rows = (await call(bus, "LayDanhMucCoQuan"))["result"]
    found = {row["MADONVI"]: (row["TENDONVI"], row["CAPDONVI"]) for row in rows}
    assert found["H38"] == ("UBND tỉnh", "1")
    assert found["H38.30.07"] == ("UBND xã Suối Mẫu", "3")


async def test_relays_of_both_kinds(bus: Harness) -> None:
    async def post(path: str, body: Any, auth: str = f"Basic {BASIC}") -> Any:
        headers = {"Authorization": auth}
        answer = await bus.http.post(f"/dvcqg/relay/{path}", json=body, headers=headers)
        return answer.json()

    query = f"?MaDinhDanhDV={USER}&isUpdating="
    assert (await post(f"DongBoHoSoMC{query}False", [write_record(record())]))["error_code"] == 0
    other = write_record(record("H38.30.07-261124-0009"))
    assert (await post("themmoi", [other]))["error_code"] == 0
    assert (await post("themmoi", [other | {"GhiChu": "a"}]))["error_code"] == 3
    assert (await post("capnhat", [other | {"GhiChu": "a"}]))["error_code"] == 0
    assert (await post(f"CapNhatTienDoHoSoMC{query}", [write_step(step(CODE))]))["error_code"] == 0
    assert (await post("tientrinh", [write_step(step(CODE, 2))]))["error_code"] == 0
    assert len((await post("tracuu", {"mahoso": CODE}))["result"]) == 1
    for auth in ("", "Basic x", "Bearer x", "Basic " + base64.b64encode(b"a:b").decode()):
        assert (await post("themmoi", [other], auth))["error_code"] == -1
    assert len(await messages(bus)) == 5


@pytest.mark.parametrize(
    ("error", "status"),
    [(LedgerUnavailable(), 503), (RateLimited(retry_after=3), 429), (Conflict(), 200)],
)
def test_what_another_try_may_mend_has_a_status_of_its_own(error: LgspError, status: int) -> None:
    refusal = Refusal(error, error.http_status, {}, "ma-theo-doi")
    answer = DvcqgFacade().refuse(refusal)
    assert answer.status_code == status
    told = orjson.loads(bytes(answer.body))
    assert told["error_code"] == -1
    assert error.detail.vi in told["message"]
    assert "ma-theo-doi" in told["message"]


async def test_the_buss_own_client_of_the_portal_works_against_its_facade(bus: Harness) -> None:
    """Both sides of the protocol, written apart by the same table: login, insert, update, steps."""
    async with served(bus.app) as url, open_session() as http:
        config = DvcqgConfig(
            url=f"{url}/dvcqg/mapi/tichhop",
            login_url=f"{url}/dvcqg/mapi/login",
            username=USER,
            password="mc-2026",
            madonvi=USER,
        )
        client = Dvcqg(config, http=http, secrets=secret)

        async def deliver(item: DossierRecord | Step, **more: Any) -> Outcome:
            kind = "dossier" if isinstance(item, DossierRecord) else "step"
            content = item.model_dump_json(by_alias=True).encode()
            return await client.deliver(delivery_of(content, kind=kind, **more))

        items: list[DossierRecord | Step] = [
            record(),
            record(summary="khác"),
            step(CODE, 1),
            step(CODE, 2),
        ]
        assert [(await deliver(each)).result for each in items] == [Result.DELIVERED] * 4
        repeat = await deliver(record(summary="khác"), maybe_sent=True)
        assert (repeat.result, repeat.answer) == (Result.DELIVERED, "")  # found, not sent
        other = Dvcqg(config, http=http, secrets=secret)
        content = record(summary="lại khác").model_dump_json(by_alias=True).encode()
        outcome = await other.deliver(delivery_of(content, kind="dossier"))  # đã tồn tại
        assert outcome.result is Result.DELIVERED
    assert len(await messages(bus)) == 5
