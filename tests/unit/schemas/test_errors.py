"""The tree of errors in the docstring is the tree of classes."""

from __future__ import annotations

import re

import pytest

from schemas import errors
from schemas.errors import LgspError, LocalError, PartnerError


def tree(cls: type[LgspError]) -> list[type[LgspError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in tree(child))]


def test_the_docstring_shows_the_classes_in_their_order_with_their_status() -> None:
    shown = re.findall(
        r"^[│├└─ ]*([A-Z][A-Za-z]+)(?: +(\d{3}))?(?:  |$)", errors.__doc__ or "", re.MULTILINE
    )
    bases = {"LgspError", "LocalError", "PartnerError"}
    real = [
        (c.__name__, "" if c.__name__ in bases else str(c.http_status))
        for c in tree(LgspError)
        if c.__module__ == errors.__name__
    ]
    assert shown == real


def test_each_code_is_used_once() -> None:
    """A door's own kinds of one of them (in its module) keep the code."""
    own = [c for c in tree(LgspError) if c.__module__ == LgspError.__module__]
    codes = [c.code for c in own if c not in {LocalError, PartnerError}]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("base", [LocalError, PartnerError])
def test_the_bases_are_never_raised(base: type[LgspError]) -> None:
    with pytest.raises(TypeError):
        base("x")
