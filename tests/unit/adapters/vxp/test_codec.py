"""What each answer of the axis means."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from adapters.http import Answer
from adapters.vxp.codec import ERRORS, refusal, reply, send_outcome
from schemas.adapter import Result


def answer(body: bytes, status: int = 200) -> Answer:
    return Answer(status, CIMultiDictProxy(CIMultiDict()), body)


def test_ok_with_a_doc_id_is_delivered() -> None:
    outcome = send_outcome(answer(reply({"DocId": "68edb8c8c2dcb14db773ce44"})))
    assert (outcome.result, outcome.partner_ref) == (Result.DELIVERED, "68edb8c8c2dcb14db773ce44")


def test_ok_without_a_doc_id_is_unknown() -> None:
    assert send_outcome(answer(reply())).result is Result.UNKNOWN


def test_wrong_credentials_never_reject_a_document() -> None:
    outcome = send_outcome(answer(refusal("15")))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_code_of_the_guide_has_its_outcome(code: str) -> None:
    outcome = send_outcome(answer(refusal(code)))
    assert (outcome.result, outcome.code) == (ERRORS[code].result, ERRORS[code].code)
    assert code in outcome.detail


def test_a_sender_that_is_not_registered_is_recognised_by_its_text() -> None:
    text = "Don vi gui 002.00.20.H99 khong dung voi ma da dang ky: vxp.thu.03"
    assert send_outcome(answer(refusal("1", text))).result is Result.REJECTED


@pytest.mark.parametrize("body", [refusal("77"), b"<html>", b"[]", b'{"status":1}'])
def test_what_is_not_in_the_guide_is_unknown(body: bytes) -> None:
    assert send_outcome(answer(body)).result is Result.UNKNOWN
