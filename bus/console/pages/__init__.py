"""Every page, in the order of the menu. A new one: a file here and a line below (see README)."""

from __future__ import annotations

from bus.console.pages import account, overview

PAGES = (
    overview.PAGE,
    account.PAGE,
)
