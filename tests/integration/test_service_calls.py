"""Services called in JSON: translation, rights, personal data, and partners in trouble."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.faults import Fault, Mode
from bus.engine import events
from bus.ledger.accesses import subject_hash
from bus.ledger.journal import JournalTuple
from schemas.declared import BreakerPolicy
from schemas.errors import ConfigurationError, LedgerUnavailable
from schemas.maintenance import Maintenance
from schemas.service import OperationSettings
from tests.integration.gateway_harness import BUILD, HEALTH, OFFICE
from tests.integration.service_harness import (
    DOCUMENTS,
    LIMITED,
    ONE,
    OPERATIONS,
    OTHER,
    Services,
    calling,
    grant,
)
from tests.waiting import wait_until

CITIZEN = {
    "@capNhat": "2026-01-02",
    "SoDinhDanh": ONE,
    "HoVaTen": "NGUYỄN THỊ MẪU",
    "NgaySinh": "1999-01-31",
    "GioiTinh": 2,
    "NhomMau": "O",
    "DiaChi": {"Tinh": "Sơn Bình", "Xa": "Suối Mẫu"},
    "SoGiayToCu": ["123456789"],
}
HIDDEN = {"#withheld": True}


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    async with calling(sqlite_url, tmp_path) as services:
        yield services


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_a_service_behind_basic_authentication_is_called_2281(
    sqlite_url: str, tmp_path: Path
) -> None:
    """api-manager#2281: what was generated does not reach an endpoint that wants Basic."""
    sign_on = {"kind": "basic", "user": "truc", "password": "so-cong-dan"}
    async with calling(sqlite_url, tmp_path, lambda _: b"m\xe1\xba\xadt", sign_on=sign_on) as on:
        answer = await on.call("TraCuu", {"SoDinhDanh": ONE})
        assert answer.json() == {"CongDan": CITIZEN}
        (asked,) = on.register.asked
        assert asked.headers["Authorization"] == "Basic " + b64encode("truc:mật".encode()).decode()


async def test_a_soap_service_answers_in_json(on: Services) -> None:
    answer = await on.call("TraCuu", {"SoDinhDanh": ONE})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"CongDan": CITIZEN}
    (asked,) = on.register.asked
    assert asked.headers["SOAPAction"] == '"urn:lgsp:sandbox:citizens#TraCuu"'
    assert 0 < float(asked.headers["Lgsp-Timeout"]) <= 20
    none = await on.call("TraCuu", {"SoDinhDanh": OTHER})
    assert none.json()["CongDan"]["NhomMau"] is None


async def test_a_request_against_the_contract_never_reaches_the_partner(on: Services) -> None:
    answer = await on.call("TraCuu", {"SoDinhDanh": "12"})
    assert code(answer) == (422, "contract-mismatch")
    assert answer.json()["context"]["path"] == "/SoDinhDanh"
    assert code(await on.call("TraCuu", {"SoDinhDan": ONE})) == (422, "contract-mismatch")
    assert code(await on.call("XoaHet")) == (404, "not-found")
    assert code(await on.call("Dem", service="khong-co")) == (404, "not-found")
    assert on.asked == []


async def test_a_fault_keeps_the_partners_words(on: Services) -> None:
    answer = await on.call("TraCuu", {"SoDinhDanh": "999999999999"})
    assert code(answer) == (502, "partner-refused")
    fault = answer.json()["fault"]
    assert (fault["code"], fault["reason"]) == ("Client", "số định danh 999999999999 sai")
    assert fault["detail"] == [{"Loi": {"MaLoi": 17, "MoTa": "số định danh 999999999999 sai"}}]
    assert "999999999999" not in answer.json()["detail"]
    limited = await on.call("TraCuu", {"SoDinhDanh": "999999999999"}, client="so-xay-dung")
    assert limited.json()["fault"]["detail"] == [HIDDEN]


# Rights


async def test_fields_that_are_not_granted_are_withheld_never_absent(on: Services) -> None:
    answer = await on.call("TraCuu", {"SoDinhDanh": ONE}, client="so-xay-dung")
    assert answer.json() == {
        "CongDan": {
            "@capNhat": HIDDEN,
            "SoDinhDanh": ONE,
            "HoVaTen": "NGUYỄN THỊ MẪU",
            "NgaySinh": HIDDEN,
            "GioiTinh": HIDDEN,
            "NhomMau": HIDDEN,
            "DiaChi": {"Tinh": HIDDEN, "Xa": "Suối Mẫu"},
            "SoGiayToCu": [HIDDEN],
        }
    }


