"""Patterns of routes."""

from __future__ import annotations

import pytest

from routing.table import RouteTable, parse_pattern
from schemas.errors import ConfigurationError
from schemas.province import Route


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("*", ["H38", "000.00.00.H38"], []),
        ("H38.*", ["H38.14", "H38.14.02"], ["H38", "H381.14", "000.H38.1"]),
        ("*.H38", ["14.H38", "000.00.14.H38"], ["H38", "H38.14", "1.GH38X"]),
        ("H38", ["H38"], ["H38.14", "14.H38"]),
        (" h38 . 14 ", ["H38.14"], ["H38"]),
    ],
)
def test_what_a_pattern_fits(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    matcher = parse_pattern(pattern)
    assert all(matcher((code,)) for code in fits)
    assert not any(matcher((code,)) for code in fits_not)
    assert not fits_not or matcher((*fits_not, *fits))  # one code of several is enough


@pytest.mark.parametrize("pattern", ["", "H38.*.01", "*.H38.*", "**", "* *"])
def test_a_star_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_pattern(pattern)
    with pytest.raises(ConfigurationError):
        RouteTable([Route(name="r", receiver=pattern)])


def test_the_table_iterates_in_the_order_of_trying() -> None:
    routes = [Route(name=name, priority=rank) for name, rank in (("c", 1), ("b", 2), ("a", 2))]
    assert [route.name for route in RouteTable(routes)] == ["c", "a", "b"]
    assert len(RouteTable(routes)) == 3
