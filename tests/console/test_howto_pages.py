"""The how-to pages of operators say what the console says, and each of them is walked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.console import test_howto
from tests.console.tour import PICTURES, pages, pairs_of, pictures_of
from tests.integration.cli_harness import ROOT

PAGES = pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)


@pytest.fixture(scope="module")
def source() -> str:
    """Where the words of the screen stand."""
    folders = (ROOT / name for name in ("bus", "schemas", "routing"))
    return "\n".join(file.read_text("utf-8") for each in folders for file in each.rglob("*.py"))


@PAGES
def test_words_have_their_english_beside_them(page: Path, source: str) -> None:
    unknown = {
        (vi, en)
        for vi, en in pairs_of(page)
        if not re.search(f'"{re.escape(vi)}",\\s*"{re.escape(en)}"', source)
    }
    assert not unknown


def test_every_page_is_walked() -> None:
    walked = re.findall(r'along\(walk, "([a-z-]+)"', Path(test_howto.__file__).read_text("utf-8"))
    assert sorted(walked) == [page.stem for page in pages() if page.stem != "README"]


def test_every_picture_is_shown() -> None:
    shown = [picture for page in pages() for picture in pictures_of(page)]
    assert sorted(shown) == sorted(file.stem for file in PICTURES.glob("*"))
