"""The directory: codes, dates, places, names."""

from __future__ import annotations

import random
import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.directory import Connection, Directory
from routing.search import fold
from schemas.errors import ConfigurationError
from schemas.province import Agency, Alias
from tests.unit.routing.provinces import agencies

ON = date(2026, 3, 2)


def agency(code: str, name: str = "", **fields: object) -> Agency:
    return Agency.model_validate({"code": code, "name": name or f"Cơ quan {code}", **fields})


@pytest.mark.parametrize(
    "written", ["H99.14", "h99.14", "  H99.14\n", "H99 . 14", "\N{NO-BREAK SPACE}H99.14"]
)
def test_case_and_white_space_do_not_matter(written: str) -> None:
    found = Directory([agency("H99.14")]).resolve(written, ON)
    assert found.agency is not None
    assert found.alias is None


@pytest.mark.parametrize(
    ("day", "resolves"),
    [
        (date(2015, 12, 31), False),
        (date(2016, 1, 1), True),
        (date(2020, 6, 30), True),
        (date(2020, 7, 1), False),
    ],
)
def test_dates_of_an_alias_and_of_an_agency_include_both_ends(day: date, resolves: bool) -> None:
    period = {"valid_from": date(2016, 1, 1), "valid_to": date(2020, 6, 30)}
    by_alias = Directory([agency("H99", aliases=(Alias(code="1.H99", **period),))])
    by_itself = Directory([agency("1.H99", "", **period)])
    for directory in (by_alias, by_itself):
        found = directory.resolve("1.H99", day)
        assert (found.agency is not None) is resolves
        edge = "from 2016-01-01" if day.year < 2016 else "after 2020-06-30"
        assert resolves or edge in found.explanation.en


def test_the_code_of_a_dissolved_agency_leads_to_its_successor() -> None:
    """Mergers of 2025: the old code becomes an alias of the new agency."""
    merged = date(2025, 7, 1)
    directory = Directory(
        [
            agency("H63", "UBND tỉnh cũ", valid_to=merged - timedelta(days=1)),
            agency("H38", "UBND tỉnh mới", aliases=(Alias(code="H63", valid_from=merged),)),
        ]
    )
    before = directory.resolve("H63", merged - timedelta(days=1)).agency
    after = directory.resolve("H63", merged).agency
    assert before is not None
    assert after is not None
    assert (before.code, after.code) == ("H63", "H38")


def test_an_alias_of_two_agencies_means_neither() -> None:
    alias = Alias(code="9.H99")
    directory = Directory([agency("H99.1", aliases=(alias,)), agency("H99.2", aliases=(alias,))])
    found = directory.resolve("9.H99", ON)
    assert found.agency is None
    assert "H99.1, H99.2" in found.explanation.en


def test_the_endpoint_of_the_nearest_agency_above_is_inherited() -> None:
    tree = [
        agency("H99", endpoint="tinh"),
        agency("H99.1", parent="H99"),
        agency("H99.1.1", parent="H99.1"),
        agency("H99.2", parent="H99", endpoint="so"),
        agency("K01", parent="K99"),  # its parent is not in the directory
    ]
    directory = Directory(tree)
    assert [directory.endpoint_of(each) for each in tree] == [
        Connection("tinh", None),
        Connection("tinh", "H99"),
        Connection("tinh", "H99"),
        Connection("so", None),
        None,
    ]


def test_within_and_descendants() -> None:
    directory = Directory(
        [
            agency("H99"),
            agency("H99.1", parent="H99"),
            agency("H99.1.1", parent="H99.1"),
            agency("K01"),
        ]
    )
    assert directory.descendants("H99") == ["H99.1", "H99.1.1"]
    assert directory.descendants("H99.1.1") == directory.descendants("G01") == []
    assert directory.is_within("H99.1.1", "H99")
    assert directory.is_within("H99", "H99")
    assert not directory.is_within("H99", "H99.1")
    assert not directory.is_within("K01", "H99")
    assert not directory.is_within("G01", "G01")  # not in the directory


