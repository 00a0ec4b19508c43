"""Tổng quan: what runs, what waits, what needs a person now."""

from __future__ import annotations

from bus.console.frame import Page, View
from schemas.errors import Text


async def build(view: View) -> None:
    view.heading("Cần người xử lý", "Needs a person")


PAGE = Page("/", Text("Tổng quan", "Overview"), build, icon="dashboard")
