"""Every page, in the order of the menu. A new one: a file here and a line below (see README)."""

from __future__ import annotations

from bus.console.pages import (
    account,
    agencies,
    agency,
    configurations,
    mappings,
    onboard,
    overview,
    routes,
)

PAGES = (
    overview.PAGE,
    agencies.PAGE,
    agency.PAGE,
    onboard.PAGE,
    routes.PAGE,
    configurations.PAGE,
    mappings.PAGE,
    account.PAGE,
)
