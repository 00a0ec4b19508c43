"""What the routes work with: given by the composition root, and made once from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from bus.engine.accept import Acceptor
from bus.engine.live import LiveConfig
from bus.gateway.calling import Calls, Catalogue, Partners, Rights
from bus.gateway.desk import TokenDesk
from bus.gateway.door import BusDoor, BusDoors, Secrets
from bus.gateway.dossier_totals import LiveTotals
from bus.gateway.feed import Feed
from bus.gateway.gate import Gate
from bus.gateway.inquirer import Inquirer
from bus.gateway.limits import GatewayLimits
from bus.gateway.probes import Probed
from bus.gateway.providing.feeds import FeedRunner
from bus.gateway.providing.jobs import JobRunner
from bus.ledger.ledger import Ledger
from schemas.door import Facade
from schemas.errors import ConfigurationError


def no_secrets(name: str) -> bytes:
    raise ConfigurationError(f"no secret {name}", vi=f"Không có bí mật {name}")


@dataclass(frozen=True, slots=True)
class GatewayDeps:
    """Everything the gateway needs from outside."""

    ledger: Ledger
    acceptor: Acceptor
    live: LiveConfig
    probed: Probed
    inquirer: Inquirer
    partners: Partners  # whose services are called
    limits: GatewayLimits = field(default_factory=GatewayLimits)
    access_log: bool = True
    secrets: Secrets = no_secrets  # with which systems sign their requests
    facades: Mapping[str, Facade] = field(default_factory=dict)  # by the path each stands under


@dataclass(frozen=True, slots=True)
class Services:
    """Kept in `app.state.services`."""

    deps: GatewayDeps
    gate: Gate
    doors: BusDoors
    desk: TokenDesk
    feed: Feed
    totals: LiveTotals
    catalogue: Catalogue
    rights: Rights
    calls: Calls
    jobs: JobRunner
    feeds: FeedRunner


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _entered(request: Request) -> BusDoor:
    return await _services(request).doors.bearer(request.scope)


Using = Annotated[Services, Depends(_services)]
Entered = Annotated[BusDoor, Depends(_entered)]
"""The bus for the caller. Every route takes it, save those in bus.gateway.app.PUBLIC."""
