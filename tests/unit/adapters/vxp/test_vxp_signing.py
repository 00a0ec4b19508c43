"""The header signature: as the vendor's client makes it, refused when anything was changed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from adapters.http import Answer
from adapters.vxp.codec import ERRORS, parse_reply, refusal, request_headers, send_outcome
from adapters.vxp.signing import (
    HASH_HEADER,
    SIGN_HEADER,
    SIGN_HEADER_KEY,
    WINDOW,
    Replays,
    SignatureRefused,
    hash_file,
    is_hash_of,
    parse_timestamp,
    timestamp,
    verify,
)
from schemas.adapter import Result

SECRET = b"c2VjcmV0LWFzLWlzc3VlZA=="
NOW = datetime(2026, 11, 22, 11, 34, 26, 363_000, tzinfo=UTC)


def received(**fields: str) -> dict[str, str]:
    """A signed request as a server has it: names in small letters."""
    made = request_headers(fields, system="00.38.W00", secret=SECRET, now=NOW)
    return {name.lower(): value for name, value in made.items()}


def test_the_timestamp_is_local_time_with_milliseconds_after_the_plus() -> None:
    assert timestamp(NOW) == "22112026T183426+0363"
    assert parse_timestamp("22112026T183426+0363") == NOW


def test_the_signature_is_the_hmac_of_the_json_as_sent() -> None:
    made = request_headers({"docId": "68ed"}, system="00.38.W00", secret=SECRET, now=NOW)
    expected = hmac.new(SECRET, made[SIGN_HEADER].encode(), hashlib.sha256).hexdigest()
    assert made[HASH_HEADER] == expected
    assert made[SIGN_HEADER_KEY] == "systemid;docId;timestamp;Content-Type"
    assert json.loads(made[SIGN_HEADER])["XroadVnpt-docId"] == made["XroadVnpt-docId"] == "68ed"


def test_what_was_signed_is_found_and_nothing_else() -> None:
    headers = {**received(docId="68ed"), "xroadvnpt-from": "000.00.01.H99"}
    signed = verify(headers, SECRET, NOW)
    assert (signed.get("docid"), signed.get("systemid")) == ("68ed", "00.38.W00")
    assert signed.get("from") == ""


@given(st.sampled_from(["systemid", "docid", "timestamp", "sign-header", "hash-header"]))
def test_any_change_is_refused(name: str) -> None:
    headers = received(docId="68ed")
    headers[f"xroadvnpt-{name}"] += "0"
    with pytest.raises(SignatureRefused):
        verify(headers, SECRET, NOW)


def test_another_secret_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify(received(), b"another-secret", NOW)


@pytest.mark.parametrize("seconds", [-WINDOW - 1, WINDOW + 1])
def test_a_clock_too_far_away_is_refused(seconds: float) -> None:
    with pytest.raises(SignatureRefused, match="timestamp"):
        verify(received(), SECRET, NOW + timedelta(seconds=seconds))


def test_a_recorded_request_is_served_once() -> None:
    signed, replays = verify(received(), SECRET, NOW), Replays()
    replays.check(signed, NOW)
    with pytest.raises(SignatureRefused, match="before"):
        replays.check(signed, NOW)


@given(st.binary(max_size=50))
def test_both_forms_of_hash_file_mean_the_file(content: bytes) -> None:
    digest = hashlib.sha256(content).digest()
    other = hashlib.sha256(content + b"!").digest()
    assert is_hash_of(hash_file(digest), digest)
    assert is_hash_of(digest.hex().upper(), digest)
    assert not is_hash_of(hash_file(other), digest)


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_each_code_has_its_outcome(code: str) -> None:
    answer = Answer(200, CIMultiDictProxy(CIMultiDict()), refusal(code))
    outcome = send_outcome(answer)
    assert (outcome.result, outcome.code) == (ERRORS[code].result, ERRORS[code].code)


def test_wrong_credentials_never_reject_a_document() -> None:
    assert ERRORS["15"].result is Result.TRANSIENT


def test_a_wrong_sender_is_rejected_whatever_the_code() -> None:
    text = "Don vi gui 002.00.20.H99 khong dung voi ma da dang ky: vxp.test.03"
    answer = Answer(200, CIMultiDictProxy(CIMultiDict()), refusal("9999", text))
    assert send_outcome(answer).result is Result.REJECTED


@given(st.binary(max_size=40))
def test_no_answer_breaks_the_reader(body: bytes) -> None:
    found = parse_reply(body)
    assert found is None or isinstance(found.ok, bool)