@given(agencies())
def test_descendants_are_exactly_those_within(declared: tuple[Agency, ...]) -> None:
    directory = Directory(declared)
    codes = [each.code for each in directory]
    for top in codes:
        within = [code for code in codes if code != top and directory.is_within(code, top)]
        assert directory.descendants(top) == within


@pytest.mark.parametrize("size", [1, 2, 5])
def test_agencies_in_a_circle_are_refused_by_name(size: int) -> None:
    circle = [agency(f"H99.{n}", parent=f"H99.{(n + 1) % size}") for n in range(size)]
    below = agency("H99.A", parent="H99.0")
    with pytest.raises(ConfigurationError) as refused:
        Directory([below, *circle])
    assert all(each.code in refused.value.detail.vi for each in circle)
    assert "H99.A" not in refused.value.detail.en


def test_a_code_declared_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="declared twice: H99"):
        Directory([agency("H99", "một"), agency("K01"), agency("H99", "hai")])


def names(directory: Directory, text: str, limit: int = 50, after: str | None = None) -> list[str]:
    return [each.code for each in directory.search(text, limit, after)]


def test_search_by_pieces_of_code_alias_and_name() -> None:
    directory = Directory(
        [
            agency("H99.14", "Sở Xây dựng", aliases=(Alias(code="000.00.14.H99"),)),
            agency("H99.31", "Ủy ban nhân dân huyện Đồng Xuân"),
            agency("H99.32", "UBND xã  Đông\nSơn"),
        ]
    )
    assert names(directory, "xay dung") == ["H99.14"]
    assert names(directory, "DỰNG sở") == ["H99.14"]
    assert names(directory, "dong") == names(directory, "Đông") == ["H99.31", "H99.32"]
    assert names(directory, "đông sơn") == ["H99.32"]
    assert names(directory, "000.00.14") == ["H99.14"]
    assert names(directory, "sơn xây") == []  # words of different agencies
    assert names(directory, "") == ["H99.14", "H99.31", "H99.32"]
    assert names(Directory([]), "") == names(Directory([]), "x") == []


@given(agencies(), st.sampled_from(["", "so", "H99", "0", "00 h99"]), st.integers(1, 4))
def test_pages_join_to_the_whole_and_agree_with_plain_search(
    declared: tuple[Agency, ...], text: str, limit: int
) -> None:
    directory = Directory(declared)
    found: list[str] = []
    while page := names(directory, text, limit, found[-1] if found else None):
        found += page
    plain = [
        each.code
        for each in sorted(declared, key=lambda each: each.code)
        if all(
            word in fold(" ".join((each.code, *(a.code for a in each.aliases), each.name)))
            for word in fold(text).split()
        )
    ]
    assert found == plain


@given(st.text())
def test_folding_gives_plain_small_letters_and_is_stable(text: str) -> None:
    folded = fold(text)
    assert folded.isascii()
    assert folded == fold(folded) == folded.lower()


def test_every_vietnamese_letter_folds_to_its_base() -> None:
    letters = "ĂẮẰẲẴẶÂẤẦẨẪẬĐÊẾỀỂỄỆÔỐỒỔỖỘƠỚỜỞỠỢƯỨỪỬỮỰÝỲỶỸỴ"
    assert fold(letters) == "aaaaaaaaaaaadeeeeeeoooooooooooouuuuuuyyyyy"


def test_the_national_directory_is_built_and_used_in_good_time() -> None:
    """61,500 agencies, half of the country; bounds are several times what was measured."""
    declared = [
        agency(
            f"H{n // 2000 + 10}.{n // 100:04d}.{n:06d}",
            f"Ủy ban nhân dân xã Đồng Tâm số {n}",
            parent=f"H{n // 2000 + 10}.{n // 100:04d}.{n - n % 100:06d}" if n % 100 else None,
            aliases=(Alias(code=f"{n:06d}.H99"),),
        )
        for n in range(61_500)
    ]
    random.Random(1).shuffle(declared)
    began = time.process_time()
    directory = Directory(declared)
    assert time.process_time() - began < 3
    began = time.process_time()
    assert len(directory.search("dong tam 61499")) == 1
    assert time.process_time() - began < 0.2
