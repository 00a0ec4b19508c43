"""Signatures, acks, and the table of answers in the README."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

import adapters.rest_push
from adapters.faults import KEEPS_MESSAGE, Mode
from adapters.http import Answer
from adapters.rest_push import codec
from schemas.adapter import Result
from tests.contract.adapter_conformance import small

NEW, OLD, OTHER = b"new" * 11, b"old" * 11, b"other" * 7
NOW = 1_764_547_200
README = (Path(adapters.rest_push.__path__[0]) / "README.md").read_text()
DELIVERY = small(b"<a/>", message_id="0198c0de-0000-7000-8000-000000000001")  # named in test ids
ACK = {"messageId": DELIVERY.message_id, "receipt": "VB-1", "sha256": DELIVERY.sha256}


def answer(status: int, body: object = None, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, CIMultiDictProxy(CIMultiDict(headers)), raw)


def example() -> tuple[dict[str, str], bytes]:
    """Headers and body of the request in the README."""
    request = README.split("```http\n")[1].split("\n```")[0]
    head, body = request.split("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()[1:]), body.encode()


def readme_receiver() -> dict[str, Callable[..., Any]]:
    """The receiver that the README shows, an implementation independent of the codec."""
    names: dict[str, Any] = {}
    exec(README.split("```python\n")[1].split("```")[0], names)  # noqa: S102 - our own README
    return names


def test_the_example_request_of_the_readme_verifies() -> None:
    headers, body = example()
    secret = re.findall(r"secret `([^`]+)`", README)[0].encode()
    assert codec.verify("POST", headers, [secret], NOW)
    assert readme_receiver()["is_from_the_bus"]("POST", headers, secret, NOW)
    assert readme_receiver()["is_unchanged"](headers, body)


def test_the_example_ack_of_the_readme_is_one() -> None:
    headers, _ = example()
    body = README.split("```json\n")[1].split("```")[0].encode()
    ack = codec.parse_ack(body, headers[codec.MESSAGE_ID])
    assert ack == codec.Ack("VB-00000001", headers[codec.DIGEST])


def test_the_faults_of_the_readme_are_those_of_the_sandbox() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", README, re.MULTILINE)
    assert {mode for mode, _ in rows} == set(Mode)
    assert {mode for mode, kept in rows if kept == "yes"} == KEEPS_MESSAGE


def test_the_receiver_of_the_readme_accepts_what_the_bus_signs() -> None:
    check = readme_receiver()["is_from_the_bus"]
    headers = codec.request_headers(DELIVERY, [NEW, OLD], NOW)
    assert check("POST", headers, NEW, NOW)
    assert check("POST", headers, OLD, NOW)
    assert not check("POST", headers, OTHER, NOW)
    assert not check("GET", headers, NEW, NOW)
    assert check("GET", codec.lookup_headers(DELIVERY, [NEW], NOW), NEW, NOW)


@pytest.mark.parametrize("name", codec.SIGNED)
def test_a_changed_header_breaks_the_signature(name: str) -> None:
    headers = codec.request_headers(DELIVERY, [NEW], NOW)
    headers[name] = headers[name][:-1] + ("0" if headers[name][-1] != "0" else "1")
    assert not codec.verify("POST", headers, [NEW], NOW)
    assert not readme_receiver()["is_from_the_bus"]("POST", headers, NEW, NOW)


@pytest.mark.parametrize("signature", ["", "v1=", "v2=00", "garbage", ",,,", "v1=Ω"])
def test_what_is_no_signature_does_not_verify(signature: str) -> None:
    headers = codec.request_headers(DELIVERY, [NEW], NOW) | {codec.SIGNATURE: signature}
    assert not codec.verify("POST", headers, [NEW], NOW)


@pytest.mark.parametrize(("late", "accepted"), [(0, True), (300, True), (-300, True), (301, False)])
def test_the_timestamp_has_a_window(late: int, accepted: bool) -> None:
    headers = codec.request_headers(DELIVERY, [NEW], NOW)
    assert codec.verify("POST", headers, [NEW], NOW + late) is accepted


@pytest.mark.parametrize("stamp", ["", "now", "²", "-1"])
def test_a_timestamp_that_is_no_number_does_not_verify(stamp: str) -> None:
    headers = {codec.TIMESTAMP: stamp}
    headers[codec.SIGNATURE] = codec.signature("POST", headers, [NEW])
    assert not codec.verify("POST", headers, [NEW], 0)


def test_the_headers_tell_the_delivery() -> None:
    headers = codec.request_headers(DELIVERY, [NEW], NOW)
    assert headers[codec.RECEIVERS] == "H38.02"
    assert headers[codec.ATTEMPT] == "1"
    assert headers["traceparent"] == DELIVERY.trace
    assert headers["Content-Type"] == "application/xml"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html/>",
        b"\xff",
        json.dumps({"messageId": "another", "receipt": "VB-1"}).encode(),
        json.dumps({"messageId": DELIVERY.message_id}).encode(),
        json.dumps({"messageId": DELIVERY.message_id, "receipt": ""}).encode(),
        json.dumps({"messageId": DELIVERY.message_id, "receipt": 7}).encode(),
        json.dumps(ACK | {"sha256": 7}).encode(),
    ],
)
def test_what_is_no_ack_is_garbage_and_unknown(body: bytes) -> None:
    assert codec.parse_ack(body, DELIVERY.message_id) is None
    for status in (200, 409):
        outcome = codec.delivery_outcome(answer(status, body), DELIVERY)
        assert (outcome.result, outcome.code) == (Result.UNKNOWN, "partner-garbage")


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [
        *((status, Result.REJECTED, "partner-refused") for status in (400, 410, 413, 415, 422)),
        *((status, Result.TRANSIENT, "partner-unavailable") for status in (408, 425, 429, 503)),
        *(
            (status, Result.TRANSIENT, "configuration")
            for status in (301, 302, 307, 308, 401, 403, 404, 405, 411, 451)
        ),
        *((status, Result.UNKNOWN, "partner-garbage") for status in (303, 500, 502, 505, 599)),
        (504, Result.UNKNOWN, "partner-timeout"),
    ],
)
def test_the_table_of_answers(status: int, result: Result, code: str) -> None:
    outcome = codec.delivery_outcome(answer(status, {"title": "no"}), DELIVERY)
    assert (outcome.result, outcome.code) == (result, code)
    assert str(status) in outcome.detail
    assert outcome.answer == '{"title": "no"}'


def test_a_pause_is_kept() -> None:
    outcome = codec.delivery_outcome(answer(503, **{"Retry-After": "30"}), DELIVERY)
    assert outcome.retry_after == 30


@pytest.mark.parametrize("status", [200, 201, 202, 409])
def test_an_ack_is_delivered(status: int) -> None:
    outcome = codec.delivery_outcome(answer(status, ACK), DELIVERY)
    assert (outcome.result, outcome.partner_ref, outcome.code) == (Result.DELIVERED, "VB-1", "")


@pytest.mark.parametrize("status", [200, 409])
def test_other_content_under_the_same_id_is_refused(status: int) -> None:
    outcome = codec.delivery_outcome(answer(status, ACK | {"sha256": "0" * 64}), DELIVERY)
    assert (outcome.result, outcome.code) == (Result.REJECTED, "partner-refused")


def test_a_conflict_that_does_not_say_what_it_holds_is_unknown() -> None:
    body = {"messageId": DELIVERY.message_id, "receipt": "VB-1"}
    assert codec.delivery_outcome(answer(200, body), DELIVERY).result is Result.DELIVERED
    assert codec.delivery_outcome(answer(409, body), DELIVERY).result is Result.UNKNOWN


def test_the_look_up() -> None:
    assert codec.lookup_outcome(answer(404), DELIVERY) is None
    found = codec.lookup_outcome(answer(200, ACK), DELIVERY)
    assert found is not None
    assert found.result is Result.DELIVERED
    for status in (200, 204, 301, 400, 401, 410, 500, 503):
        outcome = codec.lookup_outcome(answer(status), DELIVERY)
        assert outcome is not None
        assert outcome.result is Result.UNKNOWN
