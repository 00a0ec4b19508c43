"""National services called through the gateway: canonical JSON, rights, accesses, retries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from adapters.national import national_services
from adapters.national.catalogues.sandbox import CataloguesDesk
from adapters.national.population.sandbox import PopulationDesk
from adapters.national.procedures.sandbox import ProceduresDesk
from adapters.national.sandbox import all_desks
from adapters.national.sandbox_gateway import SECRET, USER, NationalSandbox
from bus.cli.service_check import faults_of_service
from bus.gateway.national import SUFFIX, compile_contract, in_force
from bus.gateway.providing.changes import _cursor, put_cursor
from bus.ledger.accesses import subject_hash
from bus.ops.province_contracts import pinned
from schemas.errors import ConfigurationError, InvalidContract, PartnerGarbage
from schemas.service import OperationSettings, Service
from tests.integration.gateway_harness import BUILD, OFFICE, Harness, opened
from tests.integration.service_harness import WHY, grant

MAU = {"identityNumber": "001099000001", "fullName": "Nguyễn Thị Mẫu", "birth": "1999-01-31"}
OPTIONS: dict[str, dict[str, str]] = {
    "population": {"service_code": "VPCP", "integration_code": "037"},
    "procedures": {"madonvi": "000.00.00.H99"},
}
HIDDEN = {"#withheld": True}


def secrets(name: str) -> bytes:
    return SECRET.encode() if name == "lgsp" else b"key of subjects"


def document(name: str) -> dict[str, bytes]:
    options = {"service": name, **OPTIONS.get(name, {})}
    return {f"{name}{SUFFIX}": yaml.dump(options).encode()}


@dataclass
class National:
    bus: Harness
    sandbox: NationalSandbox

    def service(self, name: str, **given: Any) -> Service:
        sign_on = {
            "kind": "vxp-adapter",
            "user": USER,
            "secret": "lgsp",
            "client": "VN/GOV/000.00.00.H99/truc",
        }
        if name == "procedures":  # the portal looks itself who is calling
            portal = f"{self.sandbox.url}/procedures"
            sign_on = {
                "kind": "portal-session",
                "login_url": f"{portal}/login",
                "user": USER,
                "password": "lgsp",
            }
        declared = {
            "name": name,
            "contract": pinned(f"{name}{SUFFIX}", document(name)),
            "address": f"{self.sandbox.url}/{name}",
            "sign_on": sign_on,
            "timeout": 10,
        }
        return Service.model_validate(declared | given)

    async def declare(self, name: str, **given: Any) -> None:
        await self.bus.ledger.contracts.keep(list(document(name).values()))
        await self.bus.declare("service", None, self.service(name, **given))
        await self.bus.declare("grant", None, grant(OFFICE, name))

    async def call(self, path: str, body: Any, **headers: str) -> Any:
        sent = headers or WHY
        url = f"/services/{path}"
        return await self.bus.call("van-phong", "POST", url, json=body, headers=sent)


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[National]:
    async with (
        NationalSandbox(all_desks()) as sandbox,
        opened(sqlite_url, tmp_path, secrets=secrets) as bus,
    ):
        yield National(bus, sandbox)


async def test_population_and_business_answer_in_canonical_json(on: National) -> None:
    await on.declare("population")
    await on.declare("business")
    found = await on.call("population/lookUp", MAU)
    assert found.status_code == 200, found.text
    assert found.json()["citizens"][0]["fullName"] == "NGUYỄN THỊ MẪU"
    nobody = await on.call("population/lookUp", MAU | {"birth": "1999-01-30"})
    assert nobody.json() == {"citizens": []}
    firm = await on.call("business/enterprise", {"code": "0100000001"}, **{"Lgsp-Timeout": "5"})
    assert firm.json()["enterprise"]["name"] == "CÔNG TY TNHH MẪU"
    (question, _) = next(
        each for each in on.sandbox.desks.values() if isinstance(each, PopulationDesk)
    ).questions
    assert question.findtext("{*}MaCanBo") == "CB-01"


async def test_questions_about_people_are_personal_without_being_declared_so(
    on: National,
) -> None:
    await on.declare("population", operations={"lookUp": OperationSettings(attempts=1)})
    refused = await on.call("population/lookUp", MAU, **{"Lgsp-Purpose": "x"})
    assert refused.status_code == 400
    assert on.sandbox.asked["population"] == 0
    await on.call("population/lookUp", MAU)
    key = secrets("data-subjects")
    (row,) = await on.bus.ledger.accesses.find(subject=subject_hash(key, "001099000001"))
    assert (row.officer, row.operation) == ("CB-01", "lookUp")


async def test_officer_and_purpose_may_stand_in_the_question(on: National) -> None:
    await on.declare("population")
    said = MAU | {"officer": "CB-07", "purpose": "khai sinh"}
    answer = await on.call("population/lookUp", said, **{"Lgsp-Timeout": "9"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["citizens"][0]["fullName"] == "NGUYỄN THỊ MẪU"
    desk = next(each for each in on.sandbox.desks.values() if isinstance(each, PopulationDesk))
    assert [each.findtext("{*}MaCanBo") for each in desk.questions] == ["CB-07"]
    (row,) = await on.bus.ledger.accesses.find(service="population")
    assert (row.officer, row.purpose) == ("CB-07", "khai sinh")
    described = (await on.bus.http.get("/services/population/openapi.json")).json()
    (schema,) = [v for k, v in described["components"]["schemas"].items() if k == "lookUp.request"]
    assert {"officer", "purpose"} <= set(schema["properties"])


@pytest.mark.parametrize(
    ("member", "value"), [("officer", "CB-08"), ("officer", 7), ("purpose", "x" * 201)]
)
async def test_a_question_that_names_another_officer_than_the_header_is_refused(
    on: National, member: str, value: object
) -> None:
    await on.declare("population")
    answer = await on.call("population/lookUp", MAU | {member: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
    assert on.sandbox.asked["population"] == 0


async def test_elsewhere_officer_is_an_ordinary_member(on: National) -> None:
    await on.declare("business")
    answer = await on.call("business/enterprise", {"code": "0100000001", "officer": "CB-07"})
    assert (answer.status_code, answer.json()["code"]) == (422, "contract-mismatch")


async def test_fields_that_are_not_granted_are_withheld(on: National) -> None:
    await on.declare("population")
    seen = ("citizens/fullName",)
    await on.bus.declare("grant", None, grant(BUILD, "population", fields=seen))
    answer = await on.bus.call(
        "so-xay-dung", "POST", "/services/population/lookUp", json=MAU, headers=WHY
    )
    assert answer.status_code == 200, answer.text
    (citizen,) = answer.json()["citizens"]
    assert citizen["fullName"] == "NGUYỄN THỊ MẪU"
    assert citizen["identityNumber"] == HIDDEN
    assert citizen["father"] == HIDDEN


async def test_an_attempt_that_failed_is_repeated_with_a_number_of_its_own(on: National) -> None:
    await on.declare("population")
    await on.sandbox.set_fault("503", probability=0.7, retry_after=0)
    answers = [await on.call("population/lookUp", MAU) for _ in range(4)]
    assert on.sandbox.asked["population"] > 4
    good = [each for each in answers if each.status_code == 200]
    assert all(len(each.json()["citizens"]) == 1 for each in good), "no MaYeuCau was used twice"
    assert {each.json()["code"] for each in answers if each not in good} <= {"partner-unavailable"}


async def test_what_is_wrong_names_path_and_line(on: National) -> None:
    await on.declare("population")
    answer = await on.call("population/lookUp", MAU | {"birth": "1999"} | {"identityNumber": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "contract-mismatch")
    assert answer.json()["context"]["path"] == "/identityNumber"
    assert answer.json()["context"]["line"] == 1
    assert on.sandbox.asked["population"] == 0


async def test_there_is_a_description_and_no_soap(on: National) -> None:
    await on.declare("population")
    described = (await on.bus.http.get("/services/population/openapi.json")).json()
    validate(described)
    (lookup,) = [each for path, each in described["paths"].items() if path.endswith("/lookUp")]
    needed = {each["name"] for each in lookup["post"]["parameters"] if each["required"]}
    assert needed == {"Lgsp-Officer", "Lgsp-Purpose"}
    assert "Tra cứu thông tin công dân" in (await on.bus.http.get("/services/population")).text
    for query in ("?wsdl", "?doc=population.national.yaml"):
        answer = await on.bus.http.get(f"/services/population{query}")
        assert answer.status_code == 404
        assert "037" not in answer.text
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>'
    )
    headers = {"Content-Type": "text/xml"}
    asked = await on.bus.call(
        "van-phong", "POST", "/services/population", content=envelope, headers=headers
    )
    assert "JSON only" in asked.text or "chỉ nhận JSON" in asked.text


async def test_every_national_service_can_be_declared(on: National) -> None:
    for name in national_services():
        service = on.service(name)
        contents = {service.contract.documents[key]: each for key, each in document(name).items()}
        assert faults_of_service(service, contents) == []
        (fault,) = faults_of_service(service.model_copy(update={"address": ""}), contents)
        assert "address" in fault
        contract = compile_contract(document(name), f"{name}{SUFFIX}")
        assert contract.report()["ok"]
        assert len(contract.report()["operations"]) == len(contract.operations)
        await on.declare(name)
        described = (await on.bus.http.get(f"/services/{name}/openapi.json")).json()
        validate(described)
        assert described["paths"]


def test_a_declaration_cannot_make_a_question_about_people_less_than_that() -> None:
    main = f"population{SUFFIX}"
    contract = compile_contract(document("population"), main)
    given = {"lookUp": OperationSettings(idempotent=False, personal=None)}
    declared = {"name": "a", "contract": pinned(main, document("population"))}
    service = Service.model_validate(declared | {"operations": given})
    settings = in_force(service, contract).settings("lookUp")
    assert settings.personal is not None
    assert not settings.idempotent
    assert in_force(service, contract).settings("verify").idempotent


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("service: weather", ConfigurationError),
        ("service: population", ConfigurationError),
        ("service: business\nurl: http://x/", InvalidContract),
        ("service: business\nsign_on: {kind: none}", InvalidContract),
        ("- a", InvalidContract),
        ("a: [", InvalidContract),
    ],
)
def test_options_that_are_wrong_are_refused(text: str, error: type[Exception]) -> None:
    main = f"x{SUFFIX}"
    with pytest.raises(error):
        compile_contract({main: text.encode()}, main)


# What changed


async def changes(on: National, path: str, body: Any = None, client: str = "van-phong") -> Any:
    method = "POST" if body is not None else "GET"
    given = {"json": body} if body is not None else {}
    return await on.bus.call(client, method, f"/services/{path}", headers=WHY, **given)


def desk(on: National, kind: type[Any]) -> Any:
    return next(each for each in on.sandbox.desks.values() if isinstance(each, kind))


async def test_what_changed_in_a_register_has_one_form(on: National) -> None:
    await on.declare("procedures")
    await on.declare("catalogues")
    first = (await changes(on, "procedures/changes/changes")).json()
    assert [each["code"] for each in first["changed"]] == ["1.000656", "1.001193", "2.000635"]
    register = desk(on, ProceduresDesk).procedures
    register["1.000656"] = "Thủ tục đăng ký khai tử lưu động"
    del register["2.000635"]
    body = {"cursor": first["cursor"]}
    second = (await changes(on, "procedures/changes/changes", body)).json()
    assert second["changed"] == [
        {"code": "1.000656", "name": "Thủ tục đăng ký khai tử lưu động"},
    ]
    assert second["removed"] == ["2.000635"]
    by_get = await changes(on, f"procedures/changes/changes?cursor={second['cursor']}")
    assert by_get.json() == {"cursor": second["cursor"], "changed": [], "removed": []}

    question = {"request": {"category": "madantoc"}}
    peoples = (await changes(on, "catalogues/changes/changes", question)).json()
    assert [each["code"] for each in peoples["changed"]] == ["01", "02"]
    rows = desk(on, CataloguesDesk).rows["madantoc"]
    rows[0]["TenDanToc"] = "Kinh (Việt)"
    rows.append({"MaDanToc": "03", "TenDanToc": "Thái"})
    later = question | {"cursor": peoples["cursor"]}
    found = (await changes(on, "catalogues/changes/changes", later)).json()
    assert [each["row"]["TenDanToc"] for each in found["changed"]] == ["Kinh (Việt)", "Thái"]
    assert found["removed"] == []


async def test_changes_are_withheld_like_anything_else_but_not_the_cursor(on: National) -> None:
    await on.declare("procedures")
    limited = grant(BUILD, "procedures", fields=("changed/code",))
    await on.bus.declare("grant", None, limited)
    answer = await changes(on, "procedures/changes/changes", client="so-xay-dung")
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"][0] == {"code": "1.000656", "name": HIDDEN}
    assert answer.json()["removed"] == [HIDDEN], "not even whether anything was"
    assert isinstance(answer.json()["cursor"], str)
    refused = await changes(on, "procedures/changes/changes", client="so-y-te")
    assert refused.status_code == 403


async def test_where_changes_are_not_offered_that_is_said(on: National) -> None:
    await on.declare("population")
    await on.declare("procedures")
    for path in ("population/lookUp/changes", "procedures/procedures/changes"):
        answer = await changes(on, path, {})
        assert (answer.status_code, answer.json()["code"]) == (400, "mode-not-offered")
        assert "con trỏ" in answer.json()["detailVi"]
    wrong = await changes(on, "procedures/changes/changes?cursor=khong-phai")
    assert wrong.status_code == 422
    assert (await changes(on, "procedures/changes/changes", {"curser": ""})).status_code == 400


async def test_the_description_tells_where_changes_are_asked(on: National) -> None:
    await on.declare("procedures")
    described = (await on.bus.http.get("/services/procedures/openapi.json")).json()
    validate(described)
    ways = {path.rpartition("/")[2] for path in described["paths"] if "/changes/" in path}
    assert ways == {"changes", "package", "jobs"}
    assert "/services/procedures/procedure/changes" not in described["paths"]


@pytest.mark.parametrize(
    ("told", "cursor", "asked"),
    [("abc", "abc", "abc"), (17, "#17", 17), ("#17", "##17", "#17"), (-3, "#-3", -3)],
)
def test_a_cursor_goes_back_as_it_came(told: Any, cursor: str, asked: Any) -> None:
    assert _cursor({"a": {"b": told}}, "a/b") == cursor
    assert put_cursor({"x": 1}, "q/since", cursor) == {"x": 1, "q": {"since": asked}}


@pytest.mark.parametrize("reply", [{}, {"next": None}, {"next": ""}, {"next": True}, {"next": {}}])
def test_an_answer_without_a_cursor_is_garbage(reply: Any) -> None:
    with pytest.raises(PartnerGarbage):
        _cursor(reply, "next")
