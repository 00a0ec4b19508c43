"""The door for what travels beside dossiers: who may send what, and what a receiver reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.province import Endpoint, Mapping
from tests.integration.gateway_harness import BUILD, COMMUNE, HEALTH, Harness, opened
from tests.unit.adapters.dvcqg.samples import record

RATING = {
    "id": "DG-1",
    "code": "H38.02-261102-0001",
    "agency": BUILD,
    "score": 1,
    "at": "2026-11-02T08:00:00+07:00",
}


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(sqlite_url, tmp_path) as harness:
        yield harness


def submission(agency: str, **given: Any) -> dict[str, Any]:
    told = record("G22.99.99-261124-0001", agency=agency, **given)
    return {"record": told.model_dump(mode="json", by_alias=True)}


async def post(bus: Harness, kind: str, body: Any, client: str = "so-xay-dung") -> Any:
    return await bus.call(client, "POST", f"/api/v1/flows/{kind}", json=body)


async def test_a_repeat_is_told_apart_and_other_content_is_refused(bus: Harness) -> None:
    first = await post(bus, "rating", RATING)
    again = await post(bus, "rating", RATING)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert again.headers["LGSP-Duplicate"] == "true"
    other = await post(bus, "rating", RATING | {"score": 3})
    assert other.status_code == 409


async def test_nobody_rates_in_anothers_name(bus: Harness) -> None:
    answer = await post(bus, "rating", RATING | {"agency": HEALTH})
    assert answer.status_code == 403
    named = await bus.call(
        "so-xay-dung",
        "POST",
        "/api/v1/flows/rating",
        params={"agency": BUILD},
        json=RATING | {"agency": HEALTH},
    )
    assert (named.status_code, named.json()["context"]["field"]) == (400, "agency")
    unknown = await post(bus, "notes", RATING)
    assert unknown.status_code == 400


async def test_a_fault_in_an_array_says_where_and_nothing_is_accepted(bus: Harness) -> None:
    answer = await post(bus, "rating", [RATING, RATING | {"id": "DG-2", "score": 9}])
    assert answer.status_code == 400
    assert answer.json()["context"]["field"].startswith("1.score")
    good = await post(bus, "rating", RATING)
    assert "LGSP-Duplicate" not in good.headers


async def test_a_submission_is_read_in_the_receivers_own_codes(bus: Harness) -> None:
    procedure = Mapping(table="procedure", local="KT-01", national="1.000656")
    agency = Mapping(table="agency", local=COMMUNE, national="000.00.30.H38")
    await bus.declare("mapping", None, procedure)
    await bus.declare("mapping", None, agency)
    sent = await post(bus, "submission", submission("000.00.30.H38"))
    assert sent.status_code == 202, sent.text
    assert sent.json()["receivers"][0]["agency"] == COMMUNE
    (mail,) = (await bus.call("huyen", "GET", "/api/v1/mailbox")).json()["items"]
    assert mail["kind"] == "submission"
    path = f"/api/v1/mailbox/{mail['deliveryId']}/content"
    original = (await bus.call("huyen", "GET", path)).json()
    assert original["record"]["procedure"] == "1.000656"
    read = (await bus.call("huyen", "GET", path, params={"form": "canonical"})).json()
    assert (read["record"]["procedure"], read["record"]["agency"]) == ("KT-01", COMMUNE)
    stranger = await bus.call("so-y-te", "GET", path, params={"form": "canonical"})
    assert stranger.status_code == 404


async def test_a_submission_for_nobody_is_refused(bus: Harness) -> None:
    answer = await post(bus, "submission", submission("000.00.77.H38"))
    assert answer.status_code == 422


async def test_an_unmapped_submission_says_so_to_who_reads_it(bus: Harness) -> None:
    await bus.declare("mapping", None, Mapping(table="procedure", local="X", national="9.9"))
    assert (await post(bus, "submission", submission(COMMUNE))).status_code == 202
    (mail,) = (await bus.call("huyen", "GET", "/api/v1/mailbox")).json()["items"]
    path = f"/api/v1/mailbox/{mail['deliveryId']}/content"
    answer = await bus.call("huyen", "GET", path, params={"form": "canonical"})
    assert answer.status_code == 409
    assert "1.000656" in answer.json()["detail"]


async def test_a_document_has_no_canonical_form(bus: Harness) -> None:
    from tests.integration.gateway_harness import packet  # noqa: PLC0415

    await bus.send("van-phong", packet())
    (mail,) = (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox")).json()["items"]
    path = f"/api/v1/mailbox/{mail['deliveryId']}/content"
    answer = await bus.call("so-xay-dung", "GET", path, params={"form": "canonical"})
    assert answer.status_code == 404


async def test_look_ups_are_of_own_dossiers_and_stand_in_the_journal(bus: Harness) -> None:
    code = "H38.02-261102-0001"
    told = record(code, agency=BUILD).model_dump(mode="json", by_alias=True)
    await bus.call("so-xay-dung", "PUT", f"/api/v1/dossiers/{code}", json=told)
    path = f"/api/v1/inquiries/tracking/{code}"
    none = await bus.call("so-xay-dung", "GET", path)
    assert (none.status_code, none.json()["code"]) == (500, "configuration")
    await bus.declare("endpoint", None, Endpoint(name="buu-chinh", kind="vnpost"))
    assert (await bus.call("so-xay-dung", "GET", path)).json()[0]["status"] == "100"
    assert (await bus.call("so-y-te", "GET", path)).status_code == 403
    await bus.declare("endpoint", None, Endpoint(name="buu-chinh-2", kind="vnpost"))
    several = await bus.call("so-xay-dung", "GET", path)
    assert (several.status_code, several.json()["context"]["field"]) == (400, "endpoint")
    chosen = await bus.call("so-xay-dung", "GET", path, params={"endpoint": "buu-chinh-2"})
    assert chosen.status_code == 200
    events = [each for each in await bus.ledger.queries.journal() if each.event == "inquired"]
    assert len(events) == 4
    wrong = await bus.call(
        "so-xay-dung", "GET", "/api/v1/inquiries/payment/x", params={"reference": "1"}
    )
    assert (wrong.status_code, wrong.json()["context"]["field"]) == (400, "code")
