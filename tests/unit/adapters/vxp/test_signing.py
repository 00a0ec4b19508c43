"""The header signature of the axis: the observed form, and every way to forge it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vxp.signing import (
    Replays,
    SignatureRefused,
    hash_file,
    is_hash_of,
    parse_timestamp,
    sign,
    timestamp,
    verify,
)

SECRET = b"bmj1Y2sgw6Ega2jDtG5nIHRo4bqtdA=="
NOW = datetime(2026, 11, 22, 11, 34, 26, 363_000, tzinfo=UTC)
FIELDS = {
    "systemid": "00.38.W00",
    "servicetype": "eDoc",
    "messagetype": "edoc",
    "from": "H38.01",
    "timestamp": timestamp(NOW),
    "Content-Type": "application/octet-stream",
}


def headers(**changes: str) -> dict[str, str]:
    signed = {name.lower(): value for name, value in sign(FIELDS, SECRET).items()}
    return signed | {name.replace("_", "-"): value for name, value in changes.items()}


def test_the_headers_look_as_observed_on_the_wire() -> None:
    made = sign(FIELDS, SECRET)
    assert made["XroadVnpt-timestamp"] == "22112026T183426+0363"
    assert made["XroadVnpt-sign-header-key"] == ";".join(FIELDS)
    text = made["XroadVnpt-sign-header"]
    assert list(json.loads(text)) == [f"XroadVnpt-{name}" for name in FIELDS]
    expected = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
    assert made["XroadVnpt-hash-header"] == expected
    assert made["XroadVnpt-version"] == "3.0.201608"


def test_what_was_signed_is_found() -> None:
    signed = verify(headers(), SECRET, NOW)
    assert signed.get("systemid") == "00.38.W00"
    assert signed.get("From") == "H38.01"
    assert signed.at == NOW


def test_a_header_outside_of_the_signature_counts_as_absent() -> None:
    signed = verify(headers(xroadvnpt_to="H99"), SECRET, NOW)
    assert signed.get("to") == ""


@pytest.mark.parametrize(
    "forged",
    [
        {"xroadvnpt_from": "H38.02"},
        {"xroadvnpt_hash_header": "0" * 64},
        {"xroadvnpt_sign_header": '{"XroadVnpt-systemid":"00.38.W00"}'},
    ],
)
def test_a_forged_request_is_refused(forged: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        verify(headers(**forged), SECRET, NOW)


def test_another_secret_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify(headers(), b"another secret", NOW)


@pytest.mark.parametrize("away", [-301, 301])
def test_a_request_of_another_time_is_refused(away: int) -> None:
    with pytest.raises(SignatureRefused):
        verify(headers(), SECRET, NOW + timedelta(seconds=away))


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "[]", "{}", "1", '{"systemid":"x"}', '{"XroadVnpt-x":"y"}']
)
def test_a_well_signed_text_that_is_no_request_is_refused(text: str) -> None:
    mac = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
    given_headers = {
        "xroadvnpt-sign-header": text,
        "xroadvnpt-hash-header": mac,
        "xroadvnpt-x": "y",
    }
    with pytest.raises(SignatureRefused):
        verify(given_headers, SECRET, NOW)


def test_a_signed_timestamp_that_no_date_holds_is_refused() -> None:
    fields = FIELDS | {"timestamp": f"22112026T183426+{'9' * 30}"}
    signed = {name.lower(): value for name, value in sign(fields, SECRET).items()}
    with pytest.raises(SignatureRefused, match="timestamp"):
        verify(signed, SECRET, NOW)


def test_a_replay_is_refused_and_forgotten_after_the_window() -> None:
    replays, signed = Replays(), verify(headers(), SECRET, NOW)
    replays.check(signed, NOW)
    with pytest.raises(SignatureRefused):
        replays.check(signed, NOW + timedelta(seconds=299))
    replays.check(signed, NOW + timedelta(seconds=700))


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_timestamp_is_read_back_to_the_millisecond(microseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    exact = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_timestamp(timestamp(moment)) == exact


@pytest.mark.parametrize("text", ["", "22112026T183426", "2026-11-22T18:34:26+0363", "x+1"])
def test_other_timestamps_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"timestamp|time data"):
        parse_timestamp(text)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_hash_is_known_in_both_forms_and_no_other(digest: bytes, other: bytes) -> None:
    assert is_hash_of(digest.hex(), digest)
    assert is_hash_of(hash_file(digest).upper(), digest)
    if other != digest:
        assert not is_hash_of(other.hex(), digest)


def test_a_short_hash_is_written_as_the_vendor_does() -> None:
    assert hash_file(bytes([0, 10, 255])) == "0aff"
