"""Every page, in the order of the menu. A new one: a file here and a line below (see README)."""

from __future__ import annotations

from bus.console.pages import (
    account,
    documents,
    dossier,
    dossiers,
    message,
    overview,
    reports,
    search,
)

PAGES = (
    overview.PAGE,
    search.PAGE,
    message.PAGE,
    documents.PAGE,
    dossiers.PAGE,
    dossier.PAGE,
    reports.PAGE,
    account.PAGE,
)
