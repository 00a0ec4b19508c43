"""webhook beyond the conformance suite: what is told, signatures, rotation, the README."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

import adapters.webhook
from adapters.http import Answer, open_session
from adapters.registry import create, parse_config
from adapters.webhook import codec
from adapters.webhook.config import WebhookConfig
from adapters.webhook.sandbox import Portal
from schemas.adapter import Adapter, OutboundDelivery, Result
from schemas.data_change import DataChange
from schemas.dossier import DossierRecord, Step
from schemas.errors import ConfigurationError
from tests.contract.adapter_conformance import delivery_of, small
from tests.unit.adapters.dvcqg.samples import record

NEW, OLD = b"new-secret-of-more-than-16-bytes", b"old-secret-of-more-than-16-bytes"
SECRETS = {"new": NEW, "old": OLD}
README = (Path(adapters.webhook.__path__[0]) / "README.md").read_text()
ID = "01938c5e-7a10-7c3e-9d2f-5a1b2c3d4e5f"
CODE = "H99.14-251201-0001"


def told(item: DossierRecord | Step, **config: Any) -> dict[str, Any]:
    """The event of a record or step."""
    settings = parse_config("webhook", {"url": "https://a.example/", "secret": "new"} | config)
    assert isinstance(settings, WebhookConfig)
    kind: Any = "dossier" if isinstance(item, DossierRecord) else "step"
    content = item.model_dump_json(by_alias=True).encode()
    delivery = delivery_of(content, kind=kind, message_id=ID, sender="H99.14")
    event: dict[str, Any] = orjson.loads(codec.event(delivery, kind, content, settings))
    return event


def step(**given: Any) -> Step:
    facts = {"code": CODE, "id": "B1", "at": "2025-12-01T07:00:00+07:00", "status": 4}
    facts |= {"by": "Trần Thị Bí Mật", "content": "Hẹn ông Bí Mật", "title": "Chuyên viên"}
    return Step.model_validate(facts | {"department": "Phòng Quản lý xây dựng"} | given)


def test_without_a_choice_nothing_personal_is_told() -> None:
    secret = {"kind": 1, "name": "Lê Bí Mật", "phone": "0900", "paperNumber": "012345678901"}
    texts = ("summary", "note", "otherInformation", "returnNote")
    event = told(record(applicant=secret, **dict.fromkeys(texts, "của ông Bí Mật")))
    assert "Bí Mật" not in str(event) + str(told(step()))
    assert "012345678901" not in str(event)
    assert event["data"].keys() >= {"code", "status", "statusVi", "procedureName", "due"}
    assert told(step())["data"]["statusVi"] == "Đang xử lý"


def test_what_the_province_chooses_is_told_and_no_more() -> None:
    citizen = {"kind": 1, "name": "Lê Văn A", "phone": "0900"}
    event = told(record(applicant=citizen), record_fields=["due", "applicant.name"])
    assert event["data"].keys() == {"code", "status", "statusVi", "statusEn", "due", "applicant"}
    assert event["data"]["applicant"] == {"name": "Lê Văn A"}
    assert told(step(), step_fields=["content"])["data"]["content"] == "Hẹn ông Bí Mật"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("record_fields", ["applicant"]),
        ("record_fields", ["no-such-field"]),
        ("record_fields", ["applicant.shoe"]),
        ("step_fields", ["applicant.name"]),
        ("url", "ftp://a.example/"),
        ("secret", ""),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(field: str, value: object) -> None:
    good = {"url": "https://a.example/", "secret": "new"}
    with pytest.raises(ConfigurationError, match=field):
        parse_config("webhook", good | {field: value})


# ---- the README


def example() -> tuple[dict[str, str], bytes]:
    head, _, body = README.split("```http\n")[1].split("\n```")[0].partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()[1:]), body.encode()


def test_the_request_of_the_readme_is_what_the_codec_makes() -> None:
    headers, body = example()
    secret = re.findall(r"secret `([^`]+)`\.\)", README)[0].encode()
    assert orjson.loads(body) == told(step())
    assert codec.signature(ID, "1764547200", body, [secret]) == headers["webhook-signature"]
    assert codec.verify(headers, body, [secret], 1764547200)


def test_the_receiver_of_the_readme_takes_what_the_bus_signs_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    exec(README.split("```python\n")[1].split("```")[0], names)  # noqa: S102 - our own README
    accepts = names["is_from_the_bus"]
    delivery = delivery_of(b"{}", message_id=ID)
    headers = codec.request_headers(delivery, b"{}", [NEW, OLD], 1000)
    for secret in (NEW, OLD):
        assert accepts(headers, b"{}", secret, 1000)
        assert codec.verify(headers, b"{}", [secret], 1000)
    wrong = [
        (headers, b"{ }", NEW, 1000),
        (headers, b"{}", b"another-secret-of-32-bytes-lengt", 1000),
        (headers, b"{}", NEW, 1301),
        (headers, b"{}", NEW, 699),
        (headers | {"webhook-id": "another"}, b"{}", NEW, 1000),
        (headers | {"webhook-timestamp": "1001"}, b"{}", NEW, 1000),
    ]
    for given, body, secret, now in wrong:
        assert not accepts(given, body, secret, now)
        assert not codec.verify(given, body, [secret], now)


def _answered(status: int, body: bytes) -> Result:
    answer = Answer(status, CIMultiDictProxy(CIMultiDict()), body)
    return codec.outcome(answer, ID).result


ACK = orjson.dumps({"id": ID})
ROWS = [
    ("204; 2xx or 409", [(204, b""), (200, ACK), (202, ACK), (409, ACK)]),
    ("413, 415, 422", [(413, b""), (415, b""), (422, ACK)]),
    ("408, 425, 429, 502, 503", [(408, b""), (425, b""), (429, b""), (502, b""), (503, b"")]),
    ("410", [(410, b"")]),
    ("400, 401, 403", [(400, b""), (401, ACK), (403, b"")]),
    ("3xx, other 4xx", [(301, b""), (303, b""), (404, b""), (405, b"")]),
    ("2xx or 409 that", [(200, b""), (200, b"<html>"), (200, b'{"id":"x"}'), (409, b"[]")]),
    ("500, other 5xx", [(500, ACK), (501, b"")]),
    ("504", [(504, b"")]),
]


@pytest.mark.parametrize(("begins", "answers"), ROWS)
def test_the_table_of_answers_is_true(begins: str, answers: list[tuple[int, bytes]]) -> None:
    lines = [line for line in README.splitlines() if line.startswith(f"| {begins}")]
    assert len(lines) == 1
    said = lines[0].split("|")[2].strip()
    assert {_answered(*answer) for answer in answers} == {Result(said)}


def test_the_ack_of_the_readme_is_one() -> None:
    body = README.split("```json\n")[1].split("```")[0].encode()
    assert (
        codec.outcome(Answer(200, CIMultiDictProxy(CIMultiDict()), body), ID).partner_ref
        == "VB-00000001"
    )


# ---- on the wire


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


def connect(http: aiohttp.ClientSession, url: str, **config: object) -> Adapter:
    given = {"url": url, "secret": "new", **config}
    return create("webhook", given, http=http, secrets=SECRETS.__getitem__)


def sent(item: Step) -> OutboundDelivery:
    return delivery_of(item.model_dump_json(by_alias=True).encode(), kind="step")


async def test_a_secret_is_replaced_without_losing_an_event(http: aiohttp.ClientSession) -> None:
    async with Portal(secrets=(OLD,)) as portal:
        before = connect(http, portal.url, secret="old")
        during = connect(http, portal.url, previous_secret="old")
        after = connect(http, portal.url)
        assert (await before.deliver(sent(step()))).result is Result.DELIVERED
        assert (await during.deliver(sent(step()))).result is Result.DELIVERED
        refused = await after.deliver(sent(step()))
        assert (refused.result, refused.code) == (Result.TRANSIENT, "configuration")
        assert "signature" in refused.detail
        portal.secrets = (NEW,)
        assert (await during.deliver(sent(step()))).result is Result.DELIVERED
        assert (await after.deliver(sent(step()))).result is Result.DELIVERED
        assert portal.book.repeats == 0
        assert len(portal.events) == 4


async def test_the_portal_publishes_what_it_got_in_order(http: aiohttp.ClientSession) -> None:
    async with Portal(secrets=(NEW,)) as portal:
        adapter = connect(http, portal.url)
        for number in range(3):
            await adapter.deliver(sent(step(id=f"B{number}")))
        page = portal.url.replace("/hooks/dossiers", f"/dossiers/{CODE}")
        async with http.get(page) as answer:
            published = await answer.json()
        assert [each["data"]["id"] for each in published] == ["B0", "B1", "B2"]


async def test_a_portal_that_is_gone_loses_nothing(http: aiohttp.ClientSession) -> None:
    async with Portal(secrets=(NEW,)) as portal:
        await portal.set_fault("410")
        outcome = await connect(http, portal.url).deliver(sent(step()))
        assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")
        assert "410" in outcome.detail


async def test_documents_are_not_published(http: aiohttp.ClientSession) -> None:
    with pytest.raises(TypeError, match="not published"):
        await connect(http, "http://127.0.0.1:1/").deliver(small())


async def test_a_change_of_a_register_is_told_as_the_subscriber_may_see_it(
    http: aiohttp.ClientSession,
) -> None:
    told = DataChange(
        feed="thu-tuc",
        service="procedures@1",
        operation="changes",
        change="changed",
        item={"code": "1.000656", "name": {"#withheld": True}},
    )
    content = told.model_dump_json(by_alias=True).encode()
    async with Portal(secrets=(NEW,)) as portal:
        adapter = connect(http, portal.url)
        delivery = delivery_of(content, kind="change", message_id=ID, sender="H99.14")
        assert (await adapter.deliver(delivery)).result is Result.DELIVERED
        (event,) = portal.events.values()
    assert (event["kind"], event["code"], event["agency"]) == ("change", "thu-tuc", "H99.14")
    assert event["data"] == orjson.loads(content)