async def test_only_what_is_granted_can_be_called(on: Services) -> None:
    body = {"Xa": "Suối Mẫu"}
    assert (await on.call("Dem", body, client="so-y-te")).json() == {"So": 2}
    assert code(await on.call("DanhSach", body, client="so-y-te")) == (403, "forbidden")
    assert code(await on.call("Dem", body, client="huyen")) == (403, "forbidden")
    assert code(await on.call("Dem", body, client="van-hanh")) == (403, "forbidden")
    assert code(await on.call("Dem", body, client=None)) == (401, "unauthenticated")
    foreign = await on.call("Dem", body, client="so-y-te", Lgsp_Agency=OFFICE)
    assert code(foreign) == (403, "forbidden")


async def test_an_agency_can_be_cut_off_alone_and_a_grant_ends(on: Services) -> None:
    body = {"Xa": "Suối Mẫu"}
    whole = grant(HEALTH, operations=("Dem",))
    await on.bus.declare("grant", whole, whole.model_copy(update={"suspended": True}))
    answer = await on.call("Dem", body, client="so-y-te")
    assert code(answer) == (403, "forbidden")
    assert "suspended" in answer.json()["detailEn"]
    assert (await on.call("Dem", body)).status_code == 200
    ended = whole.model_copy(update={"valid_to": date(2020, 1, 1)})
    await on.bus.declare("grant", whole, ended)
    assert "no grant" in (await on.call("Dem", body, client="so-y-te")).json()["detailEn"]


async def test_personal_data_demands_officer_and_purpose(on: Services) -> None:
    for missing in ("Lgsp-Officer", "Lgsp-Purpose"):
        answer = await on.call("TraCuu", {"SoDinhDanh": ONE}, **{missing.replace("-", "_"): ""})
        assert code(answer) == (400, "invalid-request")
        assert answer.json()["context"]["field"] == missing
    assert on.asked == []
    assert await on.bus.ledger.accesses.find() == []


async def test_a_grant_may_be_bound_to_purposes(on: Services) -> None:
    old = grant(BUILD, fields=LIMITED)
    await on.bus.declare("grant", old, old.model_copy(update={"purposes": ("khai sinh",)}))
    answer = await on.call("TraCuu", {"SoDinhDanh": ONE}, client="so-xay-dung")
    assert code(answer) == (403, "forbidden")
    fitting = await on.call(
        "TraCuu", {"SoDinhDanh": ONE}, client="so-xay-dung", Lgsp_Purpose="khai%20sinh"
    )
    assert fitting.status_code == 200


async def test_every_access_is_found_by_the_person_and_tells_no_value(on: Services) -> None:
    await on.call("TraCuu", {"SoDinhDanh": ONE}, client="so-xay-dung")
    key = b"key of subjects"
    (row,) = await on.bus.ledger.accesses.find(subject=subject_hash(key, ONE))
    assert (row.client, row.agency, row.officer) == ("client:so-xay-dung", BUILD, "CB-01")
    assert (row.service, row.operation, row.purpose) == ("cong-dan@1", "TraCuu", "G15-TP110")
    assert row.fields == tuple(sorted(LIMITED)), "what was seen, not what was withheld"
    assert row.outcome == "answered"
    assert await on.bus.ledger.accesses.find(subject=subject_hash(key, OTHER)) == []
    async with on.bus.ledger.db.read() as connection:
        for table in ("service_access", "journal"):
            rows = await connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
            kept = "\n".join(map(str, rows.fetchall()))
            assert ONE not in kept
            assert "MẪU" not in kept
    assert (await on.bus.ledger.verify_journal()).problems == ()


async def test_who_asked_about_whom_is_no_news_for_subscribers(on: Services) -> None:
    heard: list[JournalTuple] = []

    def hear(entries: Sequence[JournalTuple]) -> None:
        heard.extend(each for each in entries if each[3].startswith("service-"))

    on.bus.ledger.journalled = hear
    await on.call("TraCuu", {"SoDinhDanh": ONE})
    assert [each[3] for each in heard] == ["service-asked", "service-answered"]
    assert events.of_entries(heard) == []


