"""Chromium, the browser in which the tests walk through the console. No service."""

from __future__ import annotations

import shutil
from typing import Final

from deploy.services.service import PATH


class Chromium:
    """What test.sh asks of the services, too."""

    package: Final = "chromium"  # of Debian
    ARGUMENTS: Final = (
        "--headless",
        "--no-sandbox",  # root may not sandbox; it opens the console of the tests alone
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    )

    @classmethod
    def installed(cls) -> bool:
        return cls.path() is not None

    @classmethod
    def path(cls) -> str | None:
        return shutil.which("chromium", path=PATH)
