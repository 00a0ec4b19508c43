"""The mailbox has no outbound call: its deliveries wait in the ledger until they are fetched."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NoReturn

import aiohttp

from adapters.mailbox.config import MailboxConfig
from adapters.mailbox.manifest import MANIFEST
from schemas.adapter import AdapterConfig, Manifest, OutboundDelivery


class Mailbox:
    """Declares the kind; the gateway's mailbox routes do the work."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = MailboxConfig

    def __init__(
        self,
        config: MailboxConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
    ) -> None:
        """Takes what every adapter takes, and needs none of it."""

    async def deliver(self, delivery: OutboundDelivery) -> NoReturn:
        """Never called: raises TypeError, because a dispatcher that publishes the deliveries of a
        pull endpoint is wrong and must not take it for a failure of the partner.
        """
        raise TypeError(
            f"delivery {delivery.id} belongs to a mailbox: it waits in the ledger until the"
            " receiver fetches it and is never dispatched to a worker"
        )

    async def close(self) -> None:
        """Nothing to release."""
