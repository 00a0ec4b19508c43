"""A walk along one how-to page: what it names is on the screen, and its pictures are of that walk.

Words of the screen stand in **bold** on a page, pictures are `![…](pictures/NAME.png)`.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Locator

from tests.console.harness import Walk
from tests.integration.cli_harness import ROOT

FOLDER = ROOT / "deploy" / "docs" / "operate"
PICTURES = FOLDER / "pictures"
WIDTH, HEIGHT = 1366, 768  # of the laptops that offices have
COLOURS = 96
GREY = "#c8d0d6"
MOST_BYTES = 80_000
REWRITE = bool(os.environ.get("PICTURES"))  # else the tree stays as it is

_WORD = r"\*\*((?:(?!\*\*[^*]).)+)\*\*(?!\*)"
_ENGLISH = r" \(((?:[^()]|\([^()]*\))+)\)"
_SHOWN = re.compile(r"!\[[^\]]+\]\(pictures/([\w-]+)\.png\)")
_SECRET = re.compile(r"^\S{30,}$")
_SEEN = """() => {
  const found = new Set(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim();
    if (text && texts.currentNode.parentElement.checkVisibility()) found.add(text);
  }
  for (const each of document.querySelectorAll('select'))
    if (each.checkVisibility()) for (const option of each.options) found.add(option.text.trim());
  for (const each of document.querySelectorAll('[aria-label]'))
    if (each.checkVisibility()) found.add(each.getAttribute('aria-label').trim());
  return [...found];
}"""


def pages() -> list[Path]:
    """The how-to pages."""
    return sorted(FOLDER.glob("*.md"))


def words_of(page: Path) -> set[str]:
    """What it says is on the screen; `…` in it stands for anything."""
    return set(re.findall(_WORD, _text(page)))


def pairs_of(page: Path) -> set[tuple[str, str]]:
    """Words of the screen with their English beside them."""
    return set(re.findall(_WORD + _ENGLISH, _text(page)))


def pictures_of(page: Path) -> list[str]:
    return _SHOWN.findall(_text(page))


def _text(page: Path) -> str:
    return page.read_text("utf-8").replace("\\*", "*")  # escaped in Markdown


class Tour:
    def __init__(self, walk: Walk, page: str) -> None:
        self._walk = walk
        self._file = FOLDER / f"{page}.md"
        self._seen: set[str] = set()
        self._made: list[str] = []
        self.page = walk.page

    async def see(self, *expected: str) -> None:
        """Waits until these words are there; remembers all that can be read."""
        for text in expected:
            await self.page.locator("body").get_by_text(text).first.wait_for()
        self._seen.update(await self.page.evaluate(_SEEN))

    async def menu(self, entry: str) -> None:
        named = re.compile(f"{re.escape(entry)}$")  # behind the name of its icon
        await self.page.locator(".menu a").filter(has_text=named).click()
        await self.page.locator("main h1", has_text=entry).wait_for()
        await self.see()

    async def press(self, label: str) -> None:
        """A button of exactly this label; the last one, which an open dialog has."""
        await self.see()
        await self.page.get_by_role("button", name=label).last.click()

    async def fill(self, label: str, text: str) -> None:
        await self.page.get_by_label(label, exact=True).last.fill(text)

    async def choose(self, label: str, option: str) -> None:
        """In a list that opens."""
        await self.page.get_by_label(label, exact=True).last.click()
        await self.see()
        await self.page.locator(".q-menu").get_by_text(option, exact=True).click()

    async def picture(self, name: str, at: Locator | None = None) -> None:
        """What the window shows, from `at` on."""
        await self.see()
        if at is not None:
            await at.evaluate("e => scrollBy(0, e.getBoundingClientRect().top - 120)")
        await self.page.wait_for_function("document.fonts.status === 'loaded'")
        await self.page.mouse.move(0, HEIGHT - 1)
        keys = self.page.locator(".new-key code").filter(has_text=_SECRET)  # none to be copied
        content = await self.page.screenshot(animations="disabled", mask=[keys], mask_color=GREY)
        self._made.append(name)
        if REWRITE:
            (PICTURES / f"{name}.png").write_bytes(_small(content))

    def end(self) -> None:
        """Every word and picture of the page was met on the way."""
        unseen = {word for word in words_of(self._file) if not self._met(word)}
        assert not unseen, f"{self._file.name} names what the screen did not show: {unseen}"
        assert sorted(self._made) == sorted(pictures_of(self._file)), "its pictures"
        for name in self._made:
            kept = PICTURES / f"{name}.png"
            assert kept.is_file(), f"no picture {name}: PICTURES=1 makes it"
            assert kept.stat().st_size <= MOST_BYTES, name

    def _met(self, word: str) -> bool:
        pattern = re.compile(".*?".join(map(re.escape, word.split("…"))), re.DOTALL)
        return any(pattern.fullmatch(text) for text in self._seen)


@asynccontextmanager
async def along(walk: Walk, page: str, role: str, path: str = "/") -> AsyncIterator[Tour]:
    """Logs in and walks; at the end the page has to be what was seen."""
    await walk.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await walk.log_in(role, path=path)
    await walk.page.wait_for_selector("main#main h1")
    tour = Tour(walk, page)
    await tour.see()
    yield tour
    tour.end()


def _small(content: bytes) -> bytes:
    """With a palette: a screen has few colours."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    found = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(found, "PNG", optimize=True)
    return found.getvalue()