async def test_everybody_on_a_list_is_written_down(on: Services) -> None:
    listed = OPERATIONS["TraCuu"].model_copy(update={"idempotent": False})
    await on.declare(operations={"DanhSach": listed})
    await on.call("DanhSach", {"Xa": "Suối Mẫu"})
    for person in (ONE, OTHER):
        subject = subject_hash(b"key of subjects", person)
        (row,) = await on.bus.ledger.accesses.find(subject=subject)
        assert row.operation == "DanhSach"


async def test_a_failed_access_is_written_down_with_what_became_of_it(on: Services) -> None:
    await on.declare(operations={})
    await on.declare(operations={"TraCuu": OPERATIONS["TraCuu"].model_copy(update={"attempts": 1})})
    await on.register.set(Mode.GARBAGE)
    assert code(await on.call("TraCuu", {"SoDinhDanh": ONE})) == (502, "partner-garbage")
    (row,) = await on.bus.ledger.accesses.find()
    assert row.outcome == "partner-garbage"


async def test_without_the_key_of_persons_nobody_is_asked(on: Services) -> None:
    def secret(name: str) -> bytes:
        raise ConfigurationError(f"no {name} in /etc/lgsp/secrets")

    on.bus.app.state.services.calls._secrets = secret
    answer = await on.call("TraCuu", {"SoDinhDanh": ONE})
    assert code(answer) == (500, "configuration")
    assert "/etc" not in answer.text
    assert on.asked == []
    assert (await on.call("Dem", {"Xa": "a"})).status_code == 200


async def test_without_the_ledger_no_personal_data_is_given(on: Services) -> None:
    """What cannot be written down is not asked; what needs no entry goes on."""
    await on.call("TraCuu", {"SoDinhDanh": ONE})
    asked = len(on.asked)

    async def away(_access: Any) -> None:
        raise LedgerUnavailable

    on.bus.ledger.access_asked = away  # type: ignore[assignment, method-assign]
    answer = await on.call("TraCuu", {"SoDinhDanh": ONE})
    assert code(answer) == (503, "ledger-unavailable")
    assert len(on.asked) == asked
    assert (await on.call("Dem", {"Xa": "a"})).status_code == 200


# Partners in trouble


@pytest.mark.parametrize(
    ("mode", "status", "name"),
    [
        (Mode.ERROR, 502, "partner-garbage"),
        (Mode.BUSY, 503, "partner-unavailable"),
        (Mode.GARBAGE, 502, "partner-garbage"),
        (Mode.CUT, 504, "partner-timeout"),
        (Mode.HALF, 504, "partner-timeout"),
        (Mode.HANG, 504, "partner-timeout"),
        (Mode.SLOW, 504, "partner-timeout"),
        (Mode.REFUSE, 503, "partner-unavailable"),
    ],
)
async def test_a_partner_in_trouble_is_told_as_what_it_is(
    on: Services, mode: Mode, status: int, name: str
) -> None:
    await on.register.set(mode)
    answer = await on.call("GhiNhan", {"SoDinhDanh": ONE, "NoiDung": "a"}, Lgsp_Timeout="0.5")
    assert code(answer) == (status, name), answer.text
    assert answer.json()["whoMustAct"] == "partner"
    assert ("retry-after" in answer.headers) is answer.json()["retryable"]
    assert on.register.url.split("/")[2] not in answer.text, "its address is nobody's business"


async def test_what_is_not_idempotent_is_asked_once(on: Services) -> None:
    await on.register.set(Mode.CUT)
    body = {"SoDinhDanh": ONE, "NoiDung": "a"}
    assert code(await on.call("GhiNhan", body)) == (504, "partner-timeout")
    assert on.asked == ["GhiNhan"]


async def test_an_idempotent_operation_is_tried_again_until_it_works(on: Services) -> None:
    await on.register.set(Mode.CUT)
    calling = asyncio.create_task(on.call("Dem", {"Xa": "Suối Mẫu"}))
    await wait_until(lambda: on.asked, what="the first attempt")
    await on.register.set(Mode.OK)
    assert (await calling).json() == {"So": 2}
    assert len(on.asked) > 1


async def test_attempts_end(on: Services) -> None:
    await on.register.set(Mode.ERROR)
    assert code(await on.call("Dem", {"Xa": "Suối Mẫu"})) == (502, "partner-garbage")
    assert on.asked == ["Dem"] * 3


