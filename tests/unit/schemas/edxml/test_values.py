"""Lexical forms: all dates that have been seen, and what cannot be read."""

from __future__ import annotations

import pytest

from schemas.edxml.values import read_boolean, read_date, read_number, read_timestamp


@pytest.mark.parametrize(
    ("text", "iso", "exact"),
    [
        ("2026/03/02", "2026-03-02", True),
        ("30/10/2020", "2020-10-30", False),
        ("2026-03-02", "2026-03-02", False),
        ("2026/3/2", "2026-03-02", False),
        ("2018/09/28 00:00:00", "2018-09-28", False),
    ],
)
def test_dates(text: str, iso: str, *, exact: bool) -> None:
    value, as_said = read_date(text)
    assert value is not None
    assert (value.isoformat(), as_said) == (iso, exact)


@pytest.mark.parametrize(
    "text",
    ["2014/02/30", "31/02/2020", "N/A", "2026/W1/01", "20260302", "0000/01/01", "２026/03/02"],
)
def test_no_dates(text: str) -> None:
    assert read_date(text) == (None, False)


@pytest.mark.parametrize(
    ("text", "iso", "exact"),
    [
        ("2026/03/02 08:15:09", "2026-03-02T08:15:09", True),
        ("02/03/2026 08:15:09", "2026-03-02T08:15:09", False),
        ("2026-03-02T08:15:09.123", "2026-03-02T08:15:09", False),
        ("2026/03/02 8:15", "2026-03-02T08:15:00", False),
        ("2026/03/02", "2026-03-02T00:00:00", False),
    ],
)
def test_timestamps(text: str, iso: str, *, exact: bool) -> None:
    value, as_said = read_timestamp(text)
    assert value is not None
    assert (value.isoformat(), as_said) == (iso, exact)


@pytest.mark.parametrize("text", ["2026/03/02 25:00:00", "2026/03/02 08:15:09Z", "null"])
def test_no_timestamps(text: str) -> None:
    assert read_timestamp(text) == (None, False)


@pytest.mark.parametrize("text", ["-1", "1.0", "1_000", "١", "9" * 10, "N/A"])
def test_no_numbers(text: str) -> None:
    assert read_number(text) == (None, False)


def test_booleans() -> None:
    assert read_boolean("true") == (True, True)
    assert read_boolean("False") == (False, False)
    assert read_boolean("0") == (False, False)
    assert read_boolean("no") == (None, False)
