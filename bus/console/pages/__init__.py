"""Every page, in the order of the menu. A new one: a file here and a line below (see README)."""

from __future__ import annotations

from bus.console.pages import (
    account,
    agencies,
    agency,
    configurations,
    deliveries,
    endpoints,
    journal,
    mappings,
    message,
    onboard,
    overview,
    routes,
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
    agency.PAGE,
    onboard.PAGE,
    routes.PAGE,
    configurations.PAGE,
    mappings.PAGE,
    account.PAGE,
)