async def test_a_fault_is_an_answer_and_is_not_tried_again(on: Services) -> None:
    on.register.fault = True
    answer = await on.call("Dem", {"Xa": "Suối Mẫu"})
    assert answer.json()["fault"]["reason"] == "hệ thống đang bận"
    assert on.asked == ["Dem"]


async def test_an_empty_answer_is_garbage_unless_it_means_nothing_found(on: Services) -> None:
    on.register.empty = True
    await on.declare(operations={})
    assert code(await on.call("Dem", {"Xa": "a"})) == (502, "partner-garbage")
    await on.declare(operations={"Dem": OperationSettings(empty_is_none=True)})
    assert code(await on.call("Dem", {"Xa": "a"})) == (404, "not-found")


async def test_a_partner_that_fails_again_and_again_is_left_in_peace(on: Services) -> None:
    breaker = BreakerPolicy(failures=2, distinct=2, probe_every=60)
    await on.declare(breaker=breaker, operations={})
    await on.register.set(Mode.ERROR)
    for _ in range(2):
        assert code(await on.call("Dem", {"Xa": "a"})) == (502, "partner-garbage")
    await on.register.set(Mode.OK)
    answer = await on.call("Dem", {"Xa": "a"})
    assert code(answer) == (503, "partner-unavailable")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert on.asked == ["Dem"] * 2


async def test_the_breaker_closes_by_itself(on: Services) -> None:
    breaker = BreakerPolicy(failures=1, distinct=1, probe_every=0.01)
    await on.declare(breaker=breaker, operations={})
    await on.register.set(Mode.ERROR)
    assert code(await on.call("Dem", {"Xa": "a"})) == (502, "partner-garbage")
    await on.register.set(Mode.OK)

    async def call() -> Any:
        return (await on.call("Dem", {"Xa": "a"})).status_code == 200

    await wait_until(call, what="the service is asked again")


async def test_an_impatient_caller_does_not_open_the_breaker_for_others(on: Services) -> None:
    await on.declare(breaker=BreakerPolicy(failures=1, distinct=1, probe_every=60), operations={})
    await on.register.set(Mode.HANG)
    answer = await on.call("Dem", {"Xa": "a"}, Lgsp_Timeout="0.05")
    assert code(answer) == (504, "partner-timeout")
    await on.register.set(Mode.OK)
    assert (await on.call("Dem", {"Xa": "a"})).status_code == 200


# Shares


async def test_a_partner_gets_no_more_calls_at_once_than_declared(on: Services) -> None:
    await on.declare(concurrency=2)
    await on.bus.token("van-phong")
    on.register.gate = asyncio.Event()
    calls = [asyncio.create_task(on.call("Dem", {"Xa": "a"})) for _ in range(8)]
    await wait_until(lambda: on.register.busy == 2, what="two calls are at the partner")
    on.register.gate.set()
    assert {(await call).status_code for call in calls} == {200}
    assert on.register.most_busy == 2


async def test_one_caller_cannot_keep_the_others_out(on: Services) -> None:
    """Of one place: the other agency's single call is served before the many that waited longer."""
    await on.declare(concurrency=1)
    for client in ("van-phong", "so-y-te"):
        await on.bus.token(client)
    on.register.gate = asyncio.Event()
    order: list[str] = []

    async def one(client: str) -> None:
        await on.call("Dem", {"Xa": "a"}, client=client)
        order.append(client)

    many = [asyncio.create_task(one("van-phong")) for _ in range(6)]
    await wait_until(lambda: on.register.busy == 1, what="the first call is at the partner")
    single = asyncio.create_task(one("so-y-te"))
    guard = on.bus.app.state.services.calls._guards.of(on.service)
    await wait_until(lambda: "client:so-y-te" in guard._slots._waiting, what="it waits")
    on.register.gate.set()
    await asyncio.gather(*many, single)
    assert order.index("so-y-te") <= 2


async def test_more_calls_than_the_allowance_are_told_when_to_come_back(on: Services) -> None:
    await on.declare(caller_rate=0.5)
    answers = [await on.call("Dem", {"Xa": "a"}) for _ in range(2)]
    assert [code(each)[0] for each in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) >= 1
    assert (await on.call("Dem", {"Xa": "a"}, client="so-y-te")).status_code == 200
    await on.declare(caller_rate=50, rate=0.001)
    assert (await on.call("Dem", {"Xa": "a"}, client="so-xay-dung")).status_code == 200
    assert code(await on.call("Dem", {"Xa": "a"}, client="so-y-te")) == (429, "rate-limited")


