"""What the routes work with: given by the composition root, and made once from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from bus.engine.accept import Acceptor
from bus.engine.live import LiveConfig
from bus.gateway.access import Caller
from bus.gateway.desk import TokenDesk
from bus.gateway.gate import Gate
from bus.gateway.limits import GatewayLimits
from bus.gateway.probes import Probed
from bus.gateway.receive import Receiving
from bus.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class GatewayDeps:
    """Everything the gateway needs from outside."""

    ledger: Ledger
    acceptor: Acceptor
    live: LiveConfig
    probed: Probed
    limits: GatewayLimits = field(default_factory=GatewayLimits)
    access_log: bool = True


@dataclass(frozen=True, slots=True)
class Services:
    """Kept in `app.state.services`."""

    deps: GatewayDeps
    gate: Gate
    receiving: Receiving
    desk: TokenDesk


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _admitted(request: Request) -> Caller:
    return await _services(request).gate.admit(request.scope)


Using = Annotated[Services, Depends(_services)]
Admitted = Annotated[Caller, Depends(_admitted)]
"""Every route takes one, save those in bus.gateway.app.PUBLIC."""
