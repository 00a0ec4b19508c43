"""Every page, in the order of the menu. A new one: a file here and a line below (see README)."""

from __future__ import annotations

from bus.console.pages import (
    accesses,
    account,
    agencies,
    agency,
    alerts,
    configurations,
    deliveries,
    documents,
    dossier,
    dossiers,
    endpoints,
    journal,
    mappings,
    message,
    onboard,
    overview,
    reports,
    routes,
    search,
    services,
)

PAGES = (
    overview.PAGE,
    alerts.PAGE,
    search.PAGE,
    message.PAGE,
    deliveries.PAGE,
    endpoints.PAGE,
    documents.PAGE,
    dossiers.PAGE,
    dossier.PAGE,
    services.PAGE,
    reports.PAGE,
    agencies.PAGE,
    agency.PAGE,
    onboard.PAGE,
    routes.PAGE,
    configurations.PAGE,
    mappings.PAGE,
    accesses.PAGE,
    journal.PAGE,
    account.PAGE,
)