async def test_a_question_asked_by_many_at_once_is_asked_once(on: Services) -> None:
    cached = OperationSettings(idempotent=True, cache_seconds=600)
    await on.declare(operations={"Dem": cached})
    await on.bus.token("van-phong")
    on.register.gate = asyncio.Event()
    calls = [asyncio.create_task(on.call("Dem", {"Xa": "Suối Mẫu"})) for _ in range(20)]
    await wait_until(lambda: on.register.busy == 1, what="the question is at the partner")
    on.register.gate.set()
    assert {(await call).text for call in calls} == {'{"So":2}'}
    assert on.asked == ["Dem"]
    assert (await on.call("Dem", {"Xa": "Suối Mẫu"})).json() == {"So": 2}
    assert on.asked == ["Dem"], "kept"
    await on.call("Dem", {"Xa": "Nậm Khao"})
    assert on.asked == ["Dem"] * 2, "another question"


async def test_who_is_in_a_hurry_spoils_no_answer_for_the_others(on: Services) -> None:
    await on.declare(operations={"Dem": OperationSettings(idempotent=True, cache_seconds=600)})
    await on.bus.token("van-phong")
    on.register.gate = asyncio.Event()
    body = {"Xa": "Suối Mẫu"}
    hurried = asyncio.create_task(on.call("Dem", body, Lgsp_Timeout="0.3"))
    await wait_until(lambda: on.register.busy == 1, what="the question is at the partner")
    patient = asyncio.create_task(on.call("Dem", body))
    assert code(await hurried) == (504, "partner-timeout")
    on.register.gate.set()
    assert (await patient).json() == {"So": 2}
    assert on.asked == ["Dem"]


async def test_a_partner_that_asks_for_a_pause_gets_it(on: Services) -> None:
    """Longer than the caller waits: then there is no second attempt."""
    await on.register.server.apply(Fault(mode=Mode.BUSY, retry_after=30))
    answer = await on.call("Dem", {"Xa": "a"})
    assert code(answer) == (503, "partner-unavailable")
    assert answer.headers["retry-after"] == "30"
    assert on.asked == ["Dem"]


async def test_a_kept_reply_shows_each_only_what_it_may_see(on: Services) -> None:
    await on.declare(operations={"DanhSach": OperationSettings(idempotent=True, cache_seconds=600)})
    body = {"Xa": "Nậm Khao"}
    whole = (await on.call("DanhSach", body)).json()
    limited = (await on.call("DanhSach", body, client="so-xay-dung")).json()
    assert whole["CongDan"][0]["NgaySinh"] == "1977-06-15"
    assert limited["CongDan"][0]["NgaySinh"] == HIDDEN
    assert (await on.call("DanhSach", body)).json() == whole


# Live


async def test_versions_stand_side_by_side_and_one_is_current(on: Services) -> None:
    await on.add(version="2", address="http://127.0.0.1:9/nowhere", operations={})
    both = ("cong-dan@1", "cong-dan@2")
    answers = [(await on.call("Dem", {"Xa": "a"}, service=name)).status_code for name in both]
    assert answers == [200, 503]
    assert code(await on.call("Dem", {"Xa": "a"})) == (404, "not-found"), "none is current"
    await on.declare(current=True)
    assert (await on.call("Dem", {"Xa": "a"})).status_code == 200


async def test_a_call_in_hand_ends_although_its_service_is_removed(on: Services) -> None:
    on.register.gate = asyncio.Event()
    held = asyncio.create_task(on.call("Dem", {"Xa": "Suối Mẫu"}))
    await wait_until(lambda: on.register.busy == 1, what="the call is at the partner")
    await on.bus.declare("service", on.service, None)
    assert code(await on.call("Dem", {"Xa": "a"})) == (404, "not-found")
    on.register.gate.set()
    assert (await held).json() == {"So": 2}


async def test_a_suspended_service_is_closed_for_everybody(on: Services) -> None:
    await on.declare(suspended=True)
    answer = await on.call("Dem", {"Xa": "a"})
    assert code(answer) == (503, "service-suspended")
    assert "retry-after" not in answer.headers, "nobody knows when"


