"""The table of answers: every type of code, every form of text, and what must not be mistaken."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from adapters.dvcqg.outcomes import RULES, Verdict, judge, number, parse_reply, verdict_of
from adapters.folding import fold
from adapters.http import Answer
from schemas.adapter import Result


def judged(body: str | bytes, status: int = 200, **headers: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    content = body if isinstance(body, bytes) else body.encode()
    return judge(Answer(status, CIMultiDictProxy(CIMultiDict(headers)), content))


def said(code: str, message: str) -> Verdict:
    return verdict_of(parse_reply(f'{{"error_code":{code},"message":"{message}"}}'.encode()))


@pytest.mark.parametrize("code", ["0", '"0"', '"00"', '" 0 "', "0.0"])
def test_pitfall_1_success_is_zero_in_every_type(code: str) -> None:
    assert said(code, "Đồng bộ thành công") is Verdict.DONE
    assert said(code, "") is Verdict.DONE


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str])
def test_pitfall_1_texts_count_in_every_normal_form_and_case(form, change) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    def told(text: str) -> str:
        return unicodedata.normalize(form, change(text))

    for code in ("0", '"3"', "-3", "-1"):
        assert said(code, told("Hồ sơ H99.19-261124-0001 đã tồn tại")) is Verdict.EXISTS
    for code in ("0", '"3"', "-3"):
        assert said(code, told("Cập nhật thành công")) is Verdict.DONE
    assert said("-1", told("Hồ sơ H99.19-261124-0001 không tồn tại")) is Verdict.MISSING
    assert said("-1", told("Session không tồn tại hoặc đã hết hạn")) is Verdict.SESSION
    assert said("-1", told("Trường TrichYeuHoSo vượt quá 1000 ký tự")) is Verdict.REFUSED


@pytest.mark.parametrize(
    ("code", "message", "verdict"),
    [
        ("0", "Cập nhật không thành công", Verdict.UNCLEAR),
        ("0", "Chưa thành công", Verdict.UNCLEAR),
        ("0", "Đồng bộ thất bại", Verdict.UNCLEAR),
        ("-1", "Thành công", Verdict.UNCLEAR),
        ("-1", "", Verdict.UNCLEAR),
        ("-1", "Lỗi hệ thống", Verdict.UNCLEAR),
        ("-1", "Lỗi hệ thống, dữ liệu không hợp lệ", Verdict.UNCLEAR),
        ("17", "lỗi lạ", Verdict.UNCLEAR),
        ("0", "Thành công, session ABC", Verdict.DONE),
        ("0", "Session đã hết hạn", Verdict.SESSION),
        ("null", "Thành công", Verdict.DONE),
        ("true", "", Verdict.UNCLEAR),
        ("3", "", Verdict.REACHED),
        ('"-3"', "", Verdict.REACHED),
        ("-1", "Tài khoản hoặc mật khẩu không đúng", Verdict.SETTINGS),
        ("-1", "Mã đơn vị không đúng với tài khoản", Verdict.SETTINGS),
        ("-1", "Trường TaiKhoanDuocXacThucVoiVNeID không hợp lệ", Verdict.REFUSED),
        ("-1", "Hệ thống đang bảo trì", Verdict.BUSY),
        ("-1", "Mã TTHC không tồn tại", Verdict.UNCLEAR),
        ("-1", "Không tìm thấy hồ sơ", Verdict.MISSING),
        ("0", "Không có dữ liệu", Verdict.MISSING),
        ("-1", "Ðã tồn tại", Verdict.EXISTS),  # Ð of Icelandic, which looks the same
    ],
)
def test_what_the_table_says(code: str, message: str, verdict: Verdict) -> None:
    assert said(code, message) is verdict


@pytest.mark.parametrize(
    ("body", "status", "result", "code"),
    [
        ("<html>Thành công</html>", 200, Result.UNKNOWN, "partner-garbage"),
        ("", 200, Result.UNKNOWN, "partner-garbage"),
        ("[]", 200, Result.UNKNOWN, "partner-garbage"),
        ("Thành công", 200, Result.DELIVERED, ""),
        ('"Thành công"', 200, Result.DELIVERED, ""),
        ('{"error_code":0}', 500, Result.UNKNOWN, "partner-garbage"),
        ("<html>", 504, Result.UNKNOWN, "partner-timeout"),
        ("<html>", 404, Result.TRANSIENT, "configuration"),
        ("<html>", 302, Result.TRANSIENT, "configuration"),
        ("<html>", 401, Result.TRANSIENT, "configuration"),
        ("<html>", 503, Result.TRANSIENT, "partner-unavailable"),
        ('{"error_code":0}', 429, Result.TRANSIENT, "partner-unavailable"),
        ('{"error_code":-1,"message":"Trường MaTTHC không hợp lệ"}', 400, Result.REJECTED,
         "partner-refused"),
    ],
)  # fmt: skip
def test_pages_plain_texts_and_http_statuses(
    body: str, status: int, result: Result, code: str
) -> None:
    outcome = judged(body, status).outcome
    assert (outcome.result, outcome.code) == (result, code)


def test_a_refusal_names_the_field_for_the_sender() -> None:
    body = '{"error_code":"-1","message":"Hồ sơ MaHoSo: trường NoiDungXuLy bắt buộc"}'
    detail = judged(body).outcome.detail
    assert "NoiDungXuLy (content)" in detail
    body = '{"error_code":-1,"message":"trường TRICHYEUHOSO không hợp lệ"}'
    assert "TrichYeuHoSo (summary)" in judged(body).outcome.detail
    assert "answer says why" in judged('{"error_code":-1,"message":"thiếu"}').outcome.detail


def test_a_pause_that_is_asked_for_is_kept() -> None:
    assert judged("", 503, **{"Retry-After": "7"}).outcome.retry_after == 7


def test_results_with_personal_data_are_not_kept() -> None:
    body = '{"error_code":0,"message":"Thành công","result":[{"ChuHoSo":"Nguyen Van A"}]}'
    assert "Nguyen" not in repr(judged(body).outcome)


@given(st.text(), st.text())
def test_folding_forgets_marks_case_and_normal_form(one: str, other: str) -> None:
    text = f"{one} {other}"
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(st.binary())
def test_whatever_the_portal_answers_there_is_a_verdict(body: bytes) -> None:
    outcome = judged(body).outcome
    assert outcome.result in Result
    assert len(outcome.detail) <= 500
    assert len(outcome.answer) <= 2000


@pytest.mark.parametrize(
    ("code", "value"),
    [(0, 0), ("00", 0), ("-3", -3), (3.0, 3), (3.5, None), (None, None), (True, None), ("x", None)],
)
def test_codes_become_numbers(code: object, value: int | None) -> None:
    assert number(code) == value


def test_the_last_rule_fits_everything() -> None:
    assert RULES[-1] == (Verdict.UNCLEAR, "", None, "")
