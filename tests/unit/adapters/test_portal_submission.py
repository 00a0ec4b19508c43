"""What one-stop software answers to a submission, in all the forms it may be written."""

from __future__ import annotations

import unicodedata

import orjson
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from adapters.http import Answer
from adapters.portal_submission import judge_receipt, receipt
from schemas.adapter import Result

NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())


def answered(body: object, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, NO_HEADERS, content)


@pytest.mark.parametrize("code", [0, "0", "00", 1, "1"])
def test_taken_and_taken_before_are_delivered(code: object) -> None:
    outcome = judge_receipt(answered({"error_code": code, "message": "H99-1| Đã nhận"}))
    assert (outcome.result, outcome.partner_ref) == (Result.DELIVERED, "H99-1")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("text", ["Trường MaTTHC không hợp lệ", "HỒ SƠ BẮT BUỘC CÓ TỆP"])
def test_what_the_sender_must_change_is_final(form: str, text: str) -> None:
    told = unicodedata.normalize(form, text)  # type: ignore[arg-type]
    outcome = judge_receipt(answered({"error_code": -1, "message": f"| {told}"}))
    assert outcome.result is Result.REJECTED


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error_code": -1, "message": "| NullPointerException"}, 200),
        ({"error_code": 7, "message": ""}, 200),
        ({"error_code": "không", "message": ""}, 200),
        ({"error_code": 0, "message": "H99-1|"}, 500),
        (b"<html></html>", 200),
        (b"[]", 200),
        (b"", 404),
    ],
)
def test_everything_else_is_tried_again(body: object, status: int) -> None:
    assert judge_receipt(answered(body, status)).result is Result.UNKNOWN


@pytest.mark.parametrize(("status", "code"), [(401, "configuration"), (503, "partner-unavailable")])
def test_not_now_is_certainly_not_taken(status: int, code: str) -> None:
    outcome = judge_receipt(answered(b"", status))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, code)


def test_the_buss_own_receipt_is_one() -> None:
    outcome = judge_receipt(answered(receipt(1, "H99-1", "Hồ sơ đã tồn tại")))
    assert (outcome.result, outcome.partner_ref) == (Result.DELIVERED, "H99-1")