async def test_announced_maintenance_tells_when_the_service_is_back(on: Services) -> None:
    now = datetime.now(UTC)
    away = Maintenance(
        begins=now - timedelta(minutes=1),
        ends=now + timedelta(hours=1),
        announced=date(2026, 1, 1),
        reason="nâng cấp",
    )
    later = away.model_copy(
        update={"begins": now + timedelta(days=20), "ends": now + timedelta(days=21)}
    )
    await on.declare(maintenance=(later, away))
    answer = await on.call("Dem", {"Xa": "a"})
    assert code(answer) == (503, "service-maintenance")
    assert 3500 < int(answer.headers["retry-after"]) <= 3600
    until = datetime.fromisoformat(answer.json()["context"]["until"])
    assert until == away.ends
    (listed,) = (await on.bus.call("van-phong", "GET", "/services")).json()["items"]
    assert [each["reason"] for each in listed["maintenance"]] == ["nâng cấp", "nâng cấp"]
    assert on.asked == []
    await on.declare(maintenance=(later,))
    noticed = (await on.call("Dem", {"Xa": "a"})).headers["lgsp-maintenance"]
    assert noticed == f"{later.begins.isoformat()}/{later.ends.isoformat()}"


async def test_a_contract_that_cannot_be_used_hides_no_other(on: Services) -> None:
    (broken,) = await on.bus.ledger.contracts.keep([b"<not-wsdl/>"])
    contract = {"main": "a.wsdl", "documents": {"a.wsdl": broken}}
    await on.add(name="hong", contract=type(on.service.contract).model_validate(contract))
    await on.bus.declare("grant", None, grant(OFFICE, service="hong"))
    assert code(await on.call("Dem", service="hong")) == (422, "invalid-contract")
    items = (await on.bus.call("van-phong", "GET", "/services")).json()["items"]
    assert [each["name"] for each in items] == ["cong-dan"]


# What can be read


async def test_the_list_shows_what_the_caller_may_call(on: Services) -> None:
    async def listed(client: str) -> dict[str, Any]:
        items = (await on.bus.call(client, "GET", "/services")).json()["items"]
        return {
            f"{item['name']}/{each['name']}": each["fields"]
            for item in items
            for each in item["operations"]
        }

    assert await listed("so-y-te") == {"cong-dan/Dem": ["*"]}
    assert (await listed("so-xay-dung"))["cong-dan/TraCuu"] == sorted(LIMITED)
    assert await listed("huyen") == {}
    assert (await on.bus.http.get("/services")).status_code == 401


async def test_the_description_is_openapi_and_its_examples_work(on: Services) -> None:
    from openapi_spec_validator import validate  # noqa: PLC0415 - slow to import

    document = (await on.bus.http.get("/services/cong-dan/openapi.json")).json()
    validate(document)
    assert set(document["paths"]) == {
        f"/services/cong-dan/{name}{way}"
        for name in ("TraCuu", "DanhSach", "Dem", "GhiNhan")
        for way in ("", "/package", "/jobs")
    }
    post = document["paths"]["/services/cong-dan/TraCuu"]["post"]
    demanded = {each["name"] for each in post["parameters"] if each["required"]}
    assert demanded == {"Lgsp-Officer", "Lgsp-Purpose"}
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert schema["additionalProperties"] is False, "as strict as the bus is"
    assert schema["required"] == ["SoDinhDanh"]
    example = post["requestBody"]["content"]["application/json"]["example"]
    answer = await on.call("TraCuu", example)
    assert answer.status_code in {200, 502}, answer.text
    assert str(answer.status_code) in post["responses"]


async def test_the_page_needs_nothing_from_elsewhere(on: Services) -> None:
    page = await on.bus.http.get("/services/cong-dan")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Tra cứu một công dân theo số định danh." in page.text
    assert "/services/cong-dan/TraCuu" in page.text


async def test_a_contract_that_changes_counts_at_once(on: Services) -> None:
    renamed = DOCUMENTS["citizens.wsdl"].replace(b"#Dem", b"#DemMoi")
    (main, schema) = await on.bus.ledger.contracts.keep([renamed, DOCUMENTS["citizens.xsd"]])
    changed = {
        "main": "citizens.wsdl",
        "documents": {"citizens.wsdl": main, "citizens.xsd": schema},
    }
    await on.declare(contract=type(on.service.contract).model_validate(changed))
    assert (await on.call("Dem", {"Xa": "a"})).status_code == 200
    assert on.register.asked[0].headers["SOAPAction"].endswith('#DemMoi"')
