"""Declared items as YAML, as `lgsp export` writes them: edited, looked at, put in force."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from bus.console.frame import View
from bus.console.proposing import Review
from bus.ops import province_files
from bus.ops.province_change import in_place_of
from schemas.errors import LgspError
from schemas.province import Province


class Editor:
    """Built where it is made."""

    def __init__(self, view: View, shown: Province) -> None:
        self._view = view
        self._shown = shown
        self._text = ui.textarea(
            view.say("Khai báo (YAML)", "Declaration (YAML)"),
            value=province_files.export_text(shown),
        ).props("outlined autogrow spellcheck=false")
        self._text.classes("yaml")
        with ui.element("div").classes("line"):
            view.button("Xem thay đổi", "Look at the change", self._look, kind="main")
        self._review = Review(view)

    def change(self) -> Callable[[Province], Province]:
        """What the text asks for. Raises ConfigurationError with the lines at fault."""
        text = self._text.value or ""
        edited = province_files.read_text(text) if text.strip() else Province()
        return in_place_of(self._shown, edited)

    @property
    def changed(self) -> bool:
        return bool((self._text.value or "") != province_files.export_text(self._shown))

    async def _look(self) -> None:
        try:
            change = self.change()
        except LgspError as error:
            self._review.clear()
            self._view.tell(error)
        else:
            await self._review.show(change)
