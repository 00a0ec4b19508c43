"""Agency codes in both forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.agency import MAX_LENGTH, AgencyCode, form, level_one, parse_code


@pytest.mark.parametrize(
    ("code", "which", "top"),
    [
        ("000.00.00.H38", "qcvn102", "H38"),
        ("000.00.14.H38", "qcvn102", "H38"),
        ("28.22.H17", "qcvn102", "H17"),
        ("H38", "qd20", "H38"),
        ("H38.02.01", "qd20", "H38"),
        ("H37.DN.001", "qd20", "H37"),
        ("G12.00.H38", "qd20", "G12"),  # both ends could be: the newer rule decides
    ],
)
def test_both_forms(code: str, which: str, top: str) -> None:
    assert parse_code(code) == code
    assert form(code) == which
    assert level_one(code) == top


@pytest.mark.parametrize("text", [" 000.00.00.h38\n", "\t000.00.00.H38 ", "000.00.00.h38"])
def test_what_circulates_is_tidied(text: str) -> None:
    assert parse_code(text) == "000.00.00.H38"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "H38.",
        ".H38",
        "H38..01",
        "000.00.00",
        "00.H38.00",
        "H3",
        "H380",
        "38H",
        "HH8.01",
        "H38 .01",
        "H38.0 1",
        "H38/01",
        "H38.Đ1",
        "H38.01\n.02",
        "H٣٨",
        "H38." + "1" * 11,
        "H38" + ".12345" * 6,
        "H38;DROP",
    ],
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"agency code|level-one"):
        parse_code(text)


def test_the_longest_code() -> None:
    longest = "H38" + ".1234567" * 4
    assert len(longest) == MAX_LENGTH
    assert parse_code(longest) == longest
    with pytest.raises(ValueError, match="not an agency code"):
        parse_code(longest + "8")


def test_an_error_never_repeats_a_whole_flood() -> None:
    with pytest.raises(ValueError, match="not an agency code") as caught:
        parse_code("A" * 1_000_000)
    assert len(str(caught.value)) < 100


def test_models_take_the_tidied_code() -> None:
    codes: TypeAdapter[str] = TypeAdapter(AgencyCode)
    assert codes.validate_python(" h38.02 ") == "H38.02"
    with pytest.raises(ValidationError):
        codes.validate_python("nobody")


@given(st.text(max_size=60) | st.text("H38.0123 h", max_size=40))
def test_any_text_is_a_code_or_an_error_and_parsing_twice_changes_nothing(text: str) -> None:
    try:
        code = parse_code(text)
    except ValueError:
        return
    assert parse_code(code) == code
    assert level_one(code) in code.split(".")
    assert code.isascii()
    assert len(code) <= MAX_LENGTH
