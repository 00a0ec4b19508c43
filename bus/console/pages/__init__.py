"""Every page, in the order of the menu. A new one: a file here and a line below (see README)."""

from __future__ import annotations

from bus.console.pages import (
    account,
    agencies,
    deliveries,
    endpoints,
    journal,
    message,
    onboard,
    overview,
    search,
)

PAGES = (
    overview.PAGE,
    search.PAGE,
    message.PAGE,
    deliveries.PAGE,
    endpoints.PAGE,
    journal.PAGE,
    agencies.PAGE,
    onboard.PAGE,
    account.PAGE,
)
